/* SPDX-License-Identifier: MIT */
/* flight.c - system pages on their way to a device (flight.h) */
#include "mm/flight.h"

#include <assert.h>

#include <uhmm/device_private.h>

#include "mm/mm.h"
#include "mm/page.h"

static_assert(sizeof(struct uhmm_flight) <= UHMM_FLIGHT_BYTES,
	      "a flight fits its slab object");

/* The flight number of page @i. */
static uint64_t number_of(uint32_t index, uint64_t i)
{
	return (uint64_t)index * UHMM_FLIGHT_NPAGES + i;
}

/* A migration entry of a system page? */
static bool is_proper(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_is_migration(leaf) &&
	       !uhmm_softleaf_has_dpfn(leaf);
}

uint32_t uhmm_flight_begin(struct uhmm_mm *mm, uhmm_vpn_t start,
			   uint64_t npages)
{
	uint32_t index = uhmm_slab_alloc(&mm->core->store, UHMM_SLAB_FLIGHT);
	struct uhmm_flight *flight;

	assert(npages <= UHMM_FLIGHT_NPAGES);
	if (!index)
		return 0;
	flight = uhmm_flight_at(mm->core, index);
	flight->mm = mm->slot;
	flight->npages = (uint32_t)npages;
	flight->start = start.val;
	for (uint64_t i = 0; i < npages; i++)
		flight->page[i].vpn = start.val + i;
	return index;
}

struct uhmm_flight *uhmm_flight_at(const struct uhmm_core *core,
				   uint32_t index)
{
	return uhmm_slab_at(&core->store, UHMM_SLAB_FLIGHT, index);
}

int uhmm_flight_board(struct uhmm_mm *mm, uint32_t index, uint64_t i)
{
	uhmm_vpn_t vpn = UHMM_VPN(uhmm_flight_at(mm->core, index)->page[i].vpn);

	return uhmm_shadow_set(&mm->core->store, mm->slot, vpn,
			       uhmm_softleaf_mk_migration_from_flight(
				       number_of(index, i), true));
}

int uhmm_flight_board_sharer(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint32_t index,
			     uint64_t i)
{
	return uhmm_shadow_set(&mm->core->store, mm->slot, vpn,
			       uhmm_softleaf_mk_migration_from_flight(
				       number_of(index, i), false));
}

bool uhmm_flight_has(uhmm_softleaf_t leaf, uint32_t index, uint64_t i)
{
	return is_proper(leaf) &&
	       uhmm_softleaf_offset(leaf) == number_of(index, i);
}

uhmm_softleaf_t uhmm_flight_entry(struct uhmm_mm *mm, uint32_t index,
				  uint64_t i)
{
	uhmm_vpn_t vpn = UHMM_VPN(uhmm_flight_at(mm->core, index)->page[i].vpn);
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, vpn);

	return uhmm_flight_has(leaf, index, i) ? leaf : uhmm_softleaf_none();
}

bool uhmm_flight_is_still(struct uhmm_mm *mm, uint32_t index, uint64_t i)
{
	const struct uhmm_flight *flight = uhmm_flight_at(mm->core, index);
	uhmm_softleaf_t leaf = uhmm_flight_entry(mm, index, i);

	return !uhmm_softleaf_is_none(leaf) &&
	       !(uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED) &&
	       flight->page[i].vpn == flight->start + i;
}

void uhmm_flight_leave(struct uhmm_mm *mm, uint32_t index, uint64_t i)
{
	struct uhmm_flight *flight = uhmm_flight_at(mm->core, index);

	if (!uhmm_softleaf_is_none(uhmm_flight_entry(mm, index, i)))
		uhmm_shadow_clear(&mm->core->store, mm->slot,
				  UHMM_VPN(flight->page[i].vpn));
}

