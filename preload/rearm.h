/* SPDX-License-Identifier: MIT */
/* rearm.h - threads that blocked SIGSEGV before the trap was set
 *
 * Only a thread itself can change its mask. Each that has SIGSEGV blocked is
 * sent the signal that libc keeps for telling all threads something (it can be
 * blocked by no program), with a handler of ours for the moment; libc's own use
 * of it passes through. A thread that sits in a system call finds it
 * interrupted, as it would by any signal with SA_RESTART.
 *
 * No TLS: the agent may run it.
 */
#ifndef UHMM_PRELOAD_REARM_H
#define UHMM_PRELOAD_REARM_H

#include "preload.h"

/** uhmm_rearm_threads() - no other thread of the program has SIGSEGV blocked
 *  when this returns, but for those in the middle of a call of ours, or of
 *  libc's that blocks all there is */
void uhmm_rearm_threads(void);

#endif
