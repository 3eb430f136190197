/* SPDX-License-Identifier: MIT */
/* hands.c - have a program do something to its own memory (hands.h) */
#include "hands.h"

#include <errno.h>

#include "channel.h"
#include "daemon.h"
#include "session.h"
#include "sys/pagesize.h"
#include "wire/fdpass.h"

/* How long an agent may take to appear: it is made at the first need. */
#define AGENT_WAIT_NS UINT64_C(3000000000)

/* How long one may take that belongs to a program we are through with. */
#define LAST_WAIT_NS UINT64_C(1000000000)

static_assert((int)UHMM_ENGINE_ZAP == (int)UHMM_HANDS_ZAP &&
		      (int)UHMM_ENGINE_POPULATE_READ ==
			      (int)UHMM_HANDS_POPULATE_READ &&
		      (int)UHMM_ENGINE_POPULATE_WRITE ==
			      (int)UHMM_HANDS_POPULATE_WRITE &&
		      (int)UHMM_ENGINE_COLLAPSE == (int)UHMM_HANDS_COLLAPSE &&
		      (int)UHMM_ENGINE_TELL == (int)UHMM_HANDS_TELL &&
		      (int)UHMM_ENGINE_PROTECT == (int)UHMM_HANDS_PROTECT &&
		      UHMM_ENGINE_HANDS_MAX <= UHMM_WIRE_RANGES_MAX,
	      "the engine says what the wire can carry");

static bool is_usable(const struct channel *ch)
{
	return ch && !ch->closed && !ch->killed;
}

/* Whose hands? The caller's own, or the agent's. NULL: nobody's (yields). */
static struct channel *choose(struct session *s)
{
	uint64_t deadline = co_now_ns() + AGENT_WAIT_NS;
	struct request *rq = co_local();

	if (rq && rq->ch->session == s && is_usable(rq->ch))
		return rq->ch;
	while (session_is_open(s) && !is_usable(s->agent))
		if (!co_queue_wait(&s->agent_came, deadline) &&
		    !is_usable(s->agent))
			return NULL;
	return is_usable(s->agent) ? s->agent : NULL;
}

/* Take the hands of @ch; it is referenced. (yields) */
static bool seize(struct channel *ch)
{
	channel_get(ch);
	while (ch->hands.busy && is_usable(ch))
		co_queue_wait(&ch->hands.queue, 0);
	if (is_usable(ch)) {
		ch->hands.busy = true;
		return true;
	}
	channel_put(ch);
	return false;
}

static void let_go(struct channel *ch)
{
	ch->hands.busy = false;
	co_queue_wake(&ch->hands.queue);
	channel_put(ch);
}

static void fill(struct uhmm_wire_msg *msg, unsigned int op, uint32_t seq,
		 const struct uhmm_range *r, unsigned int n)
{
	uhmm_wire_init(msg, UHMM_WIRE_hands, seq, false);
	msg->body.hands.op = op;
	msg->body.hands.nranges = n;
	for (unsigned int i = 0; i < n; i++) {
		msg->body.hands.range[i].addr = uhmm_addr_of(r[i].start);
		msg->body.hands.range[i].bytes =
			uhmm_bytes_of(uhmm_range_npages(r[i]));
	}
}

/* Until the answer is there. A program that we give its memory back to, for
 * good, may have stopped, or mean ill: it is not waited for. */
static void await(struct session *s, struct channel *ch)
{
	while (session_is_open(s) && !ch->hands.answered && !ch->closed)
		co_yield();
	if (!ch->hands.answered && !ch->closed)
		co_yield_until(co_now_ns() + LAST_WAIT_NS);
	if (!ch->hands.answered && !ch->closed)
		channel_kill(ch);
	while (!ch->hands.answered && !ch->closed)
		co_yield();
}

/* Ask and wait. Return: what the program says; -EPIPE it hung up (yields) */
static int ask(struct session *s, struct channel *ch, unsigned int op,
	       const struct uhmm_range *r, unsigned int n)
{
	struct channel_hands *h = &ch->hands;
	struct uhmm_wire_msg msg;
	int err;

	h->seq++;
	h->answered = false;
	h->nranges = n;
	h->co = co_self();
	fill(&msg, op, h->seq, r, n);
	err = uhmm_wire_send(ch->fd, &msg, NULL, 0);
	if (err) {
		channel_kill(ch);
		h->co = NULL;
		return -EPIPE;
	}
	await(s, ch);
	h->co = NULL;
	return h->answered ? h->error : -EPIPE;
}

static int expect(struct session *s, unsigned int op,
		  const struct uhmm_range *r, unsigned int n)
{
	int err = 0;

	if (op != UHMM_ENGINE_ZAP)
		return 0;
	for (unsigned int i = 0; i < n && !err; i++)
		err = zaps_expect(&s->zaps, r[i]);
	return err;
}

static void forget(struct session *s, unsigned int op,
		   const struct uhmm_range *r, unsigned int n)
{
	if (op != UHMM_ENGINE_ZAP)
		return;
	for (unsigned int i = 0; i < n; i++)
		zaps_forget(&s->zaps, r[i]);
}

/* Once, by one pair of hands. -EPIPE: they went away, take others. */
static int call_once(struct session *s, unsigned int op,
		     const struct uhmm_range *r, unsigned int n)
{
	struct channel *ch = choose(s);
	int err;

	if (s->state == SESSION_DEAD)
		return -ESRCH;
	if (!ch)
		return -EIO;
	if (!seize(ch))
		return -EPIPE;
	s->d->stats.hands_calls++;
	err = expect(s, op, r, n);
	if (!err)
		err = ask(s, ch, op, r, n);
	forget(s, op, r, n);
	let_go(ch);
	return err;
}

int hands_call(void *ctx, unsigned int op, const struct uhmm_range *r,
	       unsigned int n)
{
	struct session *s = ctx;
	int err;

	do
		err = call_once(s, op, r, n);
	while (err == -EPIPE);
	return s->state == SESSION_DEAD ? -ESRCH : err;
}

/* What the program says went wrong. It cannot say that it is gone. */
static int judge(int error)
{
	if (error > 0 || error < -4095 || error == -EPIPE || error == -ESRCH)
		return -EIO;
	return error;
}

bool hands_answer(struct channel *ch, const struct uhmm_wire_msg *msg)
{
	struct channel_hands *h = &ch->hands;

	if (msg->header.id != UHMM_WIRE_hands || !h->co || h->answered ||
	    msg->header.seq != h->seq ||
	    msg->body.hands_reply.done > h->nranges)
		return false;
	h->answered = true;
	h->error = judge(msg->header.error);
	co_wake(h->co);
	return true;
}

void hands_look(struct channel *ch)
{
	if (ch->hands.co)
		co_wake(ch->hands.co);
	co_queue_wake(&ch->hands.queue);
}
