/* SPDX-License-Identifier: MIT */
/* hooks_signal.c - hooks on what sets handlers and masks of signals
 *
 * Before the trap is set (trap.h) they add two atomic operations. Then whatever
 * is about SIGSEGV is done to what the program thinks is set.
 */
#define UHMM_PRELOAD_DEFINES_HOOKS
#include "preload.h"

#include "libc_signal.h"
#include "sigaction.h"
#include "sigmask.h"
#include "trap.h"

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's
 * headers have reserved names */

#define EXPORT __attribute__((visibility("default")))

/* Declared by libc under some feature macros only, or never. */
EXPORT int __sigaction(int sig, const struct sigaction *act,
		       struct sigaction *old);
EXPORT __sighandler_t bsd_signal(int sig, __sighandler_t handler);
EXPORT int __sigsuspend(const sigset_t *set);
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n,
		       const struct timespec *timeout, const sigset_t *set,
		       size_t room);

static int result(int err)
{
	if (!err)
		return 0;
	errno = -err;
	return -1;
}

/* ---- actions ---- */

EXPORT int sigaction(int sig, const struct sigaction *act,
		     struct sigaction *old)
{
	return uhmm_sigaction(sig, act, old);
}

EXPORT int __sigaction(int sig, const struct sigaction *act,
		       struct sigaction *old)
{
	return uhmm_sigaction(sig, act, old);
}

/* Those that set a handler alone; @flags and @mask are what libc gives it. */
static __sighandler_t any_signal(enum libc_name n, int sig,
				 __sighandler_t handler, int flags,
				 uint64_t mask)
{
	__sighandler_t was;

	if (uhmm_trap_plain()) {
		was = libc_signal(n, sig, handler);
		uhmm_trap_plain_end();
		return was;
	}
	if (sig != SIGSEGV || handler == SIG_ERR)
		return libc_signal(n, sig, handler);
	return (__sighandler_t)uhmm_signal((uintptr_t)handler, flags, mask);
}

EXPORT __sighandler_t signal(int sig, __sighandler_t handler)
{
	return any_signal(LIBC_SIGNAL, sig, handler, SA_RESTART,
			  UHMM_SIGBIT(SIGSEGV));
}

EXPORT __sighandler_t ssignal(int sig, __sighandler_t handler)
{
	return signal(sig, handler);
}

EXPORT __sighandler_t bsd_signal(int sig, __sighandler_t handler)
{
	return signal(sig, handler);
}

EXPORT __sighandler_t sysv_signal(int sig, __sighandler_t handler)
{
	return any_signal(LIBC_SYSV_SIGNAL, sig, handler,
			  (int)(SA_RESETHAND | SA_NODEFER), 0);
}

EXPORT __sighandler_t __sysv_signal(int sig, __sighandler_t handler)
{
	return sysv_signal(sig, handler);
}

/* ---- masks ---- */

/* For those who wait with another mask; *@copy is what to wait with. */
static const sigset_t *during(const sigset_t *set, sigset_t *copy)
{
	if (!set || !uhmm_trap_is_set())
		return set;
	*copy = *set;
	uhmm_sigset_put(copy, uhmm_sigmask_to_kernel(uhmm_sigset_get(set)));
	return copy;
}

static int any_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	uint64_t mask = set ? uhmm_sigset_get(set) : 0, was;
	int err = uhmm_sigprocmask(how, set ? &mask : NULL, &was);

	if (err || !old)
		return err;
	__builtin_memset(old, 0, sizeof(*old));
	uhmm_sigset_put(old, was);
	return 0;
}

EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int ret;

	if (!uhmm_trap_plain())
		return result(any_sigmask(how, set, old));
	ret = libc_sigprocmask(how, set, old);
	uhmm_trap_plain_end();
	return ret;
}

EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	int ret;

	if (!uhmm_trap_plain())
		return -any_sigmask(how, set, old);
	ret = libc_pthread_sigmask(how, set, old);
	uhmm_trap_plain_end();
	return ret;
}

