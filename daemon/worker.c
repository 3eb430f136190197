/* SPDX-License-Identifier: MIT */
/* worker.c - a thread with a loop and jobs (worker.h) */
#include "worker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "channel.h"
#include "daemon.h"
#include "fault.h"
#include "listener.h"
#include "opens.h"
#include "session.h"
#include "trim.h"

/* Events handled before jobs get their turn. */
#define NEVENTS 64
/* Times the same one is served before the loop is asked for others. */
#define AGAIN_MAX 32

static _Thread_local struct worker *current;

struct worker *worker_current(void)
{
	return current;
}

static void kick(void *arg)
{
	struct worker *w = arg;
	uint64_t one = 1;

	/* A full counter is as good as one more. */
	if (write(w->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		uhmm_err_errno(errno, "worker %u cannot be woken", w->index);
}

static void unkick(struct worker *w)
{
	uint64_t n;

	while (read(w->kick_fd, &n, sizeof(n)) > 0)
		;
}

int worker_open(struct worker *w, struct daemon *d, unsigned int index,
		enum loop_kind loop)
{
	int err;

	w->d = d;
	w->index = index;
	current = w;
	atomic_init(&w->stop, false);
	err = loop_open(&w->loop, loop);
	if (err)
		return err;
	w->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->kick_fd < 0) {
		err = -errno;
		goto close_loop;
	}
	err = co_sched_init(&w->sched, kick, w);
	if (err)
		goto close_kick;
	w->sched.turn = &d->core.turn;
	err = loop_add(&w->loop, w->kick_fd, EV_KICK, w, &w->kick_ev);
	if (err)
		goto fini_sched;
	near_join(&w->near, &d->near);
	return 0;

fini_sched:
	co_sched_fini(&w->sched);
close_kick:
	close(w->kick_fd);
close_loop:
	loop_close(&w->loop);
	return err;
}

/* All but the descriptor others kick: its thread may be gone before they
 * know. */
static void close_inside(struct worker *w)
{
	near_leave(&w->near);
	loop_del(&w->loop, &w->kick_ev);
	co_sched_fini(&w->sched);
	loop_close(&w->loop);
}

void worker_close(struct worker *w)
{
	close_inside(w);
	close(w->kick_fd);
}

/* The one place that says who handles which descriptor. */
static void dispatch(struct worker *w, const struct loop_event *e)
{
	void *obj = loop_object(&w->loop, e->ev);

	if (!obj)
		return;	/* taken out since the kernel reported it */
	switch ((enum ev_type)e->ev.type) {
	case EV_KICK:
		unkick(w);
		return;
	case EV_SIGNAL:
		daemon_signal(obj);
		return;
	case EV_LISTEN:
		listener_ready(obj);
		return;
	case EV_CHANNEL:
		channel_ready(obj);
		return;
	case EV_UFFD:
		fault_ready(obj, e->events);
		return;
	case EV_PIDFD:
		session_exited(obj);
		return;
	case EV_OPENS:
		opens_poll(obj);
		return;
	case EV_NONE:
	case EV_NR_TYPES:
		break;
	}
	uhmm_err("event of unknown type %u", e->ev.type);
}

/* Does a program wait for what such an event brings? */
static bool is_waited_for(const struct loop_event *e)
{
	return e->ev.type == EV_CHANNEL || e->ev.type == EV_UFFD;
}

/* How long may the loop sleep? Not at all while a job can run. */
static int64_t patience_ns(struct worker *w)
{
	int64_t ns = co_timeout_ns(&w->sched);

	return co_is_runnable(&w->sched) ? 0 : ns;
}

static void run_jobs(struct worker *w)
{
	co_run(&w->sched);
	channels_reap(w->d);
	sessions_reap(w->d);
}

/*
 * In a streak of faults the next one is there when the last was answered: the
 * program ran in between, on this CPU. So look at once; the loop only says what
 * we know. Return: it was so
 */
static bool serve_again(struct worker *w)
{
	struct core *core = &w->d->core;
	struct session *s;
	bool found;

	if (w->last_ev.type != EV_UFFD || !near_is_streak(&w->near) ||
	    w->again == AGAIN_MAX)
		return false;
	w->again++;
	core_lock(core);
	s = loop_object(&w->loop, w->last_ev);
	found = s && fault_again(s);
	if (found)
		run_jobs(w);
	core_unlock(core);
	if (found)
		near_served(&w->near);
	return found;
}

static void handle(struct worker *w, const struct loop_event *e, int n)
{
	struct core *core = &w->d->core;
	bool served = false;

	core_lock(core);
	for (int i = 0; i < n; i++) {
		dispatch(w, &e[i]);
		served |= is_waited_for(&e[i]);
	}
	if (served && w->again < AGAIN_MAX)
		near_missed(&w->near);
	run_jobs(w);
	trim_look(w);
	core_unlock(core);
	if (served)
		near_served(&w->near);
	w->last_ev = n ? e[n - 1].ev : w->last_ev;
	w->again = 0;
}

void worker_run(struct worker *w)
{
	struct loop_event e[NEVENTS];
	int n;

	while (!atomic_load(&w->stop)) {
		if (serve_again(w))
			continue;
		n = loop_wait(&w->loop, patience_ns(w), e, NEVENTS);
		if (n < 0) {
			uhmm_err_errno(n, "worker %u cannot wait", w->index);
			break;
		}
		handle(w, e, n);
	}
}

void worker_stop(struct worker *w)
{
	atomic_store(&w->stop, true);
	kick(w);
}

struct start {
	struct worker *w;
	struct daemon *d;
	unsigned int index;
	enum loop_kind loop;
};

static void *thread_main(void *arg)
{
	struct start s = *(struct start *)arg;

	s.w->open_err = worker_open(s.w, s.d, s.index, s.loop);
	sem_post(&s.w->ready);
	if (s.w->open_err)
		return NULL;
	worker_run(s.w);
	close_inside(s.w);
	return NULL;
}

int worker_start(struct worker *w, struct daemon *d, unsigned int index,
		 enum loop_kind loop)
{
	struct start s = { w, d, index, loop };
	int err;

	sem_init(&w->ready, 0, 0);
	err = -pthread_create(&w->thread, NULL, thread_main, &s);
	if (!err) {
		while (sem_wait(&w->ready))
			;	/* EINTR */
		err = w->open_err;
		w->running = true;
		if (err)
			worker_join(w);
	}
	return err;
}

void worker_join(struct worker *w)
{
	if (!w->running)
		return;
	pthread_join(w->thread, NULL);
	if (!w->open_err)
		close(w->kick_fd);
	sem_destroy(&w->ready);
	w->running = false;
}
