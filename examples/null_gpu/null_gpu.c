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
#include <string.h>

#include <uhmm/uhmm.h>

/* ---- pages that move ---- */

/* Pages moved at once. */
#define PIECE 64

/* Where a page is to go: device memory while there is some, or the system. */
static uint64_t destination(struct uhmm_pagemap *pgmap, uint64_t src)
{
	uhmm_dpfn_t dpfn;

	if (!(src & UHMM_MIGRATE_PFN_MIGRATE))
		return 0;
	if (uhmm_migrate_pfn_is_device(src))
		return UHMM_MIGRATE_PFN_SYSTEM;
	return uhmm_pagemap_alloc(pgmap, 0, &dpfn) ? 0 : uhmm_migrate_pfn(dpfn);
}

/* A range that lies in one mapping. Return: pages that moved; -errno */
static int64_t move_piece(struct uhmm_file *file, struct uhmm_range r,
			  unsigned int flags)
{
	uint64_t src[PIECE], dst[PIECE];
	struct uhmm_migrate_vma args = {
		.mm = file->mm, .range = r, .src = src, .dst = dst,
		.pgmap = &file->dev->pgmap, .flags = flags,
	};
	int64_t moved = 0;
	int err = uhmm_migrate_vma_setup(&args);

	if (err)
		return err;
	for (uint64_t i = 0; i < uhmm_range_npages(r); i++)
		dst[i] = destination(args.pgmap, src[i]);
	uhmm_migrate_vma_pages(&args);
	uhmm_migrate_vma_finalize(&args);
	for (uint64_t i = 0; i < uhmm_range_npages(r); i++)
		moved += (src[i] & UHMM_MIGRATE_PFN_MIGRATE) != 0;
	return moved;
}

static int64_t move(struct uhmm_file *file, struct uhmm_range r,
		    unsigned int flags)
{
	int64_t all = 0, moved;

	while (r.start.val < r.end.val) {
		struct uhmm_range piece =
			uhmm_range_clip(uhmm_range_of(r.start, PIECE), r);
		struct uhmm_vma vma;
		int err = uhmm_find_vma(file->mm, r.start, &vma);

		if (err || !uhmm_range_has(vma.range, r.start))
			return err == -ESRCH ? err : -EFAULT;
		piece = uhmm_range_clip(piece, vma.range);
		moved = move_piece(file, piece, flags);
		if (moved < 0)
			return moved;
		all += moved;
		r.start = piece.end;
	}
	return all;
}

/* ---- what the device computes ---- */

/** struct gpu_file - one open: a page of the device's registers, so to speak,
 *  and the page it has for itself until somebody else touches it */
struct gpu_file {
	struct uhmm_notifier notifier;
	bool exclusive;
	uhmm_vpn_t vpn;
	uint64_t word[];
};

/* Add @value to @n words of a device page, from @first on. Does not yield.
 * Return: what the first one was */
static uint64_t add(const struct uhmm_file *file, uhmm_dpfn_t dpfn,
		    uint64_t first, uint64_t n, uint64_t value)
{
	struct uhmm_core *core = file->dev->core;
	uint64_t *word = ((struct gpu_file *)file->driver)->word, old;

	uhmm_device_private_read(core, dpfn, 1, word);
	old = word[first];
	for (uint64_t i = first; i < first + n; i++)
		word[i] += value;
	uhmm_device_private_write(core, dpfn, 1, word);
	return old;
}

/* On pages that are ours, and ours to write. */
static int64_t launch(struct uhmm_file *file, struct uhmm_range r,
		      uint64_t value)
{
	struct uhmm_core *core = file->dev->core;

	for (uhmm_vpn_t v = r.start; v.val < r.end.val; v.val++) {
		uhmm_softleaf_t leaf = uhmm_mm_leaf(file->mm, v);

		if (!uhmm_softleaf_is_device_private_write(leaf) ||
		    uhmm_pagemap_of(core, uhmm_softleaf_to_dpfn(leaf)) !=
			    &file->dev->pgmap)
			return -ENXIO;
		add(file, uhmm_softleaf_to_dpfn(leaf), 0,
		    uhmm_core_page_bytes(core) / 8, value);
	}
	return (int64_t)uhmm_range_npages(r);
}

