/* SPDX-License-Identifier: MIT */
/* suite.h - main() of the suites of this folder */
#ifndef UHMM_TESTS_DAEMON_SUITE_H
#define UHMM_TESTS_DAEMON_SUITE_H

#include <check.h>
#include <stdlib.h>

/** One test, run @loops times with _i from 0. */
struct suite_test {
	const TTest *test;
	int loops;
};

#define SUITE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** suite_main() - run @tests as suite @name. Return: exit status. */
static inline int suite_main(const char *name, const struct suite_test *tests,
			     size_t ntests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 20);
	for (size_t i = 0; i < ntests; i++)
		tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].loops);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
