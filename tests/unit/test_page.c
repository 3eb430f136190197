/* SPDX-License-Identifier: MIT */
/* test_page.c - src/mm/page.c, against plain arrays */
#include "mm/page.h"

#include <errno.h>

#include "mm/dpfn.h"
#include "unit.h"

#define UNIT UHMM_UNIT_NPAGES
#define NUNITS 8
#define NPAGES (NUNITS * UNIT - 100)	/* the last unit is cut */
#define NRMAPS 60

static const struct uhmm_store_limits small = {
	.dpfns = (NUNITS + 4) * UNIT,
	.objects = { 1, NRMAPS, 1, 2, 1 },
};

static const uint8_t owner[16];

/* A store with one range, whose first page is number UNIT. */
static uint32_t setup(struct uhmm_store *store, uint64_t npages)
{
	unit_store_init(store, &small);
	return (uint32_t)uhmm_dpfn_reserve(store, npages, owner, 1);
}

static uhmm_dpfn_t must_alloc(struct uhmm_store *store, uint32_t range,
			      unsigned int order)
{
	uhmm_dpfn_t dpfn = { 0 };

	unit_expect(uhmm_page_alloc(store, range, order, &dpfn) == 0);
	return dpfn;
}

static struct uhmm_mapping at(uint32_t mm, uint64_t vpn)
{
	return (struct uhmm_mapping){ .mm = mm, .vpn = UHMM_VPN(vpn) };
}

