/* SPDX-License-Identifier: MIT */
/* daemon.c - set-up, the orderly end, and what is between (daemon.h) */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <uhmm/migrate.h>

#include "base/log.h"
#include "channel.h"
#include "driver.h"
#include "session.h"

/* How long programs may take to let go of what is to be freed. */
#define STOP_NS UINT64_C(3000000000)
#define STOP_STEP_NS UINT64_C(1000000)

/* ---- set-up ---- */

static int open_signals(struct daemon *d)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	d->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signal_fd < 0)
		return -errno;
	return loop_add(&d->worker[0].loop, d->signal_fd, EV_SIGNAL, d,
			&d->signal_ev);
}

/* Worker 0 is this thread; the others get theirs. */
static int open_workers(struct daemon *d)
{
	int err;

	d->worker = calloc(d->conf.nworkers, sizeof(*d->worker));
	if (!d->worker)
		return -ENOMEM;
	err = worker_open(&d->worker[0], d, 0, d->conf.loop);
	if (err) {
		uhmm_err_errno(err, "no event loop%s",
			       d->conf.loop == LOOP_URING ?
				       ": io_uring is refused here; use --loop "
				       "epoll" : "");
		free(d->worker);
		d->worker = NULL;
	}
	return err;
}

static int start_workers(struct daemon *d)
{
	int err = 0;

	for (unsigned int i = 1; i < d->conf.nworkers && !err; i++)
		err = worker_start(&d->worker[i], d, i, d->conf.loop);
	if (err)
		uhmm_err_errno(err, "cannot start %u workers",
			       d->conf.nworkers);
	return err;
}

static void close_workers(struct daemon *d)
{
	for (unsigned int i = 1; i < d->conf.nworkers; i++) {
		if (d->worker[i].running)
			worker_stop(&d->worker[i]);
		worker_join(&d->worker[i]);
	}
	worker_close(&d->worker[0]);
	free(d->worker);
	d->worker = NULL;
}

static int start_drivers(struct daemon *d)
{
	for (unsigned int i = 0; i < d->conf.ndrivers; i++) {
		const struct uhmm_driver *driver =
			driver_load(d->conf.driver[i]);
		int err = driver ? core_start_driver(&d->core, driver) :
				   -ENOEXEC;

		if (err)
			return err;
	}
	return 0;
}

static int set_up(struct daemon *d, const struct uhmm_device_ops *driver)
{
	int err = core_start_devices(&d->core, d->conf.dev, d->conf.ndevs,
				     driver);

	if (!err)
		err = start_drivers(d);
	if (err)
		return err;
	err = opens_init(&d->opens, d);
	if (!err)
		err = open_signals(d);
	if (!err)
		return start_workers(d);
	uhmm_err_errno(err, "cannot watch signals and opens");
	return err;
}

int daemon_init(struct daemon *d, const struct conf *conf,
		const struct uhmm_device_ops *driver)
{
	int err;

	memset(d, 0, sizeof(*d));
	d->conf = *conf;
	d->signal_fd = -1;
	d->stats.start_ns = co_now_ns();
	uhmm_list_init(&d->sessions);
	uhmm_list_init(&d->strangers);
	uhmm_list_init(&d->closed);
	co_queue_init(&d->trim_rest);
	err = core_init(&d->core);
	if (err)
		return err;
	*uhmm_core_inject(&d->core.hmm) = conf->inject;
	err = near_keeper_init(&d->near, d->conf.near);
	if (!err)
		err = open_workers(d);
	if (!err)
		err = set_up(d, driver);
	if (err)
		daemon_fini(d);
	return err;
}

int daemon_listen(struct daemon *d)
{
	return listener_open(&d->listener, d, &d->conf);
}

void daemon_run(struct daemon *d)
{
	worker_run(&d->worker[0]);
}

void daemon_fini(struct daemon *d)
{
	listener_close(&d->listener);
	if (d->worker)
		loop_del(&d->worker[0].loop, &d->signal_ev);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	opens_fini(&d->opens);
	if (d->worker)
		close_workers(d);
	near_keeper_fini(&d->near);
	slots_fini(&d->session_table);
	core_stop_devices(&d->core);	/* after daemon_run() there are none */
	core_fini(&d->core);
}

/* ---- the end ---- */

static void evict_all(struct daemon *d)
{
	for (unsigned int i = 0; i < d->core.ndevs; i++)
		uhmm_migrate_evict(&d->core.dev[i].pgmap);
	uhmm_migrate_evict(&d->core.exclusive);
}

static void end_channels(struct uhmm_list *channels)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, channels)
		channel_kill(UHMM_CONTAINER_OF(node, struct channel, link));
}

static void end_sessions(struct daemon *d)
{
	struct session *s;
	uint32_t at = 0;

	while ((s = slots_next(&d->session_table, &at)))
		session_fail(s);
}

/* Nothing is left that uses a device? */
static bool is_empty(struct daemon *d)
{
	channels_reap(d);
	sessions_reap(d);
	return uhmm_list_is_empty(&d->sessions) &&
	       uhmm_list_is_empty(&d->strangers) &&
	       uhmm_list_is_empty(&d->closed) && !d->opens.table.used;
}

static void give_up(void)
{
	uhmm_err("a program does not let go; ending all the same");
	_exit(CONF_EXIT_FAILED);
}

/* In the order of dependence: calls, opens, sessions, devices, workers. */
static void stop(void *arg)
{
	struct daemon *d = arg;
	uint64_t until = co_now_ns() + STOP_NS;

	evict_all(d);
	opens_hang_up(&d->opens);
	end_sessions(d);
	end_channels(&d->strangers);
	while (!is_empty(d)) {
		co_yield_until(co_now_ns() + STOP_STEP_NS);
		if (co_now_ns() > until)
			give_up();
	}
	core_stop_devices(&d->core);
	/* Jobs that only have to see that they are over. */
	co_pause();
	for (unsigned int i = d->conf.nworkers; i-- > 0;)
		worker_stop(&d->worker[i]);
}

/* Worker 0 has the listener, and the last word. */
static void begin_stop(void *arg)
{
	struct daemon *d = arg;

	listener_close(&d->listener);
	stop(arg);
}

void daemon_stop(struct daemon *d)
{
	if (d->stopping)
		return;
	d->stopping = true;
	co_queue_wake(&d->trim_rest);
	if (co_spawn(&d->worker[0].sched, begin_stop, d))
		give_up();
}

void daemon_signal(struct daemon *d)
{
	struct signalfd_siginfo si;

	while (read(d->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		uhmm_info("signal %u: ending", si.ssi_signo);
		daemon_stop(d);
	}
}
