/* SPDX-License-Identifier: MIT */
/* check.c - walk everything, forward and back, and compare
 *
 * In this order, so that what a later step relies on is proven: slabs, ranges,
 * tables forward (each leaf's page names it), pages back (each mapping's leaf
 * names the page), then the sums. As many leaves as mappings, each leaf among
 * the mappings, each mapping a leaf: so none twice and none missing.
 */
#include "mm/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/dpfn.h"
#include "mm/page_word.h"
#include "mm/shadow.h"
#include "mm/unit.h"

struct check {
	const struct uhmm_store *store;
	char *why;
	size_t why_bytes;
	unsigned char *node_seen;	/* by index: met on the way */
	unsigned char *rmap_seen;
	uint64_t *range_used;		/* by index: pages counted */
	uint64_t nodes, rmaps;		/* seen */
	uint64_t leaves, mappings;	/* of device pages */
	uint64_t migrating;		/* of the mm at hand */
	bool numbers;			/* the table at hand has no leaves but
					 * numbers (kin.h) */
	uint64_t unmapped;
};

__attribute__((format(printf, 2, 3))) static int fail(struct check *c,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (c->why_bytes)
		vsnprintf(c->why, c->why_bytes, format, args);
	va_end(args);
	return -EUCLEAN;
}

/* Slabs. */

static const char *const slab_name[UHMM_NR_SLABS] = {
	[UHMM_SLAB_NODE] = "node",   [UHMM_SLAB_RMAP] = "rmap",
	[UHMM_SLAB_MM] = "mm",	     [UHMM_SLAB_RANGE] = "range",
	[UHMM_SLAB_FLIGHT] = "flight",
};

static bool is_zero(const void *mem, size_t bytes)
{
	const uint64_t *word = mem;
	uint64_t any = 0;

	for (size_t i = 0; i < bytes / sizeof(*word); i++)
		any |= word[i];
	return !any;
}

static int check_object(struct check *c, enum uhmm_slab slab, uint32_t index,
			uint32_t *used)
{
	const struct uhmm_store *s = c->store;
	const struct uhmm_slab_layout *l = &s->hdr->layout.slab[slab];

	if (index % 64 == 0 || index == 1)
		if (!uhmm_bitmap_is_sound(s->base, &l->used, index))
			return fail(c, "%s slab: summary of %" PRIu32
				    " is wrong", slab_name[slab], index);
	if (uhmm_slab_has(s, slab, index)) {
		++*used;
		return 0;
	}
	if (index < s->hdr->slab[slab].hint)
		return fail(c, "%s %" PRIu32 " is free below the hint",
			    slab_name[slab], index);
	if (!is_zero(uhmm_slab_at(s, slab, index), l->object_bytes))
		return fail(c, "%s %" PRIu32 " is free and not zero",
			    slab_name[slab], index);
	return 0;
}

static int check_slab(struct check *c, enum uhmm_slab slab)
{
	const struct uhmm_slab_layout *l = &c->store->hdr->layout.slab[slab];
	const struct uhmm_slab_state *state = &c->store->hdr->slab[slab];
	uint64_t beyond = (uint64_t)state->high + 1;
	uint32_t used = 0;

	if (state->high > l->objects || !state->hint || state->hint > beyond)
		return fail(c, "%s slab: high %" PRIu32 ", hint %" PRIu32,
			    slab_name[slab], state->high, state->hint);
	for (uint32_t i = 1; i <= state->high; i++) {
		int rc = check_object(c, slab, i, &used);

		if (rc < 0)
			return rc;
	}
	if (used != state->used)
		return fail(c, "%s slab: %" PRIu32 " in use, %" PRIu32
			    " counted", slab_name[slab], used, state->used);
	if (uhmm_bitmap_next_set(c->store->base, &l->used, &beyond,
				 (uint64_t)l->objects + 1))
		return fail(c, "%s %" PRIu64 " is in use above all others",
			    slab_name[slab], beyond);
	return 0;
}

