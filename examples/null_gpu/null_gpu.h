/* SPDX-License-Identifier: MIT */
/* null_gpu.h - what programs ask of /dev/null_gpuN: a device that can do one
 * thing, add
 */
#ifndef NULL_GPU_H
#define NULL_GPU_H

#include <stdint.h>
#include <sys/ioctl.h>

struct null_gpu_range {
	uint64_t addr;		/* (in) a page's */
	uint64_t npages;	/* (in) */
	uint64_t value;		/* (in) LAUNCH: what is added */
	uint64_t done;		/* (out) pages */
};

struct null_gpu_atomic {
	uint64_t addr;		/* (in) of a 64-bit word */
	uint64_t value;		/* (in) what is added */
	uint64_t times;		/* (in) how often */
	uint64_t old;		/* (out) what it was before the first */
};

/* pages to the device, as many as there is room for; and back */
#define NULL_GPU_TO_DEVICE _IOWR('G', 0, struct null_gpu_range)
#define NULL_GPU_TO_SYSTEM _IOWR('G', 1, struct null_gpu_range)
/* run the kernel: add value to each 64-bit word of the pages, which must be on
 * the device: ENXIO one is not */
#define NULL_GPU_LAUNCH _IOWR('G', 2, struct null_gpu_range)
/* add to a word that the CPU and other devices use at the same time */
#define NULL_GPU_ATOMIC_ADD _IOWR('G', 3, struct null_gpu_atomic)

#endif
