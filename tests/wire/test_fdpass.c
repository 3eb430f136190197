/* SPDX-License-Identifier: MIT */
/* test_fdpass.c - messages and descriptors over a real socket */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "sample.h"
#include "wire/fdpass.h"

static int sock[2];
static struct uhmm_wire_msg msg;
static int fds[UHMM_WIRE_FDS_MAX];
static unsigned int nfds;

static void set_up(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    sock), 0);
	memset(fds, -1, sizeof(fds));
}

static void tear_down(void)
{
	(void)close(sock[0]);
	(void)close(sock[1]);
}

/* The lowest free number: tells whether a descriptor was left behind. */
static int lowest_free(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

	(void)close(fd);
	return fd;
}

START_TEST(test_round_trip)
{
	struct sample_kind k = sample_kinds[_i];
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int out[UHMM_WIRE_FDS_MAX] = { null, null, null, null,
					     null, null, null, null };
	struct uhmm_wire_msg sent;
	size_t bytes = sample_make(&sent, k.id, k.reply);
	unsigned int n = uhmm_wire_nfds(k.id, k.reply);

	errno = EXDEV;
	ck_assert_int_eq(uhmm_wire_send(sock[0], &sent, out, n), 0);
	ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds), 0);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_uint_eq(nfds, n);
	ck_assert_mem_eq(&msg, &sent, bytes);
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
	uhmm_wire_close_fds(fds, &nfds);
	ck_assert_int_eq(close(null), 0);
	ck_assert_int_eq(lowest_free(), null);
}
END_TEST

START_TEST(test_peer_gone)
{
	(void)sample_make(&msg, UHMM_WIRE_ioctl, false);
	ck_assert_int_eq(close(sock[1]), 0);
	sock[1] = -1;
	errno = EXDEV;
	ck_assert_int_eq(uhmm_wire_send(sock[0], &msg, NULL, 0), -EPIPE);
	ck_assert_int_eq(uhmm_wire_recv(sock[0], &msg, fds, &nfds), -EPIPE);
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(test_nothing_there)
{
	ck_assert_int_eq(fcntl(sock[1], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds), -EAGAIN);
	ck_assert_uint_eq(nfds, 0);
}
END_TEST

START_TEST(test_send_to_a_full_socket)
{
	int err = 0;

	(void)sample_make(&msg, UHMM_WIRE_hands, false);
	ck_assert_int_eq(fcntl(sock[0], F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 100000 && !err; i++)
		err = uhmm_wire_send(sock[0], &msg, NULL, 0);
	ck_assert_int_eq(err, -EAGAIN);
}
END_TEST

START_TEST(test_send_refuses)
{
	(void)sample_make(&msg, UHMM_WIRE_ioctl, false);
	ck_assert_int_eq(uhmm_wire_send(sock[0], &msg, fds,
					UHMM_WIRE_FDS_MAX + 1), -EINVAL);
	msg.header.id = SAMPLE_NO_ID;
	ck_assert_int_eq(uhmm_wire_send(sock[0], &msg, NULL, 0), -EINVAL);
}
END_TEST

/* @n bytes of @msg with @count descriptors, as a stranger may send them. */
static void send_raw(size_t n, unsigned int count)
{
	char ctl[CMSG_SPACE(32 * sizeof(int))];
	struct iovec iov = { &msg, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = (struct cmsghdr *)ctl;
	int out[32] = { 0 };

	memset(ctl, 0, sizeof(ctl));
	if (count) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), out, count * sizeof(int));
		mh.msg_control = ctl;
		mh.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	ck_assert_int_ge(sendmsg(sock[0], &mh, 0), 0);
}

/* A refused message leaves no descriptor behind. */
START_TEST(test_recv_refuses)
{
	static const unsigned int counts[] = { 0, 1, 5, 8, 9, 32 };
	const int lowest = lowest_free();
	const size_t bytes = sample_make(&msg, UHMM_WIRE_ioctl, false);

	for (size_t i = 1; i < sizeof(counts) / sizeof(counts[0]); i++) {
		send_raw(bytes, counts[i]);
		ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds),
				 -EPROTO);
		ck_assert_uint_eq(nfds, 0);
		ck_assert_int_eq(lowest_free(), lowest);
	}
	for (size_t n = 1; n < bytes; n++) {
		(void)sample_make(&msg, UHMM_WIRE_ioctl, false);
		send_raw(n, counts[n % 6]);
		ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds),
				 -EPROTO);
		ck_assert_int_eq(lowest_free(), lowest);
	}
}
END_TEST

START_TEST(test_recv_refuses_what_is_too_long)
{
	static char big[2 * sizeof(struct uhmm_wire_msg)];

	(void)sample_make(&msg, UHMM_WIRE_hands, false);
	memcpy(big, &msg, sizeof(msg));
	ck_assert_int_eq(send(sock[0], big, sizeof(big), 0), sizeof(big));
	ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds), -EPROTO);
}
END_TEST

