/* SPDX-License-Identifier: MIT */
/* ksig.h - rt_sigaction as the kernel has it, without libc
 *
 * libc's own would refuse the signals it keeps for itself, and another library
 * may stand in front of it.
 */
#ifndef UHMM_PRELOAD_KSIG_H
#define UHMM_PRELOAD_KSIG_H

#include "preload.h"

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/** The kernel's struct sigaction. */
struct uhmm_ksig {
	uintptr_t handler;	/* SIG_DFL, SIG_IGN or an address */
	unsigned long flags;	/* SA_* */
	uintptr_t restorer;
	uint64_t mask;
};

typedef void (*uhmm_ksig_fn)(int sig, siginfo_t *info, void *context);

/** uhmm_ksig_get() - what is set for @sig. 0 or -errno */
long uhmm_ksig_get(int sig, struct uhmm_ksig *act);

/** uhmm_ksig_set() - as it is, or was got. 0 or -errno */
long uhmm_ksig_set(int sig, const struct uhmm_ksig *act);

/** uhmm_ksig_install() - @fn(sig, info, context) with @flags and an empty mask
 *  @old: what was set; NULL not wanted.  Return: 0 or -errno */
long uhmm_ksig_install(int sig, uhmm_ksig_fn fn, unsigned long flags,
		       struct uhmm_ksig *old);

/** uhmm_ksig_is_function() - neither default nor ignored */
static inline bool uhmm_ksig_is_function(const struct uhmm_ksig *act)
{
	return act->handler != (uintptr_t)SIG_DFL &&
	       act->handler != (uintptr_t)SIG_IGN;
}

/** uhmm_ksig_call() - call the handler as the kernel would */
void uhmm_ksig_call(const struct uhmm_ksig *act, int sig, siginfo_t *info,
		    void *context);

#endif
