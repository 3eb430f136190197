/* SPDX-License-Identifier: MIT */
/* test_check.c - src/mm/check.c: each way to be wrong is seen and named */
#include "mm/check.h"

#include <errno.h>
#include <string.h>

#include "mm/dpfn.h"
#include "mm/page_word.h"
#include "mm/shadow.h"
#include "unit.h"

static const struct uhmm_store_limits small = {
	.dpfns = 8192,
	.objects = { 40, 40, 3, 3, 2 },
};

/* A small world: mm 1 and 2 share page A at 5; mm 1 has page B at 600, where
 * another node is, and a page in flight at 7; page C is allocated. */
struct world {
	struct uhmm_store store;
	uhmm_dpfn_t a, b, c;
};

static uhmm_dpfn_t must_alloc(struct uhmm_store *store, unsigned int order)
{
	uhmm_dpfn_t dpfn = { 0 };

	ck_assert_int_eq(uhmm_page_alloc(store, 1, order, &dpfn), 0);
	return dpfn;
}

static void must_set(struct uhmm_store *store, uint32_t slot, uint64_t vpn,
		     uhmm_softleaf_t leaf)
{
	ck_assert_int_eq(uhmm_shadow_set(store, slot, UHMM_VPN(vpn), leaf), 0);
}

static void world_init(struct world *w)
{
	static const uint8_t owner[16];
	struct uhmm_store *s = &w->store;

	unit_store_init(s, &small);
	ck_assert_int_eq(uhmm_dpfn_reserve(s, 2000, owner, 1), 1);
	ck_assert_int_eq(uhmm_dpfn_reserve(s, 512, owner, 1), 2);
	for (uint32_t slot = 1; slot <= 2; slot++)
		ck_assert_uint_eq(uhmm_slab_alloc(s, UHMM_SLAB_MM), slot);
	w->a = must_alloc(s, 0);
	w->b = must_alloc(s, 0);
	w->c = must_alloc(s, 0);
	must_set(s, 1, 5, uhmm_softleaf_from_dpfn(w->a, false));
	must_set(s, 2, 5, uhmm_softleaf_from_dpfn(w->a, false));
	must_set(s, 1, 600, uhmm_softleaf_from_dpfn(w->b, true));
	must_set(s, 1, 7, uhmm_softleaf_mk_migration_from_flight(9, true));
}

static uint64_t *word_of(struct world *w, uhmm_dpfn_t dpfn)
{
	return uhmm_page_word_at(&w->store, dpfn);
}

static struct uhmm_mm_record *mm_of(struct world *w, uint32_t slot)
{
	return uhmm_slab_at(&w->store, UHMM_SLAB_MM, slot);
}

static struct uhmm_rmap *chain_of_a(struct world *w)
{
	return uhmm_slab_at(&w->store, UHMM_SLAB_RMAP,
			    uhmm_page_word_chain(*word_of(w, w->a)));
}

static uint64_t *root_word(struct world *w)
{
	uint32_t root = uhmm_table_link_node(mm_of(w, 1)->shadow.root);

	return uhmm_slab_at(&w->store, UHMM_SLAB_NODE, root);
}

static uint64_t *bitmap_word(struct world *w, const struct uhmm_bitmap *b,
			     unsigned int level)
{
	return (uint64_t *)(void *)(w->store.base + b->any[level]);
}

/* The ways. */

static void leaf_of_nobody(struct world *w)
{
	*word_of(w, w->b) = uhmm_page_word_mk(UHMM_PAGE_TAG_ALLOCATED, 0);
}

static void leaf_of_free_page(struct world *w)
{
	*word_of(w, w->b) = 0;
}

static void leaf_in_no_range(struct world *w)
{
	struct uhmm_table *t = &mm_of(w, 1)->shadow;

	ck_assert_int_eq(uhmm_table_set(&w->store, t, 600,
					uhmm_softleaf_from_dpfn(
						UHMM_DPFN(3), true).val), 0);
}

static void leaf_of_no_type(struct world *w)
{
	ck_assert_int_eq(uhmm_table_set(&w->store, &mm_of(w, 1)->shadow, 600,
					UINT64_MAX), 0);
}

static void leaf_without_type(struct world *w)
{
	ck_assert_int_eq(uhmm_table_set(&w->store, &mm_of(w, 1)->shadow, 900,
					1), 0);
}

static void mapping_without_leaf(struct world *w)
{
	ck_assert_int_eq(uhmm_page_map(&w->store, w->c,
				       (struct uhmm_mapping){
					       2, UHMM_VPN(77) }), 0);
}

static void mapping_of_no_mm(struct world *w)
{
	ck_assert_int_eq(uhmm_page_map(&w->store, w->c,
				       (struct uhmm_mapping){
					       3, UHMM_VPN(77) }), 0);
}

