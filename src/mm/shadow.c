/* SPDX-License-Identifier: MIT */
/* shadow.c - the one setter of leaves, and what is made of it
 *
 * Order of stores, for a daemon that finishes what another one began: a device
 * page gains a mapping before the leaf that needs it is stored, and loses one
 * after the leaf that had it is gone. So every leaf is in the reverse map at
 * any instant. uhmm_shadow_move() alone is a moment off: the new leaf, then
 * the reverse map, then the old leaf.
 */
#include "mm/shadow.h"

#include <errno.h>

#include "mm/page.h"

static_assert(sizeof(struct uhmm_mm_record) <= UHMM_MM_BYTES,
	      "struct uhmm_mm_record is one object");

void (*uhmm_shadow_trace)(uint32_t slot, uhmm_vpn_t vpn, uhmm_softleaf_t old,
			  uhmm_softleaf_t leaf);

static struct uhmm_mm_record *record_of(const struct uhmm_store *store,
					uint32_t slot)
{
	return uhmm_slab_at(store, UHMM_SLAB_MM, slot);
}

static bool has_same_page(uhmm_softleaf_t a, uhmm_softleaf_t b)
{
	if (!uhmm_softleaf_has_dpfn(a) || !uhmm_softleaf_has_dpfn(b))
		return false;
	return uhmm_softleaf_to_dpfn(a).val == uhmm_softleaf_to_dpfn(b).val;
}

/* Everything that follows a stored leaf but the reverse map. */
static void account(struct uhmm_mm_record *mm, uint32_t slot, uhmm_vpn_t vpn,
		    uhmm_softleaf_t old, uhmm_softleaf_t leaf)
{
	mm->migrating += uhmm_softleaf_is_migration(leaf);
	mm->migrating -= uhmm_softleaf_is_migration(old);
	if (uhmm_shadow_trace)
		uhmm_shadow_trace(slot, vpn, old, leaf);
}

uhmm_softleaf_t uhmm_shadow_get(const struct uhmm_store *store, uint32_t slot,
				uhmm_vpn_t vpn)
{
	return (uhmm_softleaf_t){
		uhmm_table_get(store, &record_of(store, slot)->shadow, vpn.val)
	};
}

int uhmm_shadow_set(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t vpn,
		    uhmm_softleaf_t leaf)
{
	struct uhmm_mm_record *mm = record_of(store, slot);
	struct uhmm_mapping here = { .mm = slot, .vpn = vpn };
	uhmm_softleaf_t old = uhmm_shadow_get(store, slot, vpn);
	bool keeps = has_same_page(old, leaf);
	int rc;

	if (uhmm_softleaf_same(old, leaf))
		return 0;
	if (uhmm_softleaf_is_none(old) &&
	    !uhmm_table_has_room(store, &mm->shadow, vpn.val))
		return -ENOMEM;
	if (uhmm_softleaf_has_dpfn(leaf) && !keeps) {
		rc = uhmm_page_map(store, uhmm_softleaf_to_dpfn(leaf), here);
		if (rc < 0)
			return rc;
	}
	rc = uhmm_table_set(store, &mm->shadow, vpn.val, leaf.val);
	assert(rc == 0);
	account(mm, slot, vpn, old, leaf);
	if (uhmm_softleaf_has_dpfn(old) && !keeps)
		(void)uhmm_page_unmap(store, uhmm_softleaf_to_dpfn(old), here);
	return 0;
}

void uhmm_shadow_clear(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t vpn)
{
	int rc = uhmm_shadow_set(store, slot, vpn, uhmm_softleaf_none());

	assert(rc == 0);
}

void uhmm_shadow_change(struct uhmm_store *store, uint32_t slot,
			uhmm_vpn_t vpn, uhmm_softleaf_t leaf)
{
	uhmm_softleaf_t old = uhmm_shadow_get(store, slot, vpn);
	int rc;

	assert(!uhmm_softleaf_is_none(old) && !uhmm_softleaf_is_none(leaf));
	assert(has_same_page(old, leaf) || (!uhmm_softleaf_has_dpfn(old) &&
					    !uhmm_softleaf_has_dpfn(leaf)));
	rc = uhmm_shadow_set(store, slot, vpn, leaf);
	assert(rc == 0);
}

