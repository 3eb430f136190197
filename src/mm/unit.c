/* SPDX-License-Identifier: MIT */
/* unit.c - PMD-sized units in the shadow (unit.h) */
#include "mm/unit.h"

#include <uhmm/device_private.h>

#include "mm/dpfn.h"
#include "mm/mm.h"
#include "mm/page.h"

static bool is_aligned(uint64_t number)
{
	return number % UHMM_UNIT_NPAGES == 0;
}

static uhmm_softleaf_t without_mark(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_with_bits(leaf,
				       uhmm_softleaf_bits(leaf) &
				       ~(unsigned int)UHMM_SOFTLEAF_COMPOUND);
}

bool uhmm_unit_of(const struct uhmm_store *store, uint32_t slot, uhmm_vpn_t vpn)
{
	return uhmm_unit_has(
		uhmm_shadow_get(store, slot, uhmm_unit_range(vpn).start));
}

bool uhmm_unit_heads(const struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	struct uhmm_mapping at;

	for (uint32_t i = 0; uhmm_page_mapping(store, dpfn, i, &at); i++)
		if (uhmm_unit_has(uhmm_shadow_get(store, at.mm, at.vpn)))
			return true;
	return false;
}

bool uhmm_unit_is_intact(struct uhmm_mm *mm, uhmm_vpn_t vpn,
			 const struct uhmm_vma *vma)
{
	struct uhmm_range r = uhmm_unit_range(vpn);

	if (!uhmm_unit_of(&mm->core->store, mm->slot, vpn))
		return false;
	if (vma->range.start.val <= r.start.val &&
	    vma->range.end.val >= r.end.val)
		return true;
	uhmm_unit_split(&mm->core->store, mm->slot, vpn);
	return false;
}

/* Of which kinds is a unit? */
static bool is_kind(const struct uhmm_store *store, uhmm_softleaf_t leaf)
{
	uint32_t range;

	if (uhmm_softleaf_is_migration(leaf) && !uhmm_softleaf_has_dpfn(leaf))
		return true;
	if (!uhmm_softleaf_is_device_private(leaf) &&
	    !uhmm_softleaf_is_migration_device_private(leaf))
		return false;
	range = uhmm_dpfn_lookup(store, uhmm_softleaf_to_dpfn(leaf));
	return range && uhmm_dpfn_range(store, range)->kind ==
				UHMM_MEMORY_DEVICE_PRIVATE;
}

/* Do the 511 entries behind @head go on as it begins, which has no mark? */
static bool goes_on(const struct uhmm_store *store, uint32_t slot,
		    uhmm_vpn_t head, uhmm_softleaf_t leaf)
{
	for (uint64_t i = 1; i < UHMM_UNIT_NPAGES; i++)
		if (uhmm_shadow_get(store, slot, UHMM_VPN(head.val + i)).val !=
		    leaf.val + i)
			return false;
	return true;
}

static bool can_be(const struct uhmm_store *store, uint32_t slot,
		   uhmm_vpn_t head, uhmm_softleaf_t leaf)
{
	return is_aligned(head.val) && is_aligned(uhmm_softleaf_offset(leaf)) &&
	       is_kind(store, leaf) && goes_on(store, slot, head, leaf);
}

bool uhmm_unit_is_sound(const struct uhmm_store *store, uint32_t slot,
			uhmm_vpn_t head)
{
	return can_be(store, slot, head,
		      without_mark(uhmm_shadow_get(store, slot, head)));
}

bool uhmm_unit_join(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t head)
{
	uhmm_softleaf_t leaf = uhmm_shadow_get(store, slot, head);

	if (!can_be(store, slot, head, leaf))
		return false;
	uhmm_shadow_change(store, slot, head,
			   uhmm_softleaf_with_bits(leaf,
						   uhmm_softleaf_bits(leaf) |
						   UHMM_SOFTLEAF_COMPOUND));
	return true;
}

void uhmm_unit_split(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t vpn)
{
	uhmm_vpn_t head = uhmm_unit_range(vpn).start;
	uhmm_softleaf_t leaf = uhmm_shadow_get(store, slot, head);

	if (uhmm_unit_has(leaf))
		uhmm_shadow_change(store, slot, head, without_mark(leaf));
}

struct uhmm_range uhmm_unit_break(struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	if (!uhmm_unit_of(&mm->core->store, mm->slot, vpn))
		return uhmm_range_of(vpn, 1);
	uhmm_unit_split(&mm->core->store, mm->slot, vpn);
	return uhmm_unit_range(vpn);
}

void uhmm_unit_split_part(struct uhmm_store *store, uint32_t slot,
			  struct uhmm_range r)
{
	if (!is_aligned(r.start.val))
		uhmm_unit_split(store, slot, r.start);
	if (!is_aligned(r.end.val))
		uhmm_unit_split(store, slot, r.end);
}

void uhmm_unit_split_all(struct uhmm_store *store, uint32_t slot,
			 struct uhmm_range r)
{
	uhmm_vpn_t at = uhmm_unit_range(r.start).start;
	uhmm_softleaf_t leaf;

	while (uhmm_shadow_next(store, slot, &at, r.end, &leaf)) {
		uhmm_unit_split(store, slot, at);
		at = uhmm_unit_range(at).end;
	}
}
