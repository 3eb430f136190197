/* SPDX-License-Identifier: MIT */
/* uffd_abi.h - what the kernel knows of userfaultfd and its header here may not
 *
 * Numbers of the kernel's interface, newer than some distributions' headers.
 * Include after preload.h, which brings the kernel's own header.
 */
#ifndef UHMM_PRELOAD_UFFD_ABI_H
#define UHMM_PRELOAD_UFFD_ABI_H

#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

/* enum: no feature test macro can change the values under us */
enum {
	UHMM_UFFD_WP_UNPOPULATED = 1 << 13,
	UHMM_UFFD_POISON = 1 << 14,
	UHMM_UFFD_MOVE = 1 << 16,
};

struct uhmm_uffdio_poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;	/* (out) bytes, or -errno */
};
#define UHMM_UFFDIO_POISON _IOWR(0xAA, 0x08, struct uhmm_uffdio_poison)

#define UHMM_UFFD_MOVE_HOLES 2ull
struct uhmm_uffdio_move {
	uint64_t dst;
	uint64_t src;
	uint64_t len;
	uint64_t mode;
	int64_t move;		/* (out) bytes, or -errno */
};
#define UHMM_UFFDIO_MOVE _IOWR(0xAA, 0x05, struct uhmm_uffdio_move)

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
/* Linux 6.13, of files 6.15 */
enum {
	UHMM_MADV_GUARD_INSTALL = 102,
	UHMM_MADV_GUARD_REMOVE = 103,
};
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#endif
