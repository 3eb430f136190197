/* SPDX-License-Identifier: MIT */
/* co.c - coroutines on stacks of their own (co.h) */
#undef _FORTIFY_SOURCE	/* its longjmp() refuses another stack */
#include "co.h"

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "co_sanitize.h"

/* What a request needs at most, sanitizers included; what is not touched
 * costs nothing. */
#define STACK_BYTES ((size_t)256 * 1024)
#define GUARD_BYTES ((size_t)64 * 1024)
/* Idle stacks kept: what a storm of faults of one program leaves. */
#define POOL_MAX 64

/** A context one can switch to. */
struct context {
	jmp_buf env;
	struct co_fiber fiber;	/* what the sanitizers know it by */
};

struct co_main {
	struct context ctx;
};

enum co_state {
	CO_IDLE,	/* in the pool */
	CO_READY,	/* in the run queue */
	CO_RUNNING,
	CO_WAITING,
};

struct co {
	struct uhmm_list link;	/* in runq or pool */
	struct uhmm_list timer;	/* in sleepers */
	struct co_sched *sched;
	enum co_state state;	/* under sched->lock */
	bool woken;		/* a wake-up came before the yield; same lock */
	bool ended;		/* it may go to the pool */
	bool timed_out;
	uint64_t deadline_ns;
	co_fn *fn;
	void *arg;
	void *local;
	bool entered;		/* ctx.env is valid */
	struct context ctx;
	ucontext_t first;	/* how its stack is entered */
	void *map;		/* guard and stack */
};

static _Thread_local struct co_sched *thread_sched;

uint64_t co_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct co *co_self(void)
{
	return thread_sched ? thread_sched->current : NULL;
}

void *co_local(void)
{
	struct co *self = co_self();

	return self ? self->local : NULL;
}

void co_set_local(void *local)
{
	assert(co_self());
	co_self()->local = local;
}

/* ---- switching ---- */

static void co_main_loop(void);

/* First jump onto the stack of @co: only ucontext can make it. This frame is
 * never returned to, so nothing of it may be on the stack we leave: ASan would
 * keep its poison there. */
static void enter(struct co *co)
{
	/* cppcheck-suppress getcontextCalled ; no thread can do this */
	getcontext(&co->first);
	co->first.uc_stack.ss_sp = (char *)co->map + GUARD_BYTES;
	co->first.uc_stack.ss_size = STACK_BYTES;
	co->first.uc_link = NULL;
	/* cppcheck-suppress makecontextCalled */
	makecontext(&co->first, co_main_loop, 0);
	co->entered = true;
	setcontext(&co->first);
	abort();
}

/* From the loop to @co; back when it yields. */
static void resume(struct co *co)
{
	struct context *from = &co->sched->main->ctx;

	if (_setjmp(from->env) == 0) {
		co_fiber_leave(&from->fiber, &co->ctx.fiber);
		if (!co->entered)
			enter(co);
		_longjmp(co->ctx.env, 1);
	}
	co_fiber_arrive(&from->fiber);
}

/* From @co to the loop; back when it is resumed. */
static void suspend(struct co *co)
{
	struct context *to = &co->sched->main->ctx;

	if (_setjmp(co->ctx.env) == 0) {
		co_fiber_leave(&co->ctx.fiber, &to->fiber);
		_longjmp(to->env, 1);
	}
	co_fiber_arrive(&co->ctx.fiber);
}

/* What runs on each stack: one job after the other. */
static void co_main_loop(void)
{
	struct co *co = co_self();

	co_fiber_arrive(&co->ctx.fiber);
	for (;;) {
		co->fn(co->arg);
		co->ended = true;
		suspend(co);
	}
}

/* ---- making them ---- */

static struct co *co_create(struct co_sched *s)
{
	struct co *co = calloc(1, sizeof(*co));