static void mapping_twice(struct world *w)
{
	ck_assert_int_eq(uhmm_page_map(&w->store, w->a,
				       (struct uhmm_mapping){
					       1, UHMM_VPN(5) }), 0);
}

static void mapping_elsewhere(struct world *w)
{
	chain_of_a(w)->mapping ^= 2;
}

static void mapping_with_a_tag(struct world *w)
{
	chain_of_a(w)->mapping |= UINT64_C(1) << 63;
}

static void chain_count(struct world *w) { chain_of_a(w)->count++; }
static void chain_circle(struct world *w)
{
	chain_of_a(w)->next = uhmm_page_word_chain(*word_of(w, w->a));
}
static void chain_short(struct world *w) { chain_of_a(w)->next = 0; }
static void chain_wild(struct world *w) { chain_of_a(w)->next = 1000000; }
static void word_spare_bit(struct world *w)
{
	*word_of(w, w->c) |= UINT64_C(1) << 60;
}
static void word_free_dirty(struct world *w)
{
	*word_of(w, UHMM_DPFN(w->c.val + 1)) = 1;
}
static void word_not_counted(struct world *w)
{
	*word_of(w, UHMM_DPFN(w->c.val + 1)) = *word_of(w, w->c);
}
static void record_counts_more(struct world *w)
{
	*uhmm_unit_record_at(&w->store, w->c.val / 512) += 1 << 16;
}
static void record_begins_late(struct world *w)
{
	*uhmm_unit_record_at(&w->store, w->c.val / 512) += 1;
}

static void unit_not_used(struct world *w)
{
	uhmm_bitmap_clear(w->store.base, &w->store.hdr->layout.unit_used,
			  w->a.val / 512);
}

static void unit_not_begun(struct world *w)
{
	uhmm_bitmap_clear(w->store.base, &w->store.hdr->layout.unit_begun,
			  w->a.val / 512);
}

static void unit_used_untouched(struct world *w)
{
	uhmm_bitmap_set(w->store.base, &w->store.hdr->layout.unit_used, 7);
}

static void unit_not_counted(struct world *w)
{
	w->store.hdr->touched_units++;
}

static void range_used(struct world *w)
{
	uhmm_dpfn_range(&w->store, 1)->used--;
}
static void range_peak(struct world *w)
{
	uhmm_dpfn_range(&w->store, 1)->peak = 1;
}
static void range_overlap(struct world *w)
{
	uhmm_dpfn_range(&w->store, 2)->start = 512;
}
static void range_crooked(struct world *w)
{
	uhmm_dpfn_range(&w->store, 2)->start += 1;
}
static void range_too_long(struct world *w)
{
	uhmm_dpfn_range(&w->store, 2)->npages = UINT64_MAX;
}
static void range_short(struct world *w)
{
	uhmm_dpfn_range(&w->store, 1)->npages = 2;
}
static void range_unlisted(struct world *w) { w->store.hdr->nranges--; }

static void table_count(struct world *w) { mm_of(w, 1)->shadow.count++; }
static void table_migrating(struct world *w) { mm_of(w, 1)->migrating--; }
static void table_shared(struct world *w)
{
	mm_of(w, 2)->shadow = mm_of(w, 1)->shadow;
}
static void node_count(struct world *w)
{
	mm_of(w, 1)->shadow.root += UINT64_C(1) << 32;
}
static void node_wild(struct world *w) { *root_word(w) |= 0xff0000; }
static void node_circle(struct world *w)
{
	*root_word(w) = mm_of(w, 1)->shadow.root;
}

static void leak_node(struct world *w)
{
	ck_assert(uhmm_slab_alloc(&w->store, UHMM_SLAB_NODE));
}
static void leak_rmap(struct world *w)
{
	ck_assert(uhmm_slab_alloc(&w->store, UHMM_SLAB_RMAP));
}

static void slab_used(struct world *w)
{
	w->store.hdr->slab[UHMM_SLAB_FLIGHT].used++;
}
static void slab_hint(struct world *w)
{
	uhmm_slab_free(&w->store, UHMM_SLAB_RMAP,
		       uhmm_slab_alloc(&w->store, UHMM_SLAB_RMAP));
	w->store.hdr->slab[UHMM_SLAB_RMAP].hint++;
}
static void slab_dirty(struct world *w)
{
	uint32_t index = uhmm_slab_alloc(&w->store, UHMM_SLAB_FLIGHT);
	unsigned char *flight = uhmm_slab_at(&w->store, UHMM_SLAB_FLIGHT,
					     index);

	uhmm_slab_free(&w->store, UHMM_SLAB_FLIGHT, index);
	flight[UHMM_FLIGHT_BYTES - 1] = 1;
}
static void slab_high(struct world *w)
{
	w->store.hdr->slab[UHMM_SLAB_MM].high--;
}

static void bitmap_any(struct world *w)
{
	*bitmap_word(w, &w->store.hdr->layout.slab[UHMM_SLAB_NODE].used, 0) |=
		UINT64_C(1) << 39;
}

