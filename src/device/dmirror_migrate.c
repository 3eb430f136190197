/* SPDX-License-Identifier: MIT */
/* dmirror_migrate.c - pages to the device and back (dmirror.h) */
#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>

#include "device/dmirror.h"

/* Room for one piece. */
struct piece {
	struct uhmm_migrate_vma args;
	uint64_t seq;		/* of the mirror's notifier after setup */
	uint64_t src[DMIRROR_PIECE];
	uint64_t dst[DMIRROR_PIECE];
};

/* FAIL_ALLOC is consumed by the first allocation after it was set. */
static bool alloc_fails(struct dmirror *m)
{
	if (!(m->flags & UHMM_DMIRROR_FLAG_FAIL_ALLOC))
		return false;
	m->flags &= ~(uint64_t)UHMM_DMIRROR_FLAG_FAIL_ALLOC;
	return true;
}

/* The piece that starts at @at: up to DMIRROR_PIECE pages of one mapping. */
static int set_piece(struct dmirror *m, struct piece *p, uhmm_vpn_t at,
		     uhmm_vpn_t end, unsigned int flags)
{
	struct uhmm_mm *mm = m->mm;
	struct uhmm_vma vma;
	int err = uhmm_find_vma(mm, at, &vma);

	if (err || vma.range.start.val > at.val || !vma.read)
		return -EINVAL;
	p->args = (struct uhmm_migrate_vma){
		.mm = mm,
		.range = uhmm_range_clip(uhmm_range_of(at, DMIRROR_PIECE),
					 (struct uhmm_range){ at, end }),
		.src = p->src,
		.dst = p->dst,
		.pgmap = &m->dev->pgmap,
		.flags = flags,
	};
	p->args.range = uhmm_range_clip(p->args.range, vma.range);
	err = uhmm_migrate_vma_setup(&p->args);
	p->seq = uhmm_notifier_read_begin(&m->notifier);
	return err == -ESRCH ? -EINVAL : err;
}

static uint64_t npages_of(const struct piece *p)
{
	return uhmm_range_npages(p->args.range);
}

static uhmm_vpn_t vpn_of(const struct piece *p, uint64_t i)
{
	return UHMM_VPN(p->args.range.start.val + i);
}

/* Is the piece one PMD-sized unit that moves, or did? */
static bool is_unit(const struct piece *p)
{
	const uint64_t both = UHMM_MIGRATE_PFN_MIGRATE |
			      UHMM_MIGRATE_PFN_COMPOUND;

	return (p->src[0] & both) == both;
}

/* What is said of page @i; of a unit it is said once. */
static uint64_t src_of(const struct piece *p, uint64_t i)
{
	return p->src[is_unit(p) ? 0 : i];
}

/* Every mirror of this device forgets pages that moved. */
static void forget_everywhere(struct uhmm_device *dev, struct uhmm_mm *mm,
			      struct uhmm_range r)
{
	struct dmirror_device *dd = dev->driver;
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &dd->mirrors) {
		struct dmirror *m =
			UHMM_CONTAINER_OF(node, struct dmirror, link);

		if (m->mm == mm)
			uhmm_dmirror_forget(m, r);
	}
}

/* ---- to the device ---- */

/* Coherent memory has no units. */
static bool allocate_unit(struct dmirror *m, struct piece *p)
{
	uhmm_dpfn_t dpfn;

	if (alloc_fails(m) || m->dev->type == UHMM_MEMORY_DEVICE_COHERENT ||
	    uhmm_pagemap_alloc(&m->dev->pgmap, UHMM_UNIT_ORDER, &dpfn))
		return false;
	p->dst[0] = uhmm_migrate_pfn(dpfn) | UHMM_MIGRATE_PFN_COMPOUND;
	return true;
}

/* A unit is asked for whole first; when that fails, page by page. */
static void allocate(struct dmirror *m, struct piece *p)
{
	bool unit = is_unit(p);

	if (unit && allocate_unit(m, p))
		return;
	for (uint64_t i = 0; i < npages_of(p); i++) {
		uhmm_dpfn_t dpfn;

		if (!unit && !(p->src[i] & UHMM_MIGRATE_PFN_MIGRATE))
			continue;
		if (alloc_fails(m) ||
		    uhmm_pagemap_alloc(&m->dev->pgmap, 0, &dpfn)) {
			m->dev->count.refused_nomem++;
			continue;
		}
		p->dst[i] = uhmm_migrate_pfn(dpfn);
	}
}

