/* SPDX-License-Identifier: MIT */
/* repair.c - what follows from leaves and page words, made anew (repair.h) */
#include "mm/repair.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/dpfn.h"
#include "mm/page_word.h"
#include "mm/shadow.h"
#include "mm/unit.h"

/* Tables, and the nodes that belong to none. */

static int mend_mm(struct uhmm_store *store, uint32_t slot,
		   unsigned char *seen)
{
	struct uhmm_mm_record *mm = uhmm_slab_at(store, UHMM_SLAB_MM, slot);
	uhmm_vpn_t vpn = UHMM_VPN(0);
	uhmm_softleaf_t leaf;
	int rc = uhmm_table_mend(store, &mm->shadow, seen);

	if (!rc)
		rc = uhmm_table_mend(store, &mm->kin, seen);
	if (rc < 0)
		return rc;
	mm->migrating = 0;
	for (; uhmm_shadow_next(store, slot, &vpn, UHMM_VPN(UINT64_MAX), &leaf);
	     vpn.val++) {
		mm->migrating += uhmm_softleaf_is_migration(leaf);
		/* what was done to all of a unit was done to some of it only */
		if (uhmm_unit_has(leaf) &&
		    !uhmm_unit_is_sound(store, slot, vpn))
			uhmm_unit_split(store, slot, vpn);
	}
	return 0;
}

static int mend_tables(struct uhmm_store *store)
{
	uint32_t high = store->hdr->slab[UHMM_SLAB_NODE].high;
	unsigned char *seen = calloc((size_t)high + 1, 1);
	uint32_t slot = 0, node = 0;
	int rc = 0;

	if (!seen)
		return -ENOMEM;
	while (!rc && (slot = uhmm_slab_next(store, UHMM_SLAB_MM, slot)))
		rc = mend_mm(store, slot, seen);
	while (!rc && (node = uhmm_slab_next(store, UHMM_SLAB_NODE, node)))
		if (!seen[node])
			uhmm_slab_free(store, UHMM_SLAB_NODE, node);
	free(seen);
	return rc;
}

/* Pages: for now every one in use is allocated and not mapped. */

/* Return: is it in use, or -EUCLEAN */
static int mend_page(struct uhmm_store *store, uhmm_dpfn_t dpfn)
{
	uint64_t *word = uhmm_page_word_at(store, dpfn);
	struct uhmm_dpfn_range *r;

	if (uhmm_page_word_tag(*word) == UHMM_PAGE_TAG_FREE)
		return 0;
	if (!uhmm_dpfn_lookup(store, dpfn))
		return -EUCLEAN;
	r = uhmm_dpfn_range(store, uhmm_dpfn_lookup(store, dpfn));
	r->used++;
	if (r->peak < r->used)
		r->peak = r->used;
	uhmm_store_put(word, uhmm_page_word_mk(UHMM_PAGE_TAG_ALLOCATED, 0));
	return 1;
}

static int mend_unit(struct uhmm_store *store, uint64_t unit)
{
	const struct uhmm_store_layout *l = &store->hdr->layout;
	struct uhmm_unit_record record = { 0 };

	for (uint16_t i = 0; i < UHMM_UNIT_NPAGES; i++) {
		uhmm_dpfn_t dpfn = UHMM_DPFN(unit * UHMM_UNIT_NPAGES + i);
		int rc = mend_page(store, dpfn);

		if (rc < 0)
			return rc;
		record.used += (uint16_t)rc;
		record.first += rc && record.first == i;
	}
	uhmm_unit_record_set(store, unit, record);
	uhmm_bitmap_mend(store->base, &l->unit_used, unit);
	uhmm_bitmap_mend(store->base, &l->unit_begun, unit);
	uhmm_bitmap_mend(store->base, &l->unit_touched, unit);
	return 0;
}

static int mend_units(struct uhmm_store *store)
{
	struct uhmm_store_header *hdr = store->hdr;
	const struct uhmm_bitmap *b = &hdr->layout.unit_touched;
	uint64_t last = UINT64_MAX;

	hdr->touched_units = 0;
	hdr->touched_records = 0;
	for (uint64_t unit = 0; uhmm_bitmap_next_set(store->base, b, &unit,
						     b->nbits); unit++) {
		int rc = mend_unit(store, unit);

		if (rc < 0)
			return rc;
		hdr->touched_units++;
		hdr->touched_records += unit / UHMM_STORE_UNITS_PER_PAGE != last;
		last = unit / UHMM_STORE_UNITS_PER_PAGE;
	}
	return 0;
}

static int mend_pages(struct uhmm_store *store)
{
	uint32_t index = 0;

	while ((index = uhmm_slab_next(store, UHMM_SLAB_RANGE, index)))
		uhmm_dpfn_range(store, index)->used = 0;
	while ((index = uhmm_slab_next(store, UHMM_SLAB_RMAP, index)))
		uhmm_slab_free(store, UHMM_SLAB_RMAP, index);
	return mend_units(store);
}

/* The reverse map, from the leaves. */

static int map_leaves(struct uhmm_store *store, uint32_t slot)
{
	struct uhmm_mapping at = { .mm = slot, .vpn = UHMM_VPN(0) };
	uhmm_softleaf_t leaf;

	for (; uhmm_shadow_next(store, slot, &at.vpn, UHMM_VPN(UINT64_MAX),
				&leaf);
	     at.vpn.val++) {
		int rc;

		if (!uhmm_softleaf_has_dpfn(leaf))
			continue;
		if (uhmm_page_state(store, uhmm_softleaf_to_dpfn(leaf)) ==
		    UHMM_PAGE_FREE)
			return -EUCLEAN;
		rc = uhmm_page_map(store, uhmm_softleaf_to_dpfn(leaf), at);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int mend_mappings(struct uhmm_store *store)
{
	uint32_t slot = 0;

	while ((slot = uhmm_slab_next(store, UHMM_SLAB_MM, slot))) {
		int rc = map_leaves(store, slot);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static void free_lost_pages(struct uhmm_store *store,
			    bool (*is_held)(void *ctx, uhmm_dpfn_t dpfn),
			    void *ctx)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(0);

	for (; uhmm_page_next(store, &dpfn, UHMM_DPFN(UINT64_MAX)); dpfn.val++)
		if (uhmm_page_state(store, dpfn) == UHMM_PAGE_ALLOCATED &&
		    !(is_held && is_held(ctx, dpfn)))
			uhmm_page_free(store, dpfn);
}

int uhmm_store_repair(struct uhmm_store *store,
		      bool (*is_held)(void *ctx, uhmm_dpfn_t dpfn), void *ctx)
{
	int rc;

	for (int i = 0; i < UHMM_NR_SLABS; i++)
		uhmm_slab_mend(store, i);
	uhmm_dpfn_mend(store);
	rc = mend_tables(store);
	if (rc < 0)
		return rc;
	rc = mend_pages(store);
	if (rc < 0)
		return rc;
	rc = mend_mappings(store);
	if (rc < 0)
		return rc;
	free_lost_pages(store, is_held, ctx);
	return 0;
}
