/* SPDX-License-Identifier: MIT */
/* libc_signal.c - call the real functions of hooks_signal.c (libc_signal.h)
 *
 * They are found when the library is loaded. Nothing of libc that could run
 * before calls them by a name that is hooked.
 */
#include "libc_signal.h"

static int absent(void)
{
	errno = ENOSYS;
	return -1;
}

int libc_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	int (*fn)(int, const struct sigaction *, struct sigaction *) =
		(int (*)(int, const struct sigaction *,
			 struct sigaction *))libc_find(LIBC_SIGACTION);

	return fn ? fn(sig, act, old) : absent();
}

__sighandler_t libc_signal(enum libc_name n, int sig, __sighandler_t handler)
{
	__sighandler_t (*fn)(int, __sighandler_t) =
		(__sighandler_t(*)(int, __sighandler_t))libc_find(n);

	if (fn)
		return fn(sig, handler);
	(void)absent();
	return SIG_ERR;
}

static int any_mask(enum libc_name n, int how, const sigset_t *set,
		    sigset_t *old)
{
	int (*fn)(int, const sigset_t *, sigset_t *) =
		(int (*)(int, const sigset_t *, sigset_t *))libc_find(n);

	return fn ? fn(how, set, old) : absent();
}

int libc_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return any_mask(LIBC_SIGPROCMASK, how, set, old);
}

int libc_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	int ret = any_mask(LIBC_PTHREAD_SIGMASK, how, set, old);

	return ret < 0 ? ENOSYS : ret;
}

int libc_sig_int(enum libc_name n, int arg)
{
	int (*fn)(int) = (int (*)(int))libc_find(n);

	return fn ? fn(arg) : absent();
}

int libc_sigsuspend(const sigset_t *set)
{
	int (*fn)(const sigset_t *) =
		(int (*)(const sigset_t *))libc_find(LIBC_SIGSUSPEND);

	return fn ? fn(set) : absent();
}

int libc_sigpending(sigset_t *set)
{
	int (*fn)(sigset_t *) = (int (*)(sigset_t *))libc_find(LIBC_SIGPENDING);

	return fn ? fn(set) : absent();
}

int libc_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	       const sigset_t *set)
{
	int (*fn)(struct pollfd *, nfds_t, const struct timespec *,
		  const sigset_t *) =
		(int (*)(struct pollfd *, nfds_t, const struct timespec *,
			 const sigset_t *))libc_find(LIBC_PPOLL);

	return fn ? fn(fds, n, timeout, set) : absent();
}

int libc_ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		   const sigset_t *set, size_t room)
{
	int (*fn)(struct pollfd *, nfds_t, const struct timespec *,
		  const sigset_t *, size_t) =
		(int (*)(struct pollfd *, nfds_t, const struct timespec *,
			 const sigset_t *, size_t))libc_find(LIBC_PPOLL_CHK);

	return fn ? fn(fds, n, timeout, set, room) : absent();
}

/* NOLINTNEXTLINE(readability-function-size): as many as pselect has */
int libc_pselect(int n, fd_set *in, fd_set *out, fd_set *except,
		 const struct timespec *timeout, const sigset_t *set)
{
	int (*fn)(int, fd_set *, fd_set *, fd_set *, const struct timespec *,
		  const sigset_t *) =
		(int (*)(int, fd_set *, fd_set *, fd_set *,
			 const struct timespec *,
			 const sigset_t *))libc_find(LIBC_PSELECT);

	return fn ? fn(n, in, out, except, timeout, set) : absent();
}

int libc_epoll_pwait(int epoll, struct epoll_event *event, int n, int timeout,
		     const sigset_t *set)
{
	int (*fn)(int, struct epoll_event *, int, int, const sigset_t *) =
		(int (*)(int, struct epoll_event *, int, int,
			 const sigset_t *))libc_find(LIBC_EPOLL_PWAIT);

	return fn ? fn(epoll, event, n, timeout, set) : absent();
}