/* What is said of each is part of what is promised. */
static const struct {
	void (*spoil)(struct world *w);
	const char *why;
} cases[] = {
	{ leaf_of_nobody, "does not know of it" },
	{ leaf_of_free_page, "does not know of it" },
	{ leaf_in_no_range, "in no range" },
	{ leaf_of_no_type, "no such entry" },
	{ leaf_without_type, "no such entry" },
	{ mapping_without_leaf, "whose entry is" },
	{ mapping_of_no_mm, "which is none" },
	{ mapping_twice, "mappings" },
	{ mapping_elsewhere, "does not know of it" },
	{ mapping_with_a_tag, "does not know of it" },
	{ chain_count, "counted" },
	{ chain_circle, "does not know of it" },
	{ chain_short, "does not know of it" },
	{ chain_wild, "does not know of it" },
	{ word_spare_bit, "no such word" },
	{ word_free_dirty, "no such word" },
	{ word_not_counted, "its record says" },
	{ record_counts_more, "its record says" },
	{ record_begins_late, "its record says" },
	{ unit_not_used, "bits wrong" },
	{ unit_not_begun, "bits wrong" },
	{ unit_used_untouched, "never touched" },
	{ unit_not_counted, "units touched" },
	{ range_used, "pages in use" },
	{ range_peak, "peak" },
	{ range_overlap, "overlaps" },
	{ range_crooked, "cannot be" },
	{ range_too_long, "cannot be" },
	{ range_short, "of 2" },
	{ range_unlisted, "ranges listed" },
	{ table_count, "counted" },
	{ table_migrating, "migrating" },
	{ table_shared, "reached twice" },
	{ node_count, "counted" },
	{ node_wild, "reached and free" },
	{ node_circle, "reached twice" },
	{ leak_node, "nodes reached" },
	{ leak_rmap, "rmaps reached" },
	{ slab_used, "counted" },
	{ slab_hint, "below the hint" },
	{ slab_dirty, "not zero" },
	{ slab_high, "high" },
	{ bitmap_any, "above all others" },
};

START_TEST(test_store_check_sees)
{
	uint64_t unmapped = 99;
	char why[160] = "";
	struct world w;

	world_init(&w);
	ck_assert_int_eq(uhmm_store_check(&w.store, &unmapped, why,
					  sizeof(why)), 0);
	ck_assert_str_eq(why, "");
	ck_assert_uint_eq(unmapped, 1);
	cases[_i].spoil(&w);
	ck_assert_int_eq(uhmm_store_check(&w.store, &unmapped, why,
					  sizeof(why)), -EUCLEAN);
	ck_assert_msg(strstr(why, cases[_i].why), "\"%s\" says not \"%s\"",
		      why, cases[_i].why);
	unit_store_fini(&w.store);
}
END_TEST

/* Whatever byte of a store is wrong: an answer, not a crash. */
START_TEST(test_store_check_survives_any_byte)
{
	struct unit_random r = unit_random(5 + (uint64_t)_i);
	uint64_t unmapped;
	char why[160];
	struct world w;
	int seen = 0;

	world_init(&w);
	for (int round = 0; round < 3000; round++) {
		const struct uhmm_slab_layout *l =
			&w.store.hdr->layout.slab[unit_below(&r,
							     UHMM_NR_SLABS)];
		uint64_t window[] = {
			offsetof(struct uhmm_store_header, slab),
			l->objects_at, l->used.any[0],
			w.store.hdr->layout.page_words + 4096,
			w.store.hdr->layout.unit_records,
			w.store.hdr->layout.range_order,
			w.store.hdr->layout.unit_used.any[0],
		};
		unsigned char *byte = w.store.base +
				      window[unit_below(&r,
							UNIT_COUNT(window))] +
				      unit_below(&r, 160);
		unsigned char old = *byte;

		*byte = (unsigned char)unit_below(&r, 256);
		seen += uhmm_store_check(&w.store, &unmapped, why,
					 sizeof(why)) == -EUCLEAN;
		*byte = old;
	}
	ck_assert_int_gt(seen, 500);
	unit_store_fini(&w.store);
}
END_TEST

START_TEST(test_store_check_without_why)
{
	uint64_t unmapped;
	struct world w;

	world_init(&w);
	ck_assert_int_eq(uhmm_store_check(&w.store, &unmapped, NULL, 0), 0);
	range_used(&w);
	ck_assert_int_eq(uhmm_store_check(&w.store, &unmapped, NULL, 0),
			 -EUCLEAN);
	unit_store_fini(&w.store);
}
END_TEST

static const int seeds[4] __attribute__((unused));

UNIT_MAIN("check", UNIT_TABLE(test_store_check_sees, cases),
	  UNIT_TABLE(test_store_check_survives_any_byte, seeds),
	  UNIT_TEST(test_store_check_without_why))
