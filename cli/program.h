/* SPDX-License-Identifier: MIT */
/* program.h - PROG: can the preload library serve it? start it */
#ifndef UHMM_CLI_PROGRAM_H
#define UHMM_CLI_PROGRAM_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * cli_program_check() - look at @name before anything is started
 * Says in one line what cannot be served and why. Goes on with a static, a
 * 32-bit or a Go program all the same, since what it starts may be served; not
 * with one that gains rights, or that the library would keep from starting.
 * Return: -1 go on; else the exit status
 */
int cli_program_check(const char *name);

/** What PROG gets besides our environment. */
struct cli_program_env {
	const char *preload;
	const char *socket;
	bool attach;		/* when it starts, not when it opens a device */
	const char *nodes;	 /* for UHMM_NODES; empty: none */
	const sigset_t *sigmask; /* the one we were started with */
};

/** cli_program_start() - fork and exec. Return: pid; -errno of fork */
pid_t cli_program_start(char **argv, const struct cli_program_env *env);

#endif