START_TEST(test_page_alloc_lowest_first)
{
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);

	for (uint64_t i = 0; i < 3 * UNIT; i++)
		unit_expect(must_alloc(&store, range, 0).val == UNIT + i);
	uhmm_page_free(&store, UHMM_DPFN(UNIT + 700));
	uhmm_page_free(&store, UHMM_DPFN(UNIT + 5));
	ck_assert_uint_eq(must_alloc(&store, range, 0).val, UNIT + 5);
	ck_assert_uint_eq(must_alloc(&store, range, 0).val, UNIT + 700);
	ck_assert_uint_eq(must_alloc(&store, range, 0).val, UNIT + 3 * UNIT);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_alloc_keeps_units_whole)
{
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	uhmm_dpfn_t unit, base;

	/* unit 1 is begun, then unit 0 becomes free: 1 is gone on with */
	unit = must_alloc(&store, range, UHMM_UNIT_ORDER);
	base = must_alloc(&store, range, 0);
	ck_assert_uint_eq(unit.val, UNIT);
	ck_assert_uint_eq(base.val, 2 * UNIT);
	for (uint64_t i = 0; i < UNIT; i++)
		uhmm_page_free(&store, UHMM_DPFN(unit.val + i));
	ck_assert_uint_eq(must_alloc(&store, range, 0).val, base.val + 1);
	ck_assert_uint_eq(must_alloc(&store, range, UHMM_UNIT_ORDER).val,
			  unit.val);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_alloc_uses_the_cut_unit)
{
	struct uhmm_store store;
	uint32_t range = setup(&store, UNIT + 3);
	uhmm_dpfn_t dpfn;

	ck_assert_uint_eq(must_alloc(&store, range, UHMM_UNIT_ORDER).val,
			  UNIT);
	ck_assert_int_eq(uhmm_page_alloc(&store, range, UHMM_UNIT_ORDER,
					 &dpfn), -ENOMEM);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_uint_eq(must_alloc(&store, range, 0).val,
				  2 * UNIT + i);
	ck_assert_int_eq(uhmm_page_alloc(&store, range, 0, &dpfn), -ENOMEM);
	ck_assert_uint_eq(uhmm_dpfn_range(&store, range)->used, UNIT + 3);
	/* full behind, but a page in front comes free */
	uhmm_page_free(&store, UHMM_DPFN(UNIT + 9));
	ck_assert_uint_eq(must_alloc(&store, range, 0).val, UNIT + 9);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_alloc_stays_in_its_range)
{
	struct uhmm_store store;
	uint32_t first = setup(&store, 10), second;
	uhmm_dpfn_t dpfn;

	second = (uint32_t)uhmm_dpfn_reserve(&store, 10, owner, 1);
	for (int i = 0; i < 10; i++) {
		dpfn = must_alloc(&store, first, 0);
		unit_expect(uhmm_dpfn_lookup(&store, dpfn) == first);
		dpfn = must_alloc(&store, second, 0);
		unit_expect(uhmm_dpfn_lookup(&store, dpfn) == second);
	}
	ck_assert_int_eq(uhmm_page_alloc(&store, first, 0, &dpfn), -ENOMEM);
	ck_assert_int_eq(uhmm_page_alloc(&store, second, 0, &dpfn), -ENOMEM);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_alloc_refuses_nonsense)
{
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	uhmm_dpfn_t dpfn;

	ck_assert_int_eq(uhmm_page_alloc(&store, 0, 0, &dpfn), -EINVAL);
	ck_assert_int_eq(uhmm_page_alloc(&store, range + 1, 0, &dpfn),
			 -EINVAL);
	ck_assert_int_eq(uhmm_page_alloc(&store, range, 1, &dpfn), -EINVAL);
	ck_assert_int_eq(uhmm_page_alloc(&store, range, 10, &dpfn), -EINVAL);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_state_of_any_number)
{
	static const uint64_t numbers[] = { 0, 1, UNIT - 1, UNIT + 1,
					    (NUNITS + 4) * UNIT, UINT64_MAX };
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	uhmm_dpfn_t dpfn = must_alloc(&store, range, 0);

	for (size_t i = 0; i < UNIT_COUNT(numbers); i++)
		ck_assert_int_eq(uhmm_page_state(&store,
						 UHMM_DPFN(numbers[i])),
				 UHMM_PAGE_FREE);
	ck_assert_int_eq(uhmm_page_state(&store, dpfn), UHMM_PAGE_ALLOCATED);
	ck_assert_int_eq(uhmm_page_map(&store, dpfn, at(1, 5)), 0);
	ck_assert_int_eq(uhmm_page_state(&store, dpfn), UHMM_PAGE_MAPPED);
	ck_assert(uhmm_page_unmap(&store, dpfn, at(1, 5)));
	ck_assert_int_eq(uhmm_page_state(&store, dpfn), UHMM_PAGE_FREE);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_map_keeps_all_bits)
{
	struct uhmm_mapping max = at(65535, (UINT64_C(1) << 45) - 1), got;
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	uhmm_dpfn_t dpfn = must_alloc(&store, range, 0);

	ck_assert_int_eq(uhmm_page_map(&store, dpfn, max), 0);
	ck_assert(uhmm_page_mapping(&store, dpfn, 0, &got));
	ck_assert_uint_eq(got.mm, max.mm);
	ck_assert_uint_eq(got.vpn.val, max.vpn.val);
	ck_assert_int_eq(uhmm_page_map(&store, dpfn, at(1, 0)), 0);
	ck_assert(uhmm_page_mapping(&store, dpfn, 1, &got));
	ck_assert_uint_eq(got.mm, max.mm);
	ck_assert_uint_eq(got.vpn.val, max.vpn.val);
	ck_assert(!uhmm_page_unmap(&store, dpfn, at(1, 0)));
	ck_assert(uhmm_page_unmap(&store, dpfn, max));
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_RMAP), 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_map_without_chain_objects)
{
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES), n = 0;
	uhmm_dpfn_t dpfn = must_alloc(&store, range, 0);
	uhmm_dpfn_t other = must_alloc(&store, range, 0);

	while (uhmm_page_map(&store, dpfn, at(1, n)) == 0)
		n++;
	ck_assert_uint_eq(n, NRMAPS);
	ck_assert_uint_eq(uhmm_page_mapcount(&store, dpfn), NRMAPS);
	/* a first mapping needs none */
	ck_assert_int_eq(uhmm_page_map(&store, other, at(2, 0)), 0);
	ck_assert_int_eq(uhmm_page_map(&store, other, at(2, 1)), -ENOMEM);
	ck_assert_uint_eq(uhmm_page_mapcount(&store, other), 1);
	while (n--)
		ck_assert(uhmm_page_unmap(&store, dpfn, at(1, n)) == !n);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_RMAP), 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_remap_each_of_three)
{
	struct uhmm_mapping got;
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	uhmm_dpfn_t dpfn = must_alloc(&store, range, 0);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 3; i++) {
		ck_assert_int_eq(uhmm_page_map(&store, dpfn, at(1, i)), 0);
		uhmm_page_remap(&store, dpfn, at(1, i), at(2, 100 + i));
		uhmm_page_remap(&store, dpfn, at(2, 100), at(2, 100));
	}
	for (uint32_t n = 0; uhmm_page_mapping(&store, dpfn, n, &got); n++) {
		ck_assert_uint_eq(got.mm, 2);
		sum += got.vpn.val;
	}
	ck_assert_uint_eq(sum, 303);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_page_map_of_free_dies)
{
	struct uhmm_store store;

	setup(&store, NPAGES);
	if (uhmm_page_map(&store, UHMM_DPFN(UNIT), at(1, 1)))
		return;
}
END_TEST

START_TEST(test_page_free_of_mapped_dies)
{
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	uhmm_dpfn_t dpfn = must_alloc(&store, range, 0);

	if (uhmm_page_map(&store, dpfn, at(1, 1)))
		return;
	uhmm_page_free(&store, dpfn);
}
END_TEST

