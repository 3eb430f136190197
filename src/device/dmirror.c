/* SPDX-License-Identifier: MIT */
/* dmirror.c - the HMM test device: life, commands, checks (dmirror.h) */
#include "device/dmirror.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the mirror's page table ---- */

uint64_t uhmm_dmirror_entry(const struct dmirror *m, uhmm_vpn_t vpn)
{
	return uhmm_table_get(&m->mm->core->store, &m->pt, vpn.val);
}

int uhmm_dmirror_store(struct dmirror *m, uhmm_vpn_t vpn, uint64_t entry)
{
	return uhmm_table_set(&m->mm->core->store, &m->pt, vpn.val, entry);
}

void uhmm_dmirror_forget(struct dmirror *m, struct uhmm_range r)
{
	uint64_t at = r.start.val, entry;

	for (; uhmm_table_next(&m->mm->core->store, &m->pt, &at, r.end.val,
			       &entry);
	     at++)
		uhmm_table_clear(&m->mm->core->store, &m->pt, at);
}

bool uhmm_dmirror_is_own(const struct dmirror *m, uhmm_vpn_t vpn,
			 uhmm_dpfn_t *dpfn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(m->mm, vpn);

	if (!uhmm_softleaf_is_device_private(leaf))
		return false;
	*dpfn = uhmm_softleaf_to_dpfn(leaf);
	return uhmm_pagemap_of(m->mm->core, *dpfn) == &m->dev->pgmap;
}

static void invalidate(struct uhmm_notifier *n, struct uhmm_range r,
		       enum uhmm_notify_event event, const void *owner)
{
	struct dmirror *m = UHMM_CONTAINER_OF(n, struct dmirror, notifier);

	/* This device's own migrations are not news: it tells its mirrors
	 * itself which pages moved. */
	if (event == UHMM_NOTIFY_MIGRATE && owner == &m->dev->pgmap)
		return;
	uhmm_dmirror_forget(m, r);
}

/* ---- device and open ---- */

static int start(struct uhmm_device *dev)
{
	struct dmirror_device *dd = calloc(1, sizeof(*dd));
	int err;

	if (!dd)
		return -ENOMEM;
	uhmm_list_init(&dd->mirrors);
	dev->driver = dd;
	dev->pgmap.type = dev->type;
	dev->pgmap.npages = dev->npages;
	dev->pgmap.ops = &uhmm_dmirror_pagemap_ops;
	dev->pgmap.driver = dev;
	memcpy(dev->pgmap.owner, dev->uuid, sizeof(dev->uuid));
	err = uhmm_memremap_device_private_pagemap(dev->core, &dev->pgmap);
	if (err) {
		free(dd);
		dev->driver = NULL;
	}
	return err;
}

static void stop(struct uhmm_device *dev)
{
	uhmm_memunmap_device_private_pagemap(&dev->pgmap);
	free(dev->driver);
	dev->driver = NULL;
}

static int open_mirror(struct uhmm_file *file)
{
	struct dmirror_device *dd = file->dev->driver;
	struct dmirror *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->dev = file->dev;
	m->mm = file->mm;
	uhmm_mm_get(m->mm);
	m->notifier.invalidate = invalidate;
	uhmm_notifier_insert(
		&m->notifier, m->mm,
		uhmm_range_of(UHMM_VPN(0),
			      UINT64_C(1) << UHMM_TABLE_INDEX_BITS));
	uhmm_list_add_tail(&dd->mirrors, &m->link);
	file->driver = m;
	file->dev->count.opens++;
	return 0;
}

static void release(struct uhmm_file *file)
{
	struct dmirror *m = file->driver;

	uhmm_notifier_remove(&m->notifier);
	uhmm_list_del(&m->link);
	uhmm_table_fini(&m->mm->core->store, &m->pt);
	uhmm_dmirror_evict(m->dev);
	uhmm_mm_put(m->mm);
	free(m);
}

static const char *mmap_name(struct uhmm_file *file)
{
	(void)file;
	return "hmm_dmirror";
}

/* ---- commands ---- */

static int set_flags(struct dmirror_call *call)
{
	call->mirror->flags = call->cmd.npages & UHMM_DMIRROR_FLAG_FAIL_ALLOC;
	return 0;
}

/* A command and its number. What is not listed is EINVAL, as in the driver. */
static const struct {
	uint64_t nr;
	int (*run)(struct dmirror_call *call);
} commands[] = {
	{ UHMM_DMIRROR_READ, uhmm_dmirror_read },
	{ UHMM_DMIRROR_WRITE, uhmm_dmirror_write },
	{ UHMM_DMIRROR_MIGRATE_TO_DEV, uhmm_dmirror_migrate_to_dev },
	{ UHMM_DMIRROR_MIGRATE_TO_SYS, uhmm_dmirror_migrate_to_sys },
	{ UHMM_DMIRROR_SNAPSHOT, uhmm_dmirror_snapshot },
	{ UHMM_DMIRROR_RELEASE, uhmm_dmirror_release_pages },
	{ UHMM_DMIRROR_FLAGS, set_flags },
};

/* The checks that every command passes first (spec 1.4). */
static int check(struct dmirror_call *call)
{
	uint64_t page_bytes = call->mirror->mm->core->page_bytes;
	uint64_t addr = call->cmd.addr;
	uint64_t end = addr + call->cmd.npages * page_bytes;

	if (addr % page_bytes || addr >= end)
		return -EINVAL;
	call->range = uhmm_range_of(UHMM_VPN(addr / page_bytes),
				    (end - addr) / page_bytes);
	call->cmd.cpages = 0;
	call->cmd.faults = 0;
	return 0;
}

static int run_command(struct dmirror_call *call, uint64_t nr)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].nr == nr)
			return commands[i].run(call);
	return -EINVAL;
}

static int64_t ioctl_mirror(struct uhmm_file *file, struct uhmm_user *user,
			    uint64_t nr, uint64_t arg)
{
	struct dmirror_call call = { .mirror = file->driver, .user = user };
	int err = user->copy_from(user, &call.cmd, arg, sizeof(call.cmd));

	if (err)
		return -EFAULT;
	err = check(&call);
	if (!err)
		err = run_command(&call, nr);
	if (err) {
		file->dev->count.errors++;
		return err;
	}
	if (user->copy_to(user, arg, &call.cmd, sizeof(call.cmd)))
		return -EFAULT;
	return 0;
}

const struct uhmm_device_ops uhmm_dmirror_ops = {
	.name = "dmirror",
	.start = start,
	.stop = stop,
	.open = open_mirror,
	.release = release,
	.ioctl = ioctl_mirror,
	.mmap_name = mmap_name,
};