void uhmm_flight_land(struct uhmm_mm *mm, uint32_t index, uint64_t i,
		      bool write, unsigned int bits)
{
	struct uhmm_flight *flight = uhmm_flight_at(mm->core, index);
	uhmm_dpfn_t dpfn = UHMM_DPFN(flight->page[i].dpfn);
	uhmm_softleaf_t leaf = uhmm_flight_entry(mm, index, i);
	int err;

	assert(!uhmm_softleaf_is_none(leaf));
	bits |= uhmm_softleaf_bits(leaf) &
		(UHMM_SOFTLEAF_SOFT_DIRTY | UHMM_SOFTLEAF_UFFD_WP);
	if (write)
		uhmm_kin_drop(mm, uhmm_range_of(
					  UHMM_VPN(flight->page[i].vpn), 1));
	if (flight->forked)
		bits &= ~(unsigned int)UHMM_SOFTLEAF_EXCLUSIVE;
	err = uhmm_shadow_set(&mm->core->store, mm->slot,
			      UHMM_VPN(flight->page[i].vpn),
			      uhmm_softleaf_with_bits(
				      uhmm_pagemap_leaf(mm->core, dpfn, write),
				      bits));
	/* The node is there and a first mapping needs no memory. */
	assert(err == 0);
}

void uhmm_flight_drop(struct uhmm_core *core, uint32_t index, uint64_t i)
{
	struct uhmm_flight *flight = uhmm_flight_at(core, index);

	if (flight->page[i].dpfn)
		uhmm_page_free(&core->store, UHMM_DPFN(flight->page[i].dpfn));
	flight->page[i].dpfn = 0;
}

/* The flight and the page of it that @leaf is of. */
static struct uhmm_flight *flight_of(struct uhmm_core *core,
				     uhmm_softleaf_t leaf, uint64_t *i)
{
	uint64_t number = uhmm_softleaf_offset(leaf);

	assert(is_proper(leaf));
	*i = number % UHMM_FLIGHT_NPAGES;
	return uhmm_flight_at(core, (uint32_t)(number / UHMM_FLIGHT_NPAGES));
}

uhmm_softleaf_t uhmm_flight_forked(struct uhmm_core *core, uhmm_softleaf_t leaf)
{
	uint64_t i;
	struct uhmm_flight *flight = flight_of(core, leaf, &i);

	if (!flight->page[i].dpfn)
		return uhmm_softleaf_none();
	flight->forked = 1;
	return uhmm_softleaf_with_bits(
		uhmm_softleaf_mk_readable_migration(leaf),
		uhmm_softleaf_bits(leaf) &
			~(unsigned int)UHMM_SOFTLEAF_EXCLUSIVE);
}

static bool goes_to(const struct uhmm_flight *flight, uhmm_dpfn_t first,
		    uhmm_dpfn_t end)
{
	for (uint32_t i = 0; i < flight->npages; i++)
		if (flight->page[i].dpfn >= first.val &&
		    flight->page[i].dpfn < end.val)
			return true;
	return false;
}

struct uhmm_mm *uhmm_flight_to(struct uhmm_core *core, uhmm_dpfn_t first,
			       uhmm_dpfn_t end)
{
	const struct uhmm_store *store = &core->store;

	for (uint32_t i = uhmm_slab_next(store, UHMM_SLAB_FLIGHT, 0); i;
	     i = uhmm_slab_next(store, UHMM_SLAB_FLIGHT, i)) {
		const struct uhmm_flight *flight = uhmm_flight_at(core, i);

		if (goes_to(flight, first, end))
			return uhmm_mm_find(core, flight->mm);
	}
	return NULL;
}

void uhmm_flight_moved(struct uhmm_mm *mm, uhmm_softleaf_t leaf, uhmm_vpn_t to)
{
	uint64_t i;
	struct uhmm_flight *flight = flight_of(mm->core, leaf, &i);

	if (flight->mm == mm->slot)
		flight->page[i].vpn = to.val;
}

/* Has the CPU of @mm a page there? A child that cannot be asked yet has none:
 * if it has, that is found out when it can. */
