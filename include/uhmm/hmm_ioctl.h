/* SPDX-License-Identifier: MIT */
/* hmm_ioctl.h - what a program says to /dev/hmm_dmirror0..3
 *
 * One struct for every request, passed to ioctl(2) by address. "Page" is
 * always the base page of the machine. A request that fails leaves the struct
 * and what @ptr points at as they were.
 *
 * (in) fields are read by the device, (out) fields are written on success.
 */
#ifndef UHMM_HMM_IOCTL_H
#define UHMM_HMM_IOCTL_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

/**
 * struct uhmm_dmirror_cmd - argument of every request
 * @addr:   (in) start of the range, page aligned, in the memory of the process
 *          that opened the device
 * @ptr:    (in) buffer in the memory of the caller: npages pages of data, or
 *          npages bytes for SNAPSHOT; not used by MIGRATE_TO_SYS,
 *          CHECK_EXCLUSIVE, RELEASE and FLAGS
 * @npages: (in) length of the range in pages, at least 1; for FLAGS the flags
 * @cpages: (out) pages handled; for MIGRATE_TO_SYS the units moved, where an
 *          intact huge page counts as one
 * @faults: (out) READ and WRITE: passes in which the device had to fault
 *          pages in; else 0
 */
struct uhmm_dmirror_cmd {
	uint64_t addr;
	uint64_t ptr;
	uint64_t npages;
	uint64_t cpages;
	uint64_t faults;
};

static_assert(sizeof(struct uhmm_dmirror_cmd) == 40, "size of the ABI");
static_assert(offsetof(struct uhmm_dmirror_cmd, addr) == 0, "ABI");
static_assert(offsetof(struct uhmm_dmirror_cmd, ptr) == 8, "ABI");
static_assert(offsetof(struct uhmm_dmirror_cmd, npages) == 16, "ABI");
static_assert(offsetof(struct uhmm_dmirror_cmd, cpages) == 24, "ABI");
static_assert(offsetof(struct uhmm_dmirror_cmd, faults) == 32, "ABI");

#define UHMM_DMIRROR_IOCTL(nr) _IOWR('H', (nr), struct uhmm_dmirror_cmd)

/** The device reads the range into ptr. */
#define UHMM_DMIRROR_READ UHMM_DMIRROR_IOCTL(0x00)
/** The device writes ptr into the range. */
#define UHMM_DMIRROR_WRITE UHMM_DMIRROR_IOCTL(0x01)
/** Move the range to device memory, then read it from there into ptr. */
#define UHMM_DMIRROR_MIGRATE_TO_DEV UHMM_DMIRROR_IOCTL(0x02)
/** Move the range back to system memory. */
#define UHMM_DMIRROR_MIGRATE_TO_SYS UHMM_DMIRROR_IOCTL(0x03)
/** One byte per page into ptr, UHMM_DMIRROR_PROT_*; nothing is faulted in. */
#define UHMM_DMIRROR_SNAPSHOT UHMM_DMIRROR_IOCTL(0x04)
/** Take the range from the CPU until it is touched; data into ptr. */
#define UHMM_DMIRROR_EXCLUSIVE UHMM_DMIRROR_IOCTL(0x05)
/** Fails with EPERM while a page of the range is still exclusive. */
#define UHMM_DMIRROR_CHECK_EXCLUSIVE UHMM_DMIRROR_IOCTL(0x06)
/** Move all pages of all processes on this device to system memory. */
#define UHMM_DMIRROR_RELEASE UHMM_DMIRROR_IOCTL(0x07)
/** Set the flags of this open to npages, UHMM_DMIRROR_FLAG_*. */
#define UHMM_DMIRROR_FLAGS UHMM_DMIRROR_IOCTL(0x08)
/** READ that may wait for a userfaultfd of the program itself. */
#define UHMM_DMIRROR_READ_UNLOCKED UHMM_DMIRROR_IOCTL(0x09)

#if defined(__x86_64__) || defined(__aarch64__)
static_assert(UHMM_DMIRROR_READ == 0xC0284800u, "value of the ABI");
static_assert(UHMM_DMIRROR_READ_UNLOCKED == 0xC0284809u, "value of the ABI");
#endif

/** The next allocation for a migration by this open fails, once. */
#define UHMM_DMIRROR_FLAG_FAIL_ALLOC 0x1u

/* A byte of a snapshot: a permission, what it is a part of, and a kind. */

/** There is no page the device could use. */
#define UHMM_DMIRROR_PROT_NONE 0x00u
/** Readable only. */
#define UHMM_DMIRROR_PROT_READ 0x01u
/** Readable and writable. */
#define UHMM_DMIRROR_PROT_WRITE 0x02u
/** Part of a huge page mapped at the middle level (2 MiB on x86-64). */
#define UHMM_DMIRROR_PROT_PMD 0x04u
/** Part of a huge page mapped at the upper level (1 GiB on x86-64). */
#define UHMM_DMIRROR_PROT_PUD 0x08u
/** The page of zeros that all untouched memory shares. */
#define UHMM_DMIRROR_PROT_ZERO 0x10u
/** In the private memory of this device. */
#define UHMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL 0x20u
/** In the private memory of another device. */
#define UHMM_DMIRROR_PROT_DEV_PRIVATE_REMOTE 0x30u
/** In the coherent memory of this device. */
#define UHMM_DMIRROR_PROT_DEV_COHERENT_LOCAL 0x40u
/** In the coherent memory of another device. */
#define UHMM_DMIRROR_PROT_DEV_COHERENT_REMOTE 0x50u
/** No memory that the device may read. */
#define UHMM_DMIRROR_PROT_ERROR 0xffu

#endif
