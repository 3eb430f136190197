/* SPDX-License-Identifier: MIT */
/* ptes.h - what the CPU's page table of a program says
 *
 * Theory of operation. One pread(2) of /proc/PID/pagemap per 512 pages gives
 * present, swap, file, exclusive and write-protected; where something is
 * present, one PAGEMAP_SCAN (6.7) adds zero page and huge. On older kernels
 * a huge page looks like 512 small ones, and the zero page is known by its frame,
 * which only root is shown: for others it looks like an ordinary page that is
 * mapped more than once.
 *
 * A write-protect marker (an empty entry of a trapped range) and a swapped-out
 * write-protected page look alike to a reader without CAP_SYS_ADMIN. They are
 * told apart by the swap type where that is shown; else, no swap in use at all
 * means marker; else by one byte read through the mem descriptor, which
 * refuses a marker and swaps a page in.
 *
 * UHMM_PTE_PUD is never set: the caller knows the page size of a hugetlb
 * mapping from uhmm_maps_find().
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_PTES_H
#define UHMM_SYS_PTES_H

#include <uhmm/mm_ops.h>

/** How the page table of one mm is read. */
struct uhmm_ptes {
	int fd;			/* /proc/PID/pagemap, not owned */
	int mem;		/* /proc/PID/mem, not owned */
	bool has_scan;		/* PAGEMAP_SCAN works */
	uint64_t zero_frame;	/* of the zero page; 0: not known, not needed */
};

/** uhmm_ptes_init() - use these descriptors; finds out what works */
void uhmm_ptes_init(struct uhmm_ptes *ptes, int pagemap, int mem);

/**
 * uhmm_ptes_scan() - enum uhmm_pte bits of each page of @r
 * @pte: (out) one byte per page
 * Return: 0; -ESRCH mm gone
 */
UHMM_CHECKED int uhmm_ptes_scan(const struct uhmm_ptes *ptes,
				   struct uhmm_range r, uint8_t *pte);

/**
 * uhmm_ptes_skip_holes() - where in @r the first page may be that has an entry
 * at all. As fast over terabytes of nothing as over a page of it (6.7; before,
 * it is the first page of @r).
 * Return: it; the end of @r: there is none
 */
uhmm_vpn_t uhmm_ptes_skip_holes(const struct uhmm_ptes *ptes,
				struct uhmm_range r);

/**
 * uhmm_ptes_raw() - the kernel's own words (UHMM_PM_*) of @r
 * Pages past the end of the address space read 0.
 * Return: 0; -ESRCH mm gone
 */
UHMM_CHECKED int uhmm_ptes_raw(const struct uhmm_ptes *ptes,
				  struct uhmm_range r, uint64_t *word);

/**
 * uhmm_ptes_next() - the first pages in @r that are present and ordinary:
 * anonymous, not the zero page. Walks over holes fast.
 * @max: pages at most
 * @run: (out) they
 * Return: 0; -ENOENT none; -EOPNOTSUPP the kernel cannot tell (before 6.7);
 * -ESRCH mm gone
 */
UHMM_CHECKED int uhmm_ptes_next(const struct uhmm_ptes *ptes,
				struct uhmm_range r, uint64_t max,
				struct uhmm_range *run);

/** uhmm_ptes_alive() - false when the mm is gone. One system call. */
bool uhmm_ptes_alive(const struct uhmm_ptes *ptes);

#endif
