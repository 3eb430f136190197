/* SPDX-License-Identifier: MIT */
/* supervise.h - wait until PROG and all its descendants are gone
 *
 * Theory of operation. We are the subreaper of what PROG starts, so an orphan
 * becomes our child and the end of everything is: no child left but the
 * daemon. Signals come by a signalfd. TERM, HUP, USR1 and USR2 are handed on
 * to PROG, and once it is gone to what is left of it. INT and QUIT a terminal
 * has sent to PROG too, so PROG decides; once it is gone they become TERM for
 * what is left.
 */
#ifndef UHMM_CLI_SUPERVISE_H
#define UHMM_CLI_SUPERVISE_H

#include <signal.h>
#include <sys/types.h>

#include "daemon.h"
#include "rundir.h"

/** cli_supervise_signals() - block them, keep the old mask. Return: signalfd */
int cli_supervise_signals(sigset_t *old_mask);

/**
 * cli_supervise() - wait for all of them
 * @d: the daemon, or NULL; if it ends meanwhile the user is told
 * Return: the exit status of PROG
 */
int cli_supervise(pid_t program, int signal_fd, struct cli_daemon *d,
		  const struct cli_rundir *rd);

#endif
