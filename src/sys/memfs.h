/* SPDX-License-Identifier: MIT */
/* memfs.h - is a file system memory, or is it written back somewhere?
 *
 * A page of a shared mapping that is written back is mapped read-only until it
 * is written, so that the kernel learns of it; one of tmpfs, memfd or shared
 * anonymous memory is not.
 */
#ifndef UHMM_SYS_MEMFS_H
#define UHMM_SYS_MEMFS_H

#include <stdbool.h>
#include <stdint.h>

/** What was found last: programs have few such mappings. Zeroed: nothing. */
struct uhmm_memfs {
	bool known;
	uint64_t device;
	bool is_memory;
};

/**
 * uhmm_memfs_has() - is @device (uhmm_vma.device) one of those?
 * @maps: descriptor of the program's maps; its mountinfo is beside it. What
 *        cannot be found out is taken for written back.
 */
bool uhmm_memfs_has(struct uhmm_memfs *memfs, int maps, uint64_t device);

/** uhmm_memfs_kernels() - the device of the kernel's own tmpfs, which no mount
 *  table shows (memfd, shared memory); 0: it cannot be found out */
uint64_t uhmm_memfs_kernels(void);

#endif
