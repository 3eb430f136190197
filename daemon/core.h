/* SPDX-License-Identifier: MIT */
/* core.h - the one core of the daemon: store, device memory, devices, lock
 *
 * Owns:   struct uhmm_core and what it stands on; the devices; the lock.
 * Locks:  "the core's lock" covers everything semantic and every structure of
 *         the daemon that more than one worker can reach. A worker holds it
 *         while it handles events and runs jobs, and drops it to wait, and
 *         around long system calls (core_unlock() in a job).
 *         It is a semaphore, not a mutex: a job may drop what the loop took.
 *         Order: core's lock, then co_sched.lock. Nothing is taken after that.
 * Errors: 0 or -errno.
 */
#ifndef UHMMD_CORE_H
#define UHMMD_CORE_H

#include <pthread.h>
#include <semaphore.h>

#include <uhmm/device.h>

#include "conf.h"
#include "device/drivers.h"
#include "mm/mm.h"
#include "sys/devmem.h"
#include "sys/memfd.h"
#include "wire/wire.h"

struct core {
	struct uhmm_core hmm;
	struct uhmm_memfd store_mem;
	struct uhmm_devmem devmem;
	struct uhmm_device dev[CONF_DEVICES_MAX + UHMM_WIRE_MINORS_LOADED];
	struct uhmm_pagemap exclusive;	/* for all of them */
	unsigned int ndevs;		/* that are started */
	unsigned int nloaded;		/* of them, of drivers from files */
	struct uhmm_device gup_test;	/* no device, no memory */
	struct uhmm_list waiters;	/* jobs in core_ops.wait */
	uint64_t turn;			/* of those who take turns with the
					 * lock, and of a worker's jobs */
	sem_t lock;
};

/**
 * core_init() - store and lock; no devices yet
 * Return: 0; -errno, nothing is left
 */
UHMM_CHECKED int core_init(struct core *c);

/** core_fini() - no mm and no device is left. Accepts a zeroed one. */
void core_fini(struct core *c);

/**
 * core_start_devices() - bring up each of @conf with driver @ops
 * Return: 0; -errno, said which and why; core_stop_devices() undoes it
 */
UHMM_CHECKED int core_start_devices(struct core *c,
				    const struct conf_device *conf,
				    unsigned int n,
				    const struct uhmm_device_ops *ops);

/**
 * core_start_driver() - bring up the devices of @driver, behind the others
 * Return: 0; -errno, said which and why; core_stop_devices() undoes it
 */
UHMM_CHECKED int core_start_driver(struct core *c,
				   const struct uhmm_driver *driver);

/** core_stop_devices() - (yields) every page goes home, then the devices.
 *  No open is left. */
void core_stop_devices(struct core *c);

/** core_pages() - the numbers all device pages there are now lie among */
void core_pages(struct core *c, uhmm_dpfn_t *first, uint64_t *npages);

/** core_device() - the device of @minor as the wire has it, or NULL */
struct uhmm_device *core_device(struct core *c, uint32_t minor);

/** core_device_named() - the device whose node in /dev is @node, or NULL */
struct uhmm_device *core_device_named(struct core *c, const char *node);

void core_lock(struct core *c);
void core_unlock(struct core *c);

#endif
