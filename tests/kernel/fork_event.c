/* SPDX-License-Identifier: MIT */
/*
 * fork_event - with EVENT_FORK, fork() waits until the event is READ; reading
 * it makes a descriptor for the child's memory, with the flags of the parent's.
 * The child inherits pages with their mark, and markers; its faults are served
 * there. When the child is gone that descriptor answers ESRCH and never hangs
 * up.
 */
#include "fact_uffd.h"

/**
 * struct scene - what parent and child share
 * @p:     page 0 copied in and marked, page 1 a marker
 * @gate:  the child waits here until we looked at it
 * @child: (out) its pid
 */
struct scene {
	char *p;
	int gate[2];
	pid_t child;
};

static long fork_child(void *arg)
{
	struct scene *s = arg;

	s->child = fork();
	if (s->child)
		return s->child < 0 ? -errno : 0;
	alarm(FACT_SECONDS);
	fact_hear(s->gate[1]);
	_exit((int)fact_load(fact_page(s->p, 1)) == FACT_FILL ? 0 : 1);
}

static void child_memory(const struct scene *s)
{
	char path[64];
	int pagemap;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", s->child);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	NEED(pagemap >= 0, path);
	FACT_IS(fact_pagemap(pagemap, s->p), FACT_ZERO_WP,
		"the child shares a page with its mark");
	FACT_IS(fact_pagemap(pagemap, fact_page(s->p, 1)), FACT_MARKER,
		"the child has the marker too");
	close(pagemap);
}

static int read_event(int uffd)
{
	struct uffd_msg msg = fact_next(uffd);
	int child_uffd = (int)msg.arg.fork.ufd;

	FACT_IS(msg.event, UFFD_EVENT_FORK, "fork raises FORK");
	FACT(fcntl(child_uffd, F_GETFL) & O_NONBLOCK &&
		     fcntl(child_uffd, F_GETFD) & FD_CLOEXEC,
	     "the child's descriptor has the flags of the parent's");
	return child_uffd;
}

static void after_its_end(int child_uffd, struct scene *s, char *fill)
{
	FACT_IS(fact_copy(child_uffd, s->p, fill, 1), -ESRCH,
		"COPY to a process that is gone is ESRCH");
	FACT_IS(fact_wp(child_uffd, s->p, 1), -ESRCH,
		"WRITEPROTECT in a process that is gone is ESRCH");
	FACT(fact_silent(child_uffd),
	     "the userfaultfd of a process that is gone does not hang up");
}

static void fork_and_serve(int uffd, struct scene *s, char *fill)
{
	struct fact_thread t;
	int child_uffd;

	fact_start(&t, fork_child, s);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	FACT(fact_waits(&t), "fork waits for FORK to be read");
	FACT_IS(fact_copy(uffd, fact_page(s->p, 2), fill, 1), -EAGAIN,
		"COPY is EAGAIN while FORK is unread");
	child_uffd = read_event(uffd);
	FACT(fact_gets_through(&t), "fork returns when FORK is read");
	NEED(!t.ret, "fork");
	child_memory(s);
	fact_say(s->gate[0], 1);
	FACT_FAULT(child_uffd, fact_page(s->p, 1), FACT_READ,
		   "the child's touch of a marker is its own missing fault");
	FACT_IS(fact_copy(child_uffd, fact_page(s->p, 1), fill, 1), 0,
		"the child's fault is served on its descriptor");
	fact_reap(s->child);
	after_its_end(child_uffd, s, fill);
}

int main(void)
{
	struct scene s = { 0 };
	char *fill;
	int uffd;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(UFFD_FEATURE_EVENT_FORK | FACT_FEATURE_WP_UNPOPULATED);
	s.p = fact_map_registered(uffd, 3);
	fact_pair(s.gate);
	NEED(!fact_copy(uffd, s.p, fill, 1), "copy");
	NEED(!fact_wp(uffd, s.p, 2), "write-protect");
	fork_and_serve(uffd, &s, fill);
	return 0;
}
