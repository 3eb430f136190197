/* SPDX-License-Identifier: MIT */
/* test_preload.c - the library in unmodified programs, against a fake daemon
 *
 * Each test starts the fake, runs one case of preload_probe under the library,
 * and looks at the exit status, at what was printed and at what the fake saw.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "poison.h"

static struct fake_log *log_;
static pid_t fake_pid;
static char name[64];
static char output[65536];	/* stdout and stderr of the program */

static void set_up(void)
{
	log_ = fake_log_create();
	ck_assert_ptr_nonnull(log_);
	(void)snprintf(name, sizeof(name), "uhmm-fake-%d", (int)getpid());
}

static void tear_down(void)
{
	if (fake_pid > 0) {
		(void)kill(fake_pid, SIGKILL);
		(void)waitpid(fake_pid, NULL, 0);
	}
	fake_pid = 0;
}

static void start_fake(void)
{
	fake_pid = fake_start(name, log_);
	ck_assert_int_gt(fake_pid, 0);
	for (int i = 0; i < 1000 && !atomic_load(&log_->ready); i++)
		(void)usleep(5000);
	ck_assert_uint_eq(log_->ready, 1);
}

static void exec_probe(const char *which, bool preload, int out)
{
	char address[80];

	(void)snprintf(address, sizeof(address), "@%s", name);
	(void)setenv("UHMM_SOCKET", address, 1);
	if (preload)
		(void)setenv("LD_PRELOAD", UHMM_PRELOAD_PATH, 1);
	(void)dup2(out, 1);
	(void)dup2(out, 2);
	(void)syscall(SYS_close_range, 3, ~0u, 0);	/* what we inherited */
	execl(UHMM_PROBE_PATH, "preload_probe", which, (char *)NULL);
	_exit(127);
}

static void read_output(int fd)
{
	size_t n = 0;
	ssize_t ret;

	while (n < sizeof(output) - 1 &&
	       (ret = read(fd, output + n, sizeof(output) - 1 - n)) > 0)
		n += (size_t)ret;
	output[n] = '\0';
}