/*
 * What the mirror may do with page @i, which moved; 0: it is not there any
 * more. A coherent page may be written as when it was collected, if nothing has
 * happened since; else the next WRITE finds out.
 */
static uint64_t entry_of(struct dmirror *m, const struct piece *p, uint64_t i)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(m->mm, vpn_of(p, i));
	bool write = uhmm_softleaf_is_device_private_write(leaf);

	if (!uhmm_softleaf_is_device_private(leaf) &&
	    !uhmm_softleaf_is_device_coherent(leaf))
		return 0;
	if (!uhmm_pagemap_has(&m->dev->pgmap, leaf))
		return 0;
	if (uhmm_softleaf_is_device_coherent(leaf))
		write = (src_of(p, i) & UHMM_MIGRATE_PFN_WRITE) &&
			!uhmm_notifier_read_retry(&m->notifier, p->seq);
	return DMIRROR_ENTRY_VALID | (write ? DMIRROR_ENTRY_WRITE : 0);
}

/* Pages that moved are in the mirror's table, as they are now: what the program
 * did meanwhile counts. A table that is full costs a fault later, nothing
 * else. */
static void map_moved(struct dmirror *m, struct piece *p)
{
	for (uint64_t i = 0; i < npages_of(p); i++) {
		uint64_t entry = entry_of(m, p, i);

		if (!(src_of(p, i) & UHMM_MIGRATE_PFN_MIGRATE) || !entry)
			continue;
		m->dev->count.migrate_to_dev_pages++;
		if (uhmm_dmirror_store(m, vpn_of(p, i), entry))
			m->dev->count.refused_nomem++;
	}
}

static int migrate_all_to_dev(struct dmirror_call *call, struct piece *p)
{
	struct dmirror *m = call->mirror;
	uhmm_vpn_t at = call->range.start;

	while (at.val < call->range.end.val) {
		int err = set_piece(m, p, at, call->range.end,
				    UHMM_MIGRATE_VMA_SELECT_SYSTEM |
					    UHMM_MIGRATE_VMA_SELECT_COMPOUND);

		if (err)
			return err;
		allocate(m, p);
		uhmm_migrate_vma_pages(&p->args);
		uhmm_migrate_vma_finalize(&p->args);
		map_moved(m, p);
		at = p->args.range.end;
	}
	return 0;
}

/* Are all pages of the range in this mirror's table? */
static bool has_all(const struct dmirror_call *call)
{
	uhmm_vpn_t vpn = call->range.start;

	while (vpn.val < call->range.end.val &&
	       uhmm_dmirror_entry(call->mirror, vpn))
		vpn.val++;
	return vpn.val == call->range.end.val;
}

/* Hand the data back: ENOENT unless every page is in this mirror's table. */
int uhmm_dmirror_read_back(struct dmirror_call *call)
{
	int64_t done;
	int err;

	if (!has_all(call))
		return -ENOENT;
	err = uhmm_dmirror_copy_begin(call, false);
	if (err)
		return err;
	done = uhmm_dmirror_copy(call, call->range, false);
	if (done == -EFAULT || done == -ENOMEM)
		err = (int)done;
	else if (done != (int64_t)uhmm_range_npages(call->range))
		err = -ENOENT;
	return uhmm_dmirror_copy_end(call, false, err);
}

