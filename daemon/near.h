/* SPDX-License-Identifier: MIT */
/* near.h - be woken, and wake the program, where the program runs
 *
 * Theory of operation. A thread that waits for us has just left its CPU. When
 * we answer, the scheduler looks for an idle CPU to wake it on, and when it
 * comes back with the next fault, for an idle one to wake us on. To wake an
 * idle CPU costs ten to fifty times what the work costs, most of all in a
 * virtual machine. Now a CPU that runs nothing but threads of the idle class
 * (SCHED_IDLE) counts as idle: while a program asks again and again, which is
 * called a streak, its worker becomes one of them, and is bound to the CPU of
 * the program. Then both are woken on one CPU, in turn, and the program, bound
 * to nothing, sees nothing of it. Without being bound the two may start apart,
 * each on a CPU that is idle when it is woken, and stay so: then the class
 * changes nothing. Anything else that runs there for a moment, an interrupt, a
 * kernel thread, parts them again. Then the next fault is not there at once when
 * the last was answered: the worker looks where its program is, and goes after it.
 *
 * Beside a busy thread the idle class gets next to no time. So while there is
 * a streak the keeper, an ordinary thread, looks every millisecond whether its
 * worker did anything, or got a good part of a CPU, for it may work on something
 * long. If not, the streak is over: the worker becomes an ordinary thread again.
 * If it was ready to run all the same, it starved, and for a while, which doubles
 * each time, it stays in its own class. Otherwise it stays bound, for a call now
 * and then would find it on another, idle CPU: three requests in a row from one
 * CPU, or faults from there, bind it there without a streak, too. Policies work
 * beside their programs, not in their stead: who does their work is let loose.
 * When there is no streak nobody wakes up for anything.
 *
 * While more threads want to run than there are CPUs none is idle, and the idle
 * class would get nothing. But to be woken on the other CPU still costs several
 * times the work: so then the worker is bound to the CPU that the program was
 * seen on, and the scheduler, with no idle CPU to choose, leaves the program
 * there. The keeper looks again where it is. (With idle CPUs this makes the two
 * chase each other.)
 *
 * Leaving the idle class again needs a privilege (CAP_SYS_NICE, or a
 * RLIMIT_NICE of 20). Without it a streak has spinners instead: one thread of
 * the idle class on every CPU, so that none falls asleep, and the worker bound
 * to its CPU, beside which the scheduler then leaves the program.
 *
 * Owns:   the scheduling class and the CPUs of the workers' threads.
 * Locks:  none to be held; near_served() takes none: a worker begins a
 *         streak, the keeper ends it, the state is atomic.
 * Errors: 0 or -errno.
 */
#ifndef UHMMD_NEAR_H
#define UHMMD_NEAR_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <uhmm/types.h>

#include "conf.h"

/** To keep more CPUs awake for one program is asking too much. */
#define NEAR_SPINNERS_MAX 8

/** What a streak is made with. */
enum near_kind {
	NEAR_BY_CLASS,
	NEAR_BY_SPINNERS,
	NEAR_BY_FOLLOWING,
};

/** A worker's part. Zeroed: never has a streak. */
struct near {
	struct near_keeper *keeper;
	pid_t tid_own;			/* of the worker's thread */
	clockid_t clock;		/* of its CPU time */
	_Atomic uint32_t served;	/* rounds of work done */
	_Atomic bool streak;
	_Atomic bool settled;		/* nobody is changing class and CPUs */
	_Atomic bool starved;		/* why the last streak ended */
	enum near_kind kind;
	/* of who has set @settled to false */
	_Atomic bool bound;
	cpu_set_t cpus;			/* it may run on otherwise */
	int cpu;			/* bound to this one, if it may be */
	_Atomic uint32_t pid, tid;	/* who was served last, 0: not known */
	_Atomic int told;		/* the CPU that was asked on last */
	/* the worker's own */
	uint64_t last_ns;		/* of its last round */
	uint32_t in_row;		/* rounds that came soon after another */
	uint32_t misses, patience;	/* since the last look, to the next */
	uint32_t alike;			/* requests in a row from @told */
	uint64_t began_ns;		/* the last streak */
	uint64_t not_before_ns;		/* for the next one */
	uint64_t hold_ns;		/* how long it kept its class last */
	uint64_t follow_until_ns;	/* it keeps it until then; not changed
					 * in a streak */
	/* the keeper's own */
	uint32_t wrong_ticks;		/* in a row, see WRONG_TICKS */
	uint32_t seen;			/* served, a tick ago */
	uint64_t ran_ns;		/* CPU time it had had then */
};

/** A thread of the library in a program, woken by a worker and waking it. */
struct near_hand {
	pid_t tid;		/* 0: not known yet; -1: cannot be bound */
	bool bound;
	int cpu;		/* to this one */
	cpu_set_t cpus;		/* it may run on otherwise */
};

/** For statistics. */
struct near_counters {
	_Atomic uint64_t streaks;
	_Atomic uint64_t starved;	/* of them ended that way */
};

struct near_keeper {
	enum near_mode mode;		/* not AUTO */
	struct near_counters count;
	int loadavg;			/* /proc/loadavg */
	unsigned int ncpus;
	pthread_mutex_t lock;		/* covers worker[], ending streaks */
	struct near *worker[CONF_WORKERS_MAX];
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	_Atomic uint32_t call;		/* futex: a streak began, or stop */
	pthread_t spinner[NEAR_SPINNERS_MAX];	/* mode SPIN */
	unsigned int nspinners;
	_Atomic uint32_t spin;		/* futex: workers they spin for */
};

/**
 * near_keeper_init() - find out what is allowed, start what it needs
 * Return: 0, also when there is nothing to do; -errno
 */
UHMM_CHECKED int near_keeper_init(struct near_keeper *k, enum near_mode mode);

/** near_keeper_fini() - accepts a zeroed one; no worker runs any more */
void near_keeper_fini(struct near_keeper *k);

/** near_mode_name() - as an option says it */
const char *near_mode_name(enum near_mode mode);

/** near_join() - the calling thread is a worker of @k */
void near_join(struct near *n, struct near_keeper *k);

/** near_leave() - it is no longer; accepts one that never was */
void near_leave(struct near *n);

/** near_client() - it works for thread @tid of process @pid; 0: not known */
static inline void near_client(struct near *n, uint32_t pid, uint32_t tid)
{
	atomic_store_explicit(&n->pid, pid, memory_order_relaxed);
	atomic_store_explicit(&n->tid, tid, memory_order_relaxed);
}

/** near_asked() - it works for who asked on @cpu; -1: not known */
void near_asked(struct near *n, int cpu);

/** near_missed() - what is served now was not there at once */
void near_missed(struct near *n);

/** near_works_alone() - it works, and no program waits for that */
void near_works_alone(struct near *n);

/**
 * near_bring() - @h, a thread called @name of process @pid, is about to be woken
 * by this worker: in a streak on the worker's CPU. It belongs to the library, so
 * it may be bound, and is, until it is woken outside of one.
 */
void near_bring(const struct near *n, struct near_hand *h, uint32_t pid,
		const char *name);

/** near_served() - the worker did something that a program waited for */
void near_served(struct near *n);

/** near_is_streak() - is there one now? What whoever began or ended it has
 *  written before is seen, too. */
static inline bool near_is_streak(const struct near *n)
{
	return atomic_load_explicit(&n->streak, memory_order_acquire);
}

#endif
