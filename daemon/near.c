/* SPDX-License-Identifier: MIT */
/* near.c - streaks, the keeper, spinners (near.h) */
#include "near.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/relax.h"
#include "co.h"
#include "thread_cpu.h"

/* Rounds that soon after one another make a streak, and so many of them. */
#define SOON_NS UINT64_C(500000)
#define ROUNDS_MIN 6
/* How often the keeper looks. */
#define TICK_NS 1000000
/* After a worker has starved its streaks are of its own class, for so long; twice
 * as long each time, unless the idle class was good for several times as long
 * meanwhile. */
#define HOLD_MIN_NS UINT64_C(16000000)
#define HOLD_MAX_NS UINT64_C(1000000000)
#define HOLDS_GOOD 4
/* From the beginning of a streak to the next one's at least. */
#define PAUSE_NS UINT64_C(4000000)
/* Ticks in a row in which another kind of streak would be right. */
#define WRONG_TICKS 4
/* Misses to a look at where the program is, at most. */
#define PATIENCE_MAX 32
/* So many requests came from the CPU from which the one before came. */
#define ALIKE_MIN 2

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/*
 * Would somebody else's thread have to wait if a worker and its program kept a
 * CPU busy? Then no CPU is idle, waking costs little, and the idle class would
 * get nothing. @asking: threads that are counted though they take no CPU from
 * others: the caller, workers of the idle class beside their programs.
 */
static bool is_crowded(const struct near_keeper *k, unsigned int asking)
{
	char text[64];
	ssize_t n = pread(k->loadavg, text, sizeof(text) - 1, 0);
	unsigned int running;

	if (n <= 0)
		return false;
	text[n] = '\0';
	if (sscanf(text, "%*s %*s %*s %u/", &running) != 1)
		return false;
	return running > k->ncpus + asking;
}

/* ---- the worker's side ---- */

/* What was the last streak like? */
static void judge_last(struct near *n, uint64_t now)
{
	if (!atomic_exchange(&n->starved, false))
		return;
	if (now - n->began_ns > HOLDS_GOOD * n->hold_ns)
		n->hold_ns = 0;
	n->hold_ns = n->hold_ns ? n->hold_ns * 2 : HOLD_MIN_NS;
	if (n->hold_ns > HOLD_MAX_NS)
		n->hold_ns = HOLD_MAX_NS;
	n->follow_until_ns = now + n->hold_ns;
}

/* The CPU that whoever was served last is on or was on, or -1. */
static int client_cpu(const struct near *n)
{
	uint32_t tid = atomic_load(&n->tid);
	int cpu = atomic_load(&n->told);

	if (!tid)
		return cpu < CPU_SETSIZE ? cpu : -1;
	return thread_cpu(atomic_load(&n->pid), tid);
}

/* Which kind of streak would be right? False: none */
static bool choose(struct near *n, uint64_t now)
{
	n->cpu = client_cpu(n);
	if (now < n->follow_until_ns || is_crowded(n->keeper, 0)) {
		n->kind = NEAR_BY_FOLLOWING;
		return n->cpu >= 0;
	}
	n->kind = n->keeper->mode == NEAR_SPIN ? NEAR_BY_SPINNERS :
						 NEAR_BY_CLASS;
	return true;
}

/* What follows is for who has set n->settled to false. */

/* Bind the worker to CPU n->cpu, if it may be there. */
static void bind(struct near *n)
{
	if (!n->bound && sched_getaffinity(n->tid_own, sizeof(n->cpus), &n->cpus))
		return;
	n->bound = true;
	if (n->cpu >= 0 && CPU_ISSET(n->cpu, &n->cpus))
		thread_bind(n->tid_own, n->cpu);
}

static void unbind(struct near *n)
{
	if (n->bound)
		sched_setaffinity(n->tid_own, sizeof(n->cpus), &n->cpus);
	n->bound = false;
}

/* Its program is on CPU @cpu; -1: not known. Worker or keeper, whoever comes
 * first. Return: that is another than before */
static bool follow(struct near *n, int cpu)
{
	bool moved = false;

	if (cpu < 0 || !n->keeper || !atomic_exchange(&n->settled, false))
		return moved;
	if (cpu != n->cpu || !n->bound) {
		n->cpu = cpu;
		bind(n);
		moved = true;
	}
	atomic_store(&n->settled, true);
	return moved;
}

