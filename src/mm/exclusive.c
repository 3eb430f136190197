/* SPDX-License-Identifier: MIT */
/* exclusive.c - pages that one device has for itself (uhmm/exclusive.h) */
#include <uhmm/exclusive.h>

#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>

#include "mm/coherent.h"
#include "mm/mm.h"
#include "mm/page.h"

/* How often a page may slip away between faulting it in and taking it. */
#define TRIES 64

static const struct uhmm_pagemap_ops exclusive_ops = {
	.migrate_to_ram = uhmm_fault_to_ram,
};

int uhmm_exclusive_init(struct uhmm_core *core, struct uhmm_pagemap *pgmap,
			uint64_t npages)
{
	int err;

	pgmap->type = UHMM_MEMORY_EXCLUSIVE;
	pgmap->npages = npages;
	pgmap->ops = &exclusive_ops;
	err = uhmm_memremap_device_private_pagemap(core, pgmap);
	if (!err)
		core->exclusive = pgmap;
	return err;
}

/* Room for one attempt. */
struct attempt {
	struct uhmm_migrate_vma args;
	uint64_t src[UHMM_MIGRATE_NPAGES_MAX];
	uint64_t dst[UHMM_MIGRATE_NPAGES_MAX];
};

static int check_vma(struct uhmm_mm *mm, uhmm_vpn_t at, struct uhmm_vma *vma)
{
	int err = mm->gone ? -ESRCH :
			     mm->ops->vma_find(mm->ops_ctx, at, vma);

	if (err)
		return err == -ENOENT ? -EFAULT : err;
	if (vma->range.start.val > at.val || !vma->write || vma->pfnmap)
		return -EFAULT;
	if (vma->shared || vma->hugetlb || vma->special)
		return -EOPNOTSUPP;
	return 0;
}

/* Wait for what is on its way. */
static void wait_for_all(struct uhmm_mm *mm, struct uhmm_range r)
{
	for (; r.start.val < r.end.val; r.start.val++)
		(void)uhmm_mm_wait_leaf(mm, r.start);
}

/* Has the CPU all of @r? */
static bool all_here(const struct uhmm_mm *mm, struct uhmm_range r)
{
	for (; r.start.val < r.end.val; r.start.val++) {
		uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, r.start);

		if (!uhmm_softleaf_is_none(leaf) &&
		    !uhmm_softleaf_is_device_coherent(leaf))
			return false;
	}
	return true;
}

/* Pages that are elsewhere come back, all are present and writable, unless
 * someone was faster: then it is tried again. */
static int fault_in(struct uhmm_mm *mm, struct uhmm_range r)
{
	int64_t back = uhmm_migrate_to_ram(mm, r, NULL);
	int err;

	if (back < 0)
		return (int)back;
	wait_for_all(mm, r);
	if (mm->gone)
		return -ESRCH;
	if (!all_here(mm, r))
		return 0;
	uhmm_mm_invalidate(mm, r, UHMM_NOTIFY_EXCLUSIVE, NULL);
	uhmm_coherent_break(mm, r);
	uhmm_kin_drop(mm, r);
	err = mm->ops->fault_in(mm->ops_ctx, r, true);
	return err == -EAGAIN ? 0 : err;
}

/* Destinations for the pages that are really there. */
static void allocate(struct attempt *a)
{
	struct uhmm_pagemap *pgmap = a->args.pgmap;
	uint64_t npages = uhmm_range_npages(a->args.range);

	for (uint64_t i = 0; i < npages; i++) {
		uhmm_dpfn_t dpfn;

		if ((a->src[i] & UHMM_MIGRATE_PFN_MIGRATE) &&
		    (a->src[i] & UHMM_MIGRATE_PFN_VALID) &&
		    uhmm_pagemap_alloc(pgmap, 0, &dpfn) == 0)
			a->dst[i] = uhmm_migrate_pfn(dpfn);
	}
}

static int take(struct attempt *a, struct uhmm_mm *mm, struct uhmm_range r)
{
	int err;

	a->args = (struct uhmm_migrate_vma){
		.mm = mm,
		.range = r,
		.src = a->src,
		.dst = a->dst,
		.pgmap = mm->core->exclusive,
		.flags = UHMM_MIGRATE_VMA_SELECT_SYSTEM,
	};
	err = uhmm_migrate_vma_setup(&a->args);
	if (err)
		return err == -EINVAL ? -EFAULT : err;
	allocate(a);
	uhmm_migrate_vma_pages(&a->args);
	uhmm_migrate_vma_finalize(&a->args);
	return uhmm_coherent_take(mm, r);
}

/* Is @vpn a page that a device has, and nobody else? A fork while it was on its
 * way gave it to the child, too: it has to come back, and be copied. */
static bool is_done(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, vpn);

	return uhmm_softleaf_is_device_exclusive(leaf) &&
	       uhmm_page_mapcount(&mm->core->store,
				  uhmm_softleaf_to_dpfn(leaf)) == 1;
}

/* Pages of @r, from its start, that are exclusive. */
static uint64_t count_done(const struct uhmm_mm *mm, struct uhmm_range r)
{
	uint64_t n = 0;

	while (n < uhmm_range_npages(r) &&
	       is_done(mm, UHMM_VPN(r.start.val + n)))
		n++;
	return n;
}

/* Pages that were already exclusive were given back first, so those that are
 * now are the caller's. */
static int take_some(struct attempt *a, struct uhmm_mm *mm,
		     struct uhmm_range r, uint64_t *done)
{
	int err = fault_in(mm, r);

	if (!err)
		err = take(a, mm, r);
	if (!err)
		*done = count_done(mm, r);
	return err;
}

int uhmm_make_device_exclusive(struct uhmm_mm *mm, struct uhmm_range r,
			       uint64_t *done)
{
	struct attempt *a = malloc(sizeof(*a));
	int err = 0, tries = 0;

	*done = 0;
	if (!a || !mm->core->exclusive) {
		free(a);
		return -ENOMEM;
	}
	while (!err && *done < uhmm_range_npages(r)) {
		uhmm_vpn_t at = UHMM_VPN(r.start.val + *done);
		struct uhmm_range part = { at, r.end };
		uint64_t n = 0;
		struct uhmm_vma vma;

		err = check_vma(mm, at, &vma);
		if (!err)
			err = take_some(a, mm, uhmm_range_clip(part, vma.range),
					&n);
		*done += n;
		tries = n ? 0 : tries + 1;
		if (!err && tries == TRIES)
			err = -EBUSY;
	}
	free(a);
	return err;
}
