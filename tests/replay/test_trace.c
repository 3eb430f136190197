/* SPDX-License-Identifier: MIT */
/* test_trace.c - cli/replay/trace.c: files that are traces, and others */
#include "../../cli/replay/trace.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../unit/unit.h"

static struct replay_trace trace;
static char said[1024];

/* Load a trace that is @text; what it says is in said. */
static int load(const char *text)
{
	char path[] = "/tmp/uhmm-test-trace.XXXXXX";
	FILE *errors = fmemopen(said, sizeof(said), "w");
	int fd = mkstemp(path), ret;

	ck_assert_ptr_nonnull(errors);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ret = replay_trace_load(&trace, path, REPLAY_BASE, errors);
	fclose(errors);
	unlink(path);
	return ret;
}

START_TEST(test_load_splits_lines)
{
	const struct replay_line *line;

	ck_assert_int_eq(load("# a -> b # c\n"
			      "\n"
			      "  touchr r0 0 2   -> sum=zero acc=SEGV*2 "
			      "# old x\r\n"
			      "poke r0 0 1 5 # a -> note\n"
			      "touchr r0 0 1 -> sum=zero"),
			 0);
	ck_assert_uint_eq(trace.nlines, 5);

	line = &trace.lines[0];
	ck_assert_str_eq(line->text, "# a -> b # c");
	ck_assert(!line->op.verb && !line->want && !line->note);
	line++;
	ck_assert_str_eq(line->text, "");
	ck_assert_ptr_null(line->op.verb);
	line++;
	ck_assert_str_eq(line->text, "touchr r0 0 2");
	ck_assert_str_eq(line->want, "sum=zero acc=SEGV*2");
	ck_assert_str_eq(line->note, "old x");
	ck_assert(replay_line_is_marked(line));
	ck_assert_uint_eq(line->op.npages[0], 2);
	line++;
	ck_assert_str_eq(line->text, "poke r0 0 1 5");
	ck_assert_ptr_null(line->want);
	ck_assert_str_eq(line->note, "a -> note");
	ck_assert(!replay_line_is_marked(line));
	line++;
	ck_assert_str_eq(line->want, "sum=zero");
	replay_trace_fini(&trace);
}
END_TEST

START_TEST(test_load_marks)
{
	ck_assert_int_eq(load("touchr r0 0 1 -> x # quirk end\n"
			      "touchr r0 0 1 -> x # not old\n"),
			 0);
	ck_assert(replay_line_is_marked(&trace.lines[0]));
	ck_assert(!replay_line_is_marked(&trace.lines[1]));
	replay_trace_fini(&trace);
}
END_TEST

START_TEST(test_load_matches_blocks)
{
	ck_assert_int_eq(load("fork a {\n"
			      "fork b {\n"
			      "kill9 -> -\n"
			      "} -> sig=9\n"
			      "exit -> -\n"
			      "}\n"
			      "fork c {\n"
			      "} -> exit=0\n"),
			 0);
	ck_assert_uint_eq(trace.lines[0].end, 5);
	ck_assert_uint_eq(trace.lines[1].end, 3);
	ck_assert_uint_eq(trace.lines[6].end, 7);
	ck_assert(replay_line_is_fork(&trace.lines[6]));
	ck_assert(replay_line_is_end(&trace.lines[7]));
	ck_assert_str_eq(trace.lines[3].want, "sig=9");
	replay_trace_fini(&trace);
}
END_TEST

static const struct {
	const char *text;
	const char *says; /* behind the name of the file */
} bad[] = {
	{ "touchr r0 0 1\nfork a {\n",
	  ":2: bad trace line (no end): fork a {" },
	{ "touchr r0 0 1\n}\n", ":2: bad trace line (no block): }" },
	{ "kill9\n", ":1: bad trace line (not in a child): kill9" },
	{ "# x\n\ntouchr r0 0 x -> y\n",
	  ":3: bad trace line (number of pages): touchr r0 0 x" },
};

START_TEST(test_load_refuses)
{
	ck_assert_int_eq(load(bad[_i].text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(said, bad[_i].says));
	ck_assert_ptr_null(trace.lines);
}
END_TEST

START_TEST(test_load_refuses_a_file_that_is_not_there)
{
	FILE *errors = fmemopen(said, sizeof(said), "w");

	ck_assert_int_eq(replay_trace_load(&trace, "/nowhere/x.trace",
					   REPLAY_BASE, errors),
			 -ENOENT);
	fclose(errors);
	ck_assert_ptr_nonnull(strstr(said, "/nowhere/x.trace: No such file"));
}
END_TEST

UNIT_MAIN("replay_trace", UNIT_TEST(test_load_splits_lines),
	  UNIT_TEST(test_load_marks), UNIT_TEST(test_load_matches_blocks),
	  UNIT_TABLE(test_load_refuses, bad),
	  UNIT_TEST(test_load_refuses_a_file_that_is_not_there))
