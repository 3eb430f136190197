/* SPDX-License-Identifier: MIT */
/* area.h - a range that is measured, and the device's commands on it */
#ifndef UHMM_BENCH_AREA_H
#define UHMM_BENCH_AREA_H

#include <uhmm/hmm_ioctl.h>

#include "bench.h"

struct area {
	int fd;			/* of the device */
	unsigned char *mem;
	unsigned char *buf;	/* what the commands fill and read */
	uint64_t npages, buf_npages;
};

/** area_open_device() - /dev/hmm_dmirror@minor, or the end */
int area_open_device(unsigned int minor);

/** area_init() - @npages pages, present, a buffer for commands on as many */
void area_init(struct area *a, int fd, uint64_t npages);

/** area_init_large() - the same with a buffer for commands on @buf_npages */
void area_init_large(struct area *a, int fd, uint64_t npages,
		     uint64_t buf_npages);

/** area_init_huge() - @nunits 2 MiB units, mapped as such where possible */
void area_init_huge(struct area *a, int fd, uint64_t nunits,
		    uint64_t unit_npages);

void area_fini(struct area *a);

/** area_fill() - the CPU writes a byte of every page */
void area_fill(const struct area *a);

/** area_touch() - the CPU reads or writes a byte of each of [@at, +@npages) */
void area_touch(const struct area *a, uint64_t at, uint64_t npages,
		bool write);

/** area_command() - ioctl @nr on [@at, +@npages), or the end */
void area_command(const struct area *a, unsigned long nr, uint64_t at,
		  uint64_t npages);

/** area_in_steps() - on all of it in calls of @step pages */
void area_in_steps(const struct area *a, unsigned long nr, uint64_t step);

#endif
