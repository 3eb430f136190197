/* SPDX-License-Identifier: MIT */
/* near.c - streaks, the keeper, spinners (near.h) */
#include "near.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "co.h"

/* Rounds that soon after one another make a streak, and so many of them. */
#define SOON_NS UINT64_C(500000)
#define ROUNDS_MIN 6
/* How often the keeper looks. */
#define TICK_NS 1000000
/* A worker that goes on so soon after its streak was ended had starved. */
#define STARVED_NS UINT64_C(500000)
/* Pause after that. */
#define PAUSE_MIN_NS UINT64_C(4000000)
#define PAUSE_MAX_NS UINT64_C(1000000000)

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* @tid 0: the calling thread. Its nice value stays. */
static bool set_class(pid_t tid, int class)
{
	static const struct sched_param param;

	return sched_setscheduler(tid, class, &param) == 0;
}

/* ---- the worker's side ---- */

/* What was the last streak like? Its worker goes on now. */
static void judge_last(struct near *n, uint64_t now)
{
	uint64_t ended = atomic_exchange(&n->ended_ns, 0);

	if (!ended)
		return;
	if (now - ended > STARVED_NS) {
		n->pause_ns = 0;
		return;
	}
	n->pause_ns = n->pause_ns ? n->pause_ns * 2 : PAUSE_MIN_NS;
	if (n->pause_ns > PAUSE_MAX_NS)
		n->pause_ns = PAUSE_MAX_NS;
	n->not_before_ns = now + n->pause_ns;
	atomic_fetch_add(&n->keeper->count.starved, 1);
}

static void begin(struct near *n)
{
	struct near_keeper *k = n->keeper;
	cpu_set_t here;

	n->in_row = 0;
	atomic_store(&n->settled, false);
	atomic_store(&n->streak, true);
	atomic_fetch_add(&k->count.streaks, 1);
	atomic_fetch_add(&k->call, 1);
	if (k->mode == NEAR_SPIN) {
		CPU_ZERO(&here);
		CPU_SET(sched_getcpu(), &here);
		sched_getaffinity(0, sizeof(n->cpus), &n->cpus);
		atomic_fetch_add(&k->spin, 1);
		futex_wake(&k->spin);
		sched_setaffinity(0, sizeof(here), &here);
	}
	futex_wake(&k->call);
	if (k->mode == NEAR_IDLE)
		set_class(0, SCHED_IDLE);
	/* until now the keeper would undo it again and again */
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
		begin(n);
}

void near_join(struct near *n, struct near_keeper *k)
{
	unsigned int i = 0;

	if (k->mode == NEAR_OFF)
		return;
	n->tid = (pid_t)syscall(SYS_gettid);
	pthread_mutex_lock(&k->lock);
	while (i < CONF_WORKERS_MAX && k->worker[i])
		i++;
	if (i < CONF_WORKERS_MAX) {
		k->worker[i] = n;
		n->keeper = k;
	}
	pthread_mutex_unlock(&k->lock);
}

/* ---- the keeper's side; its lock is held ---- */

static void end(struct near_keeper *k, struct near *n)
{
	if (k->mode == NEAR_IDLE)
		set_class(n->tid, SCHED_OTHER);
	if (!atomic_load(&n->settled))
		return;	/* it may just be about to: look again */
	if (k->mode == NEAR_SPIN) {
		sched_setaffinity(n->tid, sizeof(n->cpus), &n->cpus);
		atomic_fetch_sub(&k->spin, 1);
	}
	atomic_store(&n->ended_ns, co_now_ns());
	atomic_store(&n->streak, false);
}

/* Return: there are streaks */
static bool look_around(struct near_keeper *k)
{
	bool any = false;

	for (unsigned int i = 0; i < CONF_WORKERS_MAX; i++) {
		struct near *n = k->worker[i];
		uint32_t served;

		if (!n || !near_is_streak(n))
			continue;
		any = true;
		served = atomic_load(&n->served);
		if (served == n->seen)
			end(k, n);
		n->seen = served;
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

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void *spin(void *arg)
{
	struct near_keeper *k = arg;

	set_class(0, SCHED_IDLE);
	while (!atomic_load_explicit(&k->stop, memory_order_relaxed)) {
		if (atomic_load_explicit(&k->spin, memory_order_relaxed))
			relax();
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

	*back = set_class(0, SCHED_IDLE) && set_class(0, SCHED_OTHER);
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
