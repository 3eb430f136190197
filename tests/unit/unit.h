/* SPDX-License-Identifier: MIT */
/* unit.h - what the unit tests share: main(), random numbers, a store */
#ifndef UHMM_TESTS_UNIT_H
#define UHMM_TESTS_UNIT_H

#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arena/store.h"

/** One test of a suite, run @loops times: once per entry of a case table, whose
 *  number the test finds in _i. @dies: by an assertion, so only forked. */
struct unit_test {
	const TTest *test;
	int loops;
	bool dies;
};

#define UNIT_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNIT_TEST(name) { (name), 1, false }
#define UNIT_TABLE(name, table) { (name), (int)UNIT_COUNT(table), false }
#define UNIT_DEATH(name) { (name), 1, true }

/** unit_expect() - ck_assert() for loops of millions: it tells Check nothing
 *  while all is well */
#define unit_expect(cond)                             \
	do {                                          \
		if (!(cond))                          \
			ck_abort_msg("not so: %s", #cond); \
	} while (0)

/** unit_main() - run @tests as suite @name. Return: exit status. */
static inline int unit_main(const char *name, const struct unit_test *tests,
			    size_t ntests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	runner = srunner_create(suite);
	for (size_t i = 0; i < ntests; i++) {
		int signal = tests[i].dies ? SIGABRT : 0;

		if (signal && srunner_fork_status(runner) != CK_FORK)
			continue;
		tcase_add_loop_test_raise_signal(tcase, tests[i].test, signal,
						 0, tests[i].loops);
	}
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** UNIT_MAIN() - main() of suite @name with the tests that follow */
#define UNIT_MAIN(name, ...)                                           \
	int main(void)                                                 \
	{                                                              \
		const struct unit_test tests[] = { __VA_ARGS__ };      \
		return unit_main(name, tests, UNIT_COUNT(tests));      \
	}

/** A row of random numbers; the same seed gives the same row. */
struct unit_random {
	uint64_t state;
};

/** unit_random() - begin at UHMM_TEST_SEED, or at @seed; says which */
static inline struct unit_random unit_random(uint64_t seed)
{
	const char *env = getenv("UHMM_TEST_SEED");

	if (env && *env)
		seed = strtoull(env, NULL, 0);
	printf("UHMM_TEST_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	return (struct unit_random){ seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
}

/** unit_below() - a number in [0, @n) */
static inline uint64_t unit_below(struct unit_random *r, uint64_t n)
{
	/* xorshift64, the high bits of a product of it */
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (r->state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % n;
}

/** unit_store_init() - a new store of @limits in memory of its own */
static inline void unit_store_init(struct uhmm_store *store,
				   const struct uhmm_store_limits *limits)
{
	size_t bytes = uhmm_store_bytes(limits);
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(mem, MAP_FAILED);
	ck_assert_int_eq(uhmm_store_format(store, mem, bytes, limits), 0);
}

static inline void unit_store_fini(struct uhmm_store *store)
{
	ck_assert_int_eq(munmap(store->base, store->bytes), 0);
}

#endif
