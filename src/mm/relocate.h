/* SPDX-License-Identifier: MIT */
/* relocate.h - a page on its way back (restore.h) goes to another device instead
 *
 * The bytes are copied from device page to device page while the entries are
 * migration entries; the program has no part in it. In the end each entry names
 * the new page, which is free again when nobody maps it by then. An entry for
 * which there is no memory keeps the old page: both have the same bytes, and what
 * has more than one entry is not written.
 */
#ifndef UHMM_MM_RELOCATE_H
#define UHMM_MM_RELOCATE_H

#include "mm/restore.h"

/**
 * uhmm_restore_redirect() - @dpfn, of a private device, shall go to @dest, an
 * allocated page of another one, with all who map it. Its bytes are there from
 * now on.
 * Return: 0; -EINVAL one of them is no private device's, or @dpfn is not
 * locked; -EIO the program that has the bytes is gone; -ENOMEM. Then @dest is
 * the caller's still.
 */
UHMM_CHECKED int uhmm_restore_redirect(struct uhmm_restore *r,
				       uhmm_dpfn_t dpfn, uhmm_dpfn_t dest);

/**
 * uhmm_relocate_leg() - @leg ends: its entry names the new page from now on
 * Return: false it has none, or that cannot be
 */
bool uhmm_relocate_leg(struct uhmm_restore *r, struct uhmm_leg *leg);

/** uhmm_relocate_settle() - all legs have ended: what was a unit is one again,
 *  the new page of @leg is free if nobody maps it */
void uhmm_relocate_settle(struct uhmm_restore *r, const struct uhmm_leg *leg);

/** uhmm_relocate_count() - pages that others are on their way to; nobody maps
 *  them yet */
uint64_t uhmm_relocate_count(const struct uhmm_core *core);

/** uhmm_relocate_to() - an mm of which device pages are on their way to device
 *  pages [@first, @end), or NULL */
struct uhmm_mm *uhmm_relocate_to(struct uhmm_core *core, uhmm_dpfn_t first,
				 uhmm_dpfn_t end);

#endif