bool uhmm_shadow_next(const struct uhmm_store *store, uint32_t slot,
		      uhmm_vpn_t *vpn, uhmm_vpn_t end, uhmm_softleaf_t *leaf)
{
	return uhmm_table_next(store, &record_of(store, slot)->shadow,
			       &vpn->val, end.val, &leaf->val);
}

uint64_t uhmm_shadow_count(const struct uhmm_store *store, uint32_t slot)
{
	return record_of(store, slot)->shadow.count;
}

/* Drop every entry of @r. */
static void drop(struct uhmm_store *store, uint32_t slot, struct uhmm_range r)
{
	uhmm_softleaf_t leaf;

	while (uhmm_shadow_next(store, slot, &r.start, r.end, &leaf))
		uhmm_shadow_clear(store, slot, r.start);
}

/* Move the entry @leaf of @from to @to, where none is. */
static int move_entry(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t from,
		      uhmm_vpn_t to, uhmm_softleaf_t leaf)
{
	struct uhmm_mm_record *mm = record_of(store, slot);
	int rc = uhmm_table_set(store, &mm->shadow, to.val, leaf.val);

	if (rc < 0)
		return rc;
	account(mm, slot, to, uhmm_softleaf_none(), leaf);
	if (uhmm_softleaf_has_dpfn(leaf))
		uhmm_page_remap(store, uhmm_softleaf_to_dpfn(leaf),
				(struct uhmm_mapping){ slot, from },
				(struct uhmm_mapping){ slot, to });
	uhmm_table_clear(store, &mm->shadow, from.val);
	account(mm, slot, from, leaf, uhmm_softleaf_none());
	return 0;
}

/* Move the entries of @r by @by pages, none of which lands on another. */
static int move_block(struct uhmm_store *store, uint32_t slot,
		      struct uhmm_range r, uint64_t by)
{
	uhmm_softleaf_t leaf;
	int rc;

	while (uhmm_shadow_next(store, slot, &r.start, r.end, &leaf)) {
		rc = move_entry(store, slot, r.start,
				UHMM_VPN(r.start.val + by), leaf);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/*
 * Move [@from, +@npages) up by @by pages: last block first, blocks so short
 * that each goes where its successor has left.
 */
static int move_up(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t from,
		   uint64_t npages, uint64_t by)
{
	while (npages > 0) {
		uint64_t n = npages < by ? npages : by;
		int rc;

		npages -= n;
		rc = move_block(store, slot,
				uhmm_range_of(UHMM_VPN(from.val + npages), n),
				by);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Drop what is in @r and not in @but. */
static void drop_except(struct uhmm_store *store, uint32_t slot,
			struct uhmm_range r, struct uhmm_range but)
{
	if (!uhmm_range_overlaps(r, but)) {
		drop(store, slot, r);
		return;
	}
	if (r.start.val < but.start.val)
		drop(store, slot, (struct uhmm_range){ r.start, but.start });
	if (but.end.val < r.end.val)
		drop(store, slot, (struct uhmm_range){ but.end, r.end });
}

int uhmm_shadow_move(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t from,
		     uhmm_vpn_t to, uint64_t npages)
{
	struct uhmm_range source = uhmm_range_of(from, npages);
	struct uhmm_range target = uhmm_range_of(to, npages);
	int rc;

	if (from.val == to.val)
		return 0;
	drop_except(store, slot, target, source);
	if (to.val < from.val)
		rc = move_block(store, slot, source, to.val - from.val);
	else
		rc = move_up(store, slot, from, npages, to.val - from.val);
	if (rc < 0) {
		drop(store, slot, source);
		drop(store, slot, target);
	}
	return rc;
}

void uhmm_shadow_fini(struct uhmm_store *store, uint32_t slot)
{
	drop(store, slot, (struct uhmm_range){
		UHMM_VPN(0), UHMM_VPN(UINT64_C(1) << UHMM_TABLE_INDEX_BITS) });
}
