/* SPDX-License-Identifier: MIT */
/* uapi.h - kernel interface numbers that the system's headers may lack
 *
 * Distributions' headers are older than the kernels they run on (Debian 12:
 * headers 6.1, kernel 6.12 from security). What is probed at run time must not
 * depend on them. Everything here has a name of ours, so that newer headers do
 * not collide; the values are the kernel's interface and never change.
 */
#ifndef UHMM_SYS_UAPI_H
#define UHMM_SYS_UAPI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <linux/userfaultfd.h>

/* userfaultfd: features granted by UFFDIO_API */
#define UHMM_UFFD_FEATURE_WP_UNPOPULATED (UINT64_C(1) << 13)	/* 6.4 */
#define UHMM_UFFD_FEATURE_POISON (UINT64_C(1) << 14)		/* 6.6 */
#define UHMM_UFFD_FEATURE_WP_ASYNC (UINT64_C(1) << 15)		/* 6.7 */
#define UHMM_UFFD_FEATURE_MOVE (UINT64_C(1) << 16)		/* 6.8 */

/* userfaultfd: descriptors without privilege (5.11), /dev/userfaultfd (6.1) */
#define UHMM_UFFD_USER_MODE_ONLY 1
#define UHMM_USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)

/** UFFDIO_MOVE, 6.8. Only in the caller's own mm. */
struct uhmm_uffdio_move {
	uint64_t dst;
	uint64_t src;
	uint64_t len;
	uint64_t mode;
	int64_t move;		/* (out) bytes moved or -errno */
};

#define UHMM_UFFDIO_MOVE_MODE_DONTWAKE (UINT64_C(1) << 0)
#define UHMM_UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES (UINT64_C(1) << 1)
#define UHMM_UFFDIO_MOVE _IOWR(0xAA, 0x05, struct uhmm_uffdio_move)

/** UFFDIO_POISON, 6.6: the pages give SIGBUS. */
struct uhmm_uffdio_poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;	/* (out) bytes poisoned or -errno */
};

#define UHMM_UFFDIO_POISON_MODE_DONTWAKE (UINT64_C(1) << 0)
#define UHMM_UFFDIO_POISON _IOWR(0xAA, 0x08, struct uhmm_uffdio_poison)

static_assert(sizeof(struct uhmm_uffdio_move) == 40, "UFFDIO_MOVE");
static_assert(sizeof(struct uhmm_uffdio_poison) == 32, "UFFDIO_POISON");
static_assert(sizeof(struct uffd_msg) == 32, "uffd_msg");

/** One run of pages that PAGEMAP_SCAN found. */
struct uhmm_page_region {
	uint64_t start;		/* address */
	uint64_t end;
	uint64_t categories;	/* UHMM_PAGE_IS_* */
};

/** PAGEMAP_SCAN, 6.7, on a /proc/PID/pagemap descriptor. */
struct uhmm_pm_scan_arg {
	uint64_t size;		/* of this struct */
	uint64_t flags;
	uint64_t start;		/* address */
	uint64_t end;
	uint64_t walk_end;	/* (out) how far it came */
	uint64_t vec;		/* address of struct uhmm_page_region[] */
	uint64_t vec_len;	/* regions in it */
	uint64_t max_pages;	/* 0: no limit */
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define UHMM_PAGE_IS_WPALLOWED (UINT64_C(1) << 0)
#define UHMM_PAGE_IS_WRITTEN (UINT64_C(1) << 1)
#define UHMM_PAGE_IS_FILE (UINT64_C(1) << 2)
#define UHMM_PAGE_IS_PRESENT (UINT64_C(1) << 3)
#define UHMM_PAGE_IS_SWAPPED (UINT64_C(1) << 4)
#define UHMM_PAGE_IS_PFNZERO (UINT64_C(1) << 5)
#define UHMM_PAGE_IS_HUGE (UINT64_C(1) << 6)
#define UHMM_PAGEMAP_SCAN _IOWR('f', 16, struct uhmm_pm_scan_arg)

static_assert(sizeof(struct uhmm_page_region) == 24, "page_region");
static_assert(sizeof(struct uhmm_pm_scan_arg) == 96, "pm_scan_arg");

/* /proc/PID/pagemap: one such word per page */
#define UHMM_PM_PRESENT (UINT64_C(1) << 63)
#define UHMM_PM_SWAP (UINT64_C(1) << 62)
#define UHMM_PM_FILE (UINT64_C(1) << 61)
#define UHMM_PM_GUARD (UINT64_C(1) << 58)		/* 6.15 */
#define UHMM_PM_UFFD_WP (UINT64_C(1) << 57)
#define UHMM_PM_EXCLUSIVE (UINT64_C(1) << 56)
#define UHMM_PM_FRAME_MASK ((UINT64_C(1) << 55) - 1)
#define UHMM_PM_SWAP_TYPE_MASK UINT64_C(0x1f)

/** PROCMAP_QUERY, 6.11, on a /proc/PID/maps descriptor. */
struct uhmm_procmap_query {
	uint64_t size;		/* of this struct */
	uint64_t query_flags;
	uint64_t query_addr;
	uint64_t vma_start;	/* (out) from here on, but for the names */
	uint64_t vma_end;
	uint64_t vma_flags;
	uint64_t vma_page_size;
	uint64_t vma_offset;
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint32_t vma_name_size;	/* (in) room, (out) used, with the NUL */
	uint32_t build_id_size;
	uint64_t vma_name_addr;	/* (in) */
	uint64_t build_id_addr;
};

#define UHMM_PROCMAP_READABLE 0x01
#define UHMM_PROCMAP_WRITABLE 0x02
#define UHMM_PROCMAP_EXECUTABLE 0x04
#define UHMM_PROCMAP_SHARED 0x08
#define UHMM_PROCMAP_COVERING_OR_NEXT 0x10
#define UHMM_PROCMAP_QUERY _IOWR('f', 17, struct uhmm_procmap_query)

static_assert(sizeof(struct uhmm_procmap_query) == 104, "procmap_query");

/* madvise(2), 5.14, 5.18, 6.1 */
#define UHMM_MADV_POPULATE_READ 22
#define UHMM_MADV_POPULATE_WRITE 23
#define UHMM_MADV_DONTNEED_LOCKED 24
#define UHMM_MADV_COLLAPSE 25
/* 6.13, of files 6.15 */
#define UHMM_MADV_GUARD_INSTALL 102
#define UHMM_MADV_GUARD_REMOVE 103

#endif
