/* SPDX-License-Identifier: MIT */
/* test_results.c - cli/replay: numbers of traces, groups and runs */
#include "../../cli/replay/results.h"

#include <string.h>
#include <unistd.h>

#include "../unit/unit.h"

static const struct {
	const char *path, *group;
} groups[] = {
	{ "tests/golden/gen/fork-12.trace", "gen/fork" },
	{ "gen/no-dash-7.trace", "gen/no-dash" },
	{ "a/b/hand/vm-mlock.trace", "hand" },
	{ "hand/t04.trace", "hand" }, /* the number is no number of it */
	{ "hand/12.trace", "hand" },
	{ "/x.trace", "" },
	{ "x-3.trace", "x" },
	{ "x.trace", "x" },
};

START_TEST(test_group_is_folder_and_profile)
{
	char group[REPLAY_GROUP_BYTES];

	replay_results_group(groups[_i].path, group);
	ck_assert_str_eq(group, groups[_i].group);
}
END_TEST

static const struct {
	struct replay_tally tally;
	int status;
	const char *result;
} ends[] = {
	{ { .traces = 1, .passed = 3 }, 0, "pass" },
	{ { .traces = 1, .not_counted = 3, .differing = 3 }, 0, "pass" },
	{ { .traces = 1, .traces_failed = 1, .failed = 1 }, 1, "fail" },
	{ { .end = REPLAY_END_BROKEN }, 2, "broken" },
	{ { .end = REPLAY_END_TIMEOUT, .failed = 2 }, 3, "timeout" },
	{ { .end = REPLAY_END_CRASHED }, 4, "crash" },
};

START_TEST(test_end_is_a_word_and_a_status)
{
	ck_assert_int_eq(replay_tally_exit(&ends[_i].tally), ends[_i].status);
	ck_assert_str_eq(replay_tally_result(&ends[_i].tally),
			 ends[_i].result);
}
END_TEST

static struct replay_results results;

static void write_results(const char *path)
{
	const struct replay_tally good = { .traces = 1, .passed = 5,
					   .not_counted = 1, .differing = 1 };
	const struct replay_tally bad = { .traces = 1, .traces_failed = 1,
					  .passed = 1, .failed = 2,
					  .unreached = 4,
					  .end = REPLAY_END_TIMEOUT };

	ck_assert_int_eq(replay_results_open(&results, path), 0);
	replay_results_add(&results, "gen/a-1.trace", &good);
	replay_results_add(&results, "gen/a-2.trace", &bad);
	replay_results_add(&results, "hand/b.trace", &good);
	ck_assert_int_eq(replay_results_close(&results), 0);
}

static const char json[] =
	"{\n\"traces\": [\n"
	"{\"trace\": \"gen/a-1\", \"group\": \"gen/a\", \"result\": \"pass\", "
	"\"passed\": 5, \"failed\": 0, \"not_counted\": 1, "
	"\"not_counted_differ\": 1, \"not_reached\": 0},\n"
	"{\"trace\": \"gen/a-2\", \"group\": \"gen/a\", "
	"\"result\": \"timeout\", "
	"\"passed\": 1, \"failed\": 2, \"not_counted\": 0, "
	"\"not_counted_differ\": 0, \"not_reached\": 4},\n"
	"{\"trace\": \"hand/b\", \"group\": \"hand\", \"result\": \"pass\", "
	"\"passed\": 5, \"failed\": 0, \"not_counted\": 1, "
	"\"not_counted_differ\": 1, \"not_reached\": 0}\n"
	"],\n\"groups\": [\n"
	"{\"group\": \"gen/a\", \"traces\": 2, \"traces_failed\": 1, "
	"\"passed\": 6, \"failed\": 2, \"not_counted\": 1, "
	"\"not_counted_differ\": 1, \"not_reached\": 4},\n"
	"{\"group\": \"hand\", \"traces\": 1, \"traces_failed\": 0, "
	"\"passed\": 5, \"failed\": 0, \"not_counted\": 1, "
	"\"not_counted_differ\": 1, \"not_reached\": 0}\n"
	"],\n\"total\": {\"traces\": 3, \"traces_failed\": 1, "
	"\"passed\": 11, \"failed\": 2, \"not_counted\": 2, "
	"\"not_counted_differ\": 2, \"not_reached\": 4}\n}\n";

START_TEST(test_results_are_summed_and_written)
{
	char path[] = "/tmp/uhmm-test-results.XXXXXX";
	int fd = mkstemp(path);
	char text[sizeof(json) + 1] = "";

	write_results(path);
	ck_assert_int_eq(read(fd, text, sizeof(text) - 1), sizeof(json) - 1);
	ck_assert_str_eq(text, json);
	ck_assert_int_eq(replay_tally_exit(&results.total), 3);
	close(fd);
	unlink(path);
}
END_TEST

UNIT_MAIN("replay_results",
	  UNIT_TABLE(test_group_is_folder_and_profile, groups),
	  UNIT_TABLE(test_end_is_a_word_and_a_status, ends),
	  UNIT_TEST(test_results_are_summed_and_written))
