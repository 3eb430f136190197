/* SPDX-License-Identifier: MIT */
/* worker.h - a thread with a loop and jobs
 *
 * Theory of operation. A worker waits in its loop without the core's lock,
 * then takes it, handles what is ready, runs the jobs that can run, and waits
 * again. Every descriptor and every job belongs to one worker; everything else
 * is reached from any worker under the lock.
 * Worker 0 is the thread that made the daemon: it has the listener, the
 * signals and the device ends, too.
 */
#ifndef UHMMD_WORKER_H
#define UHMMD_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "co.h"
#include "loop.h"
#include "near.h"

struct daemon;

struct worker {
	struct daemon *d;
	unsigned int index;
	struct loop loop;
	struct co_sched sched;
	int kick_fd;		/* eventfd that ends the wait */
	union uhmm_ev kick_ev;
	struct near near;
	union uhmm_ev last_ev;	/* what was handled last */
	unsigned int again;	/* how often without a look at the others */
	atomic_bool stop;
	/* of workers but the first */
	pthread_t thread;
	bool running;
	sem_t ready;
	int open_err;
};

/** worker_open() - loop and jobs of the calling thread. 0 or -errno */
UHMM_CHECKED int worker_open(struct worker *w, struct daemon *d,
			     unsigned int index, enum loop_kind loop);

/** worker_close() - by the same thread; no job is left */
void worker_close(struct worker *w);

/** worker_start() - a thread that opens, runs and closes worker @index.
 *  Return: 0 when it is open; -errno */
UHMM_CHECKED int worker_start(struct worker *w, struct daemon *d,
			      unsigned int index, enum loop_kind loop);

/** worker_current() - the one the calling thread is */
struct worker *worker_current(void);

/** worker_run() - serve until worker_stop() */
void worker_run(struct worker *w);

/** worker_stop() - leave worker_run() soon; any thread */
void worker_stop(struct worker *w);

/** worker_join() - wait for the end of a started one; else nothing */
void worker_join(struct worker *w);

#endif
