/* SPDX-License-Identifier: MIT */
/* loop_uring.c - the loop on io_uring, multishot poll (loop.h)
 *
 * One poll request per source stays armed and posts a completion per change.
 * The kernel may end it at any time (ring overflow, an error): a completion
 * without F_MORE says so, and it is armed again, which looks at once, so no
 * change is lost. Tag 0 is of requests whose result nobody needs.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loop.h"

#define SQ_ENTRIES 256
#define CQ_ENTRIES 4096

/* Best first: what a kernel does not know it refuses. What liburing does not
 * know, before 2.3 or 2.2, it could not deal with. */
static const unsigned int setups[] = {
#ifdef IORING_SETUP_DEFER_TASKRUN
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
#endif
#ifdef IORING_SETUP_COOP_TASKRUN
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
#endif
	0,
};

/* ---- what liburing 2.1 does not have ---- */

static void get_events(struct io_uring *ring)
{
#ifdef UHMM_HAVE_URING_GET_EVENTS
	io_uring_get_events(ring);
#else
	(void)!syscall(SYS_io_uring_enter, ring->ring_fd, 0, 0,
		       IORING_ENTER_GETEVENTS, NULL, 8);
#endif
}

static int submit_and_wait_for(struct io_uring *ring,
			       struct __kernel_timespec *ts)
{
	struct io_uring_cqe *cqe;
#ifdef UHMM_HAVE_URING_SUBMIT_AND_WAIT_TIMEOUT
	return io_uring_submit_and_wait_timeout(ring, &cqe, 1, ts, NULL);
#else
	int ret = io_uring_submit(ring);

	return ret < 0 ? ret : io_uring_wait_cqe_timeout(ring, &cqe, ts);
#endif
}

static int uring_open(struct loop *loop)
{
	struct io_uring *ring = calloc(1, sizeof(*ring));
	int err = -EINVAL;

	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
		struct io_uring_params p = {
			.flags = setups[i] | IORING_SETUP_CQSIZE,
			.cq_entries = CQ_ENTRIES,
		};

		err = io_uring_queue_init_params(SQ_ENTRIES, ring, &p);
		if (err != -EINVAL)
			break;
	}
	if (err) {
		free(ring);
		return err;
	}
	loop->back = ring;
	return 0;
}

static void uring_close(struct loop *loop)
{
	io_uring_queue_exit(loop->back);
	free(loop->back);
}

/* A free entry of the submission queue; NULL if the kernel takes nothing. */
static struct io_uring_sqe *get_sqe(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (sqe || io_uring_submit(ring) < 0)
		return sqe;
	return io_uring_get_sqe(ring);
}

static int uring_arm(struct loop *loop, const struct loop_source *src)
{
	struct io_uring_sqe *sqe = get_sqe(loop->back);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_poll_multishot(sqe, src->fd, POLLIN);
	sqe->user_data = src->ev.u64;
	return 0;
}

/* Submitted at once: until then the kernel keeps the file open, and whoever
 * holds its other end would not see that we closed ours. */
static void uring_disarm(struct loop *loop, const struct loop_source *src)
{
	struct io_uring *ring = loop->back;
	struct io_uring_sqe *sqe = get_sqe(ring);

	if (!sqe)
		return;
	/* io_uring_prep_poll_remove() wants a pointer before 2.2 */
	io_uring_prep_rw(IORING_OP_POLL_REMOVE, sqe, -1, NULL, 0, 0);
	sqe->addr = src->ev.u64;
	sqe->user_data = 0;
	io_uring_submit(ring);
	get_events(ring);
}

/* One completion. Return: does it say anything to the caller? */
static bool take_cqe(struct loop *loop, const struct io_uring_cqe *cqe,
		     struct loop_event *out)
{
	union uhmm_ev ev = { .u64 = cqe->user_data };
	struct slot_ref ref = { ev.slot, ev.generation };
	const struct loop_source *src = slots_get(&loop->sources, ref);

	if (!ev.u64 || !src)
		return false;
	out->ev = ev;
	out->events = cqe->res < 0 ? POLLERR : (uint32_t)cqe->res;
	if (cqe->flags & IORING_CQE_F_MORE)
		return true;
	if (cqe->res < 0 && cqe->res != -ECANCELED)
		return true;	/* cannot be polled: tell, do not spin */
	if (uring_arm(loop, src))
		out->events = POLLERR;
	return cqe->res >= 0;
}

static int reap(struct loop *loop, struct loop_event *out, unsigned int max)
{
	struct io_uring *ring = loop->back;
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0, n = 0;

	io_uring_for_each_cqe(ring, head, cqe) {
		if (n == max)
			break;
		n += take_cqe(loop, cqe, &out[n]);
		seen++;
	}
	io_uring_cq_advance(ring, seen);
	return (int)n;
}

static int submit_and_wait(struct io_uring *ring, int64_t timeout_ns)
{
	struct __kernel_timespec ts = { .tv_sec = timeout_ns / 1000000000,
					.tv_nsec = timeout_ns % 1000000000 };
	int ret;

	if (io_uring_cq_ready(ring) || timeout_ns == 0) {
		ret = io_uring_submit(ring);
		get_events(ring);
		return ret;
	}
	if (timeout_ns < 0)
		return io_uring_submit_and_wait(ring, 1);
	return submit_and_wait_for(ring, &ts);
}

static int uring_wait(struct loop *loop, int64_t timeout_ns,
		      struct loop_event *out, unsigned int max)
{
	int ret = submit_and_wait(loop->back, timeout_ns);

	/* EBUSY, EAGAIN: completions must be taken first; then it goes on. */
	if (ret < 0 && ret != -ETIME && ret != -EINTR && ret != -EBUSY &&
	    ret != -EAGAIN)
		return ret;
	return reap(loop, out, max);
}

const struct loop_backend loop_uring = {
	.name = "uring",
	.open = uring_open,
	.close = uring_close,
	.arm = uring_arm,
	.disarm = uring_disarm,
	.wait = uring_wait,
};