static bool is_there(struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	uint8_t pte = 0;

	if (mm->bare)
		mm->unsure = true;
	return mm->ops->scan(mm->ops_ctx, uhmm_range_of(vpn, 1), &pte) == 0 &&
	       (pte & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP));
}

/* The entry @leaf of another mm becomes what it stands for: of a coherent
 * device, when its CPU has the page; else when it has not. 0; -ENOMEM */
static int settle_entry(struct uhmm_mm *mm, uhmm_vpn_t vpn,
			uhmm_softleaf_t leaf)
{
	struct uhmm_core *core = mm->core;
	uint64_t i;
	uhmm_dpfn_t dpfn = UHMM_DPFN(flight_of(core, leaf, &i)->page[i].dpfn);
	bool coherent = dpfn.val && uhmm_pagemap_type_of(core, dpfn) ==
					    UHMM_MEMORY_DEVICE_COHERENT;

	if (!dpfn.val || mm->gone ||
	    (uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED) ||
	    is_there(mm, vpn) != coherent) {
		if (dpfn.val)
			uhmm_kin_drop(mm, uhmm_range_of(vpn, 1));
		uhmm_shadow_clear(&core->store, mm->slot, vpn);
		return 0;
	}
	return uhmm_shadow_set(&core->store, mm->slot, vpn,
			       uhmm_pagemap_leaf(core, dpfn, false));
}

void uhmm_flight_settle(struct uhmm_mm *mm, uint32_t index)
{
	uhmm_vpn_t vpn = UHMM_VPN(0);
	uhmm_vpn_t end = UHMM_VPN(UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
	uhmm_softleaf_t leaf;

	for (; uhmm_shadow_next(&mm->core->store, mm->slot, &vpn, end, &leaf);
	     vpn.val++) {
		if (!is_proper(leaf) ||
		    uhmm_softleaf_offset(leaf) / UHMM_FLIGHT_NPAGES != index ||
		    settle_entry(mm, vpn, leaf) == 0)
			continue;
		/* its data cannot be told from the parent's any more */
		uhmm_shadow_clear(&mm->core->store, mm->slot, vpn);
		uhmm_mm_exit(mm);
	}
	mm->core->ops->wake(mm->core, mm);
}

void uhmm_flight_look_again(struct uhmm_mm *mm)
{
	uhmm_vpn_t vpn = UHMM_VPN(0);
	uhmm_vpn_t end = UHMM_VPN(UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
	uhmm_softleaf_t leaf;

	if (!mm->unsure)
		return;
	mm->unsure = false;
	for (; uhmm_shadow_next(&mm->core->store, mm->slot, &vpn, end, &leaf);
	     vpn.val++) {
		if (!uhmm_softleaf_is_device_private(leaf) ||
		    !is_there(mm, vpn))
			continue;
		uhmm_kin_drop(mm, uhmm_range_of(vpn, 1));
		uhmm_shadow_clear(&mm->core->store, mm->slot, vpn);
	}
}

void uhmm_flight_end(struct uhmm_mm *mm, uint32_t index)
{
	struct uhmm_flight *flight = uhmm_flight_at(mm->core, index);
	struct uhmm_store *store = &mm->core->store;
	struct uhmm_list *node;

	if (flight->forked)
		UHMM_LIST_EACH(node, &mm->core->mms)
			uhmm_flight_settle(UHMM_CONTAINER_OF(node,
							     struct uhmm_mm,
							     link),
					   index);
	for (uint32_t i = 0; i < flight->npages; i++) {
		uhmm_dpfn_t dpfn = UHMM_DPFN(flight->page[i].dpfn);

		if (dpfn.val &&
		    uhmm_page_state(store, dpfn) == UHMM_PAGE_ALLOCATED)
			uhmm_page_free(store, dpfn);
	}
	uhmm_slab_free(store, UHMM_SLAB_FLIGHT, index);
}
