/* SPDX-License-Identifier: MIT */
/* hands.c - have a program do something to its own memory (hands.h) */
#include "hands.h"

#include <errno.h>

#include "channel.h"
#include "daemon.h"
#include "fault.h"
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
		      (int)UHMM_ENGINE_GUARD == (int)UHMM_HANDS_GUARD &&
		      (int)UHMM_ENGINE_UNGUARD == (int)UHMM_HANDS_UNGUARD &&
		      (int)UHMM_ENGINE_COLD == (int)UHMM_HANDS_COLD &&
		      (int)UHMM_ENGINE_MPROTECT == (int)UHMM_HANDS_PROTECT &&
		      (int)UHMM_ENGINE_RESERVE == (int)UHMM_HANDS_RESERVE &&
		      (int)UHMM_ENGINE_SWEEP == (int)UHMM_HANDS_SWEEP &&
		      1 + 2 * UHMM_ENGINE_MOVES_MAX <= UHMM_WIRE_RANGES_MAX &&
		      UHMM_ENGINE_HANDS_MAX <= UHMM_WIRE_RANGES_MAX,
	      "the engine says what the wire can carry");

static bool is_usable(const struct channel *ch)
{
	return ch && !ch->closed && !ch->killed;
}

/* Is @op for the agent alone? */
static bool is_agents(unsigned int op)
{
	return op == UHMM_ENGINE_RESERVE || op == UHMM_ENGINE_SWEEP;
}

/* The channel of the request we serve, if it is one of @s. */
static struct channel *callers(const struct session *s)
{
	struct request *rq = co_local();

	return rq && rq->ch->session == s && is_usable(rq->ch) ? rq->ch : NULL;
}

/* Whose hands? The caller's own, unless only the agent's will do, or the agent's.
 * NULL: nobody's (yields). */
static struct channel *choose(struct session *s, bool agent)
{
	uint64_t deadline = co_now_ns() + AGENT_WAIT_NS;

	if (!agent && callers(s))
		return callers(s);
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

/* Take the agent's hands without waiting, for what the caller knows is true now
 * only. Return: NULL with *@err; -EAGAIN they were busy */
static struct channel *seize_agent(struct session *s, int *err)
{
	struct channel *ch = s->agent;

	if (!is_usable(ch)) {
		*err = -ENOSYS;
		return NULL;
	}
	if (ch->hands.busy) {
		/* wait, but then what the caller knew is old */
		if (seize(ch))
			let_go(ch);
		*err = -EAGAIN;
		return NULL;
	}
	return seize(ch) ? ch : NULL;
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

static void add(struct uhmm_wire_msg *msg, struct uhmm_range r)
{
	struct uhmm_msg_hands *m = &msg->body.hands;

	m->range[m->nranges++] = (struct uhmm_wire_range){
		.addr = uhmm_addr_of(r.start),
		.bytes = uhmm_bytes_of(uhmm_range_npages(r)),
	};
}

/* Do pages count, in every second range? */
static bool is_by_pages(uint32_t op)
{
	return op == UHMM_HANDS_MOVE || op == UHMM_HANDS_COPY;
}

/* Send @msg and wait. Return: what the program says; -EPIPE it hung up
 * (yields) */
static int ask(struct session *s, struct channel *ch,
	       struct uhmm_wire_msg *msg)
{
	struct channel_hands *h = &ch->hands;
	int err;

