/* SPDX-License-Identifier: MIT */
/* test_dpfn.c - src/mm/dpfn.c */
#include "mm/dpfn.h"

#include <errno.h>

#include "mm/page.h"
#include "unit.h"

#define UNIT UHMM_UNIT_NPAGES
#define NUNITS 64		/* of the whole space, the first is nobody's */
#define NRANGES 20

static const struct uhmm_store_limits small = {
	.dpfns = NUNITS * UNIT,
	.objects = { 1, 1, 1, NRANGES, 1 },
};

static const uint8_t owner[16] = "owner of a range";

static int64_t reserve(struct uhmm_store *store, uint64_t npages)
{
	return uhmm_dpfn_reserve(store, npages, owner, 1);
}

static uint64_t start_of(const struct uhmm_store *store, int64_t range)
{
	ck_assert_int_gt(range, 0);
	return uhmm_dpfn_range(store, (uint32_t)range)->start;
}

static const struct {
	uint64_t npages;
	int want;		/* 0: a range */
} reserve_cases[] = {
	{ 0, -EINVAL },
	{ 1, 0 },
	{ UNIT, 0 },
	{ UNIT + 1, 0 },
	{ (NUNITS - 1) * UNIT, 0 },
	{ (NUNITS - 1) * UNIT + 1, -ENOSPC },
	{ UINT64_C(1) << 40, -ENOSPC },
	{ UINT64_MAX - 4096, -ENOSPC },
	{ UINT64_MAX - 510, -EINVAL },
	{ UINT64_MAX, -EINVAL },
};

/* S1.2 */
START_TEST(test_dpfn_reserve_each_size)
{
	uint64_t npages = reserve_cases[_i].npages;
	const struct uhmm_dpfn_range *r;
	struct uhmm_store store;
	int64_t got;

	unit_store_init(&store, &small);
	got = reserve(&store, npages);
	if (reserve_cases[_i].want) {
		ck_assert_int_eq(got, reserve_cases[_i].want);
		ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_RANGE), 0);
	} else {
		ck_assert_int_gt(got, 0);
		r = uhmm_dpfn_range(&store, (uint32_t)got);
		ck_assert_uint_eq(r->start, UNIT);
		ck_assert_uint_eq(r->npages, npages);
		ck_assert_uint_eq(r->used | r->peak, 0);
		ck_assert_mem_eq(r->owner, owner, sizeof(owner));
	}
	unit_store_fini(&store);
}
END_TEST

/* S1.3 */
START_TEST(test_dpfn_lookup_at_the_edges)
{
	struct uhmm_store store;
	uint32_t a, b;

	unit_store_init(&store, &small);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(UNIT)), 0);
	a = (uint32_t)reserve(&store, UNIT + 1);
	b = (uint32_t)reserve(&store, UNIT);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(0)), 0);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(UNIT - 1)), 0);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(UNIT)), a);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(2 * UNIT)), a);
	/* between two ranges, in the unit that the first has begun */
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(2 * UNIT + 1)),
			  0);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(3 * UNIT)), b);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(4 * UNIT - 1)),
			  b);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(4 * UNIT)), 0);
	ck_assert_uint_eq(uhmm_dpfn_lookup(&store, UHMM_DPFN(UINT64_MAX)), 0);
	unit_store_fini(&store);
}
END_TEST

/* S1.1 */
START_TEST(test_dpfn_reserve_is_next_fit)
{
	uint64_t last = 0, first_again;
	struct uhmm_store store;
	int64_t range;

	unit_store_init(&store, &small);
	/* a number given back comes round only after all others */
	for (int i = 1; i < NUNITS; i++) {
		range = reserve(&store, UNIT);
		ck_assert_uint_gt(start_of(&store, range), last);
		last = start_of(&store, range);
		ck_assert_int_eq(uhmm_dpfn_release(&store, (uint32_t)range),
				 0);
	}
	first_again = start_of(&store, reserve(&store, UNIT));
	ck_assert_uint_eq(first_again, UNIT);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_dpfn_reserve_wraps_into_a_gap_at_the_cursor)
{
	struct uhmm_store store;
	int64_t a, b;

	unit_store_init(&store, &small);
	a = reserve(&store, 40 * UNIT);
	ck_assert_int_eq(uhmm_dpfn_release(&store, (uint32_t)a), 0);
	/* behind the cursor there are 23 units, in all 63 */
	b = reserve(&store, 50 * UNIT);
	ck_assert_uint_eq(start_of(&store, b), UNIT);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_dpfn_reserve_until_the_slab_is_full)
{
	struct uhmm_store store;

	unit_store_init(&store, &small);
	for (int i = 0; i < NRANGES; i++)
		ck_assert_int_gt(reserve(&store, 1), 0);
	ck_assert_int_eq(reserve(&store, 1), -ENOSPC);
	ck_assert_int_eq(uhmm_dpfn_release(&store, 3), 0);
	ck_assert_int_gt(reserve(&store, 1), 0);
	unit_store_fini(&store);
}
END_TEST

