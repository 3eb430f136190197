/* SPDX-License-Identifier: MIT */
/* thread.h - a thread that libc does not know
 *
 * It shares memory, signal handlers and working directory; it has its own copy
 * of the table of descriptors; it has the TLS pointer of who started it, which
 * is not its own and may go away: it must not use TLS (rule 10). Signals are
 * blocked as the starter has them.
 */
#ifndef UHMM_PRELOAD_THREAD_H
#define UHMM_PRELOAD_THREAD_H

#include "preload.h"

/**
 * uhmm_thread_start() - run @fn(@arg) on a new thread, which then ends
 * @stack_top: upper end of its stack, 16-byte aligned
 * @tid:       (out) its number; the kernel sets it 0, and wakes who sleeps on
 *             it, when the thread has left the stack
 * Return: its number; -errno
 */
UHMM_CHECKED long uhmm_thread_start(void *stack_top, _Atomic uint32_t *tid,
				    void (*fn)(void *arg), void *arg);

/** uhmm_thread_keep_only() - (on that thread) of its table keep only the
 *  descriptors @a and @b; -1 none */
void uhmm_thread_keep_only(long a, long b);

#endif
