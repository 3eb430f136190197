/* SPDX-License-Identifier: MIT */
/* test_listener.c - where the door may be, and who comes in */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "listener.h"
#include "suite.h"

static char dir[] = "/tmp/uhmm-test-XXXXXX";
static char path[64];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static int connect_to(const char *to)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(sun.sun_path, to, sizeof(sun.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	close(fd);
	return -errno;
}

START_TEST(test_bind_new)
{
	int fd = listener_bind(path);
	struct stat st;
	int peer;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	peer = connect_to(path);
	ck_assert_int_ge(peer, 0);
	close(peer);
	close(fd);
}
END_TEST

START_TEST(test_bind_live)
{
	int fd = listener_bind(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listener_bind(path), -EADDRINUSE);
	ck_assert_int_ge(connect_to(path), 0);
	close(fd);
}
END_TEST

START_TEST(test_bind_stale)
{
	int fd = listener_bind(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	fd = listener_bind(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ge(connect_to(path), 0);
	close(fd);
}
END_TEST

START_TEST(test_bind_no_socket)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	ck_assert_int_eq(listener_bind(path), -EEXIST);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 1);
	close(fd);
}
END_TEST

START_TEST(test_bind_no_dir)
{
	char deep[96];

	snprintf(deep, sizeof(deep), "%s/a/b", dir);
	ck_assert_int_ge(listener_bind(deep), 0);
	unlink(deep);
	snprintf(deep, sizeof(deep), "%s/c/d/e", dir);
	ck_assert_int_lt(listener_bind(deep), 0);
	snprintf(deep, sizeof(deep), "%s/a", dir);
	rmdir(deep);
}
END_TEST

/* Somebody else made "our" directory below /tmp first. */
START_TEST(test_bind_foreign_dir)
{
	char in[96];

	snprintf(in, sizeof(in), "%s", path);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(listener_bind(in), -EPERM);
	ck_assert_int_eq(chmod(dir, 0700), 0);
}
END_TEST

START_TEST(test_may_enter)
{
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    s), 0);
	ck_assert(listener_may_enter(s[0], getuid()));
	ck_assert(!listener_may_enter(s[0], getuid() + 1));
	close(s[1]);
	ck_assert(!listener_may_enter(STDIN_FILENO, getuid()));
	close(s[0]);
}
END_TEST

/* Another user, for real: only root can try. */
START_TEST(test_other_user)
{
	int fd, peer, status;
	pid_t child;

	if (getuid() != 0)
		return;
	fd = listener_bind(path);
	ck_assert_int_ge(fd, 0);
	chmod(dir, 0755);
	chmod(path, 0666);	/* as if somebody had widened it */
	child = fork();
	if (child == 0) {
		if (setgid(65534) || setuid(65534) || connect_to(path) < 0)
			_exit(1);
		pause();
	}
	do {
		peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		ck_assert_int_eq(waitpid(child, &status, WNOHANG), 0);
	} while (peer < 0 && errno == EAGAIN);
	ck_assert_int_ge(peer, 0);
	ck_assert(!listener_may_enter(peer, getuid()));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(peer);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tc = tcase_create("listener");
	SRunner *runner = srunner_create(suite);
	const TTest *const tests[] = {
		test_bind_new,	   test_bind_live,   test_bind_stale,
		test_bind_no_socket, test_bind_no_dir, test_bind_foreign_dir,
		test_may_enter,	   test_other_user,
	};
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < SUITE_COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
