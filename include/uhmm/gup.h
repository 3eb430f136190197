/* SPDX-License-Identifier: MIT */
/* gup.h - pages for somebody in the kernel who goes behind the page table
 *
 * Kernel: mm/gup.c, get_user_pages() and pin_user_pages(). Both make a page
 * accessible as a CPU access would, so private and exclusive pages come back. A
 * coherent page is good enough where it is, unless it is pinned for long: then
 * it goes to system memory first. A page that is pinned does not migrate.
 * Difference: FOLL_FORCE is ignored.
 */
#ifndef UHMM_GUP_H
#define UHMM_GUP_H

#include <uhmm/mm.h>
#include <uhmm/notifier.h>

/** The kernel's numbers: a program passes them to its gup_test. */
enum uhmm_foll {
	UHMM_FOLL_WRITE = 1 << 0,
	UHMM_FOLL_LONGTERM = 1 << 8,
};

UHMM_EXPORTS_BEGIN

/**
 * uhmm_get_user_pages() - (yields) make pages from @vpn on accessible
 * @flags: enum uhmm_foll
 * Return: pages done, from the first; if that cannot be had -EFAULT no mapping,
 * not readable (writable), special; -EBUSY others are faster; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int64_t uhmm_get_user_pages(struct uhmm_mm *mm, uhmm_vpn_t vpn,
					 uint64_t npages, unsigned int flags);

/** struct uhmm_pin - pages of one mm that stay where they are */
struct uhmm_pin {
	struct uhmm_list link;		/* in uhmm_mm.pins */
	struct uhmm_mm *mm;
	struct uhmm_notifier notifier;	/* says which the program dropped */
	uhmm_vpn_t start;
	uint64_t npages;
	uint64_t held[];		/* one bit per page */
};

/**
 * uhmm_pin_user_pages() - (yields) the same for all of them, and hold them
 * @pin: (out) ended by uhmm_unpin_user_pages(); @mm must outlive it
 * Return: 0; as uhmm_get_user_pages()
 */
UHMM_CHECKED int uhmm_pin_user_pages(struct uhmm_mm *mm, uhmm_vpn_t vpn,
				     uint64_t npages, unsigned int flags,
				     struct uhmm_pin **pin);

/** uhmm_unpin_user_pages() - let go; accepts NULL */
void uhmm_unpin_user_pages(struct uhmm_pin *pin);

/** uhmm_pin_has() - does it still hold the page at @vpn? */
bool uhmm_pin_has(const struct uhmm_pin *pin, uhmm_vpn_t vpn);

/** uhmm_mm_is_pinned() - does any? */
bool uhmm_mm_is_pinned(const struct uhmm_mm *mm, uhmm_vpn_t vpn);

UHMM_EXPORTS_END

#endif
