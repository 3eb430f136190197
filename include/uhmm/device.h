/* SPDX-License-Identifier: MIT */
/* device.h - what a driver is to the daemon
 *
 * A device is a character device node the program sees, its driver ops and
 * usually a pagemap. An open of it is a struct uhmm_file: it belongs to the
 * opener's mm (where ranges are), while a call comes from some caller (where
 * pointers are), perhaps another process.
 *
 * Locks:  the core's lock is held in every callback; (yields) as in mm.h.
 * Errors: 0 or -errno, the kernel driver's values.
 */
#ifndef UHMM_DEVICE_H
#define UHMM_DEVICE_H

#include <uhmm/device_private.h>
#include <uhmm/mm.h>

/** Memory of the process that made a call. */
struct uhmm_user {
	struct uhmm_mm *mm;	/* its address space */
	/**
	 * copy_from(), copy_to() - (yields) @bytes between a buffer of ours
	 * and @addr of the caller, with the caller's permissions, bringing
	 * device pages back as a CPU access would
	 * Return: 0; -EFAULT some of it is not accessible (a part may have
	 * been copied)
	 * Kernel: copy_from_user(), copy_to_user().
	 */
	int (*copy_from)(struct uhmm_user *user, void *to, uint64_t addr,
			 uint64_t bytes);
	int (*copy_to)(struct uhmm_user *user, uint64_t addr,
		       const void *from, uint64_t bytes);
	/**
	 * copy_pages(), copy_device() - (yields) have the caller itself copy
	 * between @addr, its buffer, and @npages pages: ordinary ones of its
	 * own, or device pages from @dpfn on. That takes half as long as by way of a
	 * buffer of ours, but a message. It goes as far as it goes: only what
	 * the driver knows to be still as it was when they return was copied
	 * from where it should be. Either may be NULL.
	 * @write: to the pages
	 * Return: pages copied; 0: take the buffer
	 */
	uint64_t (*copy_pages)(struct uhmm_user *user, uint64_t addr,
			       uhmm_vpn_t vpn, uint64_t npages, bool write);
	uint64_t (*copy_device)(struct uhmm_user *user, uint64_t addr,
				uhmm_dpfn_t dpfn, uint64_t npages);
};

struct uhmm_device;
struct uhmm_file;

/** What a driver counts for --stats; the daemon prints them by name. */
struct uhmm_device_counters {
	uint64_t opens;
	uint64_t migrate_to_dev_pages;
	uint64_t migrate_to_sys_pages;
	uint64_t cpu_faults;
	uint64_t cpu_fault_pages;
	uint64_t exclusive_pages;
	uint64_t revoke_faults;
	uint64_t evictions;
	uint64_t refused_nomem;
	uint64_t refused_other;
	uint64_t errors;
};

struct uhmm_device_ops {
	const char *name;	/* of the driver: "dmirror" */
	/** start() - device comes up; make the pagemap. 0 or -errno */
	int (*start)(struct uhmm_device *dev);
	/** stop() - (yields) device goes; every page goes back */
	void (*stop)(struct uhmm_device *dev);
	/** open() - file->mm is the opener's. 0 or -errno */
	int (*open)(struct uhmm_file *file);
	/** release() - (yields) last reference of the open is gone */
	void (*release)(struct uhmm_file *file);
	/** ioctl() - (yields) Return: >= 0 or -errno */
	int64_t (*ioctl)(struct uhmm_file *file, struct uhmm_user *user,
			 uint64_t cmd, uint64_t arg);
	/** mmap_name() - NULL: the device cannot be mapped; else the name of
	 *  the memory the mapping gets ("hmm_dmirror0") */
	const char *(*mmap_name)(struct uhmm_file *file);
};

/** Bytes of the name of a node in /dev, with its number and the end. */
#define UHMM_NODE_NAME_BYTES 32

/** struct uhmm_device - one minor */
struct uhmm_device {
	struct uhmm_core *core;			/* (in) */
	const struct uhmm_device_ops *ops;	/* (in) */
	uint32_t minor;				/* (in) */
	char node[UHMM_NODE_NAME_BYTES];	/* (in) "hmm_dmirror0" */
	enum uhmm_memory_type type;		/* (in) */
	uint64_t npages;			/* (in) capacity */
	uint8_t uuid[16];			/* (in) identity and owner */
	struct uhmm_pagemap pgmap;
	struct uhmm_device_counters count;
	void *driver;				/* the driver's */
};

/** struct uhmm_file - one open of a device */
struct uhmm_file {
	struct uhmm_device *dev;
	struct uhmm_mm *mm;	/* the opener's; referenced */
	uint32_t flags;		/* of open(2) */
	void *driver;		/* the driver's */
};

/* ---- a driver in a shared object ---- */

#define UHMM_DRIVER_ABI 1

/**
 * struct uhmm_driver - what `uhmmd --driver FILE` looks for in FILE, under the
 * name uhmm_driver. Its functions of the library are uhmmd's: it is not linked
 * to libuhmm.
 */
struct uhmm_driver {
	uint32_t abi;			/* UHMM_DRIVER_ABI */
	uint32_t ndevices;		/* 1 to UHMM_DRIVER_DEVICES_MAX */
	const char *node;		/* "null_gpu": /dev/null_gpu0 .. */
	const struct uhmm_device_ops *ops;
	enum uhmm_memory_type type;
	uint64_t bytes;			/* memory of each device */
};

#define UHMM_DRIVER_DEVICES_MAX 8

UHMM_EXPORTS_BEGIN

/**
 * uhmm_device_add_memory() - dev->npages of dev->type, owned by dev->uuid, are
 * dev->pgmap; dev is its driver's
 * @ops: NULL: a page that a CPU touches comes back, and no more is to be done
 * Return: as uhmm_memremap_device_private_pagemap()
 */
UHMM_CHECKED int uhmm_device_add_memory(struct uhmm_device *dev,
					const struct uhmm_pagemap_ops *ops);

/**
 * uhmm_user_range() - the pages that a program names by @addr and @npages
 * Return: 0; -EINVAL @addr is no page's, there are none, or they do not end
 * within an address space
 */
UHMM_CHECKED int uhmm_user_range(const struct uhmm_core *core, uint64_t addr,
				 uint64_t npages, struct uhmm_range *r);

extern const struct uhmm_driver uhmm_driver;

UHMM_EXPORTS_END

#endif
