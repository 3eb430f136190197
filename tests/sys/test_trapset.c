/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "sys/trapset.h"

#define PAGES 200

static struct uhmm_range range(uint64_t start, uint64_t end)
{
	return (struct uhmm_range){ UHMM_VPN(start), UHMM_VPN(end) };
}

static void add(struct uhmm_trapset *set, uint64_t start, uint64_t end)
{
	ck_assert_int_eq(uhmm_trapset_reserve(set), 0);
	uhmm_trapset_add(set, range(start, end));
}

START_TEST(test_add_merges_what_touches)
{
	struct uhmm_trapset set = { .n = 0 };

	add(&set, 10, 20);
	add(&set, 30, 40);
	ck_assert_uint_eq(set.n, 2);
	add(&set, 20, 30);
	ck_assert_uint_eq(set.n, 1);
	add(&set, 5, 50);
	add(&set, 7, 7);
	ck_assert_uint_eq(set.n, 1);
	ck_assert(uhmm_trapset_has(&set, UHMM_VPN(5)));
	ck_assert(uhmm_trapset_has(&set, UHMM_VPN(49)));
	ck_assert(!uhmm_trapset_has(&set, UHMM_VPN(50)));
	ck_assert(!uhmm_trapset_has(&set, UHMM_VPN(4)));
	uhmm_trapset_fini(&set);
}
END_TEST

START_TEST(test_remove_splits)
{
	struct uhmm_trapset set = { .n = 0 };
	struct uhmm_range piece;

	add(&set, 0, 100);
	uhmm_trapset_remove(&set, range(40, 60));
	uhmm_trapset_remove(&set, range(50, 50));
	ck_assert_uint_eq(set.n, 2);
	ck_assert(uhmm_trapset_next(&set, range(10, 90), &piece));
	ck_assert_uint_eq(piece.start.val, 10);
	ck_assert_uint_eq(piece.end.val, 40);
	ck_assert(uhmm_trapset_next(&set, range(40, 90), &piece));
	ck_assert_uint_eq(piece.start.val, 60);
	ck_assert_uint_eq(piece.end.val, 90);
	ck_assert(!uhmm_trapset_next(&set, range(40, 60), &piece));
	ck_assert(!uhmm_trapset_next(&set, range(70, 70), &piece));
	uhmm_trapset_fini(&set);
}
END_TEST

/* Against one bool per page. */
static void check_model(const struct uhmm_trapset *set, const bool *model)
{
	struct uhmm_range all = range(0, PAGES);
	struct uhmm_range piece;
	uint64_t pages = 0;
	uint64_t expected = 0;

	for (uint64_t i = 0; i < PAGES; i++) {
		ck_assert(uhmm_trapset_has(set, UHMM_VPN(i)) == model[i]);
		expected += model[i];
	}
	while (uhmm_trapset_next(set, all, &piece)) {
		pages += uhmm_range_npages(piece);
		all.start = piece.end;
	}
	ck_assert_uint_eq(pages, expected);
	for (unsigned int i = 1; i < set->n; i++)
		ck_assert_uint_lt(set->range[i - 1].end.val,
				  set->range[i].start.val);
}

/* The same numbers each time. */
static uint64_t next_random(void)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return state >> 33;
}

START_TEST(test_random_against_model)
{
	struct uhmm_trapset set = { .n = 0 };
	bool model[PAGES] = { false };

	for (int step = 0; step < 20000; step++) {
		uint64_t start = next_random() % PAGES;
		uint64_t end = start + next_random() % 20;
		bool in = next_random() % 2;

		if (end > PAGES)
			end = PAGES;
		if (in)
			add(&set, start, end);
		else
			uhmm_trapset_remove(&set, range(start, end));
		for (uint64_t i = start; i < end; i++)
			model[i] = in;
		if (step % 16 == 0)
			check_model(&set, model);
	}
	uhmm_trapset_fini(&set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trapset");
	TCase *tcase = tcase_create("trapset");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_add_merges_what_touches);
	tcase_add_test(tcase, test_remove_splits);
	tcase_add_test(tcase, test_random_against_model);
	tcase_set_timeout(tcase, 20);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
