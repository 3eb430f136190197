/* SPDX-License-Identifier: MIT */
/* daemon.h - everything one daemon has, and how it ends
 *
 * The order of the members is the order of set-up; daemon_fini() goes back.
 * Locks:  the core's lock covers all of it once workers run.
 */
#ifndef UHMMD_DAEMON_H
#define UHMMD_DAEMON_H

#include "conf.h"
#include "core.h"
#include "listener.h"
#include "opens.h"
#include "policy.h"
#include "stats.h"
#include "worker.h"

struct daemon {
	struct conf conf;
	struct core core;
	struct near_keeper near;
	struct worker *worker;		/* conf.nworkers of them */
	struct opens opens;
	struct slots session_table;	/* of struct session, by token */
	struct uhmm_list sessions;	/* of session.link, every one */
	unsigned int ndead;		/* of them: wait for their last user */
	struct uhmm_list strangers;	/* of channel.link: said nothing yet */
	struct uhmm_list closed;	/* of channel.link: wait for their users */
	struct listener listener;
	struct stats stats;
	struct policy_stats policy_stats;
	bool stopping;
	bool trimming;			/* trim.h */
	struct co_queue trim_rest;
	uint64_t exclusive_most;	/* pages in use, since it did */
	int signal_fd;
	union uhmm_ev signal_ev;
};

/**
 * daemon_init() - core, devices and workers; listens to nobody yet
 * The calling thread is worker 0 from now on.
 * Return: 0; -errno, said why, nothing is left
 */
UHMM_CHECKED int daemon_init(struct daemon *d, const struct conf *conf,
			     const struct uhmm_device_ops *driver);

/**
 * daemon_listen() - open the door of conf.socket or conf.socket_fd
 * Return: 0; -errno, said why
 */
UHMM_CHECKED int daemon_listen(struct daemon *d);

/** daemon_run() - serve until somebody says daemon_stop() */
void daemon_run(struct daemon *d);

/** daemon_stop() - give every page back, end every session, leave
 *  daemon_run(). From any worker, with the lock. */
void daemon_stop(struct daemon *d);

void daemon_fini(struct daemon *d);

/** daemon_signal() - (EV_SIGNAL) SIGTERM or SIGINT came */
void daemon_signal(struct daemon *d);

#endif
