/* SPDX-License-Identifier: MIT */
/* dmirror.h - the HMM test device, inside: what its files share
 *
 * Kernel: lib/test_hmm.c. An open ("mirror") of the device is bound to the
 * opener's mm. It keeps a page table of its own, which says of each page
 * whether the device may read or write it without asking; the notifier takes
 * entries out when the program's pages change.
 *
 * Pages it has entries of are watched, so that what the program does to them is
 * told. Where it is not (dmirror_look.c) an entry says what it was made for, and
 * it is looked at before it is used; what can be neither watched nor looked at
 * (memory that the program's own userfaultfd has) keeps its entries for the
 * length of one command only.
 *
 * Map:  dmirror.c          life of device and mirror, commands, checks
 *       dmirror_rw.c       READ, WRITE
 *       dmirror_copy.c     bytes between pages and the caller's buffer
 *       dmirror_migrate.c  MIGRATE_TO_DEV, MIGRATE_TO_SYS, CPU fault, eviction
 *       dmirror_snapshot.c SNAPSHOT
 *       dmirror_exclusive.c EXCLUSIVE, CHECK_EXCLUSIVE
 *       dmirror_look.c     entries that nobody takes out
 *       dmirror_bounce.c   buffers between pages and callers
 */
#ifndef UHMM_DEVICE_DMIRROR_H
#define UHMM_DEVICE_DMIRROR_H

#include <uhmm/device.h>
#include <uhmm/hmm_ioctl.h>
#include <uhmm/list.h>
#include <uhmm/notifier.h>
#include <uhmm/page_table.h>

#include "device/drivers.h"

/** Pages faulted or migrated at once. Not visible in any answer. */
#define DMIRROR_PIECE 512

/** The same of the kernel's driver, where it shows: when a fault fails, the
 *  pieces before it are in the table. */
#define DMIRROR_FAULT_NPAGES 64

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
	/* Look before use: holds as long as the page is the one that the upper
	 * 32 bits tell, */
	DMIRROR_ENTRY_LOOK = 1 << 3,
	DMIRROR_ENTRY_FILE = 1 << 4,	/* is the file's own, or no longer, */
	DMIRROR_ENTRY_SINGLE = 1 << 5,	/* a copy mapped once, or more often */
	/* The CPU had the page as part of a huge one. */
	DMIRROR_ENTRY_HUGE = 1 << 6,
};

/**
 * struct dmirror_device - driver's part of a device
 */
struct dmirror_device {
	struct uhmm_list mirrors;	/* of dmirror.link */
	struct uhmm_page_tables *tables;
	unsigned char *bounce;		/* a buffer nobody uses now, or NULL */
};

/** struct dmirror - one open */
struct dmirror {
	struct uhmm_list link;		/* in dmirror_device.mirrors */
	struct uhmm_device *dev;
	struct uhmm_mm *mm;
	struct uhmm_notifier notifier;
	struct uhmm_page_table pt;	/* of enum dmirror_entry */
	uint64_t changes;		/* how often entries were taken out */
	uint64_t flags;			/* UHMM_DMIRROR_FLAG_* */
	bool looks;			/* pt has had a DMIRROR_ENTRY_LOOK */
	bool huge;			/* ... a DMIRROR_ENTRY_HUGE */
};

/** One command: whose, from whom, what. */
struct dmirror_call {
	struct dmirror *mirror;
	struct uhmm_user *user;
	struct uhmm_dmirror_cmd cmd;
	struct uhmm_range range;	/* of cmd.addr and cmd.npages */
	bool unlocked;			/* its faults may wait for the program */
	unsigned char *data;		/* stands for the caller's buffer; NULL:
					 * no need for that */
};

/* All commands: (yields) 0 or -errno; call->cmd.cpages and .faults are set on
 * success, the user's buffers touched only as spec 1.5 says. */
int uhmm_dmirror_read(struct dmirror_call *call);
int uhmm_dmirror_read_unlocked(struct dmirror_call *call);
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

/** uhmm_dmirror_can_look() - can pages of @vma be told from others by a look? */
bool uhmm_dmirror_can_look(const struct uhmm_vma *vma);

/**
 * uhmm_dmirror_note() - add to @entry[], of the pages @r of @vma, what they are
 * to be looked at for before use, where nobody tells of a change
 * @r: at most DMIRROR_PIECE pages
 * Return: 0; -ESRCH; -ENOMEM
 */
UHMM_CHECKED int uhmm_dmirror_note(const struct dmirror *m,
				   const struct uhmm_vma *vma,
				   struct uhmm_range r, uint64_t *entry);

/** uhmm_dmirror_look() - first thing of a command: entries of @r that do not
 * hold any more are taken out. 0; -ENOMEM */
UHMM_CHECKED int uhmm_dmirror_look(struct dmirror *m, struct uhmm_range r);

/** uhmm_dmirror_has() - may the mirror read the page at @vpn, or @write to it,
 *  without asking? Not while it is on its way: then it is nowhere. */
bool uhmm_dmirror_has(const struct dmirror *m, uhmm_vpn_t vpn, bool write);

/** uhmm_dmirror_is_own() - can the device reach the page at @vpn in device
 * memory: on this mirror's device, or exclusively this mirror's? */
bool uhmm_dmirror_is_own(const struct dmirror *m, uhmm_vpn_t vpn,
			 uhmm_dpfn_t *dpfn);

/**
 * uhmm_dmirror_copy() - (yields) bytes of the pages @r, a part of the call's
 * range, to the caller's buffer, up to the first that has no entry
 * @write: from the buffer to the pages, up to the first that may not be written
 * Return: pages copied; -EFAULT the buffer, some may have been copied; -ENOMEM;
 * -ESRCH
 */
int64_t uhmm_dmirror_copy(struct dmirror_call *call, struct uhmm_range r,
			  bool write);

/**
 * uhmm_dmirror_copy_begin() - (yields) before the first uhmm_dmirror_copy() of a
 * call: what is to be in a buffer of ours as a whole, as the driver has it, is
 * Return: 0; -ENOMEM; -EFAULT
 *
 * uhmm_dmirror_copy_end() - (yields) after the last, with the outcome so far,
 * which it returns if it goes well: -EFAULT
 */
int uhmm_dmirror_copy_begin(struct dmirror_call *call, bool write);
int uhmm_dmirror_copy_end(struct dmirror_call *call, bool write, int err);

/** uhmm_dmirror_fits() - could there be a buffer for @npages? */
bool uhmm_dmirror_fits(uint64_t npages);

/** uhmm_dmirror_bounce() - a buffer for @npages pages, for
 *  uhmm_dmirror_unbounce(); NULL: no memory */
unsigned char *uhmm_dmirror_bounce(const struct dmirror_call *call,
				   uint64_t npages);

/** uhmm_dmirror_unbounce() - such a buffer is not used any more */
void uhmm_dmirror_unbounce(const struct dmirror_call *call, unsigned char *buf,
			   uint64_t npages);

/** uhmm_dmirror_evict() - (yields) everything on the device goes home */
void uhmm_dmirror_evict(struct uhmm_device *dev);

extern const struct uhmm_pagemap_ops uhmm_dmirror_pagemap_ops;

#endif
