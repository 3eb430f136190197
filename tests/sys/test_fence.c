/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>

#include "sys/fence.h"

#define PAGES 200

static struct uhmm_range range(uint64_t start, uint64_t end)
{
	return (struct uhmm_range){ UHMM_VPN(start), UHMM_VPN(end) };
}

static void set_to(struct uhmm_fences *set, struct uhmm_range r, uint8_t prot,
		   uint8_t less)
{
	ck_assert_int_eq(uhmm_fences_reserve(set), 0);
	uhmm_fences_set(set, (struct uhmm_fence){ r, prot, less });
}

START_TEST(test_set_merges_what_touches_and_is_alike)
{
	struct uhmm_fences set = { .n = 0 };

	set_to(&set, range(10, 20), 3, 7);
	set_to(&set, range(30, 40), 3, 7);
	set_to(&set, range(20, 30), 3, 2);
	ck_assert_uint_eq(set.n, 3);
	set_to(&set, range(20, 30), 3, 7);
	ck_assert_uint_eq(set.n, 1);
	set_to(&set, range(40, 50), 1, 7);
	ck_assert_uint_eq(set.n, 2);
	set_to(&set, range(5, 5), 1, 7);
	ck_assert_uint_eq(set.n, 2);
	uhmm_fences_fini(&set);
}
END_TEST

START_TEST(test_now_leaves_reading_to_what_may_be_written)
{
	struct uhmm_fence f = { range(0, 1), PROT_WRITE, 0 };

	ck_assert_uint_eq(uhmm_fence_now(&f), PROT_WRITE);
	f.less = PROT_WRITE;
	ck_assert_uint_eq(uhmm_fence_now(&f), PROT_READ);
	f.less = UHMM_FENCE_ALL;
	ck_assert_uint_eq(uhmm_fence_now(&f), PROT_NONE);
	f = (struct uhmm_fence){ range(0, 1), PROT_EXEC, PROT_WRITE };
	ck_assert_uint_eq(uhmm_fence_now(&f), PROT_EXEC);
}
END_TEST

START_TEST(test_set_in_the_middle_makes_three)
{
	struct uhmm_fences set = { .n = 0 };
	struct uhmm_fence f;

	set_to(&set, range(0, 100), 3, 7);
	set_to(&set, range(40, 60), 3, 2);
	ck_assert_uint_eq(set.n, 3);
	ck_assert(uhmm_fences_next(&set, range(30, 80), &f));
	ck_assert_uint_eq(f.range.start.val, 30);
	ck_assert_uint_eq(f.range.end.val, 40);
	ck_assert_uint_eq(uhmm_fence_now(&f), 0);
	ck_assert(uhmm_fences_next(&set, range(40, 80), &f));
	ck_assert_uint_eq(uhmm_fence_now(&f), 1);
	ck_assert_uint_eq(uhmm_fences_before(&set, UHMM_VPN(60)).val, 60);
	ck_assert_uint_eq(uhmm_fences_before(&set, UHMM_VPN(59)).val, 40);
	ck_assert_uint_eq(uhmm_fences_before(&set, UHMM_VPN(39)).val, 0);
	ck_assert(!uhmm_fences_next(&set, range(100, 200), &f));
	uhmm_fences_fini(&set);
}
END_TEST

/* Against one byte per page: prot and less; 0 is none. */
static void check_model(const struct uhmm_fences *set, const uint8_t *model)
{
	struct uhmm_range rest = range(0, PAGES);
	uint64_t at = 0;
	struct uhmm_fence f;

	for (unsigned int i = 1; i < set->n; i++) {
		const struct uhmm_fence *a = &set->fence[i - 1], *b = a + 1;

		ck_assert_uint_le(a->range.end.val, b->range.start.val);
		ck_assert(a->range.end.val < b->range.start.val ||
			  a->prot != b->prot || a->less != b->less);
	}
	while (uhmm_fences_next(set, rest, &f)) {
		for (; at < f.range.start.val; at++)
			ck_assert_uint_eq(model[at], 0);
		for (; at < f.range.end.val; at++)
			ck_assert_uint_eq(model[at], f.prot << 3 | f.less);
		rest.start = f.range.end;
	}
	for (; at < PAGES; at++)
		ck_assert_uint_eq(model[at], 0);
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
	struct uhmm_fences set = { .n = 0 };
	uint8_t model[PAGES] = { 0 };

	for (int step = 0; step < 20000; step++) {
		uint64_t start = next_random() % PAGES;
		uint64_t end = start + next_random() % 20;
		uint8_t prot = (uint8_t)(next_random() % 2 ? 1 : 3);
		uint8_t less = (uint8_t)(next_random() % 2 ? 2 : 7);
		bool in = next_random() % 2;

		if (end > PAGES)
			end = PAGES;
		if (in)
			set_to(&set, range(start, end), prot, less);
		else
			uhmm_fences_clear(&set, range(start, end));
		for (uint64_t i = start; i < end; i++)
			model[i] = (uint8_t)(in ? prot << 3 | less : 0);
		if (step % 8 == 0)
			check_model(&set, model);
	}
	uhmm_fences_fini(&set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fence");
	TCase *tcase = tcase_create("fence");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_set_merges_what_touches_and_is_alike);
	tcase_add_test(tcase, test_now_leaves_reading_to_what_may_be_written);
	tcase_add_test(tcase, test_set_in_the_middle_makes_three);
	tcase_add_test(tcase, test_random_against_model);
	tcase_set_timeout(tcase, 20);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
