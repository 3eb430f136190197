/* SPDX-License-Identifier: MIT */
/* pagemap.c - the memory of one device (uhmm/device_private.h) */
#include <uhmm/device_private.h>

#include <assert.h>
#include <errno.h>

#include <uhmm/migrate.h>

#include "mm/dpfn.h"
#include "mm/flight.h"
#include "mm/mm.h"
#include "mm/page.h"
#include "mm/relocate.h"

int uhmm_memremap_device_private_pagemap(struct uhmm_core *core,
					 struct uhmm_pagemap *pgmap)
{
	int64_t range;

	if (!pgmap->ops || !pgmap->ops->migrate_to_ram)
		return -EINVAL;
	range = uhmm_dpfn_reserve(&core->store, pgmap->npages, pgmap->owner,
				  pgmap->type);
	if (range < 0)
		return (int)range;
	pgmap->core = core;
	pgmap->range = (uint32_t)range;
	pgmap->unplugged = false;
	uhmm_list_add_tail(&core->pagemaps, &pgmap->link);
	return 0;
}

/* How often an engine is asked to take a page back. */
#define EVICT_TRIES 4

static void wait_for(struct uhmm_mm *mm)
{
	uhmm_mm_get(mm);
	mm->core->ops->wait(mm->core, mm);
	uhmm_mm_put(mm);
}

/* Page @dpfn is still mapped at @at. Return: something was done about it */
static bool let_go_of(struct uhmm_pagemap *pgmap, struct uhmm_mapping at,
		      bool patient)
{
	struct uhmm_core *core = pgmap->core;
	struct uhmm_mm *mm = uhmm_mm_find(core, at.mm);

	assert(mm);
	if (uhmm_softleaf_is_migration(uhmm_mm_leaf(mm, at.vpn))) {
		wait_for(mm);
		return true;
	}
	if (patient)
		return false;
	/* Its data has nowhere to go. */
	uhmm_mm_exit(mm);
	return true;
}

/* An mm that somebody is bringing to @pgmap from, or NULL. */
static struct uhmm_mm *who_comes(struct uhmm_pagemap *pgmap)
{
	uhmm_dpfn_t first = uhmm_pagemap_first(pgmap);
	uhmm_dpfn_t end = uhmm_pagemap_end(pgmap);
	struct uhmm_mm *mm = uhmm_flight_to(pgmap->core, first, end);

	return mm ? mm : uhmm_relocate_to(pgmap->core, first, end);
}

/* Some of @pgmap is still in use: wait for it, or part with it. Return: it was
 * somebody's who just comes */
static bool let_go(struct uhmm_pagemap *pgmap, bool patient)
{
	struct uhmm_store *store = &pgmap->core->store;
	uhmm_dpfn_t dpfn = uhmm_pagemap_first(pgmap);
	struct uhmm_mapping at;
	struct uhmm_mm *mm;
	bool mapped = false;

	for (; uhmm_page_next(store, &dpfn, uhmm_pagemap_end(pgmap));
	     dpfn.val++) {
		if (!uhmm_page_mapping(store, dpfn, 0, &at))
			continue;
		mapped = true;
		if (let_go_of(pgmap, at, patient))
			return false;
	}
	mm = who_comes(pgmap);
	assert(mapped || mm);	/* else a driver sits on a page */
	if (mm)
		wait_for(mm);
	return mm;
}

/* Every page goes back, or whoever cannot be given it is gone. */
static void empty(struct uhmm_pagemap *pgmap)
{
	int tries = 1;

	for (;;) {
		uhmm_migrate_evict_all(pgmap);
		if (!uhmm_pagemap_used(pgmap))
			return;
		tries += !let_go(pgmap, tries < EVICT_TRIES);
	}
}

void uhmm_pagemap_unplug(struct uhmm_pagemap *pgmap)
{
	pgmap->unplugged = true;
	empty(pgmap);
}

