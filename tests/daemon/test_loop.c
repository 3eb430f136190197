/* SPDX-License-Identifier: MIT */
/* test_loop.c - both back ends of the loop do the same; _i says which */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "co.h"
#include "loop.h"
#include "suite.h"

#define MS INT64_C(1000000)
#define NEVENTS 64

static const enum loop_kind kinds[] = { LOOP_URING, LOOP_EPOLL };
static struct loop loop;
static struct loop_event e[NEVENTS];

/* A machine that refuses io_uring has one back end. */
static bool begin(int i)
{
	int err = loop_open(&loop, kinds[i]);

	if (err && kinds[i] == LOOP_URING)
		return false;
	ck_assert_int_eq(err, 0);
	return true;
}

static int wait_ms(int ms)
{
	int n = loop_wait(&loop, ms * MS, e, NEVENTS);

	ck_assert_int_ge(n, 0);
	return n;
}

/* Current events, stale ones dropped, within @ms. */
static int wait_current(int ms)
{
	uint64_t until = co_now_ns() + (uint64_t)ms * 1000000;
	int n, kept = 0;

	do {
		n = wait_ms(ms);
		for (int i = 0; i < n; i++)
			if (loop_object(&loop, e[i].ev))
				e[kept++] = e[i];
	} while (!kept && co_now_ns() < until);
	return kept;
}

START_TEST(test_loop_auto)
{
	ck_assert_int_eq(loop_open(&loop, LOOP_AUTO), 0);
	ck_assert_ptr_nonnull(loop.ops->name);
	loop_close(&loop);
	loop_close(&loop);
}
END_TEST

START_TEST(test_loop_pipe)
{
	union uhmm_ev ev;
	char byte;
	int p[2], obj;

	if (!begin(_i))
		return;
	ck_assert_int_eq(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(loop_add(&loop, p[0], EV_CHANNEL, &obj, &ev), 0);
	ck_assert_int_eq(wait_ms(0), 0);
	for (int round = 0; round < 100; round++) {
		ck_assert_int_eq(write(p[1], "x", 1), 1);
		ck_assert_int_eq(wait_ms(1000), 1);
		ck_assert_uint_eq(e[0].ev.u64, ev.u64);
		ck_assert_int_eq(e[0].ev.type, EV_CHANNEL);
		ck_assert_uint_ne(e[0].events & POLLIN, 0);
		ck_assert_ptr_eq(loop_object(&loop, e[0].ev), &obj);
		while (read(p[0], &byte, 1) > 0)
			;
	}
	ck_assert_int_eq(wait_ms(0), 0);
	close(p[1]);
	ck_assert_int_eq(wait_ms(1000), 1);
	ck_assert_uint_ne(e[0].events & (POLLHUP | POLLIN), 0);
	loop_del(&loop, &ev);
	ck_assert_uint_eq(ev.u64, 0);
	loop_del(&loop, &ev);
	close(p[0]);
	loop_close(&loop);
}
END_TEST

/* What was there before it was added is reported, too. */
START_TEST(test_loop_ready_before)
{
	union uhmm_ev ev;
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	if (!begin(_i))
		return;
	ck_assert_int_eq(loop_add(&loop, fd, EV_KICK, &fd, &ev), 0);
	ck_assert_int_eq(wait_ms(1000), 1);
	loop_close(&loop);
	close(fd);
}
END_TEST

START_TEST(test_loop_hang_up)
{
	union uhmm_ev ev;
	int s[2];

	if (!begin(_i))
		return;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    s), 0);
	ck_assert_int_eq(loop_add(&loop, s[0], EV_CHANNEL, s, &ev), 0);
	close(s[1]);
	ck_assert_int_eq(wait_ms(1000), 1);
	ck_assert_uint_ne(e[0].events & POLLHUP, 0);
	loop_close(&loop);
	close(s[0]);
}
END_TEST

/* The peer sees that we closed at once, although a poll was under way. */
START_TEST(test_loop_del_lets_go)
{
	union uhmm_ev ev;
	struct pollfd pfd;
	int s[2];

	if (!begin(_i))
		return;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    s), 0);
	ck_assert_int_eq(loop_add(&loop, s[0], EV_CHANNEL, s, &ev), 0);
	ck_assert_int_eq(wait_ms(0), 0);
	loop_del(&loop, &ev);
	close(s[0]);
	pfd = (struct pollfd){ .fd = s[1], .events = POLLIN };
	ck_assert_int_eq(poll(&pfd, 1, 1000), 1);
	ck_assert_int_ne(pfd.revents & POLLHUP, 0);
	close(s[1]);
	loop_close(&loop);
}
END_TEST

