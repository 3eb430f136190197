/* SPDX-License-Identifier: MIT */
/*
 * uring_poll - io_uring's multishot poll on a userfaultfd and on a
 * SOCK_SEQPACKET socket completes once per message as it comes, and keeps its
 * place; it is edge-triggered: what is left unread is not told again, so the
 * reader has to read until EAGAIN. What is there when it is armed is told. A
 * hang-up is told once.
 */
#include "fact_uffd.h"

#include <liburing.h>

static void make_ring(struct io_uring *ring)
{
	int err = io_uring_queue_init(8, ring, 0);

	if (err == -ENOSYS || err == -EPERM)
		fact_skip("io_uring is not permitted or not there (%s)",
			  strerror(-err));
	NEED(!err, "io_uring_queue_init");
}

static void arm(struct io_uring *ring, int fd, unsigned int events)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	NEED(sqe, "io_uring_get_sqe");
	io_uring_prep_poll_multishot(sqe, fd, events);
	NEED(io_uring_submit(ring) == 1, "io_uring_submit");
}

/* The result of the next completion, 0 if none comes within @ms */
static int next(struct io_uring *ring, long ms)
{
	struct __kernel_timespec t = { ms / 1000, ms % 1000 * 1000000 };
	struct io_uring_cqe *cqe;
	int res;

	if (io_uring_wait_cqe_timeout(ring, &cqe, &t))
		return 0;
	res = cqe->res;
	FACT(cqe->flags & IORING_CQE_F_MORE, "a multishot poll stays armed");
	io_uring_cqe_seen(ring, cqe);
	return res;
}

static void on_uffd(struct io_uring *ring, char *fill)
{
	int uffd = fact_uffd(0);
	char *p = fact_map_registered(uffd, 3);
	struct fact_thread t[3];

	arm(ring, uffd, POLLIN);
	FACT_IS(next(ring, FACT_STILL_MS), 0, "no message, no completion");
	for (size_t i = 0; i < 2; i++) {
		fact_start(&t[i], fact_load, fact_page(p, i));
		FACT_IS(next(ring, FACT_SOON_MS), POLLIN,
			"each fault completes the poll");
	}
	fact_next(uffd);
	FACT_IS(next(ring, FACT_STILL_MS), 0,
		"a message left unread is not told again");
	fact_next(uffd);
	fact_start(&t[2], fact_load, fact_page(p, 2));
	FACT_IS(next(ring, FACT_SOON_MS), POLLIN, "a later fault is told");
	NEED(!fact_copy(uffd, p, fill, 3), "copy");
	for (size_t i = 0; i < 3; i++)
		FACT(fact_gets_through(&t[i]), "COPY serves all three");
}

static void armed_late(struct io_uring *ring, char *fill)
{
	int uffd = fact_uffd(0);
	char *p = fact_map_registered(uffd, 1);
	struct fact_thread t;

	fact_start(&t, fact_load, p);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no fault");
	arm(ring, uffd, POLLIN);
	FACT_IS(next(ring, FACT_SOON_MS), POLLIN,
		"what is there when the poll is armed is told");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t), "COPY serves it");
}

static void on_socket(struct io_uring *ring)
{
	int pair[2];

	fact_pair(pair);
	arm(ring, pair[0], POLLIN | POLLRDHUP);
	fact_say(pair[1], 1);
	FACT_IS(next(ring, FACT_SOON_MS), POLLIN, "a message is told");
	fact_say(pair[1], 2);
	FACT_IS(next(ring, FACT_SOON_MS), POLLIN, "the next is told too");
	FACT_IS(fact_hear(pair[0]), 1, "messages keep their order");
	FACT_IS(next(ring, FACT_STILL_MS), 0,
		"a message left unread is not told again");
	close(pair[1]);
	FACT(next(ring, FACT_SOON_MS) & POLLHUP, "a hang-up is told");
	FACT_IS(next(ring, FACT_STILL_MS), 0, "a hang-up is told once");
}

int main(void)
{
	struct io_uring ring;
	char *fill;

	fact_begin();
	fill = fact_fill(3);
	make_ring(&ring);
	on_socket(&ring);
	on_uffd(&ring, fill);
	armed_late(&ring, fill);
	return 0;
}