static void invalidate(struct uhmm_notifier *n, struct uhmm_range r,
		       enum uhmm_notify_event event, const void *owner)
{
	struct gpu_file *g = UHMM_CONTAINER_OF(n, struct gpu_file, notifier);

	(void)event;
	(void)owner;
	if (uhmm_range_has(r, g->vpn))
		g->exclusive = false;
}

static int64_t atomic_add(struct uhmm_file *file, struct null_gpu_atomic *a)
{
	uint64_t bytes = uhmm_core_page_bytes(file->dev->core), done;
	uhmm_vpn_t vpn = UHMM_VPN(a->addr / bytes);
	struct gpu_file *g = file->driver;
	int err;

	if (a->addr % 8)
		return -EINVAL;
	if (!g->exclusive || g->vpn.val != vpn.val) {
		err = uhmm_make_device_exclusive(file->mm,
						 uhmm_range_of(vpn, 1), &done);
		if (err)
			return err;
		g->vpn = vpn;
		g->exclusive = true;
	}
	a->old = add(file, uhmm_softleaf_to_dpfn(uhmm_mm_leaf(file->mm, vpn)),
		     a->addr % bytes / 8, 1, a->value * a->times);
	return 0;
}

/* ---- the driver ---- */

static int64_t ioctl_range(struct uhmm_file *file, struct uhmm_user *user,
			   uint64_t cmd, uint64_t arg)
{
	uint64_t bytes = uhmm_core_page_bytes(file->dev->core);
	struct null_gpu_range g;
	struct uhmm_range r;
	int64_t done;

	if (user->copy_from(user, &g, arg, sizeof(g)))
		return -EFAULT;
	if (g.addr % bytes || !g.npages || g.npages > UINT64_MAX / bytes ||
	    g.addr + g.npages * bytes < g.addr)
		return -EINVAL;
	r = uhmm_range_of(UHMM_VPN(g.addr / bytes), g.npages);
	if (cmd == NULL_GPU_LAUNCH)
		done = launch(file, r, g.value);
	else if (cmd == NULL_GPU_TO_DEVICE)
		done = move(file, r, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	else
		done = move(file, r, UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
	if (done < 0)
		return done;
	g.done = (uint64_t)done;
	return user->copy_to(user, arg, &g, sizeof(g)) ? -EFAULT : 0;
}

static int64_t gpu_ioctl(struct uhmm_file *file, struct uhmm_user *user,
			 uint64_t cmd, uint64_t arg)
{
	struct null_gpu_atomic a;
	int64_t err;

	if (cmd == NULL_GPU_TO_DEVICE || cmd == NULL_GPU_TO_SYSTEM ||
	    cmd == NULL_GPU_LAUNCH)
		return ioctl_range(file, user, cmd, arg);
	if (cmd != NULL_GPU_ATOMIC_ADD)
		return -ENOTTY;
	if (user->copy_from(user, &a, arg, sizeof(a)))
		return -EFAULT;
	err = atomic_add(file, &a);
	if (!err && user->copy_to(user, arg, &a, sizeof(a)))
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

/* A CPU touched a page that is ours. */
static int migrate_to_ram(struct uhmm_device_fault *fault)
{
	int64_t back = uhmm_migrate_to_ram(
		fault->mm, uhmm_range_of(fault->vpn, 1), fault->pgmap);

	return back < 0 ? (int)back : 0;
}

static const struct uhmm_pagemap_ops pagemap_ops = {
	.migrate_to_ram = migrate_to_ram,
};

static int gpu_start(struct uhmm_device *dev)
{
	dev->pgmap.type = dev->type;
	dev->pgmap.npages = dev->npages;
	dev->pgmap.ops = &pagemap_ops;
	memcpy(dev->pgmap.owner, dev->uuid, sizeof(dev->uuid));
	return uhmm_memremap_device_private_pagemap(dev->core, &dev->pgmap);
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
