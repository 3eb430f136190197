/* SPDX-License-Identifier: MIT */
/* test_shadow.c - src/mm/shadow.c, against a plain array, proven by check.c */
#include "mm/shadow.h"

#include <errno.h>
#include <string.h>

#include "mm/check.h"
#include "mm/dpfn.h"
#include "mm/page.h"
#include "unit.h"

#define NPAGES 300		/* of the device */
#define FIRST UHMM_UNIT_NPAGES	/* its first number */
#define NNODES 26
#define NRMAPS 80

static const struct uhmm_store_limits small = {
	.dpfns = 4096,
	.objects = { NNODES, NRMAPS, 3, 1, 1 },
};

static const uint8_t owner[16];

static void setup(struct uhmm_store *store)
{
	unit_store_init(store, &small);
	ck_assert_int_eq(uhmm_dpfn_reserve(store, NPAGES, owner, 1), 1);
	for (uint32_t slot = 1; slot <= 3; slot++)
		ck_assert_uint_eq(uhmm_slab_alloc(store, UHMM_SLAB_MM), slot);
}

static uhmm_dpfn_t must_alloc(struct uhmm_store *store)
{
	uhmm_dpfn_t dpfn = { 0 };

	unit_expect(uhmm_page_alloc(store, 1, 0, &dpfn) == 0);
	return dpfn;
}

static void must_set(struct uhmm_store *store, uint32_t slot, uint64_t vpn,
		     uhmm_softleaf_t leaf)
{
	unit_expect(uhmm_shadow_set(store, slot, UHMM_VPN(vpn), leaf) == 0);
}

static void must_check(const struct uhmm_store *store, uint64_t unmapped)
{
	uint64_t got = 0;
	char why[128];

	if (uhmm_store_check(store, &got, why, sizeof(why)))
		ck_abort_msg("%s", why);
	unit_expect(got == unmapped);
}

static uhmm_softleaf_t flight(uint64_t number)
{
	return uhmm_softleaf_mk_migration_from_flight(number, true);
}

