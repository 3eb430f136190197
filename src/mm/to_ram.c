/* SPDX-License-Identifier: MIT */
/* to_ram.c - device pages back to ordinary memory, without a driver's choice
 * (uhmm/migrate.h): after a CPU fault, and for eviction. Chosen by place or by
 * device page; what mapping they are in does not matter.
 */
#include <errno.h>

#include <uhmm/migrate.h>

#include "mm/mm.h"
#include "mm/page.h"
#include "mm/restore.h"
#include "mm/unit.h"

/* Pages locked at once. */
#define BATCH 512

/* Bring back what is locked, for @caller or, NULL, for nobody.
 * Return: legs that came back. */
static uint64_t bring_back(struct uhmm_restore *r, const struct uhmm_mm *caller)
{
	if (!r->nlegs)
		return 0;
	for (uint32_t i = 0; i < r->nlegs; i++)
		uhmm_mm_invalidate(r->leg[i].mm,
				   uhmm_range_of(r->leg[i].at.vpn, 1),
				   UHMM_NOTIFY_MIGRATE, NULL);
	uhmm_restore_tell(r, 0, caller);
	uhmm_restore_give(r);
	return uhmm_restore_finish(r);
}

/* Of the pagemap for exclusive pages are those of coherent devices, too, though
 * they wait in memory of these. */
static bool is_of(struct uhmm_core *core, uhmm_softleaf_t leaf,
		  const struct uhmm_pagemap *pgmap)
{
	if (pgmap && pgmap == core->exclusive)
		return uhmm_softleaf_is_device_exclusive(leaf);
	return uhmm_softleaf_is_away(leaf) &&
	       (!pgmap ||
		uhmm_pagemap_of(core, uhmm_softleaf_to_dpfn(leaf)) == pgmap);
}

/* Is the page at @vpn in a unit? A CPU that touches one of its pages gets all
 * of them. */
static bool is_in_unit(struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	struct uhmm_vma vma;

	return uhmm_unit_of(&mm->core->store, mm->slot, vpn) &&
	       !mm->ops->vma_find(mm->ops_ctx, vpn, &vma) &&
	       uhmm_unit_is_intact(mm, vpn, &vma);
}

/* Lock the page that has @leaf at *@vpn, or the unit it is in, behind which
 * *@vpn is then. */
static int lock_here(struct uhmm_restore *restore, struct uhmm_mm *mm,
		     uhmm_vpn_t *vpn, uhmm_softleaf_t leaf)
{
	struct uhmm_range unit = uhmm_unit_range(*vpn);
	uhmm_dpfn_t dpfn = uhmm_softleaf_to_dpfn(leaf);
	int err;

	if (!is_in_unit(mm, *vpn)) {
		vpn->val++;
		return uhmm_restore_lock(restore, mm->core, dpfn);
	}
	dpfn.val -= vpn->val - unit.start.val;
	err = uhmm_restore_lock_unit(restore, mm->core, dpfn);
	*vpn = unit.end;
	return err;
}

/* Lock at least BATCH pages of @pgmap from *@vpn on, if there are so many. */
static void lock_by_place(struct uhmm_restore *restore, struct uhmm_mm *mm,
			  uhmm_vpn_t *vpn, uhmm_vpn_t end,
			  const struct uhmm_pagemap *pgmap)
{
	uhmm_softleaf_t leaf;
	int err;

	while (restore->nlegs < BATCH &&
	       uhmm_shadow_next(&mm->core->store, mm->slot, vpn, end, &leaf)) {
		uhmm_vpn_t here = *vpn;

		if (!is_of(mm->core, leaf, pgmap)) {
			vpn->val++;
			continue;
		}
		err = lock_here(restore, mm, vpn, leaf);
		if (err == -ENOMEM && restore->nlegs) {
			*vpn = here;
			return;
		}
	}
}

int64_t uhmm_migrate_to_ram(struct uhmm_mm *mm, struct uhmm_range r,
			    struct uhmm_pagemap *pgmap)
{
	struct uhmm_restore restore = { 0 };
	uhmm_vpn_t vpn = r.start;
	int64_t back = 0;

	do {
		if (mm->gone)
			return -ESRCH;
		lock_by_place(&restore, mm, &vpn, r.end, pgmap);
		if (!restore.nlegs)
			break;
		back += (int64_t)bring_back(&restore, mm);
	} while (vpn.val < r.end.val);
	uhmm_mm_settle(mm);
	return back;
}

