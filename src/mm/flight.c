/* SPDX-License-Identifier: MIT */
/* flight.c - system pages on their way to a device (flight.h) */
#include "mm/flight.h"

#include <assert.h>

#include "mm/pagemap.h"

static_assert(sizeof(struct uhmm_flight) <= UHMM_FLIGHT_BYTES,
	      "a flight fits its slab object");

/* The flight number of page @i. */
static uint64_t number_of(uint32_t index, uint64_t i)
{
	return (uint64_t)index * UHMM_FLIGHT_NPAGES + i;
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

uhmm_softleaf_t uhmm_flight_entry(struct uhmm_mm *mm, uint32_t index,
				  uint64_t i)
{
	uhmm_vpn_t vpn = UHMM_VPN(uhmm_flight_at(mm->core, index)->page[i].vpn);
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, vpn);

	if (!uhmm_softleaf_is_migration(leaf) ||
	    uhmm_softleaf_has_dpfn(leaf) ||
	    uhmm_softleaf_offset(leaf) != number_of(index, i))
		return uhmm_softleaf_none();
	return leaf;
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
	int err;

	assert(!uhmm_softleaf_is_none(uhmm_flight_entry(mm, index, i)));
	err = uhmm_shadow_set(&mm->core->store, mm->slot,
			      UHMM_VPN(flight->page[i].vpn),
			      uhmm_softleaf_with_bits(
				      uhmm_pagemap_leaf(mm->core, dpfn, write),
				      bits));
	/* The node is there and a first mapping needs no memory. */
	assert(err == 0);
	flight->page[i].dpfn = 0;
}

void uhmm_flight_moved(struct uhmm_core *core, uhmm_softleaf_t leaf,
		       uhmm_vpn_t to)
{
	uint64_t number = uhmm_softleaf_offset(leaf);
	struct uhmm_flight *flight;

	assert(uhmm_softleaf_is_migration(leaf) &&
	       !uhmm_softleaf_has_dpfn(leaf));
	flight = uhmm_flight_at(core, (uint32_t)(number / UHMM_FLIGHT_NPAGES));
	flight->page[number % UHMM_FLIGHT_NPAGES].vpn = to.val;
}

void uhmm_flight_end(struct uhmm_mm *mm, uint32_t index)
{
	uhmm_slab_free(&mm->core->store, UHMM_SLAB_FLIGHT, index);
}
