/* SPDX-License-Identifier: MIT */
/* libc_signal.h - the real functions behind hooks_signal.c, as in libc.h
 *
 * Those of one signature are one function here; @n says which is meant. Where
 * this libc has no such function: ENOSYS.
 */
#ifndef UHMM_PRELOAD_LIBC_SIGNAL_H
#define UHMM_PRELOAD_LIBC_SIGNAL_H

#include "libc_names.h"

int libc_sigaction(int sig, const struct sigaction *act,
		   struct sigaction *old);
/** LIBC_SIGNAL and its kind, LIBC_SIGSET */
__sighandler_t libc_signal(enum libc_name n, int sig, __sighandler_t handler);
int libc_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int libc_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
/** LIBC_SIGHOLD, SIGRELSE, SIGIGNORE, SIGBLOCK, SIGSETMASK */
int libc_sig_int(enum libc_name n, int arg);
int libc_sigsuspend(const sigset_t *set);
int libc_sigpending(sigset_t *set);
int libc_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	       const sigset_t *set);
int libc_ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		   const sigset_t *set, size_t room);
/* NOLINTNEXTLINE(readability-function-size): as many as pselect has */
int libc_pselect(int n, fd_set *in, fd_set *out, fd_set *except,
		 const struct timespec *timeout, const sigset_t *set);
int libc_epoll_pwait(int epoll, struct epoll_event *event, int n, int timeout,
		     const sigset_t *set);

#endif
