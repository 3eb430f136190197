/* SPDX-License-Identifier: MIT */
/* bench_floor.h - what the floors have in common: a userfaultfd, another process */
#ifndef UHMM_BENCH_BENCH_FLOOR_H
#define UHMM_BENCH_BENCH_FLOOR_H

#include <stdint.h>
#include <sys/types.h>

#include "bench.h"
#include "sys/uapi.h"

/** Pages that are handled at once. */
#define FLOOR_NPAGES 4096

/** floor_has() - does the kernel know these UFFD_FEATURE_*? */
bool floor_has(uint64_t features);

/** floor_uffd() - one with @features, or the end with status 77: no floors */
int floor_uffd(uint64_t features);

/** floor_trap() - register @npages at @mem */
void floor_trap(int uffd, void *mem, uint64_t npages, uint64_t mode);

/** floor_copy() - UFFDIO_COPY. Return: bytes, or -errno */
int64_t floor_copy(int uffd, uint64_t to, const void *from, uint64_t npages);

/** floor_protect() - write-protect, or mark where nothing is; or neither */
void floor_protect(int uffd, const void *mem, uint64_t npages, bool on);

/** floor_pin() - the caller runs on @cpu alone */
void floor_pin(int cpu);

/** floor_fork() - a child that ends with its parent; 0 in it */
pid_t floor_fork(void);

/** floor_end() - end it */
void floor_end(pid_t pid);

/** bench_steps() - what calls, copies and looks are made of */
void bench_steps(void);

/** bench_moves() - what engine move's migrations are made of */
void bench_moves(void);

#endif