START_TEST(test_page_unmap_of_another_dies)
{
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	uhmm_dpfn_t dpfn = must_alloc(&store, range, 0);

	if (uhmm_page_map(&store, dpfn, at(1, 1)))
		return;
	uhmm_page_unmap(&store, dpfn, at(1, 2));
}
END_TEST

/* Model: state of each page, and a list of mappings. */
#define MAX_MAPPINGS 4096

struct model {
	enum uhmm_page_state state[NPAGES];
	uint32_t mapcount[NPAGES];
	uint32_t free_in[NUNITS];
	struct {
		uint32_t page;
		struct uhmm_mapping at;
	} mapping[MAX_MAPPINGS];
	uint32_t nmappings, rmaps;
	uint64_t used, peak, next_vpn;
};

static uint32_t pages_in(unsigned int unit)
{
	return unit == NUNITS - 1 ? NPAGES % UNIT : UNIT;
}

static void set_state(struct model *m, uint32_t page,
		      enum uhmm_page_state state)
{
	bool was = m->state[page] != UHMM_PAGE_FREE;
	bool is = state != UHMM_PAGE_FREE;

	m->state[page] = state;
	m->free_in[page / UNIT] += was;
	m->free_in[page / UNIT] -= is;
	m->used += is;
	m->used -= was;
	if (m->peak < m->used)
		m->peak = m->used;
}

static void model_init(struct model *m)
{
	for (unsigned int unit = 0; unit < NUNITS; unit++)
		m->free_in[unit] = pages_in(unit);
}

/* What uhmm_page_alloc() should give: a page; NPAGES: none. */
static uint32_t model_pick(const struct model *m, unsigned int order)
{
	for (unsigned int unit = 0; unit < NUNITS && !order; unit++) {
		uint32_t page = unit * UNIT;

		if (!m->free_in[unit] || m->free_in[unit] == pages_in(unit))
			continue;
		while (m->state[page] != UHMM_PAGE_FREE)
			page++;
		return page;
	}
	for (unsigned int unit = 0; unit < NUNITS; unit++)
		if (m->free_in[unit] == pages_in(unit) &&
		    (!order || pages_in(unit) == UNIT))
			return unit * UNIT;
	return NPAGES;
}

static void try_alloc(struct uhmm_store *store, struct model *m,
		      uint32_t range, unsigned int order)
{
	uint32_t want = model_pick(m, order);
	uhmm_dpfn_t dpfn = UHMM_DPFN(7);
	int rc = uhmm_page_alloc(store, range, order, &dpfn);

	unit_expect(rc == (want < NPAGES ? 0 : -ENOMEM));
	if (rc) {
		unit_expect(dpfn.val == 7);
		return;
	}
	unit_expect(dpfn.val == UNIT + want);
	for (uint32_t i = 0; i < 1u << order; i++)
		set_state(m, want + i, UHMM_PAGE_ALLOCATED);
}

static void try_free(struct uhmm_store *store, struct model *m, uint32_t page)
{
	if (m->state[page] != UHMM_PAGE_ALLOCATED)
		return;
	uhmm_page_free(store, UHMM_DPFN(UNIT + page));
	set_state(m, page, UHMM_PAGE_FREE);
}

/* Chain objects that @n mappings take. */
static uint32_t rmaps_of(uint32_t n)
{
	return n > 1 ? n : 0;
}

static void recount(struct model *m, uint32_t page, uint32_t n)
{
	m->rmaps -= rmaps_of(m->mapcount[page]);
	m->mapcount[page] = n;
	m->rmaps += rmaps_of(n);
	set_state(m, page, n ? UHMM_PAGE_MAPPED : UHMM_PAGE_FREE);
}

static void try_map(struct uhmm_store *store, struct model *m, uint32_t page)
{
	struct uhmm_mapping here = at(1 + page % 3, m->next_vpn++);
	uint32_t n = m->mapcount[page];
	uint32_t need = rmaps_of(n + 1) - rmaps_of(n);
	int rc;

	if (m->state[page] == UHMM_PAGE_FREE || m->nmappings == MAX_MAPPINGS)
		return;
	rc = uhmm_page_map(store, UHMM_DPFN(UNIT + page), here);
	unit_expect(rc == (m->rmaps + need > NRMAPS ? -ENOMEM : 0));
	if (rc)
		return;
	recount(m, page, n + 1);
	m->mapping[m->nmappings].page = page;
	m->mapping[m->nmappings++].at = here;
}

