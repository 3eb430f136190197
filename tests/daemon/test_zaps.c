/* SPDX-License-Identifier: MIT */
/* test_zaps.c - removals we asked for, told from the program's own */
#include <string.h>

#include "suite.h"
#include "zaps.h"

static struct zaps zaps;

static struct uhmm_range range(uint64_t start, uint64_t npages)
{
	return uhmm_range_of(UHMM_VPN(start), npages);
}

/* Report a removal; @news gets one letter per page: 'o' ours, 'n' news. */
static const char *report(uint64_t start, uint64_t npages)
{
	static char news[128];
	struct uhmm_range r = range(start, npages), piece;
	uint64_t at = start;
	bool ours;

	memset(news, 0, sizeof(news));
	while (zaps_consume(&zaps, &r, &piece, &ours)) {
		ck_assert_uint_eq(piece.start.val, at);
		ck_assert_uint_gt(piece.end.val, at);
		for (; at < piece.end.val; at++)
			news[at - start] = ours ? 'o' : 'n';
	}
	ck_assert_uint_eq(at, start + npages);
	return news;
}

static void expect(uint64_t start, uint64_t npages)
{
	ck_assert_int_eq(zaps_expect(&zaps, range(start, npages)), 0);
}

START_TEST(test_zaps_none)
{
	ck_assert_str_eq(report(10, 3), "nnn");
	ck_assert_str_eq(report(10, 0), "");
	zaps_forget(&zaps, range(0, 100));
	zaps_fini(&zaps);
}
END_TEST

START_TEST(test_zaps_exact)
{
	expect(10, 4);
	ck_assert_str_eq(report(10, 4), "oooo");
	ck_assert_str_eq(report(10, 4), "nnnn");
	zaps_fini(&zaps);
}
END_TEST

/* A mapping that was split reports twice. */
START_TEST(test_zaps_in_parts)
{
	expect(10, 6);
	ck_assert_str_eq(report(12, 2), "oo");
	ck_assert_str_eq(report(10, 2), "oo");
	ck_assert_str_eq(report(14, 2), "oo");
	ck_assert_str_eq(report(10, 6), "nnnnnn");
	zaps_fini(&zaps);
}
END_TEST

/* The program drops a part at the same time, and is reported first. */
START_TEST(test_zaps_and_own)
{
	expect(10, 6);
	ck_assert_str_eq(report(12, 2), "oo");
	ck_assert_str_eq(report(10, 6), "oonnoo");
	zaps_fini(&zaps);
}
END_TEST

START_TEST(test_zaps_overlap)
{
	expect(10, 2);
	expect(20, 2);
	expect(14, 2);
	ck_assert_str_eq(report(8, 16), "nnoonnoonnnnoonn");
	ck_assert_str_eq(report(8, 16), "nnnnnnnnnnnnnnnn");
	ck_assert_uint_eq(zaps.n, 0);
	zaps_fini(&zaps);
}
END_TEST

START_TEST(test_zaps_forget)
{
	expect(10, 10);
	zaps_forget(&zaps, range(12, 2));
	zaps_forget(&zaps, range(0, 11));
	zaps_forget(&zaps, range(19, 50));
	ck_assert_str_eq(report(10, 10), "nonnooooon");
	ck_assert_uint_eq(zaps.n, 0);
	zaps_fini(&zaps);
}
END_TEST

/* Two jobs zap the same page: two removals are ours. */
START_TEST(test_zaps_twice)
{
	expect(10, 2);
	expect(10, 2);
	ck_assert_str_eq(report(10, 2), "oo");
	ck_assert_str_eq(report(10, 2), "oo");
	ck_assert_str_eq(report(10, 2), "nn");
	zaps_fini(&zaps);
}
END_TEST

/* Against an array of counters. */
START_TEST(test_zaps_random)
{
	unsigned int model[64] = { 0 };
	uint32_t seed = 1;

	for (int i = 0; i < 50000; i++) {
		uint64_t start, npages;
		const char *news;

		seed = seed * 1664525 + 1013904223;
		start = seed >> 16 & 31;
		npages = 1 + (seed >> 24) % 16;
		if (seed & 0x1000) {
			if (zaps.n > 8)
				continue;
			expect(start, npages);
			for (uint64_t k = start; k < start + npages; k++)
				model[k]++;
			continue;
		}
		news = report(start, npages);
		for (uint64_t k = start; k < start + npages; k++) {
			if (news[k - start] != (model[k] ? 'o' : 'n'))
				ck_abort_msg("step %d", i);
			model[k] -= model[k] != 0;
		}
	}
	zaps_fini(&zaps);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ test_zaps_none, 1 },	   { test_zaps_exact, 1 },
		{ test_zaps_in_parts, 1 }, { test_zaps_and_own, 1 },
		{ test_zaps_overlap, 1 },  { test_zaps_forget, 1 },
		{ test_zaps_twice, 1 },	   { test_zaps_random, 1 },
	};

	return suite_main("zaps", tests, SUITE_COUNT(tests));
}