/* The keeper knows already: what follows it can undo. */
static void move_near(struct near *n)
{
	struct near_keeper *k = n->keeper;

	switch (n->kind) {
	case NEAR_BY_CLASS:
		thread_set_class(0, SCHED_IDLE);
		break;
	case NEAR_BY_SPINNERS:
		atomic_fetch_add(&k->spin, 1);
		futex_wake(&k->spin);
		n->cpu = sched_getcpu();
		break;
	case NEAR_BY_FOLLOWING:
		break;
	}
	bind(n);
}

static void begin(struct near *n, uint64_t now)
{
	struct near_keeper *k = n->keeper;

	n->in_row = 0;
	n->misses = 0;
	n->patience = 1;
	n->began_ns = now;
	n->not_before_ns = now + PAUSE_NS;
	if (!choose(n, now))
		return;
	/* the keeper does not touch who has no streak */
	atomic_store(&n->settled, false);
	atomic_store(&n->streak, true);
	atomic_fetch_add(&k->count.streaks, 1);
	atomic_fetch_add(&k->call, 1);
	futex_wake(&k->call);
	move_near(n);
	/* until now the keeper would undo it again and again */
	atomic_store(&n->settled, true);
}

/* May the worker go where its program is, by itself? */
static bool may_follow(const struct near *n)
{
	return !near_is_streak(n) || n->kind == NEAR_BY_CLASS;
}

/*
 * While both are on one CPU the next fault is there when the last was answered:
 * the program ran, the idle class gave way. One that is not may mean that the
 * scheduler has woken the program elsewhere, and would do so for ever; or that
 * it computes, and then there are more of them, and it is less often looked at.
 */
void near_missed(struct near *n)
{
	if (!atomic_load(&n->tid) || !may_follow(n) ||
	    ++n->misses < n->patience)
		return;
	n->misses = 0;
	if (follow(n, client_cpu(n)))
		n->patience = 1;
	else if (n->patience < PATIENCE_MAX)
		n->patience *= 2;
}

void near_asked(struct near *n, int cpu)
{
	int before = atomic_exchange_explicit(&n->told, cpu,
					      memory_order_relaxed);

	atomic_store_explicit(&n->tid, 0, memory_order_relaxed);
	n->alike = cpu == before ? n->alike + 1 : 0;
	if (cpu < CPU_SETSIZE && may_follow(n) &&
	    (near_is_streak(n) || n->alike >= ALIKE_MIN))
		follow(n, cpu);
}

void near_works_alone(struct near *n)
{
	if (near_is_streak(n) || !atomic_exchange(&n->settled, false))
		return;
	unbind(n);
	atomic_store(&n->settled, true);
}

void near_served(struct near *n)
{
	uint64_t now;

	if (!n->keeper)
		return;
	atomic_fetch_add_explicit(&n->served, 1, memory_order_relaxed);
	if (near_is_streak(n))
		return;
	now = co_now_ns();
	judge_last(n, now);
	n->in_row = now - n->last_ns < SOON_NS ? n->in_row + 1 : 0;
	n->last_ns = now;
	if (n->in_row >= ROUNDS_MIN && now >= n->not_before_ns)
		begin(n, now);
}

/* ---- threads of the library ---- */

static void let_loose(struct near_hand *h)
{
	if (h->bound)
		sched_setaffinity(h->tid, sizeof(h->cpus), &h->cpus);
	h->bound = false;
}

void near_bring(const struct near *n, struct near_hand *h, uint32_t pid,
		const char *name)
{
	int cpu = sched_getcpu();

	if (!n->bound) {
		let_loose(h);
		return;
	}
	if (!h->tid)
		h->tid = thread_find(pid, name);
	if (h->tid < 0 || cpu < 0 || (h->bound && h->cpu == cpu))
		return;
	if (!h->bound && sched_getaffinity(h->tid, sizeof(h->cpus), &h->cpus))
		h->tid = -1;
	else if (CPU_ISSET(cpu, &h->cpus) && thread_bind(h->tid, cpu))
		h->bound = true;
	h->cpu = cpu;
}

