/* SPDX-License-Identifier: MIT */
/* vma.h - what a program's kernel says of its memory
 *
 * Kernel: struct vm_area_struct and page table entries, as far as they can be
 * known from outside.
 */
#ifndef UHMM_VMA_H
#define UHMM_VMA_H

#include <uhmm/types.h>

/** What one mapping (VMA) is. Filled by uhmm_find_vma(). */
struct uhmm_vma {
	struct uhmm_range range;
	bool read, write, exec;	/* VM_READ, VM_WRITE, VM_EXEC */
	bool shared;		/* VM_SHARED */
	bool anon;		/* no file behind it (a shared one is shmem) */
	bool stack;		/* the first thread's stack */
	bool heap;		/* what brk(2) moves the end of */
	bool hugetlb;
	bool special;		/* IO, PFNMAP, MIXEDMAP, DONTEXPAND: vdso,
				 * vvar, a mapped device */
	bool pfnmap;		/* of these, IO or PFNMAP: no pages behind it */
	uint64_t device;	/* of the file behind it, whose number is only
				 * compared */
	uint64_t file;		/* tells files apart; 0: none */
	uint64_t file_page;	/* page of it that is at @range.start */
	bool by_fence;		/* trapped by its protection (sys/fence.h): a
				 * page that is away looks like a hole to who
				 * reads the program's memory */
	bool fenced;		/* and this part of it may be, now */
};

/**
 * What the CPU's page table says of one page, as bits. 0 is an empty entry (or
 * a marker that stands for one).
 */
enum uhmm_pte {
	UHMM_PTE_PRESENT = 1 << 0,
	UHMM_PTE_SWAP = 1 << 1,		/* swapped out or other non-present
					 * entry that is not ours */
	UHMM_PTE_ZERO = 1 << 2,		/* with PRESENT: the zero page */
	UHMM_PTE_HUGE = 1 << 3,		/* with PRESENT: mapped by a PMD */
	UHMM_PTE_FILE = 1 << 4,		/* with PRESENT: page cache or shmem */
	UHMM_PTE_EXCLUSIVE = 1 << 5,	/* with PRESENT: mapped once only */
	UHMM_PTE_WP = 1 << 6,		/* userfaultfd write-protected, or with
					 * PRESENT a page of a shared file that
					 * is written back */
	UHMM_PTE_PUD = 1 << 7,		/* with HUGE: mapped by a PUD */
};

#endif
