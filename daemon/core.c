/* SPDX-License-Identifier: MIT */
/* core.c - store, device memory, devices, lock (core.h) */
#include "core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include <uhmm/exclusive.h>

#include "base/log.h"
#include "base/relax.h"
#include "co.h"
#include "sys/pagesize.h"
#include "wire/wire.h"

/* When the kernel does not say: no transparent huge pages. */
#define PMD_BYTES_DEFAULT (UINT64_C(2) << 20)

/* Looks at the lock before one sleeps, about 20 us. */
#define LOCK_SPINS 500

/* How long it takes what is slow on purpose. */
#define PAUSE_NS UINT64_C(20000000)

/* Exclusive pages of all programs, at most; memory is used as they are. */
#define EXCLUSIVE_BYTES (UINT64_C(64) << 30)

/* ---- what src/mm asks of the daemon ---- */

/** A job that waits for a change in one mm. */
struct mm_waiter {
	struct uhmm_list link;
	struct uhmm_mm *mm;
	struct co *co;
};

static struct core *core_of(struct uhmm_core *hmm)
{
	return UHMM_CONTAINER_OF(hmm, struct core, hmm);
}

static void wait_mm(struct uhmm_core *hmm, struct uhmm_mm *mm)
{
	struct mm_waiter w = { .mm = mm, .co = co_self() };

	uhmm_list_add_tail(&core_of(hmm)->waiters, &w.link);
	co_yield();
	uhmm_list_del(&w.link);
}

static void wake_mm(struct uhmm_core *hmm, struct uhmm_mm *mm)
{
	struct uhmm_list *node, *after;

	UHMM_LIST_EACH_SAFE(node, after, &core_of(hmm)->waiters) {
		struct mm_waiter *w =
			UHMM_CONTAINER_OF(node, struct mm_waiter, link);

		if (w->mm != mm)
			continue;
		uhmm_list_del(node);
		co_wake(w->co);
	}
}

static uint64_t page_read(struct uhmm_core *hmm, uhmm_dpfn_t dpfn,
			  uint64_t npages, void *buf)
{
	return uhmm_devmem_read(&core_of(hmm)->devmem, dpfn, npages, buf);
}

static uint64_t page_write(struct uhmm_core *hmm, uhmm_dpfn_t dpfn,
			   uint64_t npages, const void *buf)
{
	return uhmm_devmem_write(&core_of(hmm)->devmem, dpfn, npages, buf);
}

static void page_clear(struct uhmm_core *hmm, uhmm_dpfn_t dpfn)
{
	memset(uhmm_devmem_fill(&core_of(hmm)->devmem, dpfn, 1), 0,
	       hmm->page_bytes);
}

/* Of inject.h: long enough that everybody else has had his turn. */
static void pause_core(struct uhmm_core *hmm)
{
	(void)hmm;
	if (co_self())
		co_yield_until(co_now_ns() + PAUSE_NS);
}

static uint64_t now_ns(struct uhmm_core *hmm)
{
	(void)hmm;
	return co_now_ns();
}

static const struct uhmm_core_ops ops = {
	.wait = wait_mm,
	.wake = wake_mm,
	.page_read = page_read,
	.page_write = page_write,
	.page_clear = page_clear,
	.pause = pause_core,
	.now_ns = now_ns,
};

/* ---- life ---- */

static uint64_t pmd_bytes(void)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
			"re");
	unsigned long long n = 0;

	if (!f)
		return PMD_BYTES_DEFAULT;
	if (fscanf(f, "%llu", &n) != 1)
		n = 0;
	fclose(f);
	return n ? n : PMD_BYTES_DEFAULT;
}

static int init_store(struct core *c, struct uhmm_store *store)
{
	static const struct uhmm_store_limits limits;	/* the defaults */
	size_t bytes = uhmm_store_bytes(&limits);
	int err = uhmm_memfd_init(&c->store_mem, "uhmm-store", bytes);

	if (err) {
		uhmm_err_errno(err, "cannot reserve %zu GiB of address space "
			       "for the page tables; is RLIMIT_AS set?",
			       bytes >> 30);
		return err;
	}
	err = uhmm_store_format(store, c->store_mem.base, bytes, &limits);
	if (err)
		uhmm_memfd_fini(&c->store_mem);
	return err;
}

int core_init(struct core *c)
{
	struct uhmm_store store;
	int err;

	memset(c, 0, sizeof(*c));
	uhmm_list_init(&c->waiters);
	uhmm_devmem_init(&c->devmem);
	err = init_store(c, &store);
	if (err)
		return err;
	err = uhmm_core_init(&c->hmm, store, &ops, c, uhmm_page_bytes(),
			     pmd_bytes());
	if (err) {
		uhmm_memfd_fini(&c->store_mem);
		return err;
	}
	sem_init(&c->lock, 0, 1);
	return 0;
}

void core_fini(struct core *c)
{
	if (!c->store_mem.base)
		return;
	sem_destroy(&c->lock);
	uhmm_core_fini(&c->hmm);
	uhmm_devmem_fini(&c->devmem);
	uhmm_memfd_fini(&c->store_mem);
}

/* It is held for a microsecond mostly; to sleep for that costs twenty times as
 * much. */
void core_lock(struct core *c)
{
	int i = 0;

	while (i < LOCK_SPINS && sem_trywait(&c->lock)) {
		uhmm_cpu_relax();
		i++;
	}
	while (i == LOCK_SPINS && sem_wait(&c->lock))
		;	/* EINTR */
	c->turn++;
}

