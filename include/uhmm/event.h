/* SPDX-License-Identifier: MIT */
/* event.h - what the program (its kernel) did to its mappings
 *
 * The daemon calls these for each userfaultfd event and for each hook that has
 * no event, in the order the kernel gave them. None yields and none fails: the
 * thing has happened already.
 */
#ifndef UHMM_EVENT_H
#define UHMM_EVENT_H

#include <uhmm/mm.h>

UHMM_EXPORTS_BEGIN

/**
 * uhmm_event_unmap() - munmap, MADV_DONTNEED, MADV_REMOVE of @r: entries are
 * dropped, device pages freed, migrations of these pages fail
 * Kernel: zap_page_range().
 */
void uhmm_event_unmap(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_event_cut() - @r is not mapped any more, or is a mapping of its own: what
 * was one mapping with what is before or behind it is cut
 * Mirrors forget all of a PMD in which that happened.
 * Kernel: vma_adjust_trans_huge(), which tells so whether a PMD is huge or not.
 */
void uhmm_event_cut(struct uhmm_mm *mm, struct uhmm_range r);

/** uhmm_event_remap() - mremap moved [@from, +@npages) to @to */
void uhmm_event_remap(struct uhmm_mm *mm, uhmm_vpn_t from, uhmm_vpn_t to,
		      uint64_t npages);

/**
 * uhmm_event_protect() - mprotect is to change the protection of @r, in one
 * mapping: entries become READ, mirrors forget, as of uhmm_event_cut()
 * Kernel: change_pte_range().
 */
void uhmm_event_protect(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_event_protected() - (yields) the protection of @r has been changed: where
 * it may be written, pages that are nobody else's, and have not been since they
 * were written, are writable at once
 * Kernel: can_change_pte_writable().
 * Return: 0; -ESRCH; -ENOMEM
 */
UHMM_CHECKED int uhmm_event_protected(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_event_pageout() - MADV_PAGEOUT of @r: it takes pages of files and shared
 * memory from the CPU, with no swap space, too; mirrors forget what is gone
 * Kernel: try_to_unmap_one().
 */
void uhmm_event_pageout(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_event_fork() - @child was forked from @parent: both map the same device
 * pages from now on, read-only
 * Return: 0; -ENOMEM: the child lacks entries and must not run on
 * Kernel: copy_nonpresent_pte().
 */
UHMM_CHECKED int uhmm_event_fork(struct uhmm_mm *parent,
				 struct uhmm_mm *child);

UHMM_EXPORTS_END

#endif