void near_join(struct near *n, struct near_keeper *k)
{
	unsigned int i = 0;

	if (k->mode == NEAR_OFF)
		return;
	n->tid_own = (pid_t)syscall(SYS_gettid);
	if (pthread_getcpuclockid(pthread_self(), &n->clock))
		return;
	pthread_mutex_lock(&k->lock);
	while (i < CONF_WORKERS_MAX && k->worker[i])
		i++;
	if (i < CONF_WORKERS_MAX) {
		k->worker[i] = n;
		n->keeper = k;
		n->patience = 1;
		atomic_store(&n->settled, true);
	}
	pthread_mutex_unlock(&k->lock);
}

/* ---- the keeper's side; its lock is held ---- */

/* Does the worker wait for a CPU, and its program for the worker? (One that
 * computes on the worker's CPU keeps it from finding out that there is nothing
 * to do.) */
static bool is_starving(const struct near *n)
{
	uint32_t tid = atomic_load(&n->tid);

	return n->kind != NEAR_BY_FOLLOWING && tid &&
	       thread_is_ready((uint32_t)getpid(), (uint32_t)n->tid_own) &&
	       !thread_is_ready(atomic_load(&n->pid), tid);
}

static void end(struct near_keeper *k, struct near *n)
{
	if (n->kind == NEAR_BY_CLASS)
		thread_set_class(n->tid_own, SCHED_OTHER);
	if (!atomic_exchange(&n->settled, false))
		return;	/* it may just be about to: look again */
	if (n->kind == NEAR_BY_SPINNERS)
		atomic_fetch_sub(&k->spin, 1);
	if (n->kind != NEAR_BY_CLASS || atomic_load(&n->starved))
		unbind(n);
	atomic_store(&n->streak, false);
	atomic_store(&n->settled, true);
}

/* Did the worker get its part of a CPU since the last look? Who works on one
 * thing for long has served nobody meanwhile. */
static bool has_run(struct near *n)
{
	struct timespec t = { 0 };
	uint64_t before = n->ran_ns;

	if (clock_gettime(n->clock, &t))
		return false;
	n->ran_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	return n->ran_ns - before > TICK_NS / 4;
}

/* Would another kind be right, and not for a moment only? */
static bool is_wrong_kind(struct near *n, bool crowded)
{
	bool following = n->kind == NEAR_BY_FOLLOWING;
	bool held = following && co_now_ns() < n->follow_until_ns;

	if (crowded == following || held)
		n->wrong_ticks = 0;
	else
		n->wrong_ticks++;
	return n->wrong_ticks >= WRONG_TICKS;
}

/* One look at a worker that has a streak. */
static void look_at(struct near_keeper *k, struct near *n, bool crowded)
{
	uint32_t served = atomic_load(&n->served);
	bool works = has_run(n), rests = served == n->seen && !works;

	n->seen = served;
	if (rests && is_starving(n)) {
		atomic_store(&n->starved, true);
		atomic_fetch_add(&k->count.starved, 1);
	}
	if (rests || is_wrong_kind(n, crowded))
		end(k, n);
	else if (n->kind == NEAR_BY_FOLLOWING)
		follow(n, client_cpu(n));
}

/* Workers of the idle class: ready to run beside their programs. */
static unsigned int count_idlers(const struct near_keeper *k)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < CONF_WORKERS_MAX; i++)
		count += k->worker[i] && near_is_streak(k->worker[i]) &&
			 k->worker[i]->kind == NEAR_BY_CLASS;
	return count;
}

/* Return: there are streaks */
static bool look_around(struct near_keeper *k)
{
	bool any = false, crowded = is_crowded(k, 1 + count_idlers(k));

	for (unsigned int i = 0; i < CONF_WORKERS_MAX; i++) {
		struct near *n = k->worker[i];

		if (!n || !near_is_streak(n))
			continue;
		any = true;
		look_at(k, n, crowded);
	}
	return any;
}

void near_leave(struct near *n)
{
	struct near_keeper *k = n->keeper;

	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	if (near_is_streak(n))
		end(k, n);
	for (unsigned int i = 0; i < CONF_WORKERS_MAX; i++)
		if (k->worker[i] == n)
			k->worker[i] = NULL;
	pthread_mutex_unlock(&k->lock);
	n->keeper = NULL;
}

