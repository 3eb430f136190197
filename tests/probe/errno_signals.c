/* SPDX-License-Identifier: MIT */
/* errno_signals.c - calls that set handlers and masks of signals
 * (errno_calls.h)
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "errno_calls.h"

#define NO_SIGNAL 99

/* What is sent, and what the library has a handler of its own for. */
static const int both[] = { SIGUSR1, SIGSEGV };

static void do_nothing(int sig)
{
	(void)sig;
}

static void actions(const char *name)
{
	int (*fn)(int, const struct sigaction *, struct sigaction *) =
		(int (*)(int, const struct sigaction *,
			 struct sigaction *))errno_function(name);
	struct sigaction act = { .sa_handler = do_nothing }, old;

	for (size_t i = 0; i < 2; i++) {
		TRY(name, fn(both[i], &act, &old));
		TRY(name, fn(both[i], NULL, &act));
		TRY(name, fn(both[i], &old, NULL));
		act = (struct sigaction){ .sa_handler = do_nothing };
	}
	TRY(name, fn(SIGKILL, &act, NULL));
	TRY(name, fn(NO_SIGNAL, NULL, &old));
}

static void handlers(const char *name)
{
	__sighandler_t (*fn)(int, __sighandler_t) =
		(__sighandler_t(*)(int, __sighandler_t))errno_function(name);

	for (size_t i = 0; i < 2; i++) {
		TRY(name, fn(both[i], do_nothing));
		TRY(name, fn(both[i], SIG_DFL));
		TRY(name, fn(both[i], SIG_ERR));
	}
	TRY(name, fn(SIGKILL, do_nothing));
	TRY(name, fn(NO_SIGNAL, do_nothing));
}

static void one_signal(const char *name)
{
	int (*fn)(int) = (int (*)(int))errno_function(name);

	TRY(name, fn(SIGUSR1));
	TRY(name, fn(SIGSEGV));
	TRY(name, fn(NO_SIGNAL));
}

static void masks(void)
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGSEGV);
	TRY("sigprocmask", sigprocmask(SIG_BLOCK, &set, &old));
	TRY("sigprocmask", sigprocmask(SIG_UNBLOCK, &set, NULL));
	TRY("sigprocmask", sigprocmask(99, &set, NULL));
	TRY_VALUE("pthread_sigmask", 0, pthread_sigmask(SIG_BLOCK, &set, &old));
	TRY_VALUE("pthread_sigmask", 0, pthread_sigmask(SIG_SETMASK, &old,
							NULL));
	TRY_VALUE("pthread_sigmask", 0, pthread_sigmask(99, &set, NULL));
	one_signal("sighold");
	one_signal("sigrelse");
}

static void bsd_masks(void)
{
	int (*block)(int) = (int (*)(int))errno_function("sigblock");
	int (*set)(int) = (int (*)(int))errno_function("sigsetmask");
	int (*get)(void) = (int (*)(void))errno_function("siggetmask");

	TRY("sigblock", block(1 << (SIGUSR1 - 1) | 1 << (SIGSEGV - 1)));
	TRY("siggetmask", get());
	TRY("sigsetmask", set(0));
}

/* ---- waiting with another mask, for a signal that is pending, or in vain ---- */

static void pend(sigset_t *without)
{
	sigset_t set;

	signal(SIGUSR1, do_nothing);
	sigemptyset(&set);
	sigemptyset(without);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
}

static void unpend(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void suspends(const char *name)
{
	int (*fn)(const sigset_t *) =
		(int (*)(const sigset_t *))errno_function(name);
	sigset_t without;

	pend(&without);
	TRY(name, fn(&without));
	unpend();
}

static void polls(void)
{
	int (*chk)(struct pollfd *, nfds_t, const struct timespec *,
		   const sigset_t *, size_t) =
		(int (*)(struct pollfd *, nfds_t, const struct timespec *,
			 const sigset_t *, size_t))errno_function("__ppoll_chk");
	struct timespec no_time = { 0, 0 }, long_time = { 9, 0 };
	struct pollfd pfd = { .fd = -1 };
	sigset_t without;

	for (int i = 0; i < 2; i++) {
		struct timespec *t = i ? &long_time : &no_time;

		if (i)
			pend(&without);
		else
			sigemptyset(&without);
		TRY("ppoll", ppoll(&pfd, 1, t, &without));
		if (i)
			raise(SIGUSR1);
		TRY("__ppoll_chk", chk(&pfd, 1, t, &without, sizeof(pfd)));
		if (i)
			raise(SIGUSR1);
		TRY("pselect", pselect(0, NULL, NULL, NULL, t, &without));
	}
	unpend();
}

static void epolls(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	sigset_t without;

	sigemptyset(&without);
	TRY("epoll_pwait", epoll_pwait(epoll, &event, 1, 0, &without));
	TRY("epoll_pwait", epoll_pwait(190, &event, 1, 0, &without));
	pend(&without);
	TRY("epoll_pwait", epoll_pwait(epoll, &event, 1, 9000, &without));
	unpend();
	close(epoll);
}

static void pending(void)
{
	sigset_t *nothing = (sigset_t *)8, set;

	TRY("sigpending", sigpending(&set));
	TRY("sigpending", sigpending(nothing));
}

void errno_signals(void)
{
	static const char *const names[] = { "signal", "ssignal", "bsd_signal",
					     "sysv_signal", "__sysv_signal",
					     "sigset" };

	actions("sigaction");
	actions("__sigaction");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		handlers(names[i]);
	masks();
	bsd_masks();
	suspends("sigsuspend");
	suspends("__sigsuspend");
	polls();
	epolls();
	pending();
	one_signal("sigignore");
	signal(SIGUSR1, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
}
