/* SPDX-License-Identifier: MIT */
/* devmem.h - where the bytes of device pages are
 *
 * Owns:   one sparse memory descriptor per range of device page numbers.
 *         The bytes of a device page are in the daemon and nowhere else.
 * Units:  device page numbers, pages.
 * Locks:  caller holds the core's lock for every call. A pointer got stays
 *         valid until the range is removed, also without the lock; a range is
 *         removed only when none of its pages is allocated.
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_DEVMEM_H
#define UHMM_SYS_DEVMEM_H

#include "sys/memfd.h"

/** Pages [first, first + npages) and their memory. */
struct uhmm_devmem_range {
	uhmm_dpfn_t first;
	uint64_t npages;
	struct uhmm_memfd mem;
};

/** All device memory of the daemon. Zeroed is empty. */
struct uhmm_devmem {
	struct uhmm_devmem_range *range;	/* by number, ascending */
	unsigned int n;
	unsigned int room;
};

void uhmm_devmem_init(struct uhmm_devmem *dm);

/** uhmm_devmem_fini() - every range goes; a zeroed object is fine */
void uhmm_devmem_fini(struct uhmm_devmem *dm);

/**
 * uhmm_devmem_add() - zeroed memory for [@first, +@npages)
 * Return: 0; -EINVAL empty, page 0 or overflow; -EEXIST overlaps; -ENOMEM
 */
UHMM_CHECKED int uhmm_devmem_add(struct uhmm_devmem *dm, uhmm_dpfn_t first,
				 uint64_t npages);

/**
 * uhmm_devmem_attach() - the same with memory that exists, of a daemon before
 * @fd: of that size; owned from now on when 0 is returned
 * Return: as uhmm_devmem_add(); -EINVAL also when the size differs
 */
UHMM_CHECKED int uhmm_devmem_attach(struct uhmm_devmem *dm, uhmm_dpfn_t first,
				    uint64_t npages, int fd);

/**
 * uhmm_devmem_remove() - the range that begins at @first and its memory go
 * Return: 0; -ENOENT
 */
UHMM_CHECKED int uhmm_devmem_remove(struct uhmm_devmem *dm, uhmm_dpfn_t first);

/** uhmm_devmem_ptr() - the bytes of page @dpfn; NULL no such page */
void *uhmm_devmem_ptr(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn);

/**
 * uhmm_devmem_span() - the bytes of [@dpfn, +@npages), contiguous
 * Return: NULL when they are not all in one range
 * Cost: O(log ranges), a few ns.
 */
void *uhmm_devmem_span(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
		       uint64_t npages);

/**
 * uhmm_devmem_discard() - [@dpfn, +@npages) of one range is zeros again and
 * takes no memory
 * Return: 0; -ENOENT no such pages; -ENOMEM
 */
UHMM_CHECKED int uhmm_devmem_discard(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
				     uint64_t npages);

/** uhmm_devmem_resident_bytes() - memory that device pages take now */
uint64_t uhmm_devmem_resident_bytes(const struct uhmm_devmem *dm);

#endif