static void *keep(void *arg)
{
	static const struct timespec tick = { .tv_nsec = TICK_NS };
	struct near_keeper *k = arg;


	while (!atomic_load(&k->stop)) {
		uint32_t seen = atomic_load(&k->call);
		bool any;

		pthread_mutex_lock(&k->lock);
		any = look_around(k);
		pthread_mutex_unlock(&k->lock);
		if (any)
			nanosleep(&tick, NULL);
		else
			futex_wait(&k->call, seen);
	}
	return NULL;
}

/* ---- spinners ---- */

static void *spin(void *arg)
{
	struct near_keeper *k = arg;

	thread_set_class(0, SCHED_IDLE);
	while (!atomic_load_explicit(&k->stop, memory_order_relaxed)) {
		if (atomic_load_explicit(&k->spin, memory_order_relaxed))
			uhmm_cpu_relax();
		else
			futex_wait(&k->spin, 0);
	}
	return NULL;
}

/* Signals are for the thread that made the daemon. */
static int start_thread(pthread_t *thread, const pthread_attr_t *attr,
			void *(*body)(void *), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(thread, attr, body, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

static int start_spinner(struct near_keeper *k, int cpu)
{
	pthread_attr_t attr;
	cpu_set_t only;
	int err;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(only), &only);
	err = start_thread(&k->spinner[k->nspinners], &attr, spin, k);
	pthread_attr_destroy(&attr);
	if (!err)
		k->nspinners++;
	return err;
}

static int start_spinners(struct near_keeper *k)
{
	cpu_set_t allowed;
	int err = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE && !err; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			err = k->nspinners < NEAR_SPINNERS_MAX ?
				      start_spinner(k, cpu) :
				      -E2BIG;
	return err;
}

/* ---- what is allowed ---- */

static void *try_class(void *arg)
{
	bool *back = arg;

	*back = thread_set_class(0, SCHED_IDLE) && thread_set_class(0, SCHED_OTHER);
	return NULL;
}

/* May a thread leave the idle class again? One that may not stays in it. */
static bool can_come_back(void)
{
	bool back = false;
	pthread_t thread;

	if (start_thread(&thread, NULL, try_class, &back))
		return false;
	pthread_join(thread, NULL);
	return back;
}

static enum near_mode best_mode(void)
{
	if (sched_getscheduler(0) != SCHED_OTHER)
		return NEAR_OFF;	/* somebody decided otherwise */
	return can_come_back() ? NEAR_IDLE : NEAR_SPIN;
}

static void end_spinners(struct near_keeper *k)
{
	atomic_fetch_add(&k->spin, 1);
	futex_wake(&k->spin);
	while (k->nspinners)
		pthread_join(k->spinner[--k->nspinners], NULL);
	atomic_fetch_sub(&k->spin, 1);
}

int near_keeper_init(struct near_keeper *k, enum near_mode mode)
{
	int err = 0;

	memset(k, 0, sizeof(*k));
	pthread_mutex_init(&k->lock, NULL);
	k->mode = mode == NEAR_AUTO ? best_mode() : mode;
	k->loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	k->ncpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	if (k->mode == NEAR_IDLE && !can_come_back()) {
		uhmm_err("--near idle: leaving the idle class needs "
			 "CAP_SYS_NICE or RLIMIT_NICE; use auto");
		return -EPERM;
	}
	if (k->mode == NEAR_SPIN)
		err = start_spinners(k);
	if (!err && k->mode != NEAR_OFF) {
		err = start_thread(&k->thread, NULL, keep, k);
		k->running = !err;
	}
	if (!err)
		return 0;
	near_keeper_fini(k);
	k->mode = NEAR_OFF;	/* it is about speed only */
	return mode == NEAR_AUTO ? 0 : err;
}

void near_keeper_fini(struct near_keeper *k)
{
	atomic_store(&k->stop, true);
	if (k->running) {
		atomic_fetch_add(&k->call, 1);
		futex_wake(&k->call);
		pthread_join(k->thread, NULL);
		k->running = false;
	}
	if (k->nspinners)
		end_spinners(k);
	if (k->loadavg > 0)
		close(k->loadavg);
	k->loadavg = -1;
}

const char *near_mode_name(enum near_mode mode)
{
	static const char *const names[] = {
		[NEAR_AUTO] = "auto",
		[NEAR_IDLE] = "idle",
		[NEAR_SPIN] = "spin",
		[NEAR_OFF] = "off",
	};

	return names[mode];
}
