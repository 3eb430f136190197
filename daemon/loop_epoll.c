/* SPDX-License-Identifier: MIT */
/* loop_epoll.c - the loop on epoll, edge-triggered (loop.h) */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

#define NEVENTS 64

/* What is reported goes out as poll(2) names it. */
static_assert(EPOLLIN == POLLIN && EPOLLHUP == POLLHUP && EPOLLERR == POLLERR,
	      "epoll and poll bits are the same");

struct epoll_back {
	int fd;
};

static int epoll_open(struct loop *loop)
{
	struct epoll_back *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->fd < 0) {
		err = -errno;
		free(b);
		return err;
	}
	loop->back = b;
	return 0;
}

static void epoll_close(struct loop *loop)
{
	struct epoll_back *b = loop->back;

	close(b->fd);
	free(b);
}

static int epoll_arm(struct loop *loop, const struct loop_source *src)
{
	struct epoll_back *b = loop->back;
	struct epoll_event e = { .events = EPOLLIN | EPOLLET,
				 .data.u64 = src->ev.u64 };

	return epoll_ctl(b->fd, EPOLL_CTL_ADD, src->fd, &e) < 0 ? -errno : 0;
}

static void epoll_disarm(struct loop *loop, const struct loop_source *src)
{
	struct epoll_back *b = loop->back;

	epoll_ctl(b->fd, EPOLL_CTL_DEL, src->fd, NULL);
}

/* Milliseconds, rounded up so that a deadline has passed when we return. */
static int to_ms(int64_t ns)
{
	if (ns < 0)
		return -1;
	if (ns > (int64_t)INT_MAX * 1000000)
		return INT_MAX;
	return (int)((ns + 999999) / 1000000);
}

static int epoll_wait_events(struct loop *loop, int64_t timeout_ns,
			     struct loop_event *out, unsigned int max)
{
	struct epoll_back *b = loop->back;
	struct epoll_event e[NEVENTS];
	int n = epoll_wait(b->fd, e, max < NEVENTS ? (int)max : NEVENTS,
			   to_ms(timeout_ns));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		out[i].ev.u64 = e[i].data.u64;
		out[i].events = e[i].events;
	}
	return n;
}

const struct loop_backend loop_epoll = {
	.name = "epoll",
	.open = epoll_open,
	.close = epoll_close,
	.arm = epoll_arm,
	.disarm = epoll_disarm,
	.wait = epoll_wait_events,
};
