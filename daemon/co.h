/* SPDX-License-Identifier: MIT */
/* co.h - coroutines: jobs that wait without holding up their worker
 *
 * Theory of operation. A job that must wait (for the program's hands, for a
 * page that is on its way) gives its worker back with co_yield() and is
 * resumed there when somebody said co_wake(). It reads top to bottom like
 * kernel code and costs two jumps, no thread and no system call. A job runs on
 * a stack of its own (mmap, guard page below, pooled) and never leaves its
 * worker. Jobs of one scheduler run one at a time, until they yield.
 *
 * A wake-up is a token: one that comes before the yield makes the yield return
 * at once, so none is lost; one may also come for nothing. Whoever yields
 * looks again in a loop.
 *
 * Jumps are setjmp/longjmp from libc (swapcontext would be two system calls);
 * ucontext only makes a new stack. ASan and TSan are told of each switch.
 *
 * Locks: co_spawn() and co_wake() from any thread; the rest from the
 * scheduler's own.
 */
#ifndef UHMMD_CO_H
#define UHMMD_CO_H

#include <pthread.h>
#include <stdint.h>

#include <uhmm/list.h>
#include <uhmm/types.h>

typedef void co_fn(void *arg);

struct co;

/** struct co_sched - the jobs of one worker */
struct co_sched {
	pthread_mutex_t lock;		/* covers runq and co.queued */
	struct uhmm_list runq;		/* of co.link */
	struct uhmm_list sleepers;	/* of co.timer: have a deadline */
	struct uhmm_list pool;		/* of co.link: idle stacks */
	unsigned int npool;
	unsigned int njobs;		/* started and not ended */
	struct co *current;
	uint64_t *turn;			/* counts when another goes on; or NULL */
	void (*kick)(void *arg);	/* another thread woke a job */
	void *kick_arg;
	pthread_t owner;
	struct co_main *main;		/* the loop's own context */
};

/**
 * co_sched_init() - a scheduler for the calling thread
 * @kick: called from another thread that put a job on the run queue
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int co_sched_init(struct co_sched *s, void (*kick)(void *arg),
			       void *kick_arg);

/** co_sched_fini() - free the stacks; no job is left. Accepts a zeroed one. */
void co_sched_fini(struct co_sched *s);

/**
 * co_spawn() - @fn(@arg) shall run as a job on @s
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int co_spawn(struct co_sched *s, co_fn *fn, void *arg);

/**
 * co_run() - run every job that is runnable now, each once
 * Return: how many ran
 */
unsigned int co_run(struct co_sched *s);

/** co_is_runnable() - is there work for co_run()? */
bool co_is_runnable(struct co_sched *s);

/**
 * co_timeout_ns() - time until the first deadline of a sleeping job; wakes
 * those whose deadline has passed
 * Return: nanoseconds; -1 nobody has one
 */
int64_t co_timeout_ns(struct co_sched *s);

/** co_self() - the job that runs; NULL outside of one */
struct co *co_self(void);

/** co_yield() - until somebody says co_wake(), perhaps for nothing */
void co_yield(void);

/**
 * co_yield_until() - the same with a deadline on co_now_ns()'s clock
 * Return: false when the deadline has passed
 */
bool co_yield_until(uint64_t deadline_ns);

/** co_pause() - let the loop and every other job have a turn */
void co_pause(void);

/** co_wake() - @co, which has not ended, shall run */
void co_wake(struct co *co);

/** co_local(), co_set_local() - one pointer that belongs to the job that runs;
 *  NULL at its start and outside of jobs */
void *co_local(void);
void co_set_local(void *local);

/** co_now_ns() - monotonic time */
uint64_t co_now_ns(void);

/* ---- waiting for something, by many; the caller's lock covers it ---- */

/** struct co_queue - jobs that wait for the same thing. Init as a list. */
struct co_queue {
	struct uhmm_list waiters;
};

void co_queue_init(struct co_queue *q);

/** co_queue_wait() - until co_queue_wake(), perhaps for nothing
 *  @deadline_ns: 0 none.  Return: false when it has passed */
bool co_queue_wait(struct co_queue *q, uint64_t deadline_ns);

/** co_queue_wake() - all of them look again */
void co_queue_wake(struct co_queue *q);

#endif
