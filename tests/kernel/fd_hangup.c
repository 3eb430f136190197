/* SPDX-License-Identifier: MIT */
/*
 * fd_hangup - the holder of one end of a SOCK_SEQPACKET pair sees a hang-up
 * when the last reference to the other end is gone, by close or by SIGKILL,
 * and not before: not while a duplicate, a child, or a message in flight holds
 * one. If the other end left a message unread, the first recv is ECONNRESET;
 * then, or otherwise, 0. The other end's shutdown() looks the same.
 */
#include "fact.h"

#define HANG_UP (POLLIN | POLLHUP | POLLRDHUP)

static int events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };

	NEED(poll(&p, 1, 0) >= 0, "poll");
	return p.revents;
}

static long receive(int fd)
{
	char buf[16];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

static void last_close(void)
{
	int pair[2];
	int copy;

	fact_pair(pair);
	copy = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	close(pair[1]);
	FACT_IS(events(pair[0]), 0, "no hang-up while a duplicate is open");
	FACT_IS(receive(pair[0]), -EAGAIN, "nothing to receive until then");
	close(copy);
	FACT_IS(events(pair[0]), HANG_UP, "the last close is a hang-up");
	FACT_IS(receive(pair[0]), 0, "recv after the last close is 0");
}

static void left_unread(void)
{
	int pair[2];

	fact_pair(pair);
	NEED(send(pair[0], "magic", 5, 0) == 5, "send");
	close(pair[1]);
	FACT_IS(events(pair[0]), HANG_UP | POLLERR,
		"a hang-up with a message unread has POLLERR");
	FACT_IS(receive(pair[0]), -ECONNRESET,
		"the first recv after it is ECONNRESET");
	FACT_IS(receive(pair[0]), 0, "the next recv is 0");
}

static void in_flight(void)
{
	int pair[2];
	int way[2];

	fact_pair(pair);
	fact_pair(way);
	fact_send_fd(way[0], pair[1]);
	close(pair[1]);
	FACT_IS(events(pair[0]), 0, "no hang-up while it is in flight");
	close(way[0]);
	close(way[1]);
	FACT_IS(events(pair[0]), HANG_UP,
		"a hang-up when the message it was in is dropped");
}

static void killed(void)
{
	int pair[2];
	pid_t pid;

	fact_pair(pair);
	pid = fact_fork();
	if (!pid) {
		close(pair[0]);
		pause();
		_exit(1);
	}
	close(pair[1]);
	FACT_IS(events(pair[0]), 0, "no hang-up while a child holds it");
	fact_kill(pid);
	FACT_IS(events(pair[0]), HANG_UP, "SIGKILL of the last is a hang-up");
}

static void shut_down(void)
{
	int pair[2];

	fact_pair(pair);
	NEED(!shutdown(pair[1], SHUT_RDWR), "shutdown");
	FACT_IS(events(pair[0]), HANG_UP,
		"shutdown of the other end looks like a hang-up");
}

int main(void)
{
	fact_begin();
	last_close();
	left_unread();
	in_flight();
	killed();
	shut_down();
	return 0;
}
