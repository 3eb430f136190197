/* SPDX-License-Identifier: MIT */
/*
 * fact_api.h - numbers of the kernel interface, under names of our own
 *
 * Only what the headers of Linux 6.1 (Debian 12) do not have, and what they
 * have no names for. The version beside each is the first that has it.
 */
#ifndef UHMM_TESTS_KERNEL_FACT_API_H
#define UHMM_TESTS_KERNEL_FACT_API_H

#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* UFFDIO_API features newer than Linux 6.1 */
#define FACT_FEATURE_WP_UNPOPULATED (1ULL << 13) /* 6.4 */
#define FACT_FEATURE_POISON (1ULL << 14)	 /* 6.6 */
#define FACT_FEATURE_WP_ASYNC (1ULL << 15)	 /* 6.7 */
#define FACT_FEATURE_MOVE (1ULL << 16)		 /* 6.8 */

#define FACT_FEATURE_EVENTS \
	(UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | \
	 UFFD_FEATURE_EVENT_UNMAP)

/* flag of userfaultfd(2), 5.11 */
#define FACT_USER_MODE_ONLY 1

/* the ioctl of /dev/userfaultfd, 6.1; its argument is userfaultfd()'s flags */
#define FACT_DEV_NEW _IO(0xaa, 0x00)

struct fact_uffd_move {
	uint64_t dst, src, len;
	uint64_t mode;
	int64_t moved; /* (out) bytes, or -errno */
};
#define FACT_UFFDIO_MOVE _IOWR(0xaa, 0x05, struct fact_uffd_move)
#define FACT_MOVE_ALLOW_SRC_HOLES 2

struct fact_uffd_poison {
	uint64_t start, len;
	uint64_t mode;
	int64_t updated; /* (out) bytes, or -errno */
};
#define FACT_UFFDIO_POISON _IOWR(0xaa, 0x08, struct fact_uffd_poison)

/* ioctl of /proc/PID/pagemap, 6.7 */
struct fact_scan_range {
	uint64_t start, end;
	uint64_t categories;
};
struct fact_scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start, end;
	uint64_t walk_end; /* (out) */
	uint64_t vec, vec_len;
	uint64_t max_pages;
	uint64_t category_inverted, category_mask;
	uint64_t category_anyof_mask, return_mask;
};
#define FACT_PAGEMAP_SCAN _IOWR('f', 16, struct fact_scan_arg)
#define FACT_CAT_WPALLOWED (1ULL << 0)
#define FACT_CAT_WRITTEN (1ULL << 1)
#define FACT_CAT_FILE (1ULL << 2)
#define FACT_CAT_PRESENT (1ULL << 3)
#define FACT_CAT_SWAPPED (1ULL << 4)
#define FACT_CAT_PFNZERO (1ULL << 5)
#define FACT_CAT_HUGE (1ULL << 6)

/* ioctl of /proc/PID/maps, 6.11 */
struct fact_procmap_query {
	uint64_t size;
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start, vma_end; /* (out) from here on */
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint32_t name_size;
	uint32_t build_id_size;
	uint64_t name_addr; /* (in) */
	uint64_t build_id_addr;
};
#define FACT_PROCMAP_QUERY _IOWR('f', 17, struct fact_procmap_query)

/* madvise(2) */
#define FACT_MADV_POPULATE_READ 22 /* 5.14 */
#define FACT_MADV_POPULATE_WRITE 23
#define FACT_MADV_GUARD_INSTALL 102 /* 6.13 */

/* bits of one entry of /proc/PID/pagemap */
#define FACT_PM_PRESENT (1ULL << 63)
#define FACT_PM_SWAP (1ULL << 62)
#define FACT_PM_FILE (1ULL << 61)
#define FACT_PM_WP (1ULL << 57)
#define FACT_PM_EXCL (1ULL << 56)
#define FACT_PM_BITS \
	(FACT_PM_PRESENT | FACT_PM_SWAP | FACT_PM_FILE | FACT_PM_WP | \
	 FACT_PM_EXCL)

/* what a page looks like there */
#define FACT_HOLE 0ULL
#define FACT_PRESENT (FACT_PM_PRESENT | FACT_PM_EXCL)
#define FACT_PRESENT_WP (FACT_PRESENT | FACT_PM_WP)
#define FACT_MARKER (FACT_PM_SWAP | FACT_PM_WP)
#define FACT_ZERO FACT_PM_PRESENT /* or any page that is shared */
#define FACT_ZERO_WP (FACT_PM_PRESENT | FACT_PM_WP)

#define FACT_MISSING_WP (UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP)

#endif /* UHMM_TESTS_KERNEL_FACT_API_H */