	if (!co)
		return NULL;
	co->map = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
		       -1, 0);
	if (co->map == MAP_FAILED)
		goto free_co;
	if (mprotect((char *)co->map + GUARD_BYTES, STACK_BYTES,
		     PROT_READ | PROT_WRITE))
		goto unmap;
	co->sched = s;
	uhmm_list_init(&co->link);
	uhmm_list_init(&co->timer);
	co_fiber_create(&co->ctx.fiber, (char *)co->map + GUARD_BYTES,
			STACK_BYTES);
	return co;

unmap:
	munmap(co->map, GUARD_BYTES + STACK_BYTES);
free_co:
	free(co);
	return NULL;
}

static void co_destroy(struct co *co)
{
	co_fiber_destroy(&co->ctx.fiber);
	munmap(co->map, GUARD_BYTES + STACK_BYTES);
	free(co);
}

/* Under the lock of @s, since anybody may spawn. */
static struct co *take_idle(struct co_sched *s)
{
	struct uhmm_list *node;

	pthread_mutex_lock(&s->lock);
	node = uhmm_list_pop(&s->pool);
	if (node)
		s->npool--;
	pthread_mutex_unlock(&s->lock);
	return node ? UHMM_CONTAINER_OF(node, struct co, link) : NULL;
}

static void put_idle(struct co_sched *s, struct co *co)
{
	bool keep;

	pthread_mutex_lock(&s->lock);
	s->njobs--;
	co->state = CO_IDLE;
	keep = s->npool < POOL_MAX;
	if (keep) {
		uhmm_list_add_head(&s->pool, &co->link);
		s->npool++;
	}
	pthread_mutex_unlock(&s->lock);
	if (!keep)
		co_destroy(co);
}

int co_sched_init(struct co_sched *s, void (*kick)(void *arg), void *kick_arg)
{
	*s = (struct co_sched){ .kick = kick, .kick_arg = kick_arg,
				.owner = pthread_self() };
	s->main = calloc(1, sizeof(*s->main));
	if (!s->main)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	uhmm_list_init(&s->runq);
	uhmm_list_init(&s->sleepers);
	uhmm_list_init(&s->pool);
	co_fiber_adopt(&s->main->ctx.fiber);
	thread_sched = s;
	return 0;
}

void co_sched_fini(struct co_sched *s)
{
	struct uhmm_list *node, *after;

	if (!s->main)
		return;
	assert(s->njobs == 0);
	UHMM_LIST_EACH_SAFE(node, after, &s->pool)
		co_destroy(UHMM_CONTAINER_OF(node, struct co, link));
	pthread_mutex_destroy(&s->lock);
	free(s->main);
	s->main = NULL;
	if (thread_sched == s)
		thread_sched = NULL;
}

/* ---- running them ---- */

/* Caller holds the lock. */
static void make_ready(struct co *co)
{
	co->state = CO_READY;
	uhmm_list_add_tail(&co->sched->runq, &co->link);
}

static void kick_if_other(struct co_sched *s)
{
	if (s->kick && !pthread_equal(s->owner, pthread_self()))
		s->kick(s->kick_arg);
}

int co_spawn(struct co_sched *s, co_fn *fn, void *arg)
{
	struct co *co = take_idle(s);

	if (!co)
		co = co_create(s);
	if (!co)
		return -ENOMEM;
	co->fn = fn;
	co->arg = arg;
	co->local = NULL;
	co->ended = false;
	pthread_mutex_lock(&s->lock);
	co->woken = false;
	s->njobs++;
	make_ready(co);
	pthread_mutex_unlock(&s->lock);
	kick_if_other(s);
	return 0;
}

void co_wake(struct co *co)
{
	struct co_sched *s = co->sched;
	bool waiting;

	pthread_mutex_lock(&s->lock);
	waiting = co->state == CO_WAITING;
	if (waiting)
		make_ready(co);
	else
		co->woken = true;
	pthread_mutex_unlock(&s->lock);
	if (waiting)
		kick_if_other(s);
}

bool co_is_runnable(struct co_sched *s)
{
	bool runnable;

	pthread_mutex_lock(&s->lock);
	runnable = !uhmm_list_is_empty(&s->runq);
	pthread_mutex_unlock(&s->lock);
	return runnable;
}

