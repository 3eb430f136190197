/* SPDX-License-Identifier: MIT */
/* channel.h - one connection: of a thread, of an agent, or of the command
 *
 * Theory of operation. A channel says nothing of itself until its first
 * message: hello makes it the first channel of a new session, join one more of
 * an existing one, a statistics request the command's. A caller's channel has
 * at most one request under way (request.h); while that waits, and on an
 * agent's channel at any time, "hands" go out and their answers come in
 * (hands.h). Whatever else is said breaks the protocol: the session it belongs
 * to ends, and nobody else's does.
 *
 * Life:  create -> (hello, join: attach to a session) -> close -> last put ->
 *        freed by the next channels_reap().
 *        close: the peer hung up or was thrown out. A request that is under
 *        way keeps the object until it is done; its reply goes nowhere.
 * Locks: the core's. Closed by its own worker only; anybody else shuts the
 *        socket down (channel_kill()) and the worker sees that.
 */
#ifndef UHMMD_CHANNEL_H
#define UHMMD_CHANNEL_H

#include <uhmm/list.h>

#include "co.h"
#include "event.h"
#include "near.h"
#include "request.h"

struct daemon;
struct session;
struct worker;

/** What it is, one bit each: request.c says who may ask what. */
enum channel_kind {
	CHANNEL_NEW = 1 << 0,		/* has said nothing yet */
	CHANNEL_CALLER = 1 << 1,
	CHANNEL_AGENT = 1 << 2,
	CHANNEL_CONTROL = 1 << 3,	/* the command: stats, check, stop */
};

/** The hands message that is out on a channel (hands.c). */
struct channel_hands {
	bool busy;		/* somebody uses them */
	bool answered;
	uint32_t seq;
	uint32_t nranges;	/* that were asked for */
	uint64_t npages;	/* that were asked to be moved */
	int32_t error;		/* (answer) */
	uint64_t moved;		/* (answer) of these */
	struct co *co;		/* waits for the answer */
	struct co_queue queue;	/* wait until they are free */
};

struct channel {
	struct uhmm_list link;	/* session.channels, daemon.strangers or
				 * daemon.closed */
	struct daemon *d;
	struct worker *w;
	struct session *session;	/* referenced; NULL: none yet */
	int fd;
	union uhmm_ev ev;
	enum channel_kind kind;
	unsigned int refs;
	bool closed;		/* fd is no more */
	bool killed;		/* what still comes in is not looked at */
	unsigned int preparing;	/* forks it prepared (fork.h) */
	unsigned int announced;	/* forks of which the kernel will tell */
	struct request rq;	/* the one under way, if rq.busy */
	struct channel_hands hands;
	struct near_hand near;	/* an agent's thread */
};

/**
 * channel_create() - a connection @sock, owned from now on, served by @w
 * Return: 0; -ENOMEM, then @sock is still the caller's
 */
UHMM_CHECKED int channel_create(struct worker *w, int sock);

void channel_get(struct channel *ch);
void channel_put(struct channel *ch);

/** channels_reap() - free closed ones that nobody holds any more */
void channels_reap(struct daemon *d);

/** channel_ready() - (EV_CHANNEL) read everything that is there */
void channel_ready(struct channel *ch);

/** channel_close() - the connection is over; by its own worker */
void channel_close(struct channel *ch);

/** channel_kill() - let it be over soon; from anywhere */
void channel_kill(struct channel *ch);

/** channel_fail() - the peer broke the protocol: its session ends, or, if it
 *  has none, this connection */
void channel_fail(struct channel *ch, const char *why);

/** channel_attach() - it belongs to @s from now on, as @kind; moves to the
 *  worker of @s if it is at another one. One that was closed meanwhile only
 *  waits to be freed, and @s has lost it. */
void channel_attach(struct channel *ch, struct session *s,
		    enum channel_kind kind);

#endif