static void unmap_nth(struct uhmm_store *store, struct model *m, uint32_t n)
{
	uint32_t page = m->mapping[n].page;
	bool freed = uhmm_page_unmap(store, UHMM_DPFN(UNIT + page),
				     m->mapping[n].at);

	unit_expect(freed == (m->mapcount[page] == 1));
	recount(m, page, m->mapcount[page] - 1);
	m->mapping[n] = m->mapping[--m->nmappings];
}

static void remap_nth(struct uhmm_store *store, struct model *m, uint32_t n)
{
	struct uhmm_mapping to = at(9, m->next_vpn++);

	uhmm_page_remap(store, UHMM_DPFN(UNIT + m->mapping[n].page),
			m->mapping[n].at, to);
	m->mapping[n].at = to;
}

/* A sum over the mappings of a page that tells sets of them apart. */
static uint64_t digest(struct uhmm_mapping here)
{
	return (here.vpn.val * 31 + here.mm) * UINT64_C(0x9e3779b97f4a7c15);
}

static void compare_page(const struct uhmm_store *store,
			 const struct model *m, uint32_t page)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(UNIT + page);
	struct uhmm_mapping here;
	uint64_t want = 0, got = 0;
	uint32_t n = 0;

	unit_expect(uhmm_page_state(store, dpfn) == m->state[page]);
	unit_expect(uhmm_page_mapcount(store, dpfn) == m->mapcount[page]);
	for (uint32_t i = 0; i < m->nmappings; i++)
		if (m->mapping[i].page == page)
			want += digest(m->mapping[i].at);
	while (uhmm_page_mapping(store, dpfn, n, &here)) {
		got += digest(here);
		n++;
	}
	unit_expect(n == m->mapcount[page] && got == want);
}

static void compare_next(const struct uhmm_store *store,
			 const struct model *m, uint32_t page, uint32_t end)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(UNIT + page);
	bool found = uhmm_page_next(store, &dpfn, UHMM_DPFN(UNIT + end));

	while (page < end && m->state[page] == UHMM_PAGE_FREE)
		page++;
	unit_expect(found == (page < end));
	unit_expect(!found || dpfn.val == UNIT + page);
}

static void one_op(struct uhmm_store *store, struct model *m, uint32_t range,
		   struct unit_random *r, bool grow)
{
	uint32_t page = (uint32_t)unit_below(r, NPAGES);
	uint64_t what = unit_below(r, 100);

	if (what < (grow ? 40 : 10))
		try_alloc(store, m, range, 0);
	else if (what < (grow ? 42 : 11))
		try_alloc(store, m, range, UHMM_UNIT_ORDER);
	else if (what < 60)
		try_free(store, m, page);
	else if (what < 85)
		try_map(store, m, page % (what & 1 ? NPAGES : 40));
	else if (m->nmappings && what < 95)
		unmap_nth(store, m, (uint32_t)unit_below(r, m->nmappings));
	else if (m->nmappings)
		remap_nth(store, m, (uint32_t)unit_below(r, m->nmappings));
}

START_TEST(test_page_like_model)
{
	struct unit_random r = unit_random(3);
	static struct model m;
	struct uhmm_store store;
	uint32_t range = setup(&store, NPAGES);
	const struct uhmm_dpfn_range *info = uhmm_dpfn_range(&store, range);

	model_init(&m);
	for (int op = 0; op < 100000; op++) {
		uint32_t page = (uint32_t)unit_below(&r, NPAGES);

		one_op(&store, &m, range, &r, op / 10000 % 2 == 0);
		compare_next(&store, &m, page,
			     page + (uint32_t)unit_below(&r, NPAGES - page +
								1));
		if (op % 16 == 0)
			compare_page(&store, &m, page % (op & 16 ? NPAGES :
								   40));
		unit_expect(info->used == m.used && info->peak == m.peak);
		unit_expect(uhmm_slab_used(&store, UHMM_SLAB_RMAP) ==
			    m.rmaps);
	}
	unit_store_fini(&store);
}
END_TEST

UNIT_MAIN("page", UNIT_TEST(test_page_alloc_lowest_first),
	  UNIT_TEST(test_page_alloc_keeps_units_whole),
	  UNIT_TEST(test_page_alloc_uses_the_cut_unit),
	  UNIT_TEST(test_page_alloc_stays_in_its_range),
	  UNIT_TEST(test_page_alloc_refuses_nonsense),
	  UNIT_TEST(test_page_state_of_any_number),
	  UNIT_TEST(test_page_map_keeps_all_bits),
	  UNIT_TEST(test_page_map_without_chain_objects),
	  UNIT_TEST(test_page_remap_each_of_three),
	  UNIT_DEATH(test_page_map_of_free_dies),
	  UNIT_DEATH(test_page_free_of_mapped_dies),
	  UNIT_DEATH(test_page_unmap_of_another_dies),
	  UNIT_TEST(test_page_like_model))