static struct co *next_ready(struct co_sched *s)
{
	struct uhmm_list *node;
	struct co *co = NULL;

	pthread_mutex_lock(&s->lock);
	node = uhmm_list_pop(&s->runq);
	if (node) {
		co = UHMM_CONTAINER_OF(node, struct co, link);
		co->state = CO_RUNNING;
	}
	pthread_mutex_unlock(&s->lock);
	return co;
}

static void next_turn(const struct co_sched *s)
{
	if (s->turn)
		++*s->turn;
}

static void run_one(struct co_sched *s, struct co *co)
{
	s->current = co;
	next_turn(s);
	resume(co);
	next_turn(s);
	s->current = NULL;
	if (co->ended)
		put_idle(s, co);
}

static unsigned int count_ready(struct co_sched *s)
{
	const struct uhmm_list *node;
	unsigned int n = 0;

	pthread_mutex_lock(&s->lock);
	UHMM_LIST_EACH(node, &s->runq)
		n++;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned int co_run(struct co_sched *s)
{
	unsigned int n = count_ready(s);

	for (unsigned int i = 0; i < n; i++) {
		struct co *co = next_ready(s);

		if (!co)
			return i;
		run_one(s, co);
	}
	return n;
}

/* ---- waiting ---- */

/* Give the worker back, unless a wake-up came already. @ready: stay in the
 * run queue. */
static void give_up(struct co *co, bool ready)
{
	struct co_sched *s = co->sched;
	bool stay;

	pthread_mutex_lock(&s->lock);
	stay = co->woken && !ready;
	co->woken = false;
	if (ready)
		make_ready(co);
	else if (!stay)
		co->state = CO_WAITING;
	pthread_mutex_unlock(&s->lock);
	if (!stay)
		suspend(co);
}

void co_yield(void)
{
	struct co *self = co_self();

	assert(self);
	give_up(self, false);
}

void co_pause(void)
{
	struct co *self = co_self();

	assert(self);
	give_up(self, true);
}

bool co_yield_until(uint64_t deadline_ns)
{
	struct co *self = co_self();

	assert(self);
	self->deadline_ns = deadline_ns;
	self->timed_out = false;
	uhmm_list_add_tail(&self->sched->sleepers, &self->timer);
	give_up(self, false);
	uhmm_list_del(&self->timer);
	return !self->timed_out && co_now_ns() < deadline_ns;
}

int64_t co_timeout_ns(struct co_sched *s)
{
	struct uhmm_list *node, *after;
	uint64_t now, first = UINT64_MAX;

	if (uhmm_list_is_empty(&s->sleepers))
		return -1;
	now = co_now_ns();
	UHMM_LIST_EACH_SAFE(node, after, &s->sleepers) {
		struct co *co = UHMM_CONTAINER_OF(node, struct co, timer);

		if (co->deadline_ns <= now) {
			co->timed_out = true;
			uhmm_list_del(&co->timer);
			co_wake(co);
		} else if (co->deadline_ns < first) {
			first = co->deadline_ns;
		}
	}
	return first == UINT64_MAX ? 0 : (int64_t)(first - now);
}

/* ---- queues ---- */

struct waiter {
	struct uhmm_list link;
	struct co *co;
};

void co_queue_init(struct co_queue *q)
{
	uhmm_list_init(&q->waiters);
}

bool co_queue_wait(struct co_queue *q, uint64_t deadline_ns)
{
	struct waiter w = { .co = co_self() };
	bool in_time = true;

	uhmm_list_add_tail(&q->waiters, &w.link);
	if (deadline_ns)
		in_time = co_yield_until(deadline_ns);
	else
		co_yield();
	uhmm_list_del(&w.link);
	return in_time;
}

void co_queue_wake(struct co_queue *q)
{
	struct uhmm_list *node;

	while ((node = uhmm_list_pop(&q->waiters)))
		co_wake(UHMM_CONTAINER_OF(node, struct waiter, link)->co);
}
