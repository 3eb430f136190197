/* SPDX-License-Identifier: MIT */
/* channel.c - one connection (channel.h) */
#include "channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon.h"
#include "fork.h"
#include "hands.h"
#include "session.h"
#include "wire/fdpass.h"

/* ---- life ---- */

void channel_get(struct channel *ch)
{
	assert(ch->refs);
	ch->refs++;
}

void channel_put(struct channel *ch)
{
	assert(ch->refs);
	ch->refs--;	/* channels_reap() frees it */
}

static void free_channel(struct channel *ch)
{
	uhmm_list_del(&ch->link);
	if (ch->session)
		session_put(ch->session);
	free(ch);
}

void channels_reap(struct daemon *d)
{
	struct uhmm_list *node, *after;

	UHMM_LIST_EACH_SAFE(node, after, &d->closed) {
		struct channel *ch =
			UHMM_CONTAINER_OF(node, struct channel, link);

		if (!ch->refs)
			free_channel(ch);
	}
}

void channel_close(struct channel *ch)
{
	if (ch->closed)
		return;
	ch->closed = true;
	loop_del(&ch->w->loop, &ch->ev);
	close(ch->fd);
	uhmm_list_del(&ch->link);
	uhmm_list_add_tail(&ch->d->closed, &ch->link);
	hands_look(ch);
	fork_channel_closed(ch);
	if (ch->session)
		session_lost_channel(ch->session, ch);
	channel_put(ch);
}

void channel_kill(struct channel *ch)
{
	if (ch->closed || ch->killed)
		return;
	ch->killed = true;
	shutdown(ch->fd, SHUT_RDWR);
}

void channel_fail(struct channel *ch, const char *why)
{
	uhmm_warn("channel of pid %u: %s",
		  ch->session ? ch->session->pid : 0, why);
	ch->d->stats.protocol_errors++;
	if (ch->session)
		session_fail(ch->session);
	channel_kill(ch);
}

/* Begin to listen to it, on its own worker. */
static void settle_in(void *arg)
{
	struct channel *ch = arg;

	if (ch->closed)
		return;
	if (loop_add(&ch->w->loop, ch->fd, EV_CHANNEL, ch, &ch->ev)) {
		uhmm_err("out of memory: a connection is dropped");
		channel_close(ch);
	}
}

static void settle_in_job(void *arg)
{
	struct channel *ch = arg;

	settle_in(ch);
	channel_put(ch);
}

int channel_create(struct worker *w, int sock)
{
	struct channel *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return -ENOMEM;
	ch->d = w->d;
	ch->w = w;
	ch->fd = sock;
	ch->kind = CHANNEL_NEW;
	ch->rq.ch = ch;
	ch->refs = 2;	/* the connection's and the job's */
	co_queue_init(&ch->hands.queue);
	uhmm_list_add_tail(&w->d->strangers, &ch->link);
	if (co_spawn(&w->sched, settle_in_job, ch)) {
		uhmm_list_del(&ch->link);
		free(ch);
		return -ENOMEM;
	}
	return 0;
}

/* Its worker changes: the other one goes on listening. */
static void move_to(struct channel *ch, struct worker *w)
{
	loop_del(&ch->w->loop, &ch->ev);
	ch->w = w;
	channel_get(ch);
	if (co_spawn(&w->sched, settle_in_job, ch)) {
		channel_put(ch);
		channel_kill(ch);
		channel_close(ch);
	}
}

void channel_attach(struct channel *ch, struct session *s,
		    enum channel_kind kind)
{
	session_get(s);
	ch->session = s;
	ch->kind = kind;
	if (ch->closed) {	/* it hung up meanwhile */
		session_lost_channel(s, ch);
		return;
	}
	uhmm_list_del(&ch->link);
	uhmm_list_add_tail(&s->channels, &ch->link);
	session_has_channel(s, ch);
	if (ch->w != s->w)
		move_to(ch, s->w);
}

/* ---- what comes in ---- */

static void close_fds(const int *fds, unsigned int nfds)
{
	for (unsigned int i = 0; i < nfds; i++)
		close(fds[i]);
}

static void take_message(struct channel *ch, const struct uhmm_wire_msg *msg,
			 const int *fds, unsigned int nfds)
{
	bool reply = msg->header.flags & UHMM_WIRE_REPLY;

	uhmm_dbg(UHMM_LOG_WIRE, "recv fd=%d %s%s seq=%u", ch->fd,
		 uhmm_wire_name(msg->header.id), reply ? " reply" : "",
		 msg->header.seq);
	if (reply && hands_answer(ch, msg))
		return;
	if (!reply && request_start(ch, msg, fds, nfds))
		return;
	close_fds(fds, nfds);
	channel_fail(ch, reply ? "an answer to nothing" :
				 "a request that is not its turn");
}

/* One message. Return: is there perhaps more? */
static bool take_one(struct channel *ch)
{
	int fds[UHMM_WIRE_FDS_MAX];
	struct uhmm_wire_msg msg;
	unsigned int nfds = 0;
	int err = uhmm_wire_recv(ch->fd, &msg, fds, &nfds);

	if (err == -EAGAIN)
		return false;
	if (err == -EMFILE) {
		request_refuse(ch, &msg, err);
		return true;
	}
	if (err == -EPROTO)
		channel_fail(ch, "a malformed message");
	if (err) {
		channel_close(ch);
		return false;
	}
	take_message(ch, &msg, fds, nfds);
	return true;
}

void channel_ready(struct channel *ch)
{
	channel_get(ch);
	while (!ch->closed && !ch->killed && take_one(ch))
		;
	if (ch->killed)
		channel_close(ch);
	channel_put(ch);
}
