/* SPDX-License-Identifier: MIT */
/* probe.h - what the probes share
 *
 * A probe is an ordinary program that knows nothing of uhmm: it opens
 * /dev/hmm_dmirrorN and uses it as <uhmm/hmm_ioctl.h> says. It looks at one
 * behaviour and exits 0 if it is as it should be, 1 if not, with one line why,
 * 77 if this machine cannot show it. It never outlives its time.
 */
#ifndef UHMM_PROBE_H
#define UHMM_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <uhmm/hmm_ioctl.h>

/** A copy of stderr that stays when a probe closes 0, 1 and 2. */
#define PROBE_ERR_FD 200

/** Bytes of a page, set by probe_begin(). */
extern size_t page_bytes;

/** probe_begin() - first call: @name for messages, at most @seconds to live
 *  ($UHMM_TEST_PATIENCE times as many) */
void probe_begin(const char *name, unsigned int seconds);

/** probe_fail() - one line, exit 1. Any thread. */
_Noreturn void probe_fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/** probe_skip() - one line, exit 77 */
_Noreturn void probe_skip(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/** CHECK() - fail with where, what and a text when @cond does not hold */
#define CHECK(cond, fmt, ...) \
	do { \
		if (!(cond)) \
			probe_fail("line %d: %s: " fmt, __LINE__, \
				   #cond, ##__VA_ARGS__);           \
	} while (0)

/** probe_argument() - argv[@i] as a number, @fallback if there is none */
unsigned long probe_argument(int argc, char **argv, int i,
			     unsigned long fallback);

/** probe_now_ns() - monotonic time */
uint64_t probe_now_ns(void);

/** probe_pause_ms() - sleep */
void probe_pause_ms(unsigned int ms);

/** probe_open() - the descriptor of device @minor; fails if it has none */
int probe_open(unsigned int minor);

/** probe_map() - @npages of private anonymous memory */
void *probe_map(size_t npages, int prot);

/** probe_unmap() - its end */
void probe_unmap(void *p, size_t npages);

/**
 * probe_try() - one request, repeated while interrupted
 * @out: the struct afterwards, or NULL
 * Return: 0; -errno
 */
int probe_try(int fd, unsigned long request, const void *addr, size_t npages,
	      void *ptr, struct uhmm_dmirror_cmd *out);

/** probe_do() - one request that must succeed with cpages == npages */
void probe_do(int fd, unsigned long request, const void *addr, size_t npages,
	      void *ptr);

/** probe_to_dev() - migrate to the device; the data that comes back is right */
void probe_to_dev(int fd, const void *addr, size_t npages);

/** probe_to_sys() - migrate to system memory */
void probe_to_sys(int fd, const void *addr, size_t npages);

/** How many pages of a range are what, by the snapshot of a device. */
struct probe_where {
	size_t on_device; /* private memory of this device */
	size_t in_memory; /* present for the CPU */
	size_t nothing;	  /* neither */
	size_t no_memory; /* not readable memory at all */
};

/** probe_where() - ask the device */
struct probe_where probe_where(int fd, const void *addr, size_t npages);

/** probe_pagemap() - count pages that are present, and in "swap" */
void probe_pagemap(const void *addr, size_t npages, size_t *present,
		   size_t *swapped);

/** probe_kernel() - is it Linux @major.@minor or newer? */
bool probe_kernel(unsigned int major, unsigned int minor);

/** probe_lost_signal() - what a page raises that went with the daemon: SIGSEGV
 *  where the kernel has no poison */
int probe_lost_signal(void);

/** probe_fill() - words that tell their place, and differ by @seed */
void probe_fill(void *p, size_t npages, uint32_t seed);

/** probe_verify() - fails unless @p holds what probe_fill() wrote */
void probe_verify(const void *p, size_t npages, uint32_t seed,
		  const char *when);

/** probe_verify_from() - the same, where @p was page @first of what was filled */
void probe_verify_from(const void *p, size_t npages, size_t first,
		       uint32_t seed, const char *when);

/** probe_verify_zero() - fails unless all of @p is 0 */
void probe_verify_zero(const void *p, size_t npages, const char *when);

/** probe_count_entries() - what a folder has, hidden ones not counted */
size_t probe_count_entries(const char *dir);

/** probe_dies_of() - which signal touching @p for @write raises; 0 none */
int probe_dies_of(volatile uint32_t *p, bool write);

/** probe_wait() - for a child that must exit with 0 */
void probe_wait(int pid, const char *who);

#endif