/* Is @dpfn a page of a coherent device that one has for itself? */
static bool is_exclusive(const struct uhmm_pagemap *pgmap, uhmm_dpfn_t dpfn,
			 struct uhmm_mapping *at)
{
	const struct uhmm_store *store = &pgmap->core->store;

	return pgmap->type == UHMM_MEMORY_DEVICE_COHERENT &&
	       uhmm_page_mapping(store, dpfn, 0, at) &&
	       uhmm_softleaf_is_device_exclusive(
		       uhmm_shadow_get(store, at->mm, at->vpn));
}

/* Such a page is not evicted, as in the kernel; that it was tried makes it
 * read-only when a CPU gets it. */
static bool skip(const struct uhmm_pagemap *pgmap, uhmm_dpfn_t dpfn)
{
	struct uhmm_store *store = &pgmap->core->store;
	struct uhmm_mapping at;
	uhmm_softleaf_t leaf;

	if (!is_exclusive(pgmap, dpfn, &at))
		return false;
	leaf = uhmm_shadow_get(store, at.mm, at.vpn);
	uhmm_shadow_change(store, at.mm, at.vpn,
			   uhmm_softleaf_with_bits(
				   leaf, uhmm_softleaf_bits(leaf) |
						 UHMM_SOFTLEAF_UFFD_WP));
	return true;
}

/* Does any mapping of page @dpfn begin a unit? */
static bool heads_unit(const struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	struct uhmm_mapping at;

	for (uint32_t i = 0; uhmm_page_mapping(store, dpfn, i, &at); i++)
		if (uhmm_unit_has(uhmm_shadow_get(store, at.mm, at.vpn)))
			return true;
	return false;
}

/* Lock page *@dpfn, or the unit it begins, behind which *@dpfn is then. */
static int lock_this(struct uhmm_restore *restore, struct uhmm_core *core,
		     uhmm_dpfn_t *dpfn)
{
	uhmm_dpfn_t first = *dpfn;

	if (!heads_unit(&core->store, first)) {
		dpfn->val++;
		return uhmm_restore_lock(restore, core, first);
	}
	dpfn->val += UHMM_UNIT_NPAGES;
	return uhmm_restore_lock_unit(restore, core, first);
}

/* Lock about BATCH pages from *@dpfn on that are not on their way already:
 * those that are @exclusive, or the others. */
static bool lock_by_page(struct uhmm_restore *restore,
			 struct uhmm_pagemap *pgmap, uhmm_dpfn_t *dpfn,
			 bool exclusive)
{
	struct uhmm_store *store = &pgmap->core->store;
	uhmm_dpfn_t end = uhmm_pagemap_end(pgmap);
	struct uhmm_mapping at;

	while (restore->nlegs < BATCH && uhmm_page_next(store, dpfn, end)) {
		uhmm_dpfn_t here = *dpfn;

		if (exclusive ? !is_exclusive(pgmap, *dpfn, &at) :
				skip(pgmap, *dpfn)) {
			dpfn->val++;
			continue;
		}
		if (lock_this(restore, pgmap->core, dpfn) == -ENOMEM) {
			*dpfn = here;
			break;
		}
	}
	return restore->nlegs > 0;
}

static void settle_all(struct uhmm_core *core)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &core->mms)
		uhmm_mm_settle(UHMM_CONTAINER_OF(node, struct uhmm_mm, link));
}

uint64_t uhmm_migrate_evict(struct uhmm_pagemap *pgmap)
{
	struct uhmm_restore restore = { 0 };
	uhmm_dpfn_t dpfn = uhmm_pagemap_first(pgmap);
	uint64_t back = 0;

	while (lock_by_page(&restore, pgmap, &dpfn, false))
		back += bring_back(&restore, NULL);
	settle_all(pgmap->core);
	return back;
}

uint64_t uhmm_migrate_evict_all(struct uhmm_pagemap *pgmap)
{
	struct uhmm_restore restore = { 0 };
	uhmm_dpfn_t dpfn = uhmm_pagemap_first(pgmap);

	while (lock_by_page(&restore, pgmap, &dpfn, true))
		bring_back(&restore, NULL);
	return uhmm_migrate_evict(pgmap);
}
