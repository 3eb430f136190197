/* SPDX-License-Identifier: MIT */
/* rig.h - a world with two dmirror devices, one program and one caller */
#ifndef UHMM_TESTS_RIG_H
#define UHMM_TESTS_RIG_H

#include <uhmm/hmm_ioctl.h>

#include "device/drivers.h"
#include "fake_mm.h"
#include "fake_user.h"

/** Where programs of the tests keep things. */
#define RIG_VPN 0x100

/** Pages of each device unless said otherwise, and of exclusive ones. */
#define RIG_NPAGES 4096
#define RIG_NEXCLUSIVE 2048

/** The caller's buffer and struct, in its memory. */
#define RIG_PTR (FAKE_USER_BASE + 4096)
#define RIG_CMD FAKE_USER_BASE

struct rig {
	struct fake f;
	struct uhmm_device dev[2];
	struct uhmm_pagemap exclusive;
	struct fake_mm *m;		/* one program */
	struct uhmm_file *file;		/* its open of device 0 */
	struct fake_user user;
	struct uhmm_dmirror_cmd cmd;	/* as it came back */
};

/** The rig of the test that runs. */
extern struct rig rig;

/** rig_up() - fixture: devices, a program, one open; rig_down() - all of it is
 *  undone, nothing is left and nothing was lost */
void rig_up(void);
void rig_down(void);

/** rig_up_with() - devices of @npages, a store of @limits (NULL: enough) */
void rig_up_with(uint64_t npages, const struct uhmm_store_limits *limits);

/** rig_up_coherent() - coherent devices of @npages */
void rig_up_coherent(uint64_t npages);

/** rig_open(), rig_close() - of device @dev by @m */
struct uhmm_file *rig_open(unsigned int dev, struct fake_mm *m);
void rig_close(struct uhmm_file *file);

/**
 * rig_ioctl() - @nr on [@vpn, +@npages) with the buffer RIG_PTR
 * rig.cmd is what the struct holds afterwards; cpages and faults were 77, 88.
 * Return: the driver's answer
 */
int rig_ioctl(struct uhmm_file *file, uint64_t nr, uint64_t vpn,
	      uint64_t npages);

/** rig_raw() - the same with a struct of one's own choice */
int rig_raw(struct uhmm_file *file, uint64_t nr, struct uhmm_dmirror_cmd cmd);

/** rig_ok() - it is 0, cpages @npages, faults @faults */
void rig_ok(struct uhmm_file *file, uint64_t nr, uint64_t vpn, uint64_t npages,
	    uint64_t faults);

/** rig_fails() - it is @err, and struct and buffer are as they were */
void rig_fails(struct uhmm_file *file, uint64_t nr, uint64_t vpn,
	       uint64_t npages, int err);

/** rig_buffer() - what page @i of the buffer holds; rig_fill_buffer() - the
 *  first @npages hold @value, @value + 1, ... */
uint64_t rig_buffer(uint64_t i);
void rig_fill_buffer(uint64_t npages, uint64_t value);

/** rig_buffer_is() - they do; @value 0: zeros */
void rig_buffer_is(uint64_t npages, uint64_t value);

/** rig_snapshot_is() - SNAPSHOT says these bytes, the last again and again */
void rig_snapshot_is(struct uhmm_file *file, uint64_t vpn, uint64_t npages,
		     const uint8_t *bytes, unsigned int nbytes);

#define RIG_SNAPSHOT_IS(file, vpn, npages, ...)                        \
	do {                                                           \
		const uint8_t bytes_[] = { __VA_ARGS__ };              \
		rig_snapshot_is(file, vpn, npages, bytes_, sizeof(bytes_)); \
	} while (0)

/** rig_used() - pages of device @dev that are allocated */
uint64_t rig_used(unsigned int dev);

#define RIG_READ UHMM_DMIRROR_READ
#define RIG_WRITE UHMM_DMIRROR_WRITE
#define RIG_TO_DEV UHMM_DMIRROR_MIGRATE_TO_DEV
#define RIG_TO_SYS UHMM_DMIRROR_MIGRATE_TO_SYS
#define RIG_SNAPSHOT UHMM_DMIRROR_SNAPSHOT
#define RIG_EXCLUSIVE UHMM_DMIRROR_EXCLUSIVE
#define RIG_CHECK UHMM_DMIRROR_CHECK_EXCLUSIVE
#define RIG_RELEASE UHMM_DMIRROR_RELEASE
#define RIG_FLAGS UHMM_DMIRROR_FLAGS

#endif
