/* SPDX-License-Identifier: MIT */
/* test_unit.c - src/mm/unit.c, and what check.c and repair.c know of units */
#include "mm/unit.h"

#include <errno.h>
#include <string.h>

#include <uhmm/device_private.h>

#include "mm/check.h"
#include "mm/dpfn.h"
#include "mm/page.h"
#include "mm/repair.h"
#include "unit.h"

#define N UHMM_UNIT_NPAGES
#define SLOT 1

static const struct uhmm_store_limits small = {
	.dpfns = 8192,
	.objects = { 40, 40, 3, 3, 2 },
};

static struct uhmm_store store;

static uhmm_softleaf_t leaf_at(uint64_t vpn)
{
	return uhmm_shadow_get(&store, SLOT, UHMM_VPN(vpn));
}

static void set(uint64_t vpn, uhmm_softleaf_t leaf)
{
	ck_assert_int_eq(uhmm_shadow_set(&store, SLOT, UHMM_VPN(vpn), leaf), 0);
}

static void up(enum uhmm_memory_type kind)
{
	static const uint8_t owner[16];

	unit_store_init(&store, &small);
	ck_assert_int_eq(uhmm_dpfn_reserve(&store, 2048, owner, kind), 1);
	ck_assert_uint_eq(uhmm_slab_alloc(&store, UHMM_SLAB_MM), SLOT);
}

/* 512 entries at @vpn, of a unit of device pages. */
static void map_unit(uint64_t vpn, bool write)
{
	uhmm_dpfn_t dpfn;

	ck_assert_int_eq(uhmm_page_alloc(&store, 1, UHMM_UNIT_ORDER, &dpfn), 0);
	for (uint64_t i = 0; i < N; i++)
		set(vpn + i, uhmm_softleaf_from_dpfn(
				     UHMM_DPFN(dpfn.val + i), write));
}

static bool join(uint64_t vpn)
{
	return uhmm_unit_join(&store, SLOT, UHMM_VPN(vpn));
}

static bool is_unit(uint64_t vpn)
{
	return uhmm_unit_of(&store, SLOT, UHMM_VPN(vpn));
}

static int check(void)
{
	uint64_t unmapped;
	char why[160];

	return uhmm_store_check(&store, &unmapped, why, sizeof(why));
}

/* Entries are dropped, so that no page is left. */
static void down(void)
{
	ck_assert_int_eq(check(), 0);
	uhmm_shadow_fini(&store, SLOT);
	ck_assert_int_eq(check(), 0);
	unit_store_fini(&store);
}

START_TEST(test_join_and_split)
{
	static const uint64_t at[] = { 0, 1, 300, N - 1 };
	uint64_t vpn = 3 * N;

	up(UHMM_MEMORY_DEVICE_PRIVATE);
	map_unit(vpn, true);
	ck_assert(!is_unit(vpn));
	ck_assert(join(vpn));
	ck_assert_int_eq(check(), 0);
	for (uint64_t i = 0; i < N; i++)
		ck_assert(is_unit(vpn + i));
	ck_assert(!is_unit(vpn - 1) && !is_unit(vpn + N));
	ck_assert(!join(vpn));
	uhmm_unit_split(&store, SLOT, UHMM_VPN(vpn + at[_i]));
	ck_assert(!is_unit(vpn));
	ck_assert(join(vpn));
	down();
}
END_TEST

static void odd_write(uint64_t vpn)
{
	uhmm_softleaf_t leaf = leaf_at(vpn);

	uhmm_shadow_change(&store, SLOT, UHMM_VPN(vpn),
			   uhmm_softleaf_from_dpfn(uhmm_softleaf_to_dpfn(leaf),
						   false));
}

static void odd_bits(uint64_t vpn)
{
	uhmm_shadow_change(&store, SLOT, UHMM_VPN(vpn),
			   uhmm_softleaf_with_bits(leaf_at(vpn),
						   UHMM_SOFTLEAF_ZAPPED));
}

static void odd_kind(uint64_t vpn)
{
	uhmm_softleaf_t leaf = leaf_at(vpn);

	uhmm_shadow_change(&store, SLOT, UHMM_VPN(vpn),
			   uhmm_softleaf_mk_migration_from_dpfn(
				   uhmm_softleaf_to_dpfn(leaf), true));
}

static void odd_page(uint64_t vpn)
{
	uhmm_dpfn_t dpfn;

	ck_assert_int_eq(uhmm_page_alloc(&store, 1, 0, &dpfn), 0);
	set(vpn, uhmm_softleaf_from_dpfn(dpfn, true));
}

static void odd_none(uint64_t vpn)
{
	uhmm_shadow_clear(&store, SLOT, UHMM_VPN(vpn));
}

static void (*const odd[])(uint64_t vpn) = { odd_write, odd_bits, odd_kind,
					     odd_page, odd_none };