/* An event of a source that was taken out, or replaced, finds nothing. */
START_TEST(test_loop_stale)
{
	union uhmm_ev ev, old, other;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int obj[2];

	if (!begin(_i))
		return;
	ck_assert_int_eq(loop_add(&loop, fd, EV_KICK, &obj[0], &ev), 0);
	old = ev;
	eventfd_write(fd, 1);
	ck_assert_int_eq(wait_ms(1000), 1);
	loop_del(&loop, &ev);
	ck_assert_ptr_null(loop_object(&loop, e[0].ev));
	ck_assert_int_eq(loop_add(&loop, fd, EV_KICK, &obj[1], &other), 0);
	ck_assert_uint_eq(other.slot, old.slot);
	ck_assert_uint_ne(other.generation, old.generation);
	ck_assert_ptr_null(loop_object(&loop, old));
	ck_assert_int_eq(wait_current(1000), 1);
	ck_assert_ptr_eq(loop_object(&loop, e[0].ev), &obj[1]);
	ck_assert_ptr_null(loop_object(&loop, (union uhmm_ev){ .u64 = 0 }));
	loop_close(&loop);
	close(fd);
}
END_TEST

START_TEST(test_loop_timeout)
{
	uint64_t begin_ns;

	if (!begin(_i))
		return;
	begin_ns = co_now_ns();
	ck_assert_int_eq(wait_ms(30), 0);
	ck_assert_uint_ge(co_now_ns() - begin_ns, 29 * MS);
	begin_ns = co_now_ns();
	ck_assert_int_eq(wait_ms(0), 0);
	ck_assert_uint_le(co_now_ns() - begin_ns, 1000 * MS);
	loop_close(&loop);
}
END_TEST

/* More are ready than one look takes, and than a completion ring holds: none
 * is lost, and none is forgotten afterwards. */
#define MANY 6000

static int fds[MANY];
static union uhmm_ev evs[MANY];
static unsigned char seen[MANY];

static void raise_limit(void)
{
	struct rlimit lim;

	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int count_all(void)
{
	int n, all = 0;

	memset(seen, 0, sizeof(seen));
	while ((n = wait_ms(200)) > 0)
		for (int i = 0; i < n; i++) {
			int *fd = loop_object(&loop, e[i].ev);
			uint64_t value;

			ck_assert_ptr_nonnull(fd);
			while (read(*fd, &value, sizeof(value)) > 0)
				all += !seen[fd - fds]++;
		}
	return all;
}

START_TEST(test_loop_many)
{
	int n;

	raise_limit();
	if (!begin(_i))
		return;
	for (n = 0; n < MANY; n++) {
		fds[n] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (fds[n] < 0)
			break;
		ck_assert_int_eq(loop_add(&loop, fds[n], EV_KICK, &fds[n],
					  &evs[n]), 0);
	}
	ck_assert_int_eq(wait_ms(0), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < n; i++)
			eventfd_write(fds[i], 1);
		ck_assert_int_eq(count_all(), n);
	}
	for (int i = 0; i < n; i++) {
		loop_del(&loop, &evs[i]);
		close(fds[i]);
	}
	loop_close(&loop);
}
END_TEST

int main(void)
{
	static struct suite_test tests[10];
	size_t n = 0;

	tests[n++] = (struct suite_test){ test_loop_auto, 1 };
	tests[n++] = (struct suite_test){ test_loop_pipe, 2 };
	tests[n++] = (struct suite_test){ test_loop_ready_before, 2 };
	tests[n++] = (struct suite_test){ test_loop_hang_up, 2 };
	tests[n++] = (struct suite_test){ test_loop_del_lets_go, 2 };
	tests[n++] = (struct suite_test){ test_loop_stale, 2 };
	tests[n++] = (struct suite_test){ test_loop_timeout, 2 };
	tests[n++] = (struct suite_test){ test_loop_many, 2 };
	return suite_main("loop", tests, n);
}
