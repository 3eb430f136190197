/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"

#define READY_MS 10000
#define STOP_MS 5000 /* for each of: stop, SIGTERM, SIGKILL */
#define NARGS_MAX \
	(16 + 2 * (CLI_DEVICES_MAX + CLI_POLICIES_MAX + CLI_DRIVERS_MAX + \
		   CLI_INJECTS_MAX))

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void make_argv(const char *argv[NARGS_MAX],
		      const struct cli_daemon_conf *conf, const char *ready)
{
	const struct cli_run_opts *o = conf->opts;
	size_t n = 0;

	argv[n++] = conf->path;
	argv[n++] = "--foreground";
	argv[n++] = "--socket";
	argv[n++] = conf->rd->socket;
	argv[n++] = "--ready-fd";
	argv[n++] = ready;
	if (o->engine) {
		argv[n++] = "--engine";
		argv[n++] = o->engine;
	}
	if (o->loop) {
		argv[n++] = "--loop";
		argv[n++] = o->loop;
	}
	if (o->near) {
		argv[n++] = "--near";
		argv[n++] = o->near;
	}
	if (o->workers) {
		argv[n++] = "--workers";
		argv[n++] = o->workers;
	}
	for (unsigned int i = 0; i < o->ndevices; i++) {
		argv[n++] = "--device";
		argv[n++] = o->device[i];
	}
	for (unsigned int i = 0; i < o->npolicies; i++) {
		argv[n++] = "--policy";
		argv[n++] = o->policy[i];
	}
	for (unsigned int i = 0; i < o->ndrivers; i++) {
		argv[n++] = "--driver";
		argv[n++] = o->driver[i];
	}
	for (unsigned int i = 0; i < o->ninjects; i++) {
		argv[n++] = "--inject";
		argv[n++] = o->inject[i];
	}
	argv[n] = NULL;
}

/*
 * In the child: what it prints goes to the log, and to the user only if there
 * is somebody who looks: whoever reads our stderr from a pipe waits for its
 * end, and must not wait for a daemon.
 */
static bool set_stdio(const struct cli_rundir *rd)
{
	const char *debug = getenv("UHMM_DEBUG");
	bool seen = isatty(STDERR_FILENO) || (debug && debug[0]);
	int out = seen ? STDERR_FILENO : rd->log_fd;
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return in >= 0 && dup2(in, STDIN_FILENO) >= 0 &&
	       dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0;
}

static void exec_daemon(const struct cli_daemon_conf *conf, int ready, pid_t us)
{
	const char *argv[NARGS_MAX];
	char number[16];

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != us)
		_exit(CLI_FAILED);
	/* Signals of a terminal are for PROG. No session of its own: with
	 * autogroups (sched(7)) one shares the CPU with it as a whole. */
	setpgid(0, 0);
	unsetenv("LD_PRELOAD");
	sigprocmask(SIG_SETMASK, conf->sigmask, NULL);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	if (fcntl(ready, F_SETFD, 0) == 0 && set_stdio(conf->rd)) {
		snprintf(number, sizeof(number), "%d", ready);
		make_argv(argv, conf, number);
		execv(conf->path, (char **)argv);
	}
	cli_say("%s: %s", conf->path, strerror(errno));
	_exit(CLI_FAILED);
}

static void close_daemon(struct cli_daemon *d)
{
	if (d->pidfd >= 0)
		close(d->pidfd);
	d->pidfd = -1;
	d->pid = 0;
}

/* Wait @ms for the end of it. Return: true it ended */
static bool await_end(struct cli_daemon *d, int ms, int *status)
{
	struct pollfd p = { .fd = d->pidfd, .events = POLLIN };
	long until = now_ms() + ms;
	long left;

	while ((left = until - now_ms()) > 0)
		if (poll(&p, 1, (int)left) > 0)
			break;
	return waitpid(d->pid, status, WNOHANG) == d->pid;
}

