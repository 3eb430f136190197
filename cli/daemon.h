/* SPDX-License-Identifier: MIT */
/* daemon.h - the private daemon of a run: start, stop
 *
 * A child in a session of its own, so that no signal of a terminal reaches
 * it, which dies with us whatever happens. Life cycle: start -> stop, or
 * start -> lost when it ends by itself.
 */
#ifndef UHMM_CLI_DAEMON_H
#define UHMM_CLI_DAEMON_H

#include <signal.h>
#include <sys/types.h>

#include "run_opts.h"
#include "rundir.h"

struct cli_daemon {
	pid_t pid; /* 0: not running */
	int pidfd; /* -1: not running */
};

/** What is needed to start one. */
struct cli_daemon_conf {
	const char *path;
	const struct cli_run_opts *opts;
	const struct cli_rundir *rd;
	const sigset_t *sigmask; /* the one we were started with */
	int signal_fd;		 /* a signal ends the wait */
};

/**
 * cli_daemon_start() - start it and wait until it listens
 * Return: -1 go on; else the exit status, everything said
 */
int cli_daemon_start(struct cli_daemon *d, const struct cli_daemon_conf *conf);

/** cli_daemon_lost() - it ended by itself; say so and why */
void cli_daemon_lost(struct cli_daemon *d, int wait_status,
		     const struct cli_rundir *rd);

/**
 * cli_daemon_stop() - ask it to end, insist if it does not
 * Return: 0 it ended as it should, or is not running; CLI_FAILED
 */
int cli_daemon_stop(struct cli_daemon *d, const struct cli_rundir *rd);

#endif