	h->seq++;
	h->answered = false;
	h->nranges = msg->body.hands.nranges;
	h->npages = 0;
	for (uint32_t i = 1; is_by_pages(msg->body.hands.op) && i < h->nranges;
	     i += 2)
		h->npages += msg->body.hands.range[i].bytes /
			     uhmm_page_bytes();
	h->moved = 0;
	h->co = co_self();
	msg->header.seq = h->seq;
	if (ch == s->agent && ch->w == worker_current())
		near_bring(&ch->w->near, &ch->near, s->pid,
			   UHMM_AGENT_NAME);
	err = uhmm_wire_send(ch->fd, msg, NULL, 0);
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

/* Once, by the hands of @ch, which are seized. -EPIPE: they went away. */
static int call_once(struct session *s, struct channel *ch, unsigned int op,
		     const struct uhmm_range *r, unsigned int n)
{
	struct uhmm_wire_msg msg;
	int err;

	s->d->stats.hands_calls++;
	uhmm_wire_init(&msg, UHMM_WIRE_hands, 0, false);
	msg.body.hands.op = op;
	for (unsigned int i = 0; i < n; i++)
		add(&msg, r[i]);
	err = expect(s, op, r, n);
	if (!err)
		err = ask(s, ch, &msg);
	forget(s, op, r, n);
	let_go(ch);
	return err;
}

/* By the agent, now or not at all. */
static int call_agent(struct session *s, unsigned int op,
		      const struct uhmm_range *r, unsigned int n)
{
	int err = -EAGAIN;
	struct channel *ch = seize_agent(s, &err);

	if (!ch)
		return err;
	err = call_once(s, ch, op, r, n);
	return err == -EPIPE ? -ENOSYS : err;
}

/* By anybody, or the agent. -EPIPE: take others. */
static int call_someone(struct session *s, unsigned int op,
			const struct uhmm_range *r, unsigned int n)
{
	bool agent = op == UHMM_ENGINE_ZAP_BY_AGENT;
	struct channel *ch = choose(s, agent);

	if (agent)
		op = UHMM_ENGINE_ZAP;
	if (s->state == SESSION_DEAD)
		return -ESRCH;
	if (!ch)
		return -EIO;
	return seize(ch) ? call_once(s, ch, op, r, n) : -EPIPE;
}

int hands_call(void *ctx, unsigned int op, const struct uhmm_range *r,
	       unsigned int n)
{
	struct session *s = ctx;
	int err;

	if (is_agents(op))
		err = call_agent(s, op, r, n);
	else
		do
			err = call_someone(s, op, r, n);
		while (err == -EPIPE);
	return s->state == SESSION_DEAD ? -ESRCH : err;
}

int hands_move(void *ctx, struct uhmm_range open,
	       const struct uhmm_engine_move *m, unsigned int n,
	       uint64_t *moved)
{
	struct session *s = ctx;
	struct uhmm_wire_msg msg;
	int err = -EAGAIN;
	struct channel *ch = seize_agent(s, &err);

	*moved = 0;
	if (!ch) {
		fault_pause(s);
		return s->state == SESSION_DEAD ? -ESRCH : err;
	}
	s->d->stats.hands_calls++;
	uhmm_wire_init(&msg, UHMM_WIRE_hands, 0, false);
	msg.body.hands.op = UHMM_HANDS_MOVE;
	add(&msg, open);
	for (unsigned int i = 0; i < n; i++) {
		add(&msg, uhmm_range_of(m[i].from, m[i].npages));
		add(&msg, uhmm_range_of(m[i].to, m[i].npages));
	}
	fault_pause(s);
	err = ask(s, ch, &msg);
	*moved = ch->hands.moved;
	let_go(ch);
	if (s->state == SESSION_DEAD)
		return -ESRCH;
	return err == -EPIPE ? -ENOSYS : err;
}

uint64_t hands_copy(struct session *s, uint64_t from, uint64_t to,
		    uint64_t npages)
{
	struct uhmm_wire_msg msg;
	struct channel *ch = callers(s);
	uint64_t copied = 0;

	if (!ch || !seize(ch))
		return 0;
	s->d->stats.hands_calls++;
	uhmm_wire_init(&msg, UHMM_WIRE_hands, 0, false);
	msg.body.hands.op = UHMM_HANDS_COPY;
	msg.body.hands.nranges = 2;
	msg.body.hands.range[0] = (struct uhmm_wire_range){
		from, uhmm_bytes_of(npages) };
	msg.body.hands.range[1] = (struct uhmm_wire_range){
		to, uhmm_bytes_of(npages) };
	if (!ask(s, ch, &msg))
		copied = ch->hands.moved;
	let_go(ch);
	return copied;
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
	    msg->body.hands_reply.done > h->nranges ||
	    msg->body.hands_reply.moved > h->npages)
		return false;
	h->answered = true;
	h->error = judge(msg->header.error);
	h->moved = msg->body.hands_reply.moved;
	co_wake(h->co);
	return true;
}

void hands_look(struct channel *ch)
{
	if (ch->hands.co)
		co_wake(ch->hands.co);
	co_queue_wake(&ch->hands.queue);
}
