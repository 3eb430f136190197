/* SPDX-License-Identifier: MIT */
/* null_gpu.c - a driver, as small as one can be
 *
 *   cc -shared -fPIC null_gpu.c -o null_gpu.so
 *   uhmm run --driver ./null_gpu.so -- PROGRAM
 *
 * Not linked to anything: its functions of the library are those of uhmmd. The
 * lock of the core is held in every function; where a call may drop it (yields)
 * the library says so, and what was known before is looked up again.
 */
#include "null_gpu.h"

#include <errno.h>
#include <stdlib.h>

#include <uhmm/uhmm.h>

/** struct gpu_file - one open: the page it has for itself, until somebody else
 *  touches it, and a page of the device's registers, so to speak */
struct gpu_file {
	struct uhmm_notifier notifier;
	struct uhmm_range own;
	uint64_t word[];
};

/* ---- what the device computes ---- */

/* Add @value to @n words of the page that @leaf stands for, from @first on. Does
 * not yield. Return: 0 with *@old what the first one was; -EIO */
static int add(const struct uhmm_file *file, uhmm_softleaf_t leaf,
	       uint64_t first, uint64_t n, uint64_t value, uint64_t *old)
{
	struct uhmm_core *core = file->dev->core;
	uint64_t *word = ((struct gpu_file *)file->driver)->word;
	uhmm_dpfn_t dpfn = uhmm_softleaf_to_dpfn(leaf);

	if (uhmm_device_private_read(core, dpfn, 1, word) != 1)
		return -EIO;
	*old = word[first];
	for (uint64_t i = first; i < first + n; i++)
		word[i] += value;
	uhmm_device_private_mark_accessed(core, dpfn);
	return uhmm_device_private_write(core, dpfn, 1, word) == 1 ? 0 : -EIO;
}

/* On pages that are ours, and ours to write. */
static int64_t launch(struct uhmm_file *file, struct uhmm_range r,
		      uint64_t value)
{
	uint64_t nwords = uhmm_core_page_bytes(file->dev->core) / 8, old;

	for (uhmm_vpn_t v = r.start; v.val < r.end.val; v.val++) {
		uhmm_softleaf_t leaf = uhmm_mm_leaf(file->mm, v);

		if (!uhmm_softleaf_is_device_private_write(leaf) ||
		    !uhmm_pagemap_has(&file->dev->pgmap, leaf))
			return -ENXIO;
		if (add(file, leaf, 0, nwords, value, &old))
			return -EIO;
	}
	return (int64_t)uhmm_range_npages(r);
}

static void invalidate(struct uhmm_notifier *n, struct uhmm_range r,
		       enum uhmm_notify_event event, const void *owner)
{
	struct gpu_file *g = UHMM_CONTAINER_OF(n, struct gpu_file, notifier);

	(void)event;
	(void)owner;
	if (uhmm_range_has(r, g->own.start))
		g->own = uhmm_range_of(g->own.start, 0);
}

static int atomic_add(struct uhmm_file *file, struct null_gpu_cmd *c)
{
	uint64_t bytes = uhmm_core_page_bytes(file->dev->core), done;
	struct uhmm_range page = uhmm_range_of(UHMM_VPN(c->addr / bytes), 1);
	struct gpu_file *g = file->driver;

	if (c->addr % 8)
		return -EINVAL;
	if (!uhmm_range_has(g->own, page.start)) {
		int err = uhmm_make_device_exclusive(file->mm, page, &done);

		if (err)
			return err;
		g->own = page;
	}
	return add(file, uhmm_mm_leaf(file->mm, page.start),
		   c->addr % bytes / 8, 1, c->value * c->n, &c->result);
}

/* ---- what is asked of it ---- */

static int run(struct uhmm_file *file, uint64_t cmd, struct null_gpu_cmd *c)
{
	struct uhmm_pagemap *pgmap = &file->dev->pgmap;
	struct uhmm_range r;
	int64_t done = -ENOTTY;
	int err;

	if (cmd == NULL_GPU_ATOMIC_ADD)
		return atomic_add(file, c);
	err = uhmm_user_range(file->dev->core, c->addr, c->n, &r);
	if (err)
		return err;
	if (cmd == NULL_GPU_LAUNCH)
		done = launch(file, r, c->value);
	else if (cmd == NULL_GPU_TO_DEVICE)
		done = uhmm_migrate_to_dev(file->mm, r, pgmap,
					   UHMM_MIGRATE_VMA_MAKE_ROOM);
	else if (cmd == NULL_GPU_TO_SYSTEM)
		done = uhmm_migrate_to_ram(file->mm, r, pgmap);
	c->result = (uint64_t)done;
	return done < 0 ? (int)done : 0;
}

static int64_t gpu_ioctl(struct uhmm_file *file, struct uhmm_user *user,
			 uint64_t cmd, uint64_t arg)
{
	struct null_gpu_cmd c;
	int err;

	if (_IOC_TYPE(cmd) != 'G' || _IOC_SIZE(cmd) != sizeof(c))
		return -ENOTTY;
	if (user->copy_from(user, &c, arg, sizeof(c)))
		return -EFAULT;
	err = run(file, cmd, &c);
	if (!err && user->copy_to(user, arg, &c, sizeof(c)))
		err = -EFAULT;
	return err;
}

static int gpu_open(struct uhmm_file *file)
{
	struct gpu_file *g = calloc(
		1, sizeof(*g) + uhmm_core_page_bytes(file->dev->core));

	if (!g)
		return -ENOMEM;
	g->notifier.invalidate = invalidate;
	uhmm_notifier_insert(&g->notifier, file->mm, uhmm_range_all());
	file->driver = g;
	return 0;
}

static void gpu_release(struct uhmm_file *file)
{
	struct gpu_file *g = file->driver;

	uhmm_notifier_remove(&g->notifier);
	free(g);
}

static int gpu_start(struct uhmm_device *dev)
{
	return uhmm_device_add_memory(dev, NULL);
}

static void gpu_stop(struct uhmm_device *dev)
{
	uhmm_memunmap_device_private_pagemap(&dev->pgmap);
}

static const struct uhmm_device_ops gpu_ops = {
	.name = "null_gpu",
	.start = gpu_start,
	.stop = gpu_stop,
	.open = gpu_open,
	.release = gpu_release,
	.ioctl = gpu_ioctl,
};

const struct uhmm_driver uhmm_driver = {
	.abi = UHMM_DRIVER_ABI,
	.ndevices = 2,
	.node = "null_gpu",
	.ops = &gpu_ops,
	.type = UHMM_MEMORY_DEVICE_PRIVATE,
	.bytes = UINT64_C(64) << 20,
};
