/* SPDX-License-Identifier: MIT */
/* memfd.h - sparse shared memory that outlives the process that maps it
 *
 * Owns:   one memory descriptor and its mapping. Memory that was never touched
 *         takes no room, whatever the size; none of it is in a core dump.
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_MEMFD_H
#define UHMM_SYS_MEMFD_H

#include <stddef.h>

#include <uhmm/types.h>

struct uhmm_memfd {
	int fd;
	unsigned char *base;	/* NULL: not initialised */
	size_t bytes;
};

/**
 * uhmm_memfd_init() - new zeroed memory
 * @name:  what /proc/PID/maps shows after "/memfd:"
 * @bytes: multiple of the page size, > 0
 * Return: 0; -EINVAL; -ENOMEM; -EMFILE ...
 */
UHMM_CHECKED int uhmm_memfd_init(struct uhmm_memfd *m, const char *name,
				 size_t bytes);

/**
 * uhmm_memfd_attach() - map the memory of @fd, which is owned from now on
 * Return: 0; -errno, then @fd is still the caller's
 */
UHMM_CHECKED int uhmm_memfd_attach(struct uhmm_memfd *m, int fd);

/** uhmm_memfd_detach() - undo attach: unmap, the descriptor is the caller's */
void uhmm_memfd_detach(struct uhmm_memfd *m);

/** uhmm_memfd_fini() - unmap and close; a zeroed object is fine */
void uhmm_memfd_fini(struct uhmm_memfd *m);

/**
 * uhmm_memfd_discard() - [@offset, +@bytes) is zeros again and takes no room
 * Return: 0; -EINVAL; -ENOMEM
 */
UHMM_CHECKED int uhmm_memfd_discard(struct uhmm_memfd *m, size_t offset,
				    size_t bytes);

/** uhmm_memfd_resident_bytes() - memory it takes now */
uint64_t uhmm_memfd_resident_bytes(const struct uhmm_memfd *m);

#endif