int uhmm_dmirror_migrate_to_dev(struct dmirror_call *call)
{
	struct piece *p = malloc(sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = migrate_all_to_dev(call, p);
	free(p);
	if (!err)
		err = uhmm_dmirror_read_back(call);
	call->cmd.cpages = uhmm_range_npages(call->range);
	return err;
}

/* ---- to the system ---- */

/* A huge page for a unit, or, when that cannot be had, base pages. */
static void ask_for_unit(struct dmirror *m, struct piece *p)
{
	if (!alloc_fails(m)) {
		p->dst[0] = UHMM_MIGRATE_PFN_SYSTEM | UHMM_MIGRATE_PFN_COMPOUND;
		return;
	}
	for (uint64_t i = 0; i < npages_of(p); i++)
		p->dst[i] = UHMM_MIGRATE_PFN_SYSTEM;
}

/* Ask for an ordinary page for each; an allocation that fails ends it. */
static int ask_for_system(struct dmirror *m, struct piece *p)
{
	if (is_unit(p)) {
		ask_for_unit(m, p);
		return 0;
	}
	for (uint64_t i = 0; i < npages_of(p); i++) {
		if (!(p->src[i] & UHMM_MIGRATE_PFN_MIGRATE))
			continue;
		if (alloc_fails(m))
			return -ENOMEM;
		p->dst[i] = UHMM_MIGRATE_PFN_SYSTEM;
	}
	return 0;
}

/* A unit that came back whole counts once, as in the driver. */
static uint64_t count_moved(struct dmirror *m, const struct piece *p)
{
	uint64_t n = 0;

	if (is_unit(p)) {
		forget_everywhere(m->dev, m->mm, p->args.range);
		m->dev->count.migrate_to_sys_pages += npages_of(p);
		return 1;
	}
	for (uint64_t i = 0; i < npages_of(p); i++) {
		if (!(p->src[i] & UHMM_MIGRATE_PFN_VALID) ||
		    !(p->src[i] & UHMM_MIGRATE_PFN_MIGRATE))
			continue;
		forget_everywhere(m->dev, m->mm, uhmm_range_of(vpn_of(p, i), 1));
		n++;
	}
	m->dev->count.migrate_to_sys_pages += n;
	return n;
}

static int migrate_all_to_sys(struct dmirror_call *call, struct piece *p)
{
	struct dmirror *m = call->mirror;
	unsigned int select = UHMM_MIGRATE_VMA_SELECT_COMPOUND |
			      (m->dev->type == UHMM_MEMORY_DEVICE_COHERENT ?
				       UHMM_MIGRATE_VMA_SELECT_DEVICE_COHERENT :
				       UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
	uhmm_vpn_t at = call->range.start;

	while (at.val < call->range.end.val) {
		int err = set_piece(m, p, at, call->range.end, select);

		if (err)
			return err;
		err = ask_for_system(m, p);
		uhmm_migrate_vma_pages(&p->args);
		call->cmd.cpages += count_moved(m, p);
		uhmm_migrate_vma_finalize(&p->args);
		if (err)
			return err;
		at = p->args.range.end;
	}
	return 0;
}

int uhmm_dmirror_migrate_to_sys(struct dmirror_call *call)
{
	struct piece *p = malloc(sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	err = migrate_all_to_sys(call, p);
	free(p);
	return err;
}

/* ---- without being asked ---- */

void uhmm_dmirror_evict(struct uhmm_device *dev)
{
	dev->count.evictions += uhmm_migrate_evict(&dev->pgmap);
}

int uhmm_dmirror_release_pages(struct dmirror_call *call)
{
	struct uhmm_device *dev = call->mirror->dev;

	dev->count.evictions += uhmm_migrate_evict_all(&dev->pgmap);
	return 0;
}

/* FAIL_ALLOC of an open of this mm: the allocation for a fault fails. */
static bool fault_alloc_fails(struct uhmm_device *dev, struct uhmm_mm *mm)
{
	struct dmirror_device *dd = dev->driver;
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &dd->mirrors) {
		struct dmirror *m =
			UHMM_CONTAINER_OF(node, struct dmirror, link);

		if (m->mm == mm && alloc_fails(m))
			return true;
	}
	return false;
}

/*
 * All of the unit that the page is in comes back. Without a huge page for it
 * that is base pages; without a base page the kernel tries the fault again, and
 * FAIL_ALLOC is used up by then.
 */
static int migrate_to_ram(struct uhmm_device_fault *fault)
{
	struct uhmm_device *dev = fault->pgmap->driver;
	struct uhmm_range r = uhmm_range_of(fault->vpn, 1);
	int64_t back;

	if (dev->type == UHMM_MEMORY_DEVICE_PRIVATE &&
	    fault_alloc_fails(dev, fault->mm))
		r = uhmm_unit_break(fault->mm, fault->vpn);
	back = uhmm_migrate_to_ram(fault->mm, r, fault->pgmap);
	if (back < 0)
		return (int)back;
	dev->count.cpu_faults++;
	dev->count.cpu_fault_pages += (uint64_t)back;
	return 0;
}

const struct uhmm_pagemap_ops uhmm_dmirror_pagemap_ops = {
	.migrate_to_ram = migrate_to_ram,
};