START_TEST(test_shadow_set_life_of_a_page)
{
	struct uhmm_store store;
	uhmm_vpn_t vpn = UHMM_VPN(0x7f0001234);
	uhmm_dpfn_t dpfn;

	setup(&store);
	must_set(&store, 1, vpn.val, flight(3));
	dpfn = must_alloc(&store);
	must_check(&store, 1);
	must_set(&store, 1, vpn.val, uhmm_softleaf_from_dpfn(dpfn, true));
	must_check(&store, 0);
	ck_assert_uint_eq(uhmm_page_mapcount(&store, dpfn), 1);
	uhmm_shadow_change(&store, 1, vpn,
			   uhmm_softleaf_mk_migration_from_dpfn(dpfn, true));
	must_check(&store, 0);
	ck_assert_uint_eq(uhmm_page_mapcount(&store, dpfn), 1);
	uhmm_shadow_clear(&store, 1, vpn);
	must_check(&store, 0);
	ck_assert_int_eq(uhmm_page_state(&store, dpfn), UHMM_PAGE_FREE);
	ck_assert_uint_eq(uhmm_shadow_count(&store, 1), 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_shadow_set_of_another_page)
{
	struct uhmm_store store;
	uhmm_dpfn_t a, b;

	setup(&store);
	a = must_alloc(&store);
	b = must_alloc(&store);
	must_set(&store, 1, 5, uhmm_softleaf_from_dpfn(a, true));
	must_set(&store, 2, 5, uhmm_softleaf_from_dpfn(a, false));
	must_set(&store, 1, 5, uhmm_softleaf_from_dpfn(b, true));
	ck_assert_uint_eq(uhmm_page_mapcount(&store, a), 1);
	ck_assert_uint_eq(uhmm_page_mapcount(&store, b), 1);
	must_check(&store, 0);
	must_set(&store, 2, 5, uhmm_softleaf_from_dpfn(b, false));
	ck_assert_int_eq(uhmm_page_state(&store, a), UHMM_PAGE_FREE);
	ck_assert_uint_eq(uhmm_page_mapcount(&store, b), 2);
	must_check(&store, 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_shadow_set_without_nodes_changes_nothing)
{
	struct uhmm_store store;
	uhmm_dpfn_t dpfn;
	uint64_t n = 0;

	setup(&store);
	dpfn = must_alloc(&store);
	while (uhmm_shadow_set(&store, 1, UHMM_VPN(n << 9), flight(n)) == 0)
		n++;
	ck_assert_uint_eq(n, NNODES - 4);
	ck_assert_int_eq(uhmm_shadow_set(&store, 1, UHMM_VPN(n << 9),
					 uhmm_softleaf_from_dpfn(dpfn, true)),
			 -ENOMEM);
	ck_assert_int_eq(uhmm_page_state(&store, dpfn), UHMM_PAGE_ALLOCATED);
	must_check(&store, 1);
	/* where there is an entry there is a node */
	must_set(&store, 1, 0, uhmm_softleaf_from_dpfn(dpfn, true));
	must_check(&store, 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_shadow_set_without_chain_objects_changes_nothing)
{
	struct uhmm_store store;
	uhmm_softleaf_t leaf;
	uint64_t n = 0;

	setup(&store);
	leaf = uhmm_softleaf_from_dpfn(must_alloc(&store), false);
	while (uhmm_shadow_set(&store, 1, UHMM_VPN(n), leaf) == 0)
		n++;
	ck_assert_uint_eq(n, NRMAPS);
	ck_assert(uhmm_softleaf_is_none(
		uhmm_shadow_get(&store, 1, UHMM_VPN(n))));
	must_set(&store, 1, n, flight(1));
	ck_assert_int_eq(uhmm_shadow_set(&store, 1, UHMM_VPN(n), leaf),
			 -ENOMEM);
	ck_assert(uhmm_softleaf_same(flight(1), uhmm_shadow_get(&store, 1,
								UHMM_VPN(n))));
	must_check(&store, 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_shadow_set_beyond_the_last_page)
{
	struct uhmm_store store;

	setup(&store);
	ck_assert_int_eq(uhmm_shadow_set(&store, 1, UHMM_VPN(UINT64_MAX),
					 flight(1)),
			 -ENOMEM);
	must_check(&store, 0);
	unit_store_fini(&store);
}
END_TEST

/* Which entries of a move are at which distance; -1: the end. */
static const struct {
	uint64_t from, to, npages;
} move_cases[] = {
	{ 0, 4096, 64 },  { 4096, 0, 64 },   { 100, 101, 64 },
	{ 101, 100, 64 }, { 100, 132, 64 },  { 132, 100, 64 },
	{ 500, 530, 64 }, { 530, 500, 64 },  { 7, 7, 64 },
	{ 0, 64, 64 },	  { 64, 0, 64 },     { 0, 1, 1 },
	{ 0, 100, 0 },	  { 1ull << 40, 3, 64 },
};

START_TEST(test_shadow_move_each_case)
{
	uint64_t from = move_cases[_i].from, to = move_cases[_i].to;
	uint64_t npages = move_cases[_i].npages, i;
	uhmm_softleaf_t leaf[64] = { { 0 } };
	struct uhmm_store store;

	setup(&store);
	/* the target holds things too; they go */
	for (i = 0; i < npages; i++)
		must_set(&store, 1, to + i, flight(100 + i));
	for (i = 0; i < npages; i++) {
		if (i % 3)
			leaf[i] = uhmm_softleaf_from_dpfn(must_alloc(&store),
							  i & 1);
		must_set(&store, 1, from + i, leaf[i]);
	}
	ck_assert_int_eq(uhmm_shadow_move(&store, 1, UHMM_VPN(from),
					  UHMM_VPN(to), npages), 0);
	for (i = 0; i < npages; i++)
		ck_assert_uint_eq(leaf[i].val,
				  uhmm_shadow_get(&store, 1,
						  UHMM_VPN(to + i)).val);
	ck_assert_uint_eq(uhmm_shadow_count(&store, 1), npages - (npages + 2) /
							3);
	must_check(&store, 0);
	uhmm_shadow_fini(&store, 1);
	must_check(&store, 0);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_shadow_move_without_nodes_drops_both)
{
	struct uhmm_store store;
	uint64_t n;

	setup(&store);
	for (n = 0; n < NNODES - 4 - 2; n++)
		must_set(&store, 1, n << 9, flight(n));
	for (n = 0; n < 64; n++)
		must_set(&store, 1, 480 + n,
			 uhmm_softleaf_from_dpfn(must_alloc(&store), true));
	ck_assert_int_eq(uhmm_shadow_move(&store, 1, UHMM_VPN(480),
					  UHMM_VPN((1 << 20) - 5), 64),
			 -ENOMEM);
	must_check(&store, 0);
	ck_assert_uint_eq(uhmm_shadow_count(&store, 1), NNODES - 4 - 3);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_shadow_change_of_none_dies)
{
	struct uhmm_store store;

	setup(&store);
	uhmm_shadow_change(&store, 1, UHMM_VPN(1), flight(1));
}
END_TEST

START_TEST(test_shadow_change_of_another_page_dies)
{
	struct uhmm_store store;

	setup(&store);
	must_set(&store, 1, 1, flight(1));
	uhmm_shadow_change(&store, 1, UHMM_VPN(1),
			   uhmm_softleaf_from_dpfn(must_alloc(&store), true));
}
END_TEST

/* At each change: is what the table says in the reverse map already? */
static struct uhmm_store *traced;
static unsigned int ntraced;

static bool is_mapped_at(uhmm_softleaf_t leaf, uint32_t slot, uhmm_vpn_t vpn)
{
	uhmm_dpfn_t dpfn = uhmm_softleaf_to_dpfn(leaf);
	struct uhmm_mapping m;

	for (uint32_t n = 0; uhmm_page_mapping(traced, dpfn, n, &m); n++)
		if (m.mm == slot && m.vpn.val == vpn.val)
			return true;
	return false;
}

static void trace_order(uint32_t slot, uhmm_vpn_t vpn, uhmm_softleaf_t old,
			uhmm_softleaf_t leaf)
{
	unit_expect(uhmm_softleaf_same(uhmm_shadow_get(traced, slot, vpn),
				       leaf));
	unit_expect(!uhmm_softleaf_same(old, leaf));
	if (uhmm_softleaf_has_dpfn(old))
		unit_expect(is_mapped_at(old, slot, vpn));
	if (uhmm_softleaf_has_dpfn(leaf))
		unit_expect(is_mapped_at(leaf, slot, vpn));
	ntraced++;
}

START_TEST(test_shadow_set_gains_before_and_loses_after)
{
	struct uhmm_store store;
	uhmm_dpfn_t a, b;

	setup(&store);
	traced = &store;
	uhmm_shadow_trace = trace_order;
	a = must_alloc(&store);
	b = must_alloc(&store);
	must_set(&store, 1, 5, uhmm_softleaf_from_dpfn(a, true));
	must_set(&store, 1, 5, uhmm_softleaf_from_dpfn(b, true));
	must_set(&store, 1, 5, uhmm_softleaf_from_dpfn(b, true));
	must_set(&store, 1, 5, uhmm_softleaf_from_dpfn(b, false));
	uhmm_shadow_clear(&store, 1, UHMM_VPN(5));
	uhmm_shadow_trace = NULL;
	ck_assert_uint_eq(ntraced, 4);
	unit_store_fini(&store);
}
END_TEST

/*
 * Model: three mms, each a window of pages in four stretches far apart, and
 * how many entries hold each device page.
 */
#define NVPNS 1024

struct model {
	uhmm_softleaf_t leaf[4][NVPNS];
	uint32_t held[NPAGES];
	bool allocated[NPAGES];
	uint32_t nallocated, nmapped;
};

static uint64_t vpn_of(unsigned int i)
{
	return ((uint64_t)(i / 256) << 40) + 400 + i % 256;
}

static unsigned int page_of(uhmm_softleaf_t leaf)
{
	return (unsigned int)(uhmm_softleaf_to_dpfn(leaf).val - FIRST);
}

static void model_store(struct model *m, uint32_t slot, unsigned int i,
			uhmm_softleaf_t leaf)
{
	uhmm_softleaf_t old = m->leaf[slot][i];

	m->leaf[slot][i] = leaf;
	if (uhmm_softleaf_has_dpfn(leaf) && !m->held[page_of(leaf)]++)
		m->nmapped++;
	if (uhmm_softleaf_has_dpfn(old) && !--m->held[page_of(old)]) {
		m->nmapped--;
		m->nallocated--;
		m->allocated[page_of(old)] = false;
	}
}

static void model_alloc(struct uhmm_store *store, struct model *m)
{
	uhmm_dpfn_t dpfn;

	if (uhmm_page_alloc(store, 1, 0, &dpfn)) {
		unit_expect(m->nallocated == NPAGES);
		return;
	}
	unit_expect(!m->allocated[dpfn.val - FIRST]);
	m->allocated[dpfn.val - FIRST] = true;
	m->nallocated++;
}

/* An entry of a random kind; of a page that is allocated, if of any. */
static uhmm_softleaf_t random_leaf(const struct model *m,
				   struct unit_random *r)
{
	unsigned int type = (unsigned int)unit_below(r, UHMM_NR_SOFTLEAF_TYPES);
	unsigned int page = (unsigned int)unit_below(r, NPAGES);
	uhmm_softleaf_t leaf = uhmm_softleaf_mk(type, type ? FIRST + page : 0);

	/* few pages, so that some have many mappings */
	if (uhmm_softleaf_has_dpfn(leaf) && unit_below(r, 2))
		leaf = uhmm_softleaf_mk(type, FIRST + page % 8);
	if (uhmm_softleaf_has_dpfn(leaf) && !m->allocated[page_of(leaf)])
		return uhmm_softleaf_none();
	return type ? uhmm_softleaf_with_bits(leaf, (unsigned int)
						    unit_below(r, 16)) :
		      leaf;
}

static void try_set(struct uhmm_store *store, struct model *m,
		    struct unit_random *r)
{
	uint32_t slot = 1 + (uint32_t)unit_below(r, 3);
	unsigned int i = (unsigned int)unit_below(r, NVPNS);
	uhmm_softleaf_t leaf = random_leaf(m, r), old = m->leaf[slot][i];
	int rc = uhmm_shadow_set(store, slot, UHMM_VPN(vpn_of(i)), leaf);

	if (rc) {
		unit_expect(rc == -ENOMEM && !uhmm_softleaf_is_none(leaf));
		unit_expect(uhmm_softleaf_is_none(old) ||
			    m->held[page_of(leaf)] > 0);
	} else {
		model_store(m, slot, i, leaf);
	}
	unit_expect(uhmm_softleaf_same(
		uhmm_shadow_get(store, slot, UHMM_VPN(vpn_of(i))),
		m->leaf[slot][i]));
}

static void try_change(struct uhmm_store *store, struct model *m,
		       struct unit_random *r)
{
	uint32_t slot = 1 + (uint32_t)unit_below(r, 3);
	unsigned int i = (unsigned int)unit_below(r, NVPNS);
	uhmm_softleaf_t leaf = m->leaf[slot][i];

	if (!uhmm_softleaf_has_dpfn(leaf))
		return;
	leaf = uhmm_softleaf_mk_migration_from_dpfn(
		uhmm_softleaf_to_dpfn(leaf), unit_below(r, 2));
	uhmm_shadow_change(store, slot, UHMM_VPN(vpn_of(i)), leaf);
	model_store(m, slot, i, leaf);
}

static void try_move(struct uhmm_store *store, struct model *m,
		     struct unit_random *r)
{
	uint32_t slot = 1 + (uint32_t)unit_below(r, 3);
	unsigned int npages = (unsigned int)unit_below(r, 100);
	unsigned int from = (unsigned int)unit_below(r, 256 - npages) +
			    256 * (unsigned int)unit_below(r, 4);
	unsigned int to = (unsigned int)unit_below(r, 256 - npages) +
			  256 * (unsigned int)unit_below(r, 4);
	uhmm_softleaf_t none = uhmm_softleaf_none(), leaf[100];
	int rc = uhmm_shadow_move(store, slot, UHMM_VPN(vpn_of(from)),
				  UHMM_VPN(vpn_of(to)), npages);

	memcpy(leaf, &m->leaf[slot][from], npages * sizeof(leaf[0]));
	if (rc || from != to)
		for (unsigned int i = 0; i < npages; i++)
			if (rc || to + i < from || to + i >= from + npages)
				model_store(m, slot, to + i, none);
	if (rc) {
		unit_expect(rc == -ENOMEM);
		for (unsigned int i = 0; i < npages; i++)
			model_store(m, slot, from + i, none);
		return;
	}
	/* no count changes: a page held at the old place is at the new one */
	memset(&m->leaf[slot][from], 0, npages * sizeof(leaf[0]));
	memcpy(&m->leaf[slot][to], leaf, npages * sizeof(leaf[0]));
}

static void compare_next(const struct uhmm_store *store,
			 const struct model *m, struct unit_random *r)
{
	uint32_t slot = 1 + (uint32_t)unit_below(r, 3);
	unsigned int i = (unsigned int)unit_below(r, NVPNS);
	uhmm_vpn_t vpn = UHMM_VPN(vpn_of(i));
	uhmm_softleaf_t leaf;
	bool found = uhmm_shadow_next(store, slot, &vpn,
				      UHMM_VPN(UINT64_MAX), &leaf);

	while (i < NVPNS && uhmm_softleaf_is_none(m->leaf[slot][i]))
		i++;
	unit_expect(found == (i < NVPNS));
	unit_expect(!found || (vpn.val == vpn_of(i) &&
			       uhmm_softleaf_same(leaf, m->leaf[slot][i])));
}

static void compare_all(const struct uhmm_store *store, const struct model *m)
{
	for (uint32_t slot = 1; slot <= 3; slot++) {
		uint64_t count = 0;

		for (unsigned int i = 0; i < NVPNS; i++) {
			uhmm_vpn_t vpn = UHMM_VPN(vpn_of(i));

			count += !uhmm_softleaf_is_none(m->leaf[slot][i]);
			unit_expect(uhmm_softleaf_same(
				uhmm_shadow_get(store, slot, vpn),
				m->leaf[slot][i]));
		}
		unit_expect(count == uhmm_shadow_count(store, slot));
	}
	for (unsigned int page = 0; page < NPAGES; page++) {
		uhmm_dpfn_t dpfn = UHMM_DPFN(FIRST + page);

		unit_expect(uhmm_page_mapcount(store, dpfn) == m->held[page]);
		unit_expect((uhmm_page_state(store, dpfn) !=
			     UHMM_PAGE_FREE) == m->allocated[page]);
	}
	must_check(store, m->nallocated - m->nmapped);
}

START_TEST(test_shadow_like_model)
{
	struct unit_random r = unit_random(11);
	static struct model m;
	struct uhmm_store store;

	setup(&store);
	for (int op = 0; op < 100000; op++) {
		uint64_t what = unit_below(&r, 100);

		if (what < 20)
			model_alloc(&store, &m);
		else if (what < 80)
			try_set(&store, &m, &r);
		else if (what < 98)
			try_change(&store, &m, &r);
		else
			try_move(&store, &m, &r);
		compare_next(&store, &m, &r);
		if (op % 100 == 0)
			compare_all(&store, &m);
	}
	for (uint32_t slot = 1; slot <= 3; slot++)
		uhmm_shadow_fini(&store, slot);
	must_check(&store, m.nallocated - m.nmapped);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 0);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_RMAP), 0);
	unit_store_fini(&store);
}
END_TEST

UNIT_MAIN("shadow", UNIT_TEST(test_shadow_set_life_of_a_page),
	  UNIT_TEST(test_shadow_set_of_another_page),
	  UNIT_TEST(test_shadow_set_without_nodes_changes_nothing),
	  UNIT_TEST(test_shadow_set_without_chain_objects_changes_nothing),
	  UNIT_TEST(test_shadow_set_beyond_the_last_page),
	  UNIT_TABLE(test_shadow_move_each_case, move_cases),
	  UNIT_TEST(test_shadow_move_without_nodes_drops_both),
	  UNIT_DEATH(test_shadow_change_of_none_dies),
	  UNIT_DEATH(test_shadow_change_of_another_page_dies),
	  UNIT_TEST(test_shadow_set_gains_before_and_loses_after),
	  UNIT_TEST(test_shadow_like_model))
