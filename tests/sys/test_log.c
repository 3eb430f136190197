/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int pipe_fd[2];
static int saved_stderr;

/* Standard error into a packet pipe: one read is one write. */
static void capture(void)
{
	ck_assert_int_eq(pipe2(pipe_fd, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
	saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	dup2(pipe_fd[1], STDERR_FILENO);
}

static void release(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* What the next write wrote, "" for none. */
static const char *written(void)
{
	static char text[2048];
	ssize_t n = read(pipe_fd[0], text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

START_TEST(test_err_one_line_one_write)
{
	errno = ENOSPC;
	uhmm_err("cannot %s %d", "do", 7);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_str_eq(written(), "uhmm: cannot do 7\n");
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(test_errno_either_sign)
{
	errno = 0;
	uhmm_err_errno(-ENOENT, "open %s", "x");
	ck_assert_str_eq(written(),
			 "uhmm: open x: No such file or directory\n");
	uhmm_warn_errno(ENOENT, "open");
	ck_assert_str_eq(written(),
			 "uhmm: warning: open: No such file or directory\n");
	ck_assert_int_eq(errno, 0);
}
END_TEST

START_TEST(test_init_prefix_and_parts)
{
	setenv("UHMM_DEBUG", "fault,nonsense,,engine", 1);
	uhmm_log_init("uhmmd");
	uhmm_dbg(UHMM_LOG_FAULT, "event addr=%#x", 16);
	ck_assert_str_eq(written(), "uhmmd: fault: event addr=0x10\n");
	uhmm_dbg_errno(UHMM_LOG_ENGINE, EBUSY, "hands");
	ck_assert_str_eq(written(),
			 "uhmmd: engine: hands: Device or resource busy\n");
	uhmm_dbg(UHMM_LOG_WIRE, "not this");
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(test_dbg_off_evaluates_nothing)
{
	int evaluated = 0;

	unsetenv("UHMM_DEBUG");
	uhmm_log_init("uhmm");
	uhmm_dbg(UHMM_LOG_HOOKS, "%d", evaluated++);
	ck_assert_int_eq(evaluated, 0);
}
END_TEST

START_TEST(test_level)
{
	uhmm_info("quiet by default");
	ck_assert_str_eq(written(), "");
	uhmm_log_set_level(UHMM_LOG_INFO);
	uhmm_info("%s", "now");
	ck_assert_str_eq(written(), "uhmm: now\n");
	uhmm_log_set_level(UHMM_LOG_ERR);
	uhmm_warn("not this");
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(test_long_line_is_cut)
{
	char text[2 * UHMM_LOG_LINE_MAX];
	const char *line;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	uhmm_err_errno(EIO, "%s", text);
	line = written();
	ck_assert_uint_eq(strlen(line), UHMM_LOG_LINE_MAX);
	ck_assert_int_eq(line[UHMM_LOG_LINE_MAX - 1], '\n');
}
END_TEST

START_TEST(test_parse_parts)
{
	ck_assert_uint_eq(uhmm_log_parse_parts(NULL), 0);
	ck_assert_uint_eq(uhmm_log_parse_parts(""), 0);
	ck_assert_uint_eq(uhmm_log_parse_parts("al,alll,hook,hookss"), 0);
	ck_assert_uint_eq(uhmm_log_parse_parts("all"),
			  (1u << UHMM_NR_LOG_PARTS) - 1);
	for (unsigned int i = 0; i < UHMM_NR_LOG_PARTS; i++)
		ck_assert_uint_eq(uhmm_log_parse_parts(uhmm_log_part_name(i)),
				  1u << i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, capture, release);
	tcase_add_test(tcase, test_err_one_line_one_write);
	tcase_add_test(tcase, test_errno_either_sign);
	tcase_add_test(tcase, test_init_prefix_and_parts);
	tcase_add_test(tcase, test_dbg_off_evaluates_nothing);
	tcase_add_test(tcase, test_level);
	tcase_add_test(tcase, test_long_line_is_cut);
	tcase_add_test(tcase, test_parse_parts);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