/* S1.1 */
START_TEST(test_dpfn_generation_tells_reservations_apart)
{
	struct uhmm_store store;
	uint32_t range, before;

	unit_store_init(&store, &small);
	range = (uint32_t)reserve(&store, 1);
	before = uhmm_dpfn_range(&store, range)->generation;
	ck_assert_int_eq(uhmm_dpfn_release(&store, range), 0);
	ck_assert_uint_eq(reserve(&store, 1), range);
	ck_assert_uint_ne(uhmm_dpfn_range(&store, range)->generation, before);
	unit_store_fini(&store);
}
END_TEST

/* S1.1 */
START_TEST(test_dpfn_release_refusals)
{
	struct uhmm_store store;
	uhmm_dpfn_t dpfn;
	uint32_t range;

	unit_store_init(&store, &small);
	ck_assert_int_eq(uhmm_dpfn_release(&store, 0), -EINVAL);
	ck_assert_int_eq(uhmm_dpfn_release(&store, 1), -EINVAL);
	ck_assert_int_eq(uhmm_dpfn_release(&store, UINT32_MAX), -EINVAL);
	range = (uint32_t)reserve(&store, 1);
	ck_assert_int_eq(uhmm_page_alloc(&store, range, 0, &dpfn), 0);
	ck_assert_int_eq(uhmm_dpfn_release(&store, range), -EBUSY);
	uhmm_page_free(&store, dpfn);
	ck_assert_int_eq(uhmm_dpfn_release(&store, range), 0);
	ck_assert_int_eq(uhmm_dpfn_release(&store, range), -EINVAL);
	unit_store_fini(&store);
}
END_TEST

/* Model: which range holds each number; 0: none. */
struct model {
	uint32_t holder[NUNITS * UNIT];
	uint32_t units[NUNITS];
};

static uint64_t longest_gap(const struct model *m)
{
	uint64_t longest = 0, length = 0;

	for (unsigned int unit = 1; unit < NUNITS; unit++) {
		length = m->units[unit] ? 0 : length + 1;
		if (length > longest)
			longest = length;
	}
	return longest;
}

static void mark(struct model *m, uint64_t start, uint64_t npages,
		 uint32_t from, uint32_t to)
{
	for (uint64_t i = start; i < start + npages; i++) {
		unit_expect(m->holder[i] == from);
		m->holder[i] = to;
	}
	for (uint64_t i = start / UNIT; i * UNIT < start + npages; i++) {
		unit_expect(m->units[i] == from);
		m->units[i] = to;
	}
}

static void try_reserve(struct uhmm_store *store, struct model *m,
			uint64_t npages)
{
	int64_t range = reserve(store, npages);

	if (range > 0) {
		mark(m, start_of(store, range), npages, 0, (uint32_t)range);
		return;
	}
	ck_assert_int_eq(range, -ENOSPC);
	ck_assert(longest_gap(m) * UNIT < npages ||
		  uhmm_slab_used(store, UHMM_SLAB_RANGE) == NRANGES);
}

static void try_release(struct uhmm_store *store, struct model *m,
			uint32_t range)
{
	struct uhmm_dpfn_range r;

	if (!uhmm_slab_has(store, UHMM_SLAB_RANGE, range))
		return;
	r = *uhmm_dpfn_range(store, range);
	ck_assert_int_eq(uhmm_dpfn_release(store, range), 0);
	mark(m, r.start, r.npages, range, 0);
}

/* S1.1 */
START_TEST(test_dpfn_like_model)
{
	struct unit_random r = unit_random(7);
	static struct model m;
	struct uhmm_store store;

	unit_store_init(&store, &small);
	for (int op = 0; op < 20000; op++) {
		if (unit_below(&r, 2))
			try_reserve(&store, &m,
				    1 + unit_below(&r, 12 * UNIT));
		else
			try_release(&store, &m,
				    1 + (uint32_t)unit_below(&r, NRANGES));
		for (int i = 0; i < 20; i++) {
			uint64_t dpfn = unit_below(&r, NUNITS * UNIT);

			unit_expect(uhmm_dpfn_lookup(&store,
						     UHMM_DPFN(dpfn)) ==
				    m.holder[dpfn]);
		}
	}
	unit_store_fini(&store);
}
END_TEST

UNIT_MAIN("dpfn", UNIT_TABLE(test_dpfn_reserve_each_size, reserve_cases),
	  UNIT_TEST(test_dpfn_lookup_at_the_edges),
	  UNIT_TEST(test_dpfn_reserve_is_next_fit),
	  UNIT_TEST(test_dpfn_reserve_wraps_into_a_gap_at_the_cursor),
	  UNIT_TEST(test_dpfn_reserve_until_the_slab_is_full),
	  UNIT_TEST(test_dpfn_generation_tells_reservations_apart),
	  UNIT_TEST(test_dpfn_release_refusals),
	  UNIT_TEST(test_dpfn_like_model))