/* It ended, after signal @sig of ours or, if 0, as it was asked to. */
static int judge_end(const struct cli_rundir *rd, int sig, int status)
{
	if (sig)
		cli_say("the daemon had to be stopped by signal %d", sig);
	if (status == 0)
		return sig ? CLI_FAILED : 0;
	cli_rundir_show_log(rd);
	cli_say("the daemon ended with %s %d",
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return CLI_FAILED;
}

static int insist(struct cli_daemon *d, const struct cli_rundir *rd)
{
	static const int signals[] = { 0, SIGTERM, SIGKILL };
	int status;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (signals[i])
			kill(d->pid, signals[i]);
		if (!await_end(d, STOP_MS, &status))
			continue;
		close_daemon(d);
		return judge_end(rd, signals[i], status);
	}
	cli_say("the daemon, pid %d, does not die", d->pid);
	close_daemon(d);
	return CLI_FAILED;
}

/* Return: -1 it is ready; -2 it ended; else a signal came, or 0: time is up */
static int await_ready(int ready, int signal_fd)
{
	struct pollfd p[2] = { { .fd = ready, .events = POLLIN },
			       { .fd = signal_fd, .events = POLLIN } };
	long until = now_ms() + READY_MS;
	struct signalfd_siginfo si;
	char byte;
	long left;

	while ((left = until - now_ms()) > 0) {
		if (poll(p, 2, (int)left) <= 0)
			continue;
		if (p[0].revents)
			return read(ready, &byte, 1) == 1 ? -1 : -2;
		if (read(signal_fd, &si, sizeof(si)) == sizeof(si) &&
		    si.ssi_signo != SIGCHLD)
			return (int)si.ssi_signo;
	}
	return 0;
}

static int not_started(struct cli_daemon *d, const struct cli_rundir *rd,
		       int why)
{
	int status = 0;

	if (why != -2)
		kill(d->pid, SIGKILL);
	waitpid(d->pid, &status, 0);
	close_daemon(d);
	if (why > 0)
		return CLI_SIGNAL + why;
	cli_rundir_show_log(rd);
	if (why == 0)
		cli_say("the daemon was not ready within %d s",
			READY_MS / 1000);
	else if (WIFSIGNALED(status))
		cli_say("the daemon died of signal %d before it was ready",
			WTERMSIG(status));
	else
		cli_say("the daemon gave up before it was ready (status %d)",
			WEXITSTATUS(status));
	return CLI_FAILED;
}

int cli_daemon_start(struct cli_daemon *d, const struct cli_daemon_conf *conf)
{
	pid_t us = getpid();
	int ready[2], why;

	d->pid = 0;
	d->pidfd = -1;
	if (pipe2(ready, O_CLOEXEC) < 0 || (d->pid = fork()) < 0) {
		cli_say("cannot start the daemon: %s", strerror(errno));
		d->pid = 0;
		return CLI_FAILED;
	}
	if (d->pid == 0)
		exec_daemon(conf, ready[1], us);
	d->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	close(ready[1]);
	why = await_ready(ready[0], conf->signal_fd);
	close(ready[0]);
	return why == -1 ? -1 : not_started(d, conf->rd, why);
}

void cli_daemon_lost(struct cli_daemon *d, int wait_status,
		     const struct cli_rundir *rd)
{
	cli_rundir_show_log(rd);
	cli_say("the daemon %s %d: pages that were on a device are lost; "
		"touching one raises a signal, device requests fail with EIO",
		WIFSIGNALED(wait_status) ? "was killed by signal"
					 : "ended with status",
		WIFSIGNALED(wait_status) ? WTERMSIG(wait_status)
					 : WEXITSTATUS(wait_status));
	close_daemon(d);
}

/* It ended before it was told to. Somebody's kill is no defect of it. */
static int fell(struct cli_daemon *d, int status, const struct cli_rundir *rd)
{
	cli_daemon_lost(d, status, rd);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0
								  : CLI_FAILED;
}

int cli_daemon_stop(struct cli_daemon *d, const struct cli_rundir *rd)
{
	int sock, ret, status;

	if (!d->pid)
		return 0;
	sock = cli_ask_connect(rd->socket);
	ret = sock < 0 ? sock : cli_ask_stop(sock);
	if (sock >= 0)
		close(sock);
	if (cli_ask_is_gone(ret) && await_end(d, STOP_MS, &status))
		return fell(d, status, rd);
	if (ret < 0)
		kill(d->pid, SIGTERM);
	return insist(d, rd);
}
