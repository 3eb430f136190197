/* SPDX-License-Identifier: MIT */
/* dmirror.c - the HMM test device: life, commands, checks (dmirror.h) */
#include "device/dmirror.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the mirrors' page tables ---- */

uint64_t uhmm_dmirror_entry(const struct dmirror *m, uhmm_vpn_t vpn)
{
	return uhmm_page_table_get(&m->pt, vpn);
}

int uhmm_dmirror_store(struct dmirror *m, uhmm_vpn_t vpn, uint64_t entry)
{
	m->huge |= (entry & DMIRROR_ENTRY_HUGE) != 0;
	return uhmm_page_table_set(&m->pt, vpn, entry);
}

bool uhmm_dmirror_next(const struct dmirror *m, uhmm_vpn_t *vpn, uhmm_vpn_t end)
{
	uint64_t entry;

	return uhmm_page_table_next(&m->pt, vpn, end, &entry);
}

void uhmm_dmirror_forget(struct dmirror *m, struct uhmm_range r)
{
	m->changes++;
	for (; uhmm_dmirror_next(m, &r.start, r.end); r.start.val++)
		uhmm_page_table_clear(&m->pt, r.start);
}

bool uhmm_dmirror_has(const struct dmirror *m, uhmm_vpn_t vpn, bool write)
{
	const uint64_t need = DMIRROR_ENTRY_VALID |
			      (write ? DMIRROR_ENTRY_WRITE : 0);

	return (uhmm_dmirror_entry(m, vpn) & need) == need &&
	       !uhmm_softleaf_is_migration(uhmm_mm_leaf(m->mm, vpn));
}

bool uhmm_dmirror_is_own(const struct dmirror *m, uhmm_vpn_t vpn,
			 uhmm_dpfn_t *dpfn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(m->mm, vpn);

	if (!uhmm_softleaf_is_away(leaf))
		return false;
	*dpfn = uhmm_softleaf_to_dpfn(leaf);
	if (uhmm_softleaf_is_device_exclusive(leaf))
		return uhmm_dmirror_entry(m, vpn) & DMIRROR_ENTRY_ATOMIC;
	return uhmm_pagemap_of(m->dev->core, *dpfn) == &m->dev->pgmap;
}

/* Exclusive pages that are not so any more. */
static void count_revoked(struct dmirror *m, struct uhmm_range r)
{
	for (; uhmm_dmirror_next(m, &r.start, r.end); r.start.val++)
		if (uhmm_dmirror_entry(m, r.start) & DMIRROR_ENTRY_ATOMIC)
			m->dev->count.revoke_faults++;
}

/* What happens to a part of a huge page splits it, of which the kernel tells as
 * of a change of all of it. So it is forgotten as one: when it lies across
 * @border, where the change begins or ends. */
static void forget_split(struct dmirror *m, uhmm_vpn_t border)
{
	uint64_t pmd = uhmm_core_pmd_npages(m->dev->core);
	struct uhmm_range r = uhmm_range_of(
		UHMM_VPN(border.val - border.val % pmd), pmd);
	uhmm_vpn_t vpn = r.start;

	if (m->huge && border.val % pmd && uhmm_dmirror_next(m, &vpn, r.end) &&
	    (uhmm_dmirror_entry(m, vpn) & DMIRROR_ENTRY_HUGE))
		uhmm_dmirror_forget(m, r);
}

static void invalidate(struct uhmm_notifier *n, struct uhmm_range r,
		       enum uhmm_notify_event event, const void *owner)
{
	struct dmirror *m = UHMM_CONTAINER_OF(n, struct dmirror, notifier);

	forget_split(m, r.start);
	forget_split(m, r.end);
	/* This device's own migrations are not news: it tells its mirrors
	 * itself which pages moved. */
	if (event == UHMM_NOTIFY_MIGRATE && owner == &m->dev->pgmap)
		return;
	count_revoked(m, r);
	uhmm_dmirror_forget(m, r);
}

/* ---- device and open ---- */

static void destroy_driver(struct uhmm_device *dev)
{
	struct dmirror_device *dd = dev->driver;

	uhmm_page_tables_destroy(dd->tables);
	free(dd->bounce);
	free(dd);
	dev->driver = NULL;
}

static int start(struct uhmm_device *dev)
{
	struct dmirror_device *dd = calloc(1, sizeof(*dd));
	int err = -ENOMEM;

	if (!dd)
		return -ENOMEM;
	uhmm_list_init(&dd->mirrors);
	dev->driver = dd;
	dd->tables = uhmm_page_tables_create();
	if (!dd->tables)
		goto undo;
	err = uhmm_device_add_memory(dev, &uhmm_dmirror_pagemap_ops);
	if (!err)
		return 0;
undo:
	destroy_driver(dev);
	return err;
}

static void stop(struct uhmm_device *dev)
{
	uhmm_memunmap_device_private_pagemap(&dev->pgmap);
	destroy_driver(dev);
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
	uhmm_page_table_init(&m->pt, dd->tables);
	uhmm_notifier_insert(&m->notifier, m->mm, uhmm_range_all());
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
	uhmm_page_table_fini(&m->pt);
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
	{ UHMM_DMIRROR_EXCLUSIVE, uhmm_dmirror_exclusive },
	{ UHMM_DMIRROR_CHECK_EXCLUSIVE, uhmm_dmirror_check_exclusive },
	{ UHMM_DMIRROR_RELEASE, uhmm_dmirror_release_pages },
	{ UHMM_DMIRROR_FLAGS, set_flags },
	{ UHMM_DMIRROR_READ_UNLOCKED, uhmm_dmirror_read_unlocked },
};

/* The checks that every command passes first (spec 1.4). */
static int check(struct dmirror_call *call)
{
	uint64_t page_bytes = uhmm_core_page_bytes(call->mirror->dev->core);
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
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int err;

		if (commands[i].nr != nr)
			continue;
		err = uhmm_dmirror_look(call->mirror, call->range);
		return err ? err : commands[i].run(call);
	}
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
