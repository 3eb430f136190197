/* SPDX-License-Identifier: MIT */
/* mm.c - the core and the address spaces it mirrors (mm.h) */
#include "mm/mm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/check.h"
#include "mm/flight.h"
#include "mm/page.h"
#include "mm/relocate.h"
#include "mm/unit.h"

/* Every page number there can be. */
static const struct uhmm_range whole_mm = {
	{ 0 }, { UINT64_C(1) << UHMM_TABLE_INDEX_BITS }
};

/* Slots are 16-bit numbers (page.h). */
#define NR_SLOTS 65536

int uhmm_core_init(struct uhmm_core *core, struct uhmm_store store,
		   const struct uhmm_core_ops *ops, void *ops_ctx,
		   uint64_t page_bytes, uint64_t pmd_bytes)
{
	core->mm_by_slot = calloc(NR_SLOTS, sizeof(struct uhmm_mm *));
	if (!core->mm_by_slot)
		return -ENOMEM;
	core->store = store;
	core->ops = ops;
	core->ops_ctx = ops_ctx;
	core->page_bytes = page_bytes;
	core->pmd_npages = pmd_bytes / page_bytes;
	uhmm_list_init(&core->mms);
	uhmm_list_init(&core->pagemaps);
	uhmm_list_init(&core->restores);
	core->exclusive = NULL;
	core->kin_births = 0;
	core->kin_serial = uhmm_kin_last(&core->store);
	return 0;
}

void uhmm_core_fini(struct uhmm_core *core)
{
	free(core->mm_by_slot);
	core->mm_by_slot = NULL;
}

static struct uhmm_mm_record *record_of(const struct uhmm_mm *mm)
{
	return uhmm_slab_at(&mm->core->store, UHMM_SLAB_MM, mm->slot);
}

int uhmm_mm_create(struct uhmm_core *core, const struct uhmm_mm_ops *ops,
		   void *ops_ctx, uint32_t pid, struct uhmm_mm **out)
{
	struct uhmm_mm *mm = calloc(1, sizeof(*mm));

	if (!mm)
		return -ENOMEM;
	mm->slot = uhmm_slab_alloc(&core->store, UHMM_SLAB_MM);
	mm->core = core;
	if (!mm->slot || uhmm_kin_init(mm)) {
		if (mm->slot)
			uhmm_slab_free(&core->store, UHMM_SLAB_MM, mm->slot);
		free(mm);
		return -ENOMEM;
	}
	mm->refs = 1;
	mm->ops = ops;
	mm->ops_ctx = ops_ctx;
	uhmm_list_init(&mm->notifiers);
	uhmm_list_init(&mm->pins);
	uhmm_list_add_tail(&core->mms, &mm->link);
	core->mm_by_slot[mm->slot] = mm;
	record_of(mm)->pid = pid;
	*out = mm;
	return 0;
}

/* Migration entries belong to whoever migrates: mark them; drop the rest. */
static void drop_entries(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_store *store = &mm->core->store;
	uhmm_vpn_t vpn = r.start;
	uhmm_softleaf_t leaf;

	for (; uhmm_shadow_next(store, mm->slot, &vpn, r.end, &leaf);
	     vpn.val++) {
		if (uhmm_softleaf_is_migration(leaf))
			uhmm_shadow_change(store, mm->slot, vpn,
					   uhmm_softleaf_with_bits(
						   leaf,
						   uhmm_softleaf_bits(leaf) |
						   UHMM_SOFTLEAF_ZAPPED));
		else
			uhmm_shadow_clear(store, mm->slot, vpn);
	}
}

void uhmm_mm_drop(struct uhmm_mm *mm, struct uhmm_range r)
{
	uhmm_mm_invalidate(mm, r, UHMM_NOTIFY_UNMAP, NULL);
	uhmm_unit_split_part(&mm->core->store, mm->slot, r);
	uhmm_kin_drop(mm, r);
	drop_entries(mm, r);
}

