/* SPDX-License-Identifier: MIT */
/* sigaction.c - signals as the program sets and sees them (sigaction.h) */
#include "sigaction.h"

#include "libc_signal.h"
#include "session.h"
#include "sigmask.h"
#include "trap.h"

/* ---- actions ---- */

static struct uhmm_ksig to_kernel(const struct sigaction *act)
{
	struct uhmm_ksig k = {
		.flags = (unsigned int)act->sa_flags,
		.mask = uhmm_sigmask_to_kernel(uhmm_sigset_get(&act->sa_mask)),
	};

	/* one of two names of the same word */
	k.handler = (uintptr_t)act->sa_handler;
	return k;
}

static void to_libc(const struct uhmm_ksig *k, struct sigaction *act)
{
	__builtin_memset(act, 0, sizeof(*act));
	act->sa_handler = (__sighandler_t)k->handler;
	act->sa_flags = (int)(k->flags & ~(unsigned long)SA_RESTORER);
	uhmm_sigset_put(&act->sa_mask, uhmm_sigmask_to_program(k->mask));
}

/* In a vfork child: its actions are its own, what we remember is not. What an
 * exec keeps of them is whether the signal is ignored. */
static void set_in_vfork_child(const struct uhmm_ksig *act)
{
	if (act->handler == (uintptr_t)SIG_IGN)
		(void)uhmm_ksig_set(SIGSEGV, act);
}

/* SIGSEGV: ours stays installed. */
static void act_on_segv(const struct uhmm_ksig *act, struct uhmm_ksig *old)
{
	uhmm_session_notice();
	if (uhmm_trap_is_owner()) {
		uhmm_trap_action(act, old);
		return;
	}
	uhmm_trap_action(NULL, old);
	if (act)
		set_in_vfork_child(act);
}

static int other_sigaction(int sig, const struct sigaction *act,
			   struct sigaction *old)
{
	struct sigaction copy;
	int ret;

	if (act) {
		copy = *act;
		uhmm_sigset_put(&copy.sa_mask,
				uhmm_sigmask_to_kernel(
					uhmm_sigset_get(&act->sa_mask)));
	}
	ret = libc_sigaction(sig, act ? &copy : NULL, old);
	if (!ret && old)
		uhmm_sigset_put(&old->sa_mask,
				uhmm_sigmask_to_program(
					uhmm_sigset_get(&old->sa_mask)));
	return ret;
}

int uhmm_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct uhmm_ksig set, was;

	if (uhmm_trap_plain()) {
		int ret = libc_sigaction(sig, act, old);

		uhmm_trap_plain_end();
		return ret;
	}
	if (sig != SIGSEGV)
		return other_sigaction(sig, act, old);
	if (act)
		set = to_kernel(act);
	act_on_segv(act ? &set : NULL, &was);
	if (old)
		to_libc(&was, old);
	return 0;
}

uintptr_t uhmm_signal(uintptr_t handler, int flags, uint64_t mask)
{
	const struct uhmm_ksig set = {
		.handler = handler,
		.flags = (unsigned int)flags,
		.mask = uhmm_sigmask_to_kernel(mask),
	};
	struct uhmm_ksig was;

	act_on_segv(&set, &was);
	return was.handler;
}

/* ---- masks ---- */

static int set_mask(int how, const uint64_t *set, uint64_t *old)
{
	return (int)uhmm_sys4(SYS_rt_sigprocmask, how, uhmm_ptr(set),
			      uhmm_ptr(old), sizeof(*old));
}

/* Signals libc keeps for itself are blocked by no program. */
#define LIBCS (UHMM_SIGBIT(32) | UHMM_SIGBIT(33))

int uhmm_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	uint64_t kernel, was = 0;
	int err;

	if (set)
		kernel = uhmm_sigmask_to_kernel(*set) & ~LIBCS;
	err = set_mask(how, set ? &kernel : NULL, &was);
	if (err)
		return err;
	if (old)
		*old = uhmm_sigmask_to_program(was);
	if (uhmm_trap_pending() && !set_mask(SIG_BLOCK, NULL, &was) &&
	    !(was & UHMM_SIGBIT(SIGSTKFLT)))
		uhmm_trap_unblocked();
	return 0;
}

/* Rule 6: what was blocked for a while is as it was before, and the trap may
 * have been set in between. */
void uhmm_signals_restore(struct uhmm_sigmask old)
{
	if (uhmm_is_locked_up())
		return;
	if (uhmm_trap_is_set())
		old.bits = uhmm_sigmask_guard(old.bits);
	(void)set_mask(SIG_SETMASK, &old.bits, NULL);
}
