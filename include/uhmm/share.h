/* SPDX-License-Identifier: MIT */
/* share.h - before a fork: what both will share is read-only in both
 *
 * After a fork the kernel has every private page read-only in parent and child
 * until it is written, and a snapshot shows that. The page table's own write
 * bit cannot be seen from outside, ours can: so private pages are protected
 * before the fork, and the child inherits that. They get numbers (mm/kin.h).
 * What a device has for itself comes back first.
 * A mapping without any page of its own the kernel leaves to be faulted in by
 * the child, unless somebody write-protects it: so it is not watched meanwhile.
 * Kernel: copy_present_ptes(), wrprotect, vma_needs_copy().
 */
#ifndef UHMM_SHARE_H
#define UHMM_SHARE_H

#include <uhmm/mm.h>

UHMM_EXPORTS_BEGIN

/**
 * uhmm_mm_share() - (yields) protect the present private pages of @mm and make
 * its mirrors forget them; does nothing for an mm without mirrors and entries
 * @except: pages to leave alone
 * Return: 0; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_mm_share(struct uhmm_mm *mm, struct uhmm_range except);

/** uhmm_mm_shared() - (yields) the fork is over: what was not watched while it
 *  was is again. 0; -ENOMEM; -ESRCH */
UHMM_CHECKED int uhmm_mm_shared(struct uhmm_mm *mm);

/**
 * uhmm_mm_share_copies() - (yields) the fork is over, and of memory that fences
 * trap the child knows nothing: the pages of @r that it got are read-only from
 * now on, in the parent, and so are, @late, those in the child that are still
 * the same
 * Return: 0; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_mm_share_copies(struct uhmm_mm *mm, struct uhmm_range r,
				      bool late);

UHMM_EXPORTS_END

#endif