void core_unlock(struct core *c)
{
	sem_post(&c->lock);
}

/* ---- devices ---- */

/* @init says which. Return: 0; -errno, said why */
static int start_device(struct core *c, const struct uhmm_device *init)
{
	struct uhmm_device *dev = &c->dev[c->ndevs];
	int err;

	*dev = *init;
	dev->core = &c->hmm;
	uuid_generate(dev->uuid);
	err = dev->ops->start(dev);
	if (!err) {
		err = uhmm_devmem_add(&c->devmem,
				      uhmm_pagemap_first(&dev->pgmap),
				      dev->npages);
		if (err)	/* no page yet: does not yield */
			dev->ops->stop(dev);
	}
	if (err)
		uhmm_err_errno(err, "%s with %llu MiB of memory cannot be had",
			       dev->node,
			       (unsigned long long)(dev->npages *
						    c->hmm.page_bytes >> 20));
	else
		c->ndevs++;
	return err;
}

/* Where pages are that a device has for itself. */
static int start_exclusive(struct core *c)
{
	int err = uhmm_exclusive_init(&c->hmm, &c->exclusive,
				      EXCLUSIVE_BYTES / c->hmm.page_bytes);

	if (!err)
		err = uhmm_devmem_add(&c->devmem,
				      uhmm_pagemap_first(&c->exclusive),
				      c->exclusive.npages);
	if (err)
		uhmm_err_errno(err, "no address space for exclusive pages");
	return err;
}

/* The kernel's test of get_user_pages(), whatever devices there are. */
static int start_gup_test(struct core *c)
{
	c->gup_test = (struct uhmm_device){
		.core = &c->hmm,
		.ops = &uhmm_gup_test_ops,
		.minor = UHMM_WIRE_MINOR_GUP_TEST,
	};
	return c->gup_test.ops->start(&c->gup_test);
}

int core_start_devices(struct core *c, const struct conf_device *conf,
		       unsigned int n, const struct uhmm_device_ops *driver)
{
	if (start_exclusive(c) || start_gup_test(c))
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		struct uhmm_device init = {
			.ops = driver,
			.minor = conf[i].minor,
			.type = conf[i].type,
			.npages = conf[i].bytes / c->hmm.page_bytes,
		};
		int err;

		snprintf(init.node, sizeof(init.node), "hmm_dmirror%u",
			 conf[i].minor);
		err = start_device(c, &init);
		if (err)
			return err;
	}
	return 0;
}

int core_start_driver(struct core *c, const struct uhmm_driver *driver)
{
	for (uint32_t i = 0; i < driver->ndevices; i++) {
		struct uhmm_device init = {
			.ops = driver->ops,
			.minor = UHMM_WIRE_MINOR_LOADED + c->nloaded,
			.type = driver->type,
			.npages = driver->bytes / c->hmm.page_bytes,
		};
		int err;

		if (c->nloaded == UHMM_WIRE_MINORS_LOADED) {
			uhmm_err("more than %u devices of drivers",
				 UHMM_WIRE_MINORS_LOADED);
			return -ENOSPC;
		}
		snprintf(init.node, sizeof(init.node), "%s%u", driver->node,
			 i);
		err = start_device(c, &init);
		if (err)
			return err;
		c->nloaded++;
	}
	return 0;
}

void core_stop_devices(struct core *c)
{
	while (c->ndevs) {
		struct uhmm_device *dev = &c->dev[c->ndevs - 1];
		uhmm_dpfn_t first = uhmm_pagemap_first(&dev->pgmap);

		dev->ops->stop(dev);
		if (uhmm_devmem_remove(&c->devmem, first))
			uhmm_warn("memory of %s was not there", dev->node);
		c->ndevs--;
	}
	if (c->gup_test.driver)
		c->gup_test.ops->stop(&c->gup_test);
	if (c->exclusive.range)
		uhmm_memunmap_device_private_pagemap(&c->exclusive);
}

void core_pages(struct core *c, uhmm_dpfn_t *first, uint64_t *npages)
{
	uint64_t end = 0;
	struct uhmm_list *node;

	*first = UHMM_DPFN(UINT64_MAX);
	UHMM_LIST_EACH(node, &c->hmm.pagemaps) {
		const struct uhmm_pagemap *pgmap =
			UHMM_CONTAINER_OF(node, struct uhmm_pagemap, link);

		if (uhmm_pagemap_first(pgmap).val < first->val)
			*first = uhmm_pagemap_first(pgmap);
		if (uhmm_pagemap_end(pgmap).val > end)
			end = uhmm_pagemap_end(pgmap).val;
	}
	*npages = end ? end - first->val : 0;
}

struct uhmm_device *core_device_named(struct core *c, const char *node)
{
	for (unsigned int i = 0; i < c->ndevs; i++)
		if (!strcmp(c->dev[i].node, node))
			return &c->dev[i];
	return NULL;
}

struct uhmm_device *core_device(struct core *c, uint32_t minor)
{
	if (minor == UHMM_WIRE_MINOR_GUP_TEST)
		return &c->gup_test;
	for (unsigned int i = 0; i < c->ndevs; i++)
		if (c->dev[i].minor == minor)
			return &c->dev[i];
	return NULL;
}
