/* SPDX-License-Identifier: MIT */
/* model_main.c - the library against the model: every interleaving, and walks
 *
 *   test_model                      what the suite does: some seconds
 *   test_model --states N           up to N states of each scope
 *   test_model --walk N             and a walk of N steps
 *   CK_RUN_CASE=2112 test_model     one scope: programs, pages, devices, jobs
 *   test_model --states 10000000    all that there is of the small ones, ten
 *                                   million of the large: some hours, 300 MiB;
 *                                   take a release build
 *
 * It ends with tables of all types of entries and all changes of one into
 * another, and fails when one that the specification has was never seen. With
 * one scope alone some are.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "explore.h"
#include "rules.h"
#include "unit.h"

/* Where worlds cannot be copied (arena.h) a state costs twenty times as much. */
#ifdef MODEL_COPIES
static uint64_t max_states = 10000;
#else
static uint64_t max_states = 1000;
#endif
static uint64_t walk_steps = 100000;

static const struct {
	const char *name, *what;
	struct scope scope;
} scopes[] = {
	{ "1111", "one program, one page, one device, one job",
	  { 1, 1, 1, 1, true, true } },
	{ "1112", "and two jobs",
	  { 1, 1, 1, 2, true, true } },
	{ "1211", "one program, two pages, one device, one job",
	  { 1, 2, 1, 1, true, true } },
	{ "2112", "two programs, one page, one device, two jobs",
	  { 2, 1, 1, 2, true, true } },
	{ "2221", "two programs, two pages, two devices, one job",
	  { 2, 2, 2, 1, true, true } },
	{ "2222", "and two jobs",
	  { 2, 2, 2, 2, true, true } },
};

START_TEST(test_explore)
{
	struct explored e = explore(&scopes[_i].scope, max_states);

	printf("%s: %" PRIu64 " states, %" PRIu64 " of them looked at, %" PRIu64
	       " steps, depth %u%s\n",
	       scopes[_i].what, e.states, e.looked_at, e.steps, e.depth,
	       e.closed ? ", nothing else can be reached" : "");
}
END_TEST

START_TEST(test_walk)
{
	static const struct scope scope = { 2, 2, 2, 3, true, true };

	explore_walk(&scope, walk_steps, 1);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test, int i)
{
	TCase *tcase = tcase_create(name);

	tcase_add_loop_test(tcase, test, i, i + 1);
	tcase_add_unchecked_fixture(tcase, explore_prepare, explore_tell);
	tcase_set_timeout(tcase, 0);
	suite_add_tcase(suite, tcase);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 's' },
		{ "walk", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	Suite *suite = suite_create("model");
	SRunner *runner;
	int c, failed;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 's')
			max_states = strtoull(optarg, NULL, 0);
		else if (c == 'w')
			walk_steps = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	rules_begin();
	for (int i = 0; i < (int)UNIT_COUNT(scopes); i++)
		add(suite, scopes[i].name, test_explore, i);
	add(suite, "walk", test_walk, 0);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (!rules_report() && !failed) {
		printf("a change of an entry was never seen\n");
		failed = 1;
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
