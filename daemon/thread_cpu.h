/* SPDX-License-Identifier: MIT */
/* thread_cpu.h - threads by number: where they run, and where they may; their end
 *
 * Locks:  none. A thread may end at any time: then nothing happens.
 */
#ifndef UHMMD_THREAD_CPU_H
#define UHMMD_THREAD_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * thread_set_class() - of the scheduler: SCHED_OTHER, SCHED_IDLE
 * @tid: 0: the calling thread; its nice value stays
 * Return: it is so now
 */
bool thread_set_class(pid_t tid, int class);

/** thread_bind() - @tid, or with 0 the caller, runs on @cpu alone. Return: done */
bool thread_bind(pid_t tid, int cpu);

/** thread_cpu() - the CPU that thread @tid of @pid is on, or was last; or -1 */
int thread_cpu(uint32_t pid, uint32_t tid);

/** thread_is_ready() - does it run, or wait for a CPU? */
bool thread_is_ready(uint32_t pid, uint32_t tid);

/** thread_is_ending() - it is there, and has begun to end */
bool thread_is_ending(uint32_t pid, uint32_t tid);

/** thread_find() - the thread of @pid that is called @name, or -1 */
pid_t thread_find(uint32_t pid, const char *name);

#endif
