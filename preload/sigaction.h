/* SPDX-License-Identifier: MIT */
/* sigaction.h - signals as the program sets and sees them while the trap is set
 *
 * Each does what the libc function of that name does, and returns and sets
 * errno as it does.
 */
#ifndef UHMM_PRELOAD_SIGACTION_H
#define UHMM_PRELOAD_SIGACTION_H

#include "preload.h"

int uhmm_sigaction(int sig, const struct sigaction *act,
		   struct sigaction *old);

/** uhmm_signal() - as sigaction() with @flags and a mask of @mask
 *  Return: what was set, or SIG_ERR */
uintptr_t uhmm_signal(uintptr_t handler, int flags, uint64_t mask);

/** uhmm_sigprocmask() - @how and the kernel's part of a set, or NULL.
 *  Return: 0 or -errno; (out) @old: as the program knows it */
int uhmm_sigprocmask(int how, const uint64_t *set, uint64_t *old);

#endif
