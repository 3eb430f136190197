/* SPDX-License-Identifier: MIT */
/* cow.h - a write to a page that may be replaced by it
 *
 * A write to a present page that is write-protected, the zero page, or the
 * file's, goes to a copy unless the page is nobody else's. Of a copy mirrors are
 * told, as the page they knew is not the program's any more; a page that is
 * used again stays what it was. Either way it is the program's alone then.
 * Kernel: do_wp_page(), wp_page_copy(), wp_page_reuse().
 */
#ifndef UHMM_MM_COW_H
#define UHMM_MM_COW_H

#include "mm/mm.h"

/** uhmm_cow_is_copied() - will a write to @vpn, whose state is @pte, be one to
 *  a copy? */
bool uhmm_cow_is_copied(const struct uhmm_mm *mm, uhmm_vpn_t vpn, uint8_t pte);

/**
 * uhmm_cow_break() - the private pages @r are about to be written by @mm
 * @pte: enum uhmm_pte bits of each
 */
void uhmm_cow_break(struct uhmm_mm *mm, struct uhmm_range r,
		    const uint8_t *pte);

/**
 * uhmm_cow_unshare() - pages of @r that are there have been pinned, to be read:
 * what a fork shared is the program's alone from now on, if read-only still
 * Kernel: gup_must_unshare().
 */
void uhmm_cow_unshare(struct uhmm_mm *mm, struct uhmm_range r);

#endif