void uhmm_mm_exit(struct uhmm_mm *mm)
{
	if (mm->gone)
		return;
	mm->gone = true;
	uhmm_mm_invalidate(mm, whole_mm, UHMM_NOTIFY_RELEASE, NULL);
	uhmm_kin_drop(mm, whole_mm);
	drop_entries(mm, whole_mm);
	mm->core->ops->wake(mm->core, mm);
}

void uhmm_mm_get(struct uhmm_mm *mm)
{
	mm->refs++;
}

void uhmm_mm_put(struct uhmm_mm *mm)
{
	if (--mm->refs)
		return;
	uhmm_mm_exit(mm);
	uhmm_shadow_fini(&mm->core->store, mm->slot);
	uhmm_kin_fini(mm);
	free(mm->unwatched.range);
	uhmm_slab_free(&mm->core->store, UHMM_SLAB_MM, mm->slot);
	mm->core->mm_by_slot[mm->slot] = NULL;
	uhmm_list_del(&mm->link);
	free(mm);
}

struct uhmm_mm *uhmm_mm_find(struct uhmm_core *core, uint32_t slot)
{
	return slot < NR_SLOTS ? core->mm_by_slot[slot] : NULL;
}

uhmm_softleaf_t uhmm_mm_leaf(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	return uhmm_shadow_get(&mm->core->store, mm->slot, vpn);
}

uhmm_softleaf_t uhmm_mm_wait_leaf(struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, vpn);

	while (!mm->gone && uhmm_softleaf_is_migration(leaf)) {
		mm->core->ops->wait(mm->core, mm);
		leaf = uhmm_mm_leaf(mm, vpn);
	}
	return mm->gone ? uhmm_softleaf_none() : leaf;
}

/* @mm has neither entries nor, as it seems, anybody who asks for it. */
static void settle_idle(struct uhmm_mm *mm)
{
	struct uhmm_list *node;

	if (uhmm_kin_is_wanted(mm)) {
		mm->ops->relax(mm->ops_ctx, whole_mm);
		return;
	}
	/* nor for its family: only what forks left shared is watched, until it is
	 * written, for who asks later */
	UHMM_LIST_EACH(node, &mm->core->mms) {
		struct uhmm_mm *other =
			UHMM_CONTAINER_OF(node, struct uhmm_mm, link);

		if (other->gone || !uhmm_kin_is_family(mm, other))
			continue;
		if (other->kin.mirrored && uhmm_kin_count(other)) {
			other->ops->relax(other->ops_ctx, whole_mm);
		} else {
			uhmm_kin_drop(other, whole_mm);
			other->ops->untrap(other->ops_ctx, whole_mm);
		}
	}
}

void uhmm_mm_settle(struct uhmm_mm *mm)
{
	if (mm->gone || uhmm_shadow_count(&mm->core->store, mm->slot) != 0)
		return;
	if (uhmm_list_is_empty(&mm->notifiers))
		settle_idle(mm);
	else
		mm->ops->relax(mm->ops_ctx, whole_mm);
}

/* Destinations of what is on its way: allocated, and mapped by nobody yet. */
static uint64_t count_in_flight(struct uhmm_core *core)
{
	uint64_t n = uhmm_relocate_count(core);

	for (uint32_t i = uhmm_slab_next(&core->store, UHMM_SLAB_FLIGHT, 0); i;
	     i = uhmm_slab_next(&core->store, UHMM_SLAB_FLIGHT, i)) {
		const struct uhmm_flight *flight = uhmm_flight_at(core, i);

		for (uint32_t k = 0; k < flight->npages; k++)
			n += uhmm_page_state(&core->store,
					     UHMM_DPFN(flight->page[k].dpfn)) ==
			     UHMM_PAGE_ALLOCATED;
	}
	return n;
}

int uhmm_mm_check(struct uhmm_core *core, char *why, size_t why_bytes)
{
	uint64_t in_flight = count_in_flight(core), unmapped = 0;
	int err = uhmm_store_check(&core->store, &unmapped, why, why_bytes);

	if (err)
		return err;
	if (unmapped == in_flight)
		return 0;
	snprintf(why, why_bytes,
		 "%llu device pages are mapped by nobody, %llu are in flight",
		 (unsigned long long)unmapped, (unsigned long long)in_flight);
	return -EUCLEAN;
}
