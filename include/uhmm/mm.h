/* SPDX-License-Identifier: MIT */
/* mm.h - a program's address space, as a driver sees it
 *
 * Theory of operation. All semantic state of one daemon, or of one program that
 * embeds the library, is a struct uhmm_core. One lock covers it. Drivers run
 * with that lock held, and their code reads top to bottom as kernel code does.
 * A call marked (yields) may drop it, run other work, and take it again: what
 * was known of entries, mappings and opens must then be looked up again.
 * A page that is on its way is a migration entry, which is its lock: whoever
 * meets one waits and looks again.
 *
 * Units:  page numbers; the size of a page is uhmm_core_page_bytes().
 * Locks:  the core's lock is held by the caller, everywhere.
 * Errors: 0 or -errno. -ESRCH always means that the program is gone.
 */
#ifndef UHMM_MM_H
#define UHMM_MM_H

#include <uhmm/softleaf.h>
#include <uhmm/vma.h>

struct uhmm_core;
struct uhmm_mm;

UHMM_EXPORTS_BEGIN

/** uhmm_core_page_bytes() - of a base page; uhmm_core_pmd_npages() - pages of a
 *  PMD-sized unit */
uint64_t uhmm_core_page_bytes(const struct uhmm_core *core);
uint64_t uhmm_core_pmd_npages(const struct uhmm_core *core);

/** uhmm_core_now_ns() - monotonic time. Kernel: ktime_get_ns(). */
uint64_t uhmm_core_now_ns(struct uhmm_core *core);

/** uhmm_mm_core() - what @mm is of */
struct uhmm_core *uhmm_mm_core(const struct uhmm_mm *mm);

/** uhmm_mm_is_gone() - is its program? Then every call says -ESRCH.
 *  Kernel: !mmget_not_zero(). */
bool uhmm_mm_is_gone(const struct uhmm_mm *mm);

/** uhmm_mm_get(), uhmm_mm_put() - references; the last one frees it.
 *  Kernel: mmgrab(), mmdrop(). */
void uhmm_mm_get(struct uhmm_mm *mm);
void uhmm_mm_put(struct uhmm_mm *mm);

/**
 * uhmm_mm_leaf() - the entry at @vpn; none also for an mm that is gone
 */
uhmm_softleaf_t uhmm_mm_leaf(const struct uhmm_mm *mm, uhmm_vpn_t vpn);

/**
 * uhmm_mm_wait_leaf() - (yields) wait while @vpn is a migration entry
 * Return: the entry that is there now, not a migration entry
 * Kernel: migration_entry_wait().
 */
uhmm_softleaf_t uhmm_mm_wait_leaf(struct uhmm_mm *mm, uhmm_vpn_t vpn);

/**
 * uhmm_find_vma() - the mapping that holds @vpn, or the first above it
 * Return: 0 (look at @vma->range); -ENOENT nothing there or above; -ESRCH
 * Kernel: find_vma().
 */
UHMM_CHECKED int uhmm_find_vma(struct uhmm_mm *mm, uhmm_vpn_t vpn,
			       struct uhmm_vma *vma);

/**
 * uhmm_mm_scan() - what the CPU's page table has for each page of @r, enum
 * uhmm_pte bits in @pte[0 .. npages). Faults nothing in.
 * Return: 0; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_mm_scan(struct uhmm_mm *mm, struct uhmm_range r,
			      uint8_t *pte);

/**
 * uhmm_mm_watch() - @r is followed from now on: notifiers are told what the
 * program does to these pages, even where no device page was ever. What cannot
 * be followed is left out.
 * Return: 0; -ENOMEM; -ESRCH
 * Kernel: none, an interval notifier is told of everything.
 */
UHMM_CHECKED int uhmm_mm_watch(struct uhmm_mm *mm, struct uhmm_range r);

/** uhmm_mm_is_watched() - is @vpn followed? */
bool uhmm_mm_is_watched(const struct uhmm_mm *mm, uhmm_vpn_t vpn);

/**
 * uhmm_mm_protect() - (yields) a CPU write to the present pages @r, which are
 * watched, is told to notifiers
 * Return: 0, also when some are not watched any more; -ESRCH
 */
UHMM_CHECKED int uhmm_mm_protect(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_mm_read(), uhmm_mm_write() - copy between @buf and pages that are there
 * (and writable). What a device does by DMA.
 * Return: pages done, fewer when a page is not there (0: the first); -ESRCH
 */
UHMM_CHECKED int64_t uhmm_mm_read(struct uhmm_mm *mm, uhmm_vpn_t vpn,
				  uint64_t npages, void *buf);
UHMM_CHECKED int64_t uhmm_mm_write(struct uhmm_mm *mm, uhmm_vpn_t vpn,
				   uint64_t npages, const void *buf);

UHMM_EXPORTS_END

#endif