void uhmm_memunmap_device_private_pagemap(struct uhmm_pagemap *pgmap)
{
	int err;

	if (!pgmap->range)
		return;
	empty(pgmap);
	uhmm_list_del(&pgmap->link);
	err = uhmm_dpfn_release(&pgmap->core->store, pgmap->range);
	assert(err == 0);
	pgmap->range = 0;
}

int uhmm_pagemap_alloc(struct uhmm_pagemap *pgmap, unsigned int order,
		       uhmm_dpfn_t *dpfn)
{
	struct uhmm_store *store = &pgmap->core->store;
	int err = pgmap->unplugged ? -ENODEV : 0;

	if (!err && uhmm_inject_pass(&pgmap->core->inject, UHMM_INJECT_ALLOC))
		err = -ENOMEM;
	if (!err)
		err = uhmm_page_alloc(store, pgmap->range, order, dpfn);
	for (uint64_t i = 0; !err && i < UINT64_C(1) << order; i++)
		uhmm_page_mark_accessed(store, UHMM_DPFN(dpfn->val + i));
	return err;
}

void uhmm_device_private_mark_accessed(struct uhmm_core *core, uhmm_dpfn_t dpfn)
{
	uhmm_page_mark_accessed(&core->store, dpfn);
}

bool uhmm_pagemap_has(const struct uhmm_pagemap *pgmap, uhmm_softleaf_t leaf)
{
	return (uhmm_softleaf_is_away(leaf) ||
		uhmm_softleaf_is_device_coherent(leaf)) &&
	       uhmm_pagemap_of(pgmap->core, uhmm_softleaf_to_dpfn(leaf)) ==
		       pgmap;
}

struct uhmm_pagemap *uhmm_pagemap_of(struct uhmm_core *core, uhmm_dpfn_t dpfn)
{
	uint32_t range = uhmm_dpfn_lookup(&core->store, dpfn);
	struct uhmm_list *node;

	if (!range)
		return NULL;
	UHMM_LIST_EACH(node, &core->pagemaps) {
		struct uhmm_pagemap *pgmap =
			UHMM_CONTAINER_OF(node, struct uhmm_pagemap, link);

		if (pgmap->range == range)
			return pgmap;
	}
	return NULL;
}

enum uhmm_memory_type uhmm_pagemap_type_of(const struct uhmm_core *core,
					   uhmm_dpfn_t dpfn)
{
	uint32_t range = uhmm_dpfn_lookup(&core->store, dpfn);

	assert(range);
	return uhmm_dpfn_range(&core->store, range)->kind;
}

uhmm_softleaf_t uhmm_pagemap_leaf(struct uhmm_core *core, uhmm_dpfn_t dpfn,
				  bool write)
{
	switch (uhmm_pagemap_type_of(core, dpfn)) {
	case UHMM_MEMORY_EXCLUSIVE:
		return uhmm_softleaf_mk(UHMM_SOFTLEAF_DEVICE_EXCLUSIVE,
					dpfn.val);
	case UHMM_MEMORY_DEVICE_COHERENT:
		return uhmm_softleaf_mk(UHMM_SOFTLEAF_DEVICE_COHERENT,
					dpfn.val);
	default:
		return uhmm_softleaf_from_dpfn(dpfn, write);
	}
}

static struct uhmm_dpfn_range *range_of(const struct uhmm_pagemap *pgmap)
{
	return uhmm_dpfn_range(&pgmap->core->store, pgmap->range);
}

uhmm_dpfn_t uhmm_pagemap_first(const struct uhmm_pagemap *pgmap)
{
	return UHMM_DPFN(range_of(pgmap)->start);
}

uhmm_dpfn_t uhmm_pagemap_end(const struct uhmm_pagemap *pgmap)
{
	return UHMM_DPFN(range_of(pgmap)->start + range_of(pgmap)->npages);
}

uint64_t uhmm_pagemap_used(const struct uhmm_pagemap *pgmap)
{
	return range_of(pgmap)->used;
}

uint64_t uhmm_pagemap_peak(const struct uhmm_pagemap *pgmap)
{
	return range_of(pgmap)->peak;
}