/* Block or unblock SIGSEGV; another signal, or no trap: the real call. */
static int any_hold(enum libc_name n, int sig, int how)
{
	const uint64_t mask = UHMM_SIGBIT(SIGSEGV);
	int ret;

	if (uhmm_trap_plain()) {
		ret = libc_sig_int(n, sig);
		uhmm_trap_plain_end();
		return ret;
	}
	return sig == SIGSEGV ? result(uhmm_sigprocmask(how, &mask, NULL)) :
				libc_sig_int(n, sig);
}

EXPORT int sighold(int sig)
{
	return any_hold(LIBC_SIGHOLD, sig, SIG_BLOCK);
}

EXPORT int sigrelse(int sig)
{
	return any_hold(LIBC_SIGRELSE, sig, SIG_UNBLOCK);
}

EXPORT int sigignore(int sig)
{
	int ret;

	if (uhmm_trap_plain()) {
		ret = libc_sig_int(LIBC_SIGIGNORE, sig);
		uhmm_trap_plain_end();
		return ret;
	}
	if (sig != SIGSEGV)
		return libc_sig_int(LIBC_SIGIGNORE, sig);
	(void)uhmm_signal((uintptr_t)SIG_IGN, 0, 0);
	return 0;
}

/* As System V had it: a handler sets and unblocks, SIG_HOLD only blocks. */
EXPORT __sighandler_t sigset(int sig, __sighandler_t handler)
{
	const uint64_t segv = UHMM_SIGBIT(SIGSEGV);
	struct sigaction was;
	uint64_t old;

	if (uhmm_trap_plain()) {
		__sighandler_t ret = libc_signal(LIBC_SIGSET, sig, handler);

		uhmm_trap_plain_end();
		return ret;
	}
	if (sig != SIGSEGV || handler == SIG_ERR)
		return libc_signal(LIBC_SIGSET, sig, handler);
	(void)uhmm_sigaction(sig, NULL, &was);
	(void)uhmm_sigprocmask(handler == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK,
			       &segv, &old);
	if (handler != SIG_HOLD)
		(void)uhmm_signal((uintptr_t)handler, 0, 0);
	return old & segv ? SIG_HOLD : was.sa_handler;
}

/* BSD's masks have room for 32 signals. */
static int any_bsd_mask(enum libc_name n, int how, int arg)
{
	uint64_t mask = (uint32_t)arg, old = 0;

	if (uhmm_trap_plain()) {
		int ret = libc_sig_int(n, arg);

		uhmm_trap_plain_end();
		return ret;
	}
	(void)uhmm_sigprocmask(how, &mask, &old);
	return (int)(uint32_t)old;
}

EXPORT int sigblock(int mask)
{
	return any_bsd_mask(LIBC_SIGBLOCK, SIG_BLOCK, mask);
}

EXPORT int sigsetmask(int mask)
{
	return any_bsd_mask(LIBC_SIGSETMASK, SIG_SETMASK, mask);
}

EXPORT int siggetmask(void)
{
	return any_bsd_mask(LIBC_SIGBLOCK, SIG_BLOCK, 0);
}

EXPORT int sigsuspend(const sigset_t *set)
{
	sigset_t copy;

	return libc_sigsuspend(during(set, &copy));
}

EXPORT int __sigsuspend(const sigset_t *set)
{
	return sigsuspend(set);
}

EXPORT int sigpending(sigset_t *set)
{
	int ret = libc_sigpending(set);

	if (!ret && uhmm_trap_pending())
		uhmm_sigset_put(set, uhmm_sigset_get(set) |
					     UHMM_SIGBIT(SIGSEGV));
	return ret;
}

EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *set)
{
	sigset_t copy;

	return libc_ppoll(fds, n, timeout, during(set, &copy));
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n,
		       const struct timespec *timeout, const sigset_t *set,
		       size_t room)
{
	sigset_t copy;

	return libc_ppoll_chk(fds, n, timeout, during(set, &copy), room);
}

/* NOLINTNEXTLINE(readability-function-size): as many as it has */
EXPORT int pselect(int n, fd_set *in, fd_set *out, fd_set *except,
		   const struct timespec *timeout, const sigset_t *set)
{
	sigset_t copy;

	return libc_pselect(n, in, out, except, timeout, during(set, &copy));
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *event, int n, int timeout,
		       const sigset_t *set)
{
	sigset_t copy;

	return libc_epoll_pwait(epoll, event, n, timeout, during(set, &copy));
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