static void take_every_number(void)
{
	const struct rlimit lim = { 64, 64 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	while (fcntl(0, F_DUPFD_CLOEXEC, 0) >= 0)
		;
	ck_assert_int_eq(errno, EMFILE);
}

/* Our table of descriptors is full: that is not the peer's fault. */
START_TEST(test_recv_without_room_for_descriptors)
{
	(void)sample_make(&msg, UHMM_WIRE_open, true);
	send_raw(uhmm_wire_bytes(UHMM_WIRE_open, true), 1);
	(void)sample_make(&msg, UHMM_WIRE_ioctl, true);
	send_raw(uhmm_wire_bytes(UHMM_WIRE_ioctl, true), 1);
	take_every_number();
	ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds), -EMFILE);
	ck_assert_uint_eq(nfds, 0);
	ck_assert_uint_eq(msg.header.id, UHMM_WIRE_open);
	/* here none belongs: it is */
	ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds), -EPROTO);
}
END_TEST

static void nothing(int sig)
{
	(void)sig;
}

/* Receiving goes on after a signal. */
START_TEST(test_recv_is_interrupted)
{
	const struct sigaction sa = { .sa_handler = nothing };
	const struct itimerval t = { { 0, 2000 }, { 0, 2000 } };
	const struct itimerval off = { { 0, 0 }, { 0, 0 } };
	pid_t pid;

	ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
	(void)sample_make(&msg, UHMM_WIRE_ioctl, true);
	pid = fork();
	if (pid == 0) {
		(void)usleep(50000);
		_exit(uhmm_wire_send(sock[0], &msg, NULL, 0) ? 1 : 0);
	}
	ck_assert_int_eq(setitimer(ITIMER_REAL, &t, NULL), 0);
	ck_assert_int_eq(uhmm_wire_recv(sock[1], &msg, fds, &nfds), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
}
END_TEST

static const uint32_t minors[] = { 0, 3, 9, 10, 255, 1000, 9999 };

START_TEST(test_devfd_name_round_trip)
{
	const struct uhmm_wire_token token = {
		{ 0x0123456789abcdefull, 0xfedcba9876543210ull }
	};
	struct uhmm_wire_token got = { { 0, 0 } };
	char name[UHMM_DEVFD_NAME_BYTES];
	unsigned int n = uhmm_devfd_name(name, minors[_i], token);
	uint32_t minor = ~0u;

	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(name[0], 0);
	ck_assert(uhmm_devfd_parse(name, n, &minor, &got));
	ck_assert_uint_eq(minor, minors[_i]);
	ck_assert_mem_eq(&got, &token, sizeof(got));
	ck_assert(!uhmm_devfd_parse(name, n - 1, &minor, &got));
	for (unsigned int i = 0; i < n; i++) {
		char kept = name[i];

		name[i] = 'x';
		ck_assert(!uhmm_devfd_parse(name, n, &minor, &got));
		name[i] = kept;
	}
}
END_TEST

START_TEST(test_devfd_name_limits)
{
	const struct uhmm_wire_token token = { { 1, 2 } };
	static const char text[] =
		"\0uhmm-dev//00000000000000010000000000000002";
	struct uhmm_wire_token got;
	char name[UHMM_DEVFD_NAME_BYTES];
	uint32_t minor;

	ck_assert_uint_eq(uhmm_devfd_name(name, 0, token), 44);
	ck_assert_mem_eq(name + 1,
			 "uhmm-dev/0/00000000000000010000000000000002", 43);
	ck_assert_uint_eq(uhmm_devfd_name(name, 10000, token), 0);
	ck_assert(!uhmm_devfd_parse("", 0, &minor, &got));
	ck_assert(!uhmm_devfd_parse(text, sizeof(text) - 1, &minor, &got));
}
END_TEST

static Suite *fdpass_suite(void)
{
	Suite *s = suite_create("fdpass");
	TCase *tc = tcase_create("fdpass");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, test_round_trip, 0, (int)SAMPLE_KINDS);
	tcase_add_test(tc, test_peer_gone);
	tcase_add_test(tc, test_nothing_there);
	tcase_add_test(tc, test_send_to_a_full_socket);
	tcase_add_test(tc, test_send_refuses);
	tcase_add_test(tc, test_recv_refuses);
	tcase_add_test(tc, test_recv_refuses_what_is_too_long);
	tcase_add_test(tc, test_recv_without_room_for_descriptors);
	tcase_add_test(tc, test_recv_is_interrupted);
	tcase_add_loop_test(tc, test_devfd_name_round_trip, 0,
			    sizeof(minors) / sizeof(minors[0]));
	tcase_add_test(tc, test_devfd_name_limits);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(fdpass_suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
