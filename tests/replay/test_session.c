/* SPDX-License-Identifier: MIT */
/* test_session.c - cli/replay: traces without a device, played to their end
 *
 * What stands for a device is a FIFO, whose open does not return.
 */
#include "../../cli/replay/session.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../cli/replay/op.h"
#include "../../cli/replay/ops.h"
#include "../../cli/replay/pattern.h"
#include "../unit/unit.h"

static char said[16384];
static struct replay_tally tally;
static struct replay_settings settings;

/* The defaults; nothing is left of another test. */
static void setup(void)
{
	memset(said, 0, sizeof(said));
	settings = (struct replay_settings){ .timeout_s = 20,
					     .base = REPLAY_BASE,
					     .device = "/nowhere/device" };
}

/* Play a trace that is @text; what is printed is in said. */
static void play(const char *text)
{
	char path[] = "/tmp/uhmm-test-session.XXXXXX";
	FILE *out = fmemopen(said, sizeof(said), "w");
	int fd = mkstemp(path);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	replay_session(&settings, path, out, &tally);
	fclose(out);
	unlink(path);
}

static void expect_said(const char *words)
{
	ck_assert_msg(strstr(said, words) != NULL, "not said: %s; but:\n%s",
		      words, said);
}

static void expect_lines(unsigned long passed, unsigned long failed,
			 unsigned long unreached)
{
	ck_assert_msg(tally.passed == passed && tally.failed == failed &&
			      tally.unreached == unreached,
		      "%lu, %lu, %lu:\n%s", tally.passed, tally.failed,
		      tally.unreached, said);
}

static const char memory[] =
	"# memory of all kinds, as any kernel has it\n"
	"open f0 0 -> ret=-ENOENT\n"
	"map r0 0 8 rw anon -> ret=0\n"
	"map r0 0 8 rw anon -> ret=-EEXIST\n"
	"touchw r0 0 8 1 -> ok\n"
	"sum r0 0 8 -> sum=f83440b2\n"
	"syswrite r0 0 8 -> bytes=32768 data=f83440b2\n"
	"pvread r0 0 8 -> ret=32768 data=f83440b2\n"
	"pvwrite r0 4 4 2 -> ret=16384\n"
	"sysread r0 4 4 3 -> bytes=16384\n"
	"unmap r0 4 2 -> ret=0\n"
	"sum r0 3 4 -> sum=daa13028 acc=ok,SEGV*2,ok\n"
	"sysread r0 3 4 1 -> bytes=4096 err=-EFAULT\n"
	"mincore r0 0 4 -> ret=0 in=1*4\n"
	"pagemap r0 2 4 -> pm=P*2,none*2\n"
	"protect r0 0 2 r -> ret=0\n"
	"poke r0 0 4 5 -> ok acc=SEGV*2,ok*2\n"
	"protect r0 0 4 rw -> ret=0\n"
	"remap r0 0 4 r1 0 -> ret=0\n"
	"touchr r0 0 1 -> sum=zero acc=SEGV\n"
	"advise r1 0 4 DONTNEED -> ret=0\n"
	"sum r1 0 4 -> sum=zero\n"
	"map r2 0 4 rw mems seed=7 fpages=2 keep=k -> ret=0\n"
	"touchr r2 0 4 -> sum=67517d3c acc=ok*2,BUS*2\n"
	"map r3 0 1 r fd:k foff=1 -> ret=0\n"
	"fdop lseek k -> ret=4096\n"
	"read f0 r0 0 1 -> ret=-EBADF\n"
	"close f0 -> ret=-EBADF\n";

