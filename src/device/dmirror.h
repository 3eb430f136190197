/* SPDX-License-Identifier: MIT */
/* dmirror.h - the HMM test device, inside: what its files share
 *
 * Kernel: lib/test_hmm.c. An open ("mirror") of the device is bound to the
 * opener's mm. It keeps a page table of its own, which says of each page
 * whether the device may read or write it without asking; the notifier takes
 * entries out when the program's pages change.
 *
 * Pages it has entries of are watched, so that what the program does to them is
 * told; where a mapping cannot be (a file on disk) entries are kept for the
 * length of one command only.
 *
 * Map:  dmirror.c          life of device and mirror, commands, checks
 *       dmirror_rw.c       READ, WRITE
 *       dmirror_migrate.c  MIGRATE_TO_DEV, MIGRATE_TO_SYS, CPU fault, eviction
 *       dmirror_snapshot.c SNAPSHOT
 *       dmirror_exclusive.c EXCLUSIVE, CHECK_EXCLUSIVE
 */
#ifndef UHMM_DEVICE_DMIRROR_H
#define UHMM_DEVICE_DMIRROR_H

#include <uhmm/hmm_ioctl.h>

#include "arena/table.h"
#include "device/device.h"

/** Pages faulted or migrated at once. Not visible in any answer. */
#define DMIRROR_PIECE 512

/** Pages the kernel's driver faults in at once. Seen in what comes back from
 * the device with them (uhmm_range_fault.batch). */
#define DMIRROR_BATCH 64

/** How long a command fights with invalidations before it says EBUSY. */
#define DMIRROR_TIMEOUT_NS UINT64_C(1000000000)

/** Word of the mirror's page table. */
enum dmirror_entry {
	DMIRROR_ENTRY_VALID = 1 << 0,
	DMIRROR_ENTRY_WRITE = 1 << 1,
	DMIRROR_ENTRY_ATOMIC = 1 << 2,	/* this mirror has it for itself */
};

/**
 * struct dmirror_device - driver's part of a device
 * The page tables of its mirrors are in a store of their own: an open does not
 * outlive the daemon, so nothing of it may be in the core's.
 */
struct dmirror_device {
	struct uhmm_list mirrors;	/* of dmirror.link */
	struct uhmm_store tables;
	void *tables_mem;
};

/** struct dmirror - one open */
struct dmirror {
	struct uhmm_list link;		/* in dmirror_device.mirrors */
	struct uhmm_device *dev;
	struct uhmm_mm *mm;
	struct uhmm_notifier notifier;
	struct uhmm_table pt;		/* vpn -> enum dmirror_entry */
	uint64_t flags;			/* UHMM_DMIRROR_FLAG_* */
};

/** One command: whose, from whom, what. */
struct dmirror_call {
	struct dmirror *mirror;
	struct uhmm_user *user;
	struct uhmm_dmirror_cmd cmd;
	struct uhmm_range range;	/* of cmd.addr and cmd.npages */
};

/* All commands: (yields) 0 or -errno; call->cmd.cpages and .faults are set on
 * success, the user's buffers touched only as spec 1.5 says. */
int uhmm_dmirror_read(struct dmirror_call *call);
int uhmm_dmirror_write(struct dmirror_call *call);
int uhmm_dmirror_migrate_to_dev(struct dmirror_call *call);
int uhmm_dmirror_migrate_to_sys(struct dmirror_call *call);
int uhmm_dmirror_snapshot(struct dmirror_call *call);
int uhmm_dmirror_release_pages(struct dmirror_call *call);
int uhmm_dmirror_exclusive(struct dmirror_call *call);
int uhmm_dmirror_check_exclusive(struct dmirror_call *call);

/**
 * uhmm_dmirror_read_back() - (yields) the data of the range to the caller's
 * buffer, as far as the mirror's page table has it
 * Return: 0; -ENOENT a page is not there; -EFAULT the buffer; -ENOMEM
 */
int uhmm_dmirror_read_back(struct dmirror_call *call);

/** uhmm_dmirror_entry() - word of page @vpn, 0 when there is none */
uint64_t uhmm_dmirror_entry(const struct dmirror *m, uhmm_vpn_t vpn);

/** uhmm_dmirror_store() - 0 or -ENOMEM */
UHMM_CHECKED int uhmm_dmirror_store(struct dmirror *m, uhmm_vpn_t vpn,
				    uint64_t entry);

/** uhmm_dmirror_next() - the first page in [*@vpn, @end) that has one */
bool uhmm_dmirror_next(const struct dmirror *m, uhmm_vpn_t *vpn,
		       uhmm_vpn_t end);

/** uhmm_dmirror_forget() - take the entries of @r out */
void uhmm_dmirror_forget(struct dmirror *m, struct uhmm_range r);

/** uhmm_dmirror_is_own() - can the device reach the page at @vpn in device
 * memory: on this mirror's device, or exclusively this mirror's? */
bool uhmm_dmirror_is_own(const struct dmirror *m, uhmm_vpn_t vpn,
			 uhmm_dpfn_t *dpfn);

/**
 * uhmm_dmirror_copy_out() - (yields) bytes of the pages of @r to @buf, up to
 * the first that has no entry
 * Return: pages copied; -ESRCH
 */
int64_t uhmm_dmirror_copy_out(struct dmirror *m, struct uhmm_range r,
			      unsigned char *buf);

/**
 * uhmm_dmirror_bounce() - a buffer for all of call->range; free() it
 * @bytes: (out) its size
 * Return: NULL no memory
 */
unsigned char *uhmm_dmirror_bounce(const struct dmirror_call *call,
				   uint64_t *bytes);

/** uhmm_dmirror_evict() - (yields) everything on the device goes home */
void uhmm_dmirror_evict(struct uhmm_device *dev);

extern const struct uhmm_pagemap_ops uhmm_dmirror_pagemap_ops;

#endif