static int check_slabs(struct check *c)
{
	for (int i = 0; i < UHMM_NR_SLABS; i++) {
		int rc = check_slab(c, i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Memory to take notes in, now that it is known how much. */
static int make_notes(struct check *c)
{
	const struct uhmm_slab_state *slab = c->store->hdr->slab;

	c->node_seen = calloc((size_t)slab[UHMM_SLAB_NODE].high + 1, 1);
	c->rmap_seen = calloc((size_t)slab[UHMM_SLAB_RMAP].high + 1, 1);
	c->range_used = calloc((size_t)slab[UHMM_SLAB_RANGE].high + 1,
			       sizeof(*c->range_used));
	if (c->node_seen && c->rmap_seen && c->range_used)
		return 0;
	(void)fail(c, "no memory to check with");
	return -ENOMEM;
}

/* Ranges. */

static uint32_t range_at(const struct check *c, uint32_t n)
{
	const struct uhmm_store *s = c->store;
	const unsigned char *order = s->base + s->hdr->layout.range_order;

	return ((const uint32_t *)(const void *)order)[n];
}

/* @*after: where the range before ended, and this one does. */
static int check_range(struct check *c, uint32_t index, uint64_t *after)
{
	uint64_t limit = c->store->hdr->layout.dpfns;
	const struct uhmm_dpfn_range *r;

	if (!uhmm_slab_has(c->store, UHMM_SLAB_RANGE, index))
		return fail(c, "range %" PRIu32 " is listed and free", index);
	r = uhmm_dpfn_range(c->store, index);
	if (r->start % UHMM_UNIT_NPAGES || !r->npages || r->start >= limit ||
	    r->npages > limit - r->start)
		return fail(c, "range %" PRIu32 ": %#" PRIx64 " + %#" PRIx64
			    " cannot be", index, r->start, r->npages);
	if (r->start < *after)
		return fail(c, "range %" PRIu32 " at %#" PRIx64
			    " overlaps or is out of order", index, r->start);
	if (r->used > r->peak || r->peak > r->npages)
		return fail(c, "range %" PRIu32 ": %" PRIu64 " used, peak %"
			    PRIu64 " of %" PRIu64, index, r->used, r->peak,
			    r->npages);
	*after = (r->start + r->npages + UHMM_UNIT_NPAGES - 1) &
		 -UHMM_UNIT_NPAGES;
	return 0;
}

static int check_ranges(struct check *c)
{
	uint32_t nranges = c->store->hdr->nranges;
	uint64_t after = UHMM_UNIT_NPAGES;

	if (nranges != uhmm_slab_used(c->store, UHMM_SLAB_RANGE))
		return fail(c, "%" PRIu32 " ranges listed, %" PRIu32 " exist",
			    nranges,
			    uhmm_slab_used(c->store, UHMM_SLAB_RANGE));
	for (uint32_t n = 0; n < nranges; n++) {
		int rc = check_range(c, range_at(c, n), &after);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Forward: mms, tables, leaves. */

static bool in_chain(const struct check *c, uint32_t index,
			 uint64_t mapping)
{
	uint32_t most = uhmm_slab_used(c->store, UHMM_SLAB_RMAP);

	/* not proven yet, perhaps a circle */
	while (most-- && uhmm_slab_has(c->store, UHMM_SLAB_RMAP, index)) {
		const struct uhmm_rmap *r =
			uhmm_slab_at(c->store, UHMM_SLAB_RMAP, index);

		if (r->mapping == mapping)
			return true;
		index = r->next;
	}
	return false;
}

static bool page_names(const struct check *c, uhmm_dpfn_t dpfn,
		       struct uhmm_mapping at)
{
	uint64_t word = *uhmm_page_word_at(c->store, dpfn);
	uint64_t mapping = uhmm_page_pack(at);

	if (uhmm_page_word_tag(word) == UHMM_PAGE_TAG_SHARED)
		return in_chain(c, uhmm_page_word_chain(word), mapping);
	return (word & ~UHMM_PAGE_ACCESSED) ==
	       uhmm_page_word_mk(UHMM_PAGE_TAG_ONCE, mapping);
}

static int check_leaf(struct check *c, uint32_t slot, uint64_t vpn,
		      uhmm_softleaf_t leaf)
{
	struct uhmm_mapping here = { .mm = slot, .vpn = UHMM_VPN(vpn) };
	unsigned int type = uhmm_softleaf_type(leaf);
	uhmm_dpfn_t dpfn;

	if (type == UHMM_SOFTLEAF_NONE || type >= UHMM_NR_SOFTLEAF_TYPES)
		return fail(c, "mm %" PRIu32 " page %#" PRIx64
			    ": no such entry as %#" PRIx64, slot, vpn,
			    leaf.val);
	c->migrating += uhmm_softleaf_is_migration(leaf);
	if (uhmm_unit_has(leaf) &&
	    !uhmm_unit_is_sound(c->store, slot, UHMM_VPN(vpn)))
		return fail(c, "mm %" PRIu32 " page %#" PRIx64
			    ": entry %#" PRIx64 " does not begin a unit", slot,
			    vpn, leaf.val);
	if (!uhmm_softleaf_has_dpfn(leaf))
		return 0;
	c->leaves++;
	dpfn = uhmm_softleaf_to_dpfn(leaf);
	if (!uhmm_dpfn_lookup(c->store, dpfn))
		return fail(c, "mm %" PRIu32 " page %#" PRIx64
			    ": device page %#" PRIx64 " is in no range", slot,
			    vpn, dpfn.val);
	if (!page_names(c, dpfn, here))
		return fail(c, "mm %" PRIu32 " page %#" PRIx64
			    ": device page %#" PRIx64 " does not know of it",
			    slot, vpn, dpfn.val);
	return 0;
}

static int mark(struct check *c, enum uhmm_slab slab, unsigned char *seen,
		uint32_t index, uint64_t *count)
{
	if (!uhmm_slab_has(c->store, slab, index))
		return fail(c, "%s %" PRIu32 " is reached and free",
			    slab_name[slab], index);
	if (seen[index])
		return fail(c, "%s %" PRIu32 " is reached twice",
			    slab_name[slab], index);
	seen[index] = 1;
	++*count;
	return 0;
}

/* The node of @link and all below; @count: words of leaves found. */
static int check_node(struct check *c, uint32_t slot, uint64_t link,
		      unsigned int level, uint64_t prefix, uint64_t *count)
{
	uint32_t index = uhmm_table_link_node(link), used = 0;
	const uint64_t *node;
	int rc = mark(c, UHMM_SLAB_NODE, c->node_seen, index, &c->nodes);

	if (rc < 0)
		return rc;
	node = uhmm_slab_at(c->store, UHMM_SLAB_NODE, index);
	for (uint64_t i = 0; i < UHMM_TABLE_NODE_WORDS; i++) {
		uint64_t vpn = prefix << UHMM_TABLE_LEVEL_BITS | i;

		if (!node[i])
			continue;
		used++;
		*count += level == 0;
		if (level)
			rc = check_node(c, slot, node[i], level - 1, vpn,
					count);
		else if (!c->numbers)
			rc = check_leaf(c, slot, vpn,
					(uhmm_softleaf_t){ node[i] });
		if (rc < 0)
			return rc;
	}
	if (used != uhmm_table_link_count(link) || !used)
		return fail(c, "node %" PRIu32 ": %" PRIu32 " words, %" PRIu32
			    " counted", index, used,
			    uhmm_table_link_count(link));
	return 0;
}

static int check_table(struct check *c, uint32_t slot,
		       const struct uhmm_table *t)
{
	uint64_t count = 0;
	int rc = 0;

	if (t->root)
		rc = check_node(c, slot, t->root, UHMM_TABLE_LEVELS - 1, 0,
				&count);
	if (rc < 0)
		return rc;
	if (count != t->count)
		return fail(c, "mm %" PRIu32 ": %" PRIu64 " %s, %" PRIu64
			    " counted", slot, count,
			    c->numbers ? "numbers" : "entries", t->count);
	return 0;
}

static int check_mm(struct check *c, uint32_t slot)
{
	const struct uhmm_mm_record *mm =
		uhmm_slab_at(c->store, UHMM_SLAB_MM, slot);
	int rc;

	c->migrating = 0;
	c->numbers = false;
	rc = check_table(c, slot, &mm->shadow);
	if (rc < 0)
		return rc;
	c->numbers = true;
	rc = check_table(c, slot, &mm->kin);
	if (rc < 0)
		return rc;
	if (c->migrating != mm->migrating)
		return fail(c, "mm %" PRIu32 ": %" PRIu64
			    " entries migrating, %" PRIu64 " counted", slot,
			    c->migrating, mm->migrating);
	return 0;
}

static int check_mms(struct check *c)
{
	uint32_t slot = 0;

	while ((slot = uhmm_slab_next(c->store, UHMM_SLAB_MM, slot))) {
		int rc = check_mm(c, slot);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Back: units, pages, mappings. */

static int check_mapping(struct check *c, uhmm_dpfn_t dpfn, uint64_t mapping)
{
	struct uhmm_mapping at = uhmm_page_unpack(mapping);
	uhmm_softleaf_t leaf;

	c->mappings++;
	if (mapping >> UHMM_PAGE_MAPPING_BITS)
		return fail(c, "device page %#" PRIx64 ": no such mapping as %#"
			    PRIx64, dpfn.val, mapping);
	if (!uhmm_slab_has(c->store, UHMM_SLAB_MM, at.mm))
		return fail(c, "device page %#" PRIx64 " is mapped by mm %"
			    PRIu32 ", which is none", dpfn.val, at.mm);
	leaf = uhmm_shadow_get(c->store, at.mm, at.vpn);
	if (!uhmm_softleaf_has_dpfn(leaf) ||
	    uhmm_softleaf_to_dpfn(leaf).val != dpfn.val)
		return fail(c, "device page %#" PRIx64 " is mapped by mm %"
			    PRIu32 " at %#" PRIx64 ", whose entry is %#" PRIx64,
			    dpfn.val, at.mm, at.vpn.val, leaf.val);
	return 0;
}

static int check_chain(struct check *c, uhmm_dpfn_t dpfn, uint32_t first)
{
	uint32_t length = 0, count = 0;

	for (uint32_t index = first; index; length++) {
		const struct uhmm_rmap *r;
		int rc = mark(c, UHMM_SLAB_RMAP, c->rmap_seen, index,
			      &c->rmaps);

		if (rc < 0)
			return rc;
		r = uhmm_slab_at(c->store, UHMM_SLAB_RMAP, index);
		rc = check_mapping(c, dpfn, r->mapping);
		if (rc < 0)
			return rc;
		if (index == first)
			count = r->count;
		index = r->next;
	}
	if (length < 2 || length != count)
		return fail(c, "device page %#" PRIx64 ": %" PRIu32
			    " mappings, %" PRIu32 " counted", dpfn.val, length,
			    count);
	return 0;
}

static int check_word(struct check *c, uhmm_dpfn_t dpfn, uint64_t word)
{
	uint64_t payload = word & (UHMM_PAGE_ACCESSED - 1);

	switch (uhmm_page_word_tag(word)) {
	case UHMM_PAGE_TAG_FREE:
		if (!word)
			return 0;
		break;
	case UHMM_PAGE_TAG_ALLOCATED:
		c->unmapped++;
		if (!payload)
			return 0;
		break;
	case UHMM_PAGE_TAG_ONCE:
		return check_mapping(c, dpfn, payload);
	case UHMM_PAGE_TAG_SHARED:
		if (payload >> 32 == 0)
			return check_chain(c, dpfn, (uint32_t)payload);
		break;
	}
	return fail(c, "device page %#" PRIx64 ": no such word as %#" PRIx64,
		    dpfn.val, word);
}

static bool is_in_use(const struct check *c, uhmm_dpfn_t dpfn)
{
	return uhmm_page_word_tag(*uhmm_page_word_at(c->store, dpfn)) !=
	       UHMM_PAGE_TAG_FREE;
}

static int check_page(struct check *c, uhmm_dpfn_t dpfn)
{
	uint32_t range = uhmm_dpfn_lookup(c->store, dpfn);

	if (is_in_use(c, dpfn) && !range)
		return fail(c, "device page %#" PRIx64
			    " is in use and in no range", dpfn.val);
	c->range_used[range] += is_in_use(c, dpfn);
	return check_word(c, dpfn, *uhmm_page_word_at(c->store, dpfn));
}

static int check_unit_bits(struct check *c, uint64_t unit, unsigned int used)
{
	const struct uhmm_store_layout *l = &c->store->hdr->layout;
	const unsigned char *base = c->store->base;

	if (uhmm_bitmap_test(base, &l->unit_used, unit) != (used > 0) ||
	    uhmm_bitmap_test(base, &l->unit_begun, unit) !=
		    (used > 0 && used < UHMM_UNIT_NPAGES))
		return fail(c, "unit %#" PRIx64 ": %u pages in use, bits wrong",
			    unit, used);
	if (!uhmm_bitmap_is_sound(base, &l->unit_used, unit) ||
	    !uhmm_bitmap_is_sound(base, &l->unit_begun, unit) ||
	    !uhmm_bitmap_is_sound(base, &l->unit_touched, unit))
		return fail(c, "unit %#" PRIx64 ": summary is wrong", unit);
	return 0;
}

static int check_unit(struct check *c, uint64_t unit)
{
	struct uhmm_unit_record record = uhmm_unit_record(c->store, unit);
	unsigned int used = 0, first = 0;

	for (unsigned int i = 0; i < UHMM_UNIT_NPAGES; i++) {
		uhmm_dpfn_t dpfn = UHMM_DPFN(unit * UHMM_UNIT_NPAGES + i);
		int rc = check_page(c, dpfn);

		if (rc < 0)
			return rc;
		first += first == i && is_in_use(c, dpfn);
		used += is_in_use(c, dpfn);
	}
	if (used != record.used || first < record.first)
		return fail(c, "unit %#" PRIx64 ": %u pages in use, %u from its "
			    "start; its record says %u, %u", unit, used, first,
			    record.used, record.first);
	return check_unit_bits(c, unit, used);
}

static int check_units(struct check *c)
{
	const struct uhmm_store_header *hdr = c->store->hdr;
	const struct uhmm_bitmap *b = &hdr->layout.unit_touched;
	uint64_t units = 0, records = 0, last = UINT64_MAX;

	for (uint64_t unit = 0; uhmm_bitmap_next_set(c->store->base, b, &unit,
						     b->nbits); unit++) {
		int rc = check_unit(c, unit);

		if (rc < 0)
			return rc;
		units++;
		records += unit / UHMM_STORE_UNITS_PER_PAGE != last;
		last = unit / UHMM_STORE_UNITS_PER_PAGE;
	}
	if (units != hdr->touched_units || records != hdr->touched_records)
		return fail(c, "%" PRIu64 " units touched, %" PRIu64
			    " counted", units, hdr->touched_units);
	return 0;
}

/* Every unit of @b was touched, and so was looked at. */
static int check_touched(struct check *c, const struct uhmm_bitmap *b)
{
	const struct uhmm_store_layout *l = &c->store->hdr->layout;

	for (uint64_t unit = 0; uhmm_bitmap_next_set(c->store->base, b, &unit,
						     b->nbits); unit++)
		if (!uhmm_bitmap_test(c->store->base, &l->unit_touched, unit))
			return fail(c, "unit %#" PRIx64
				    " is in use and was never touched", unit);
	return 0;
}

static int check_pages(struct check *c)
{
	const struct uhmm_store_layout *l = &c->store->hdr->layout;
	int rc = check_units(c);

	if (rc < 0)
		return rc;
	rc = check_touched(c, &l->unit_used);
	return rc < 0 ? rc : check_touched(c, &l->unit_begun);
}

/* Sums. */

static int check_sums(struct check *c)
{
	uint32_t nodes = uhmm_slab_used(c->store, UHMM_SLAB_NODE), range = 0;
	uint32_t rmaps = uhmm_slab_used(c->store, UHMM_SLAB_RMAP);

	while ((range = uhmm_slab_next(c->store, UHMM_SLAB_RANGE, range))) {
		const struct uhmm_dpfn_range *r =
			uhmm_dpfn_range(c->store, range);

		if (r->used != c->range_used[range])
			return fail(c, "range %" PRIu32 ": %" PRIu64
				    " pages in use, %" PRIu64 " counted",
				    range, c->range_used[range], r->used);
	}
	if (c->leaves != c->mappings)
		return fail(c, "%" PRIu64 " leaves of device pages, %" PRIu64
			    " mappings", c->leaves, c->mappings);
	if (c->nodes != nodes)
		return fail(c, "%" PRIu64 " nodes reached, %" PRIu32 " in use",
			    c->nodes, nodes);
	if (c->rmaps != rmaps)
		return fail(c, "%" PRIu64 " rmaps reached, %" PRIu32 " in use",
			    c->rmaps, rmaps);
	return 0;
}

static int check_all(struct check *c)
{
	int (*const step[])(struct check *) = {
		check_slabs, make_notes, check_ranges, check_mms, check_pages,
		check_sums,
	};

	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		int rc = step[i](c);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int uhmm_store_check(const struct uhmm_store *store, uint64_t *unmapped,
		     char *why, size_t why_bytes)
{
	struct check c = { .store = store, .why = why,
			   .why_bytes = why_bytes };
	int rc;

	if (why_bytes)
		why[0] = '\0';
	rc = check_all(&c);
	if (!rc)
		*unmapped = c.unmapped;
	free(c.node_seen);
	free(c.rmap_seen);
	free(c.range_used);
	return rc;
}