START_TEST(test_memory_is_as_it_is)
{
	setup();
	play(memory);
	expect_lines(27, 0, 0);
	ck_assert_int_eq(tally.end, REPLAY_END_DONE);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(test_record_prints_what_it_played)
{
	setup();
	settings.record = true;
	play(memory);
	ck_assert_str_eq(said, memory);
	ck_assert_uint_eq(tally.failed, 0);
}
END_TEST

START_TEST(test_processes_end_as_they_do)
{
	setup();
	play("map r0 0 1 rw anon -> ret=0\n"
	     "fork a {\n"
	     "touchw r0 0 1 1 -> ok\n"
	     "fork b {\n"
	     "kill9 -> -\n"
	     "} -> sig=9\n"
	     "exit -> -\n"
	     "touchr r0 0 1 -> never\n"
	     "} -> exit=0\n"
	     "sum r0 0 1 -> sum=zero\n");
	expect_lines(7, 0, 1);
	ck_assert_uint_eq(tally.traces_failed, 0);
}
END_TEST

START_TEST(test_difference_is_told)
{
	setup();
	play("map r0 0 1 rw anon\n"
	     "touchr r0 0 1 -> sum=00000000\n"
	     "fork a {\n"
	     "touchr r0 1 1 -> sum=zero # why\n"
	     "} -> exit=0\n");
	expect_lines(1, 2, 0);
	ck_assert_uint_eq(tally.traces_failed, 1);
	expect_said(":2: touchr r0 0 1\n  want sum=00000000\n"
		    "  got  sum=zero\n");
	expect_said(":4: touchr r0 1 1 # why\n  want sum=zero\n"
		    "  got  sum=zero acc=SEGV\n");
}
END_TEST

START_TEST(test_marked_lines_count_if_strict)
{
	static const char text[] = "touchr r0 0 1 -> x # old\n"
				   "touchr r0 0 1 -> y # quirk end\n";

	setup();
	play(text);
	expect_lines(0, 0, 0);
	ck_assert_uint_eq(tally.not_counted, 2);
	ck_assert_uint_eq(tally.differing, 2);
	ck_assert_uint_eq(tally.traces_failed, 0);
	ck_assert_str_eq(said, "");

	settings.verbose = true;
	play(text);
	expect_said("OLD ");
	settings.strict = true;
	play(text);
	expect_lines(0, 2, 0);
}
END_TEST

START_TEST(test_ignored_words_do_not_matter)
{
	setup();
	settings.ignore = "acc,sum";
	play("touchr r0 0 1 -> sum=other\n");
	expect_lines(1, 0, 0);
}
END_TEST

START_TEST(test_time_ends)
{
	static char device[64], fifo[64];
	char dir[] = "/tmp/uhmm-test-session.XXXXXX";

	setup();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(device, sizeof(device), "%s/device", dir);
	snprintf(fifo, sizeof(fifo), "%s/device0", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	settings.device = device;
	settings.timeout_s = 1;
	play("fork a {\n"
	     "open f0 0 ro -> ret=0\n"
	     "} -> exit=3\n"
	     "open f0 0 ro -> ret=0\n"
	     "close f0 -> ret=0\n");
	expect_lines(1, 0, 3);
	ck_assert_int_eq(tally.end, REPLAY_END_TIMEOUT);
	ck_assert_uint_eq(tally.traces_failed, 1);
	expect_said(":2: open f0 0 ro");
	expect_said(":4: open f0 0 ro");
	unlink(fifo);
	rmdir(dir);
}
END_TEST

/* Without the code of `sum` it can only crash: the player is a copy of us. */
START_TEST(test_crash_costs_one_trace)
{
	uint64_t page = (uintptr_t)&replay_sum / REPLAY_PAGE_BYTES;
	char text[256];

	setup();
	snprintf(text, sizeof(text),
		 "unmap abs %#" PRIx64 " 1\n"
		 "sum r0 0 1 -> sum=zero acc=SEGV\n",
		 page);
	play(text);
	expect_lines(0, 0, 1);
	ck_assert_int_eq(tally.end, REPLAY_END_CRASHED);
	expect_said("CRASH ");
}
END_TEST

START_TEST(test_what_cannot_be_played_is_told)
{
	setup();
	play("map r0 0 5000 rw anon -> ret=0\n"
	     "pvread r0 0 5000 -> ret=0\n");
	expect_lines(1, 0, 1);
	ck_assert_int_eq(tally.end, REPLAY_END_BROKEN);
	expect_said(":2: pvread r0 0 5000: too many pages");

	play("nothing\n");
	ck_assert_int_eq(tally.end, REPLAY_END_BROKEN);
	ck_assert_uint_eq(tally.traces_failed, 1);
}
END_TEST

UNIT_MAIN("replay_session", UNIT_TEST(test_memory_is_as_it_is),
	  UNIT_TEST(test_record_prints_what_it_played),
	  UNIT_TEST(test_processes_end_as_they_do),
	  UNIT_TEST(test_difference_is_told),
	  UNIT_TEST(test_marked_lines_count_if_strict),
	  UNIT_TEST(test_ignored_words_do_not_matter),
	  UNIT_TEST(test_time_ends), UNIT_TEST(test_crash_costs_one_trace),
	  UNIT_TEST(test_what_cannot_be_played_is_told))
