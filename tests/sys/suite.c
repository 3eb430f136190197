/* SPDX-License-Identifier: MIT */
#include "suite.h"

#include <stdlib.h>
#include <unistd.h>

struct prog prog;

static void start_plain(void)
{
	prog_start(&prog, 0);
}

static void start_nobody(void)
{
	prog_start(&prog, PROG_NOBODY);
}

static void start_no_markers(void)
{
	prog_start(&prog, PROG_NO_MARKERS);
}

static void start_protect(void)
{
	prog_start(&prog, PROG_PROTECT);
}

static void stop(void)
{
	prog_stop(&prog);
}

static void add_case(Suite *suite, const char *name, SFun start,
		     const TTest *const *tests, unsigned int n)
{
	TCase *tcase = tcase_create(name);

	/* checked: a userfaultfd must not cross Check's own fork */
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 40);
	for (unsigned int i = 0; i < n; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
}

static int run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int suite_main(const char *name, const TTest *const *tests, unsigned int n)
{
	Suite *suite = suite_create(name);

	if (!prog_permitted())
		return PROG_SKIP;
	add_case(suite, "plain", start_plain, tests, n);
	add_case(suite, "no_markers", start_no_markers, tests, n);
	if (getuid() == 0)
		add_case(suite, "nobody", start_nobody, tests, n);
	return run(suite);
}

/* The program still hands over a userfaultfd, which is not used. */
int suite_main_protect(const char *name, const TTest *const *tests,
		       unsigned int n)
{
	Suite *suite = suite_create(name);

	if (!prog_permitted())
		return PROG_SKIP;
	add_case(suite, "protect", start_protect, tests, n);
	return run(suite);
}