/* Return: wait status */
static int run_probe(const char *which, bool preload)
{
	int pipefd[2], status = -1;
	pid_t pid;

	ck_assert_int_eq(pipe2(pipefd, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		exec_probe(which, preload, pipefd[1]);
	(void)close(pipefd[1]);
	read_output(pipefd[0]);
	(void)close(pipefd[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* The case runs well, nothing is said and the fake has nothing to complain. */
static void run_well(const char *which)
{
	int status = run_probe(which, true);

	ck_assert_msg(status == 0, "%s: status %#x\n%s", which, status, output);
	ck_assert_str_eq(output, "");
	ck_assert_uint_eq(log_->bad, 0);
}

static void wait_for(_Atomic uint32_t *count, uint32_t want)
{
	for (int i = 0; i < 4000 && atomic_load(count) != want; i++)
		(void)usleep(5000);
	ck_assert_uint_eq(*count, want);
}

/* Cases with nothing more to look at than that they run well. */
static const char *const plain_cases[] = {
	"paths", "opens", "flags", "ioctls", "hands", "threads",
	"many_threads", "signals", "setgid", "last_thread", "vforks", "execs",
	"closed_stdio", "rlimit", "rlimit_threads", "close_all",
	"close_range_all", "foreign_fd", "nonsense",
	"old_no_userfaultfd",
};

START_TEST(test_plain_case)
{
	start_fake();
	run_well(plain_cases[_i]);
	wait_for(&log_->sessions_ended, log_->hellos);
}
END_TEST

/* Drop from @text what only the library itself explains. */
static char *without_library(char *text)
{
	static char kept[sizeof(output)];
	size_t n = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strstr(line, "libuhmm-preload") &&
		    strncmp(line, "anonymous", 9) != 0)
			n += (size_t)snprintf(kept + n, sizeof(kept) - n,
					      "%s\n", line);
	}
	return strdup(kept);
}

START_TEST(test_a_program_without_device_sees_no_difference)
{
	char *with, *without;

	start_fake();
	ck_assert_int_eq(run_probe("quiet", false), 0);
	without = without_library(output);
	ck_assert_int_eq(run_probe("quiet", true), 0);
	ck_assert_ptr_nonnull(strstr(output, "libuhmm-preload"));
	with = without_library(output);
	ck_assert_str_eq(with, without);
	ck_assert_uint_eq(log_->hellos, 0);
	free(with);
	free(without);
}
END_TEST

START_TEST(test_hello_hands_over)
{
	start_fake();
	run_well("flags");
	ck_assert_uint_eq(log_->hellos, 1);
	ck_assert_uint_eq(log_->agents, 1);
	ck_assert_uint_eq(log_->opens, 2);
	ck_assert_uint_eq(log_->hello.version, UHMM_WIRE_VERSION);
	ck_assert_uint_eq(log_->hello.page_bytes, (unsigned)getpagesize());
	ck_assert_uint_eq(log_->hello.parent.word[0], 0);
	ck_assert_uint_eq(log_->open.minor, 1);
	ck_assert_uint_eq(log_->open.flags, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}
END_TEST

START_TEST(test_close_tells_after_the_hang_up)
{
	start_fake();
	run_well("closes");
	ck_assert_uint_eq(log_->closeds, 2);
	ck_assert_uint_eq(log_->closeds_hung, 1);
}
END_TEST

START_TEST(test_protect_is_told_in_whole_pages)
{
	start_fake();
	run_well("protects");
	ck_assert_uint_eq(log_->protects, 2);	/* before and after */
	ck_assert_uint_eq(log_->protect.bytes, 2ul * (unsigned)getpagesize());
	ck_assert_uint_eq(log_->protect.prot, 3);
}
END_TEST

START_TEST(test_what_no_event_tells)
{
	start_fake();
	run_well("tells");
	/* only what the real call would take, and MADV_FREE before and after */
	ck_assert_uint_eq(log_->told[UHMM_WIRE_advise], 2);
	ck_assert_uint_eq(log_->told[UHMM_WIRE_mincore], 1);
	ck_assert_uint_eq(log_->told[UHMM_WIRE_remap], 2);
}
END_TEST

START_TEST(test_remap_in_parts)
{
	log_->parts = 1;
	start_fake();
	run_well("remaps");
	ck_assert_uint_gt(log_->told[UHMM_WIRE_remap], 20);
}
END_TEST

START_TEST(test_mmap)
{
	start_fake();
	run_well("maps");
	ck_assert_uint_eq(log_->maps, 2);
}
END_TEST

START_TEST(test_fork_attaches_the_child)
{
	start_fake();
	run_well("forks");
	ck_assert_uint_eq(log_->hellos, 2);
	ck_assert_uint_eq(log_->hellos_of_child, 1);
	ck_assert_uint_eq(log_->prepares, 1);
	ck_assert_uint_eq(log_->parents, 1);
	wait_for(&log_->sessions_ended, 2);
}
END_TEST

START_TEST(test_fork_of_busy_threads)
{
	start_fake();
	run_well("fork_storm");
	ck_assert_uint_eq(log_->hellos, 31);
	ck_assert_uint_eq(log_->hellos_of_child, 30);
	wait_for(&log_->sessions_ended, 31);
}
END_TEST

START_TEST(test_raw_fork_attaches_the_child)
{
	start_fake();
	run_well("raw_fork");
	ck_assert_uint_eq(log_->hellos, 2);
	ck_assert_uint_eq(log_->hellos_of_raw_child, 1);
	ck_assert_uint_eq(log_->prepares, 0);
}
END_TEST

START_TEST(test_no_daemon)
{
	run_well("no_daemon");
}
END_TEST

START_TEST(test_no_daemon_is_said_when_asked)
{
	ck_assert_int_eq(setenv("UHMM_DEBUG", "1", 1), 0);
	ck_assert_int_eq(run_probe("no_daemon", true), 0);
	ck_assert_str_eq(output,
			 "uhmm: no daemon at $UHMM_SOCKET: error 111\n");
}
END_TEST

START_TEST(test_death_in_a_request)
{
	start_fake();
	run_well("dies_busy");	/* nothing lost, nothing said */
}
END_TEST

/* And how the loss shows; NULL: as this kernel can have it. */
static const struct {
	const char *name, *signal;
} deadly_cases[] = {
	{ "dies_idle", NULL },
	{ "dies_fork", NULL },
	{ "dies_moving", NULL },
	{ "old_no_poison", "SIGSEGV" },
	{ "old_no_proc", NULL },
	{ "old_no_proc_no_poison", "SIGSEGV" },
	{ "old_no_close_range", NULL },
};

START_TEST(test_death_with_pages_on_the_device)
{
	const char *sig = deadly_cases[_i].signal;
	char said[160];
	int status;

	if (!sig)
		sig = lost_signal() == SIGBUS ? "SIGBUS" : "SIGSEGV";
	start_fake();
	status = run_probe(deadly_cases[_i].name, true);
	ck_assert_msg(status == 0, "%s: status %#x\n%s", deadly_cases[_i].name,
		      status, output);
	(void)snprintf(said, sizeof(said),
		       "uhmm: the daemon is gone: pages that were on the device "
		       "are lost; touching one raises %s\n",
		       sig);
	ck_assert_str_eq(output, said);
}
END_TEST

START_TEST(test_death_and_another_daemon)
{
	log_->respawn = 1;
	start_fake();
	run_well("comes_back");
	ck_assert_uint_eq(log_->starts, 2);
	ck_assert_uint_eq(log_->hellos, 2);
}
END_TEST

/* Without, no session can be made: then there is nothing to test. */
static bool may_have_uffd(void)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (fd >= 0)
		(void)close((int)fd);
	return fd >= 0 || access("/dev/userfaultfd", R_OK | W_OK) == 0;
}

static Suite *preload_suite(void)
{
	Suite *s = suite_create("preload");
	TCase *tc = tcase_create("preload");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, test_plain_case, 0,
			    sizeof(plain_cases) / sizeof(plain_cases[0]));
	tcase_add_test(tc, test_a_program_without_device_sees_no_difference);
	tcase_add_test(tc, test_hello_hands_over);
	tcase_add_test(tc, test_close_tells_after_the_hang_up);
	tcase_add_test(tc, test_protect_is_told_in_whole_pages);
	tcase_add_test(tc, test_what_no_event_tells);
	tcase_add_test(tc, test_remap_in_parts);
	tcase_add_test(tc, test_mmap);
	tcase_add_test(tc, test_fork_attaches_the_child);
	tcase_add_test(tc, test_fork_of_busy_threads);
	tcase_add_test(tc, test_raw_fork_attaches_the_child);
	tcase_add_test(tc, test_no_daemon);
	tcase_add_test(tc, test_no_daemon_is_said_when_asked);
	tcase_add_test(tc, test_death_in_a_request);
	tcase_add_loop_test(tc, test_death_with_pages_on_the_device, 0,
			    sizeof(deadly_cases) / sizeof(deadly_cases[0]));
	tcase_add_test(tc, test_death_and_another_daemon);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr;
	int failed;

	if (!may_have_uffd()) {
		fprintf(stderr, "no userfaultfd here\n");
		return 77;
	}
	sr = srunner_create(preload_suite());
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
