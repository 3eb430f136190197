/* SPDX-License-Identifier: MIT */
/* loop.h - wait until one of many descriptors is ready
 *
 * Theory of operation. Readiness, reported once per change (edge): a handler
 * reads until EAGAIN or it will not be called again. Two back ends behind
 * struct loop_backend: io_uring (multishot poll) and epoll (EPOLLET), because
 * containers refuse io_uring; both behave the same and both are tested.
 *
 * Events of one loop_wait() are a snapshot: while the first is handled the
 * source of the second may be taken out. So a handler is found by
 * loop_object() at the moment it is to run.
 *
 * Owns:  its sources.  Locks: one thread only, the one that created it
 * (io_uring completes polls in the thread that armed them).
 * Errors: 0 or -errno.
 */
#ifndef UHMMD_LOOP_H
#define UHMMD_LOOP_H

#include <uhmm/types.h>

#include "event.h"
#include "slots.h"

enum loop_kind {
	LOOP_AUTO,	/* io_uring if the kernel lets us, else epoll */
	LOOP_URING,
	LOOP_EPOLL,
};

/** One descriptor that is watched. */
struct loop_source {
	union uhmm_ev ev;
	int fd;
	void *obj;
};

/** @events is of poll(2): POLLIN, POLLHUP, POLLERR. */
struct loop_event {
	union uhmm_ev ev;
	uint32_t events;
};

struct loop;

/** struct loop_backend - the seam. Every call is made by the loop's thread. */
struct loop_backend {
	const char *name;
	/** open() - set loop->back. 0 or -errno: this kernel will not have it */
	int (*open)(struct loop *loop);
	void (*close)(struct loop *loop);
	/** arm() - watch @src for POLLIN and hang-up. 0 or -errno */
	int (*arm)(struct loop *loop, const struct loop_source *src);
	/** disarm() - stop; the kernel holds src->fd no longer */
	void (*disarm)(struct loop *loop, const struct loop_source *src);
	/** wait() - as loop_wait(); may return stale events */
	int (*wait)(struct loop *loop, int64_t timeout_ns,
		    struct loop_event *out, unsigned int max);
};

struct loop {
	const struct loop_backend *ops;
	void *back;			/* the back end's */
	struct slots sources;		/* of struct loop_source */
};

extern const struct loop_backend loop_uring;
extern const struct loop_backend loop_epoll;

/**
 * loop_open() - set up @loop for this thread
 * Return: 0; -errno of the back end that was asked for (AUTO: of epoll)
 */
UHMM_CHECKED int loop_open(struct loop *loop, enum loop_kind kind);

/** loop_close() - forget every source; accepts a zeroed loop */
void loop_close(struct loop *loop);

/**
 * loop_add() - watch @fd; events carry *@ev, which finds @obj
 * Return: 0 with *@ev; -ENOMEM; -errno of the kernel
 */
UHMM_CHECKED int loop_add(struct loop *loop, int fd, enum ev_type type,
			  void *obj, union uhmm_ev *ev);

/**
 * loop_del() - no more events of *@ev, which becomes 0; before its descriptor
 * is closed. Harmless when it is 0 already.
 */
void loop_del(struct loop *loop, union uhmm_ev *ev);

/** loop_object() - what loop_add() was told, or NULL: the event is stale */
void *loop_object(const struct loop *loop, union uhmm_ev ev);

/**
 * loop_wait() - wait for events
 * @timeout_ns: 0 only look; negative wait for ever
 * Return: number of events in @out (0: time is up, or a signal); -errno
 */
UHMM_CHECKED int loop_wait(struct loop *loop, int64_t timeout_ns,
			   struct loop_event *out, unsigned int max);

#endif
