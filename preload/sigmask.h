/* SPDX-License-Identifier: MIT */
/* sigmask.h - a program's signal masks while the trap is set (trap.h)
 *
 * Theory of operation. A thread that has SIGSEGV blocked when it touches a page
 * of ours is killed: the kernel asks nobody. So from the moment the trap is set
 * SIGSEGV is blocked nowhere, and that the program wants it blocked is said by
 * the bit of SIGSTKFLT instead, a signal that Linux never sends. Whatever
 * carries masks around carries that bit with it: new threads, handlers,
 * siglongjmp(), contexts. The hooks translate; a program that asks sees both
 * blocked. (One that sends itself SIGSTKFLT cannot block it by itself.)
 *
 * Masks are the kernel's, 64 bits, signal n is bit n - 1. No TLS.
 */
#ifndef UHMM_PRELOAD_SIGMASK_H
#define UHMM_PRELOAD_SIGMASK_H

#include "preload.h"

#define UHMM_SIGBIT(sig) (1ull << ((sig) - 1))

/** uhmm_sigmask_guard() - what a thread may have of @mask, which it had before
 *  it was translated, or after */
static inline uint64_t uhmm_sigmask_guard(uint64_t mask)
{
	if (!(mask & UHMM_SIGBIT(SIGSEGV)))
		return mask;
	return (mask & ~UHMM_SIGBIT(SIGSEGV)) | UHMM_SIGBIT(SIGSTKFLT);
}

/** uhmm_sigmask_to_kernel() - the set @mask of the program's, for the kernel */
static inline uint64_t uhmm_sigmask_to_kernel(uint64_t mask)
{
	return uhmm_sigmask_guard(mask & ~UHMM_SIGBIT(SIGSTKFLT));
}

/** uhmm_sigmask_to_program() - the kernel's @mask, as the program set it */
static inline uint64_t uhmm_sigmask_to_program(uint64_t mask)
{
	return mask & UHMM_SIGBIT(SIGSTKFLT) ? mask | UHMM_SIGBIT(SIGSEGV) :
					       mask;
}

/** uhmm_sigset_get() - the kernel's part of libc's set, and its opposite */
static inline uint64_t uhmm_sigset_get(const sigset_t *set)
{
	uint64_t mask;

	__builtin_memcpy(&mask, set, sizeof(mask));
	return mask;
}

static inline void uhmm_sigset_put(sigset_t *set, uint64_t mask)
{
	__builtin_memcpy(set, &mask, sizeof(mask));
}

#endif
