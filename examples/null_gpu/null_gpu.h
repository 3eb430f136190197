/* SPDX-License-Identifier: MIT */
/* null_gpu.h - what programs ask of /dev/null_gpuN: a device that can do one
 * thing, add
 */
#ifndef NULL_GPU_H
#define NULL_GPU_H

#include <stdint.h>
#include <sys/ioctl.h>

struct null_gpu_cmd {
	uint64_t addr;		/* (in) a page's; ATOMIC_ADD: of a 64-bit word */
	uint64_t n;		/* (in) pages; ATOMIC_ADD: how often */
	uint64_t value;		/* (in) LAUNCH, ATOMIC_ADD: what is added */
	uint64_t result;	/* (out) pages done; ATOMIC_ADD: what the word was
				 * before the first */
};

/* pages to the device: where it is full, others go back; and back */
#define NULL_GPU_TO_DEVICE _IOWR('G', 0, struct null_gpu_cmd)
#define NULL_GPU_TO_SYSTEM _IOWR('G', 1, struct null_gpu_cmd)
/* run the kernel: add value to each 64-bit word of the pages, which must be on
 * the device: ENXIO one is not */
#define NULL_GPU_LAUNCH _IOWR('G', 2, struct null_gpu_cmd)
/* add to a word that the CPU and other devices use at the same time: EBUSY they
 * are faster */
#define NULL_GPU_ATOMIC_ADD _IOWR('G', 3, struct null_gpu_cmd)

#endif