/* One entry that differs: the first, one in the middle, the last. */
START_TEST(test_join_refuses)
{
	static const uint64_t at[] = { 0, 17, N - 1 };
	uint64_t vpn = N, page = vpn + at[_i % 3];

	up(UHMM_MEMORY_DEVICE_PRIVATE);
	map_unit(vpn, true);
	odd[_i / 3](page);
	ck_assert(!join(vpn));
	ck_assert(!is_unit(vpn));
	down();
}
END_TEST

/* The same done to a unit: it is seen, and mended. */
START_TEST(test_check_and_repair)
{
	static const uint64_t at[] = { 1, 17, N - 1 };
	uint64_t vpn = N, page = vpn + at[_i % 3];

	up(UHMM_MEMORY_DEVICE_PRIVATE);
	map_unit(vpn, true);
	map_unit(vpn + N, true);
	ck_assert(join(vpn) && join(vpn + N));
	odd[_i / 3](page);
	ck_assert_int_eq(check(), -EUCLEAN);
	ck_assert_int_eq(uhmm_store_repair(&store, NULL, NULL), 0);
	ck_assert(!is_unit(vpn));
	ck_assert(is_unit(vpn + N));
	down();
}
END_TEST

START_TEST(test_join_refuses_places)
{
	up(UHMM_MEMORY_DEVICE_PRIVATE);
	map_unit(N + 1, true);		/* not aligned here */
	ck_assert(!join(N) && !join(N + 1));
	odd_page(4 * N);		/* nor there */
	for (uint64_t i = 0; i < N; i++)
		odd_page(5 * N + i);
	ck_assert(!join(5 * N));
	down();
}
END_TEST

START_TEST(test_join_refuses_other_memory)
{
	up(_i ? UHMM_MEMORY_EXCLUSIVE : UHMM_MEMORY_DEVICE_COHERENT);
	map_unit(N, true);
	ck_assert(!join(N));
	down();
}
END_TEST

/* System pages on their way form one, too. */
START_TEST(test_join_of_a_flight)
{
	up(UHMM_MEMORY_DEVICE_PRIVATE);
	for (uint64_t i = 0; i < N; i++)
		set(N + i, uhmm_softleaf_mk_migration_from_flight(N + i, true));
	ck_assert(join(N));
	down();
}
END_TEST

/* S3.4 */
START_TEST(test_split_part)
{
	static const struct {
		uint64_t start, end;	/* of what is changed */
		unsigned int left;	/* units 1, 2, 3 that are so still */
	} parts[] = {
		{ N, 4 * N, 7 }, { N + 1, 4 * N, 6 }, { N, 4 * N - 1, 3 },
		{ N + 1, 4 * N - 1, 2 }, { 2 * N, 2 * N + 1, 5 },
		{ 2 * N + 3, 2 * N + 4, 5 }, { 0, N, 7 }, { 0, N + 1, 6 },
		{ 3 * N - 1, 3 * N + 1, 1 },
	};
	unsigned int left = 0;

	up(UHMM_MEMORY_DEVICE_PRIVATE);
	for (uint64_t i = 1; i < 4; i++) {
		map_unit(i * N, false);
		ck_assert(join(i * N));
	}
	uhmm_unit_split_part(&store, SLOT,
			     (struct uhmm_range){ UHMM_VPN(parts[_i].start),
						  UHMM_VPN(parts[_i].end) });
	for (unsigned int i = 1; i < 4; i++)
		left |= (unsigned int)is_unit(i * N) << (i - 1);
	ck_assert_uint_eq(left, parts[_i].left);
	uhmm_unit_split_all(&store, SLOT,
			    (struct uhmm_range){ UHMM_VPN(2 * N - 1),
						 UHMM_VPN(3 * N + 1) });
	ck_assert(!is_unit(N) && !is_unit(2 * N) && !is_unit(3 * N));
	down();
}
END_TEST

/* Whole units stay units when they move. */
START_TEST(test_move)
{
	up(UHMM_MEMORY_DEVICE_PRIVATE);
	map_unit(N, true);
	map_unit(2 * N, true);
	ck_assert(join(N) && join(2 * N));
	ck_assert_int_eq(uhmm_shadow_move(&store, SLOT, UHMM_VPN(N),
					  UHMM_VPN(2 * N), 2 * N), 0);
	ck_assert(!is_unit(N) && is_unit(2 * N) && is_unit(3 * N));
	ck_assert_int_eq(uhmm_shadow_move(&store, SLOT, UHMM_VPN(2 * N),
					  UHMM_VPN(N), 2 * N), 0);
	ck_assert(is_unit(N) && is_unit(2 * N) && !is_unit(3 * N));
	down();
}
END_TEST

UNIT_MAIN("unit", { test_join_and_split, 4, false },
	  { test_join_refuses, 15, false },
	  { test_check_and_repair, 15, false },
	  UNIT_TEST(test_join_refuses_places),
	  { test_join_refuses_other_memory, 2, false },
	  UNIT_TEST(test_join_of_a_flight), { test_split_part, 9, false },
	  UNIT_TEST(test_move))
