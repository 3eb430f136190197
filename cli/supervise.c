/* SPDX-License-Identifier: MIT */
#include "supervise.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "cli.h"

struct watch {
	pid_t program; /* 0: gone */
	int status;    /* of waitpid, once gone */
	struct cli_daemon *d;
	const struct cli_rundir *rd;
};

int cli_supervise_signals(sigset_t *old_mask)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGHUP, SIGUSR1,
				       SIGUSR2, SIGINT,	 SIGQUIT };
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&mask, signals[i]);
	sigprocmask(SIG_BLOCK, &mask, old_mask);
	return signalfd(-1, &mask, SFD_CLOEXEC);
}

static pid_t daemon_pid(const struct watch *w)
{
	return w->d ? w->d->pid : 0;
}

static void reap(struct watch *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == w->program) {
			w->program = 0;
			w->status = status;
		} else if (pid == daemon_pid(w)) {
			cli_daemon_lost(w->d, status, w->rd);
		}
	}
}

static void send(pid_t pid, int sig)
{
	kill(pid, sig);
}

static void hand_on(const struct watch *w, int sig)
{
	bool from_terminal = sig == SIGINT || sig == SIGQUIT;

	if (!w->program)
		cli_children_each(daemon_pid(w), send,
				  from_terminal ? SIGTERM : sig);
	else if (!from_terminal)
		kill(w->program, sig);
}

int cli_supervise(pid_t program, int signal_fd, struct cli_daemon *d,
		  const struct cli_rundir *rd)
{
	struct watch w = { .program = program, .d = d, .rd = rd };
	struct signalfd_siginfo si;

	for (;;) {
		reap(&w);
		if (!w.program &&
		    cli_children_each(daemon_pid(&w), NULL, 0) == 0)
			break;
		if (read(signal_fd, &si, sizeof(si)) == sizeof(si) &&
		    si.ssi_signo != SIGCHLD)
			hand_on(&w, (int)si.ssi_signo);
	}
	return WIFSIGNALED(w.status) ? CLI_SIGNAL + WTERMSIG(w.status)
				     : WEXITSTATUS(w.status);
}
