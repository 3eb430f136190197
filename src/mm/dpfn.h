/* SPDX-License-Identifier: MIT */
/* dpfn.h - the device private address space (S1.1 - S1.3)
 *
 * One number space for the pages of all devices, independent of physical
 * addresses. A device reserves a range of it and gives it back. Ranges never
 * overlap. A range given back is not handed out again before the rest of the
 * space has been (next fit), so a stale number finds no page.
 *
 * Owns:   the objects of UHMM_SLAB_RANGE and the store's range_order, their
 *         indices sorted by start.
 * Units:  numbers of pages; ranges [start, start + npages), start a multiple
 *         of UHMM_UNIT_NPAGES. The first unit is never handed out.
 * Errors: 0 or -errno.
 */
#ifndef UHMM_MM_DPFN_H
#define UHMM_MM_DPFN_H

#include "arena/store.h"

/** One reserved range. In the store. */
struct uhmm_dpfn_range {
	uint64_t start;		/* first number */
	uint64_t npages;
	uint64_t used;		/* pages allocated now */
	uint64_t peak;		/* largest value of used */
	uint8_t owner[16];	/* uuid of the pagemap's owner */
	uint32_t kind;		/* enum uhmm_memory_type of the pagemap */
	uint32_t generation;	/* differs between reservations; stored last
				 * when reserved, 0 first when released: a
				 * range without one is none */
};

/**
 * uhmm_dpfn_reserve() - reserve @npages numbers, aligned to 512
 * Return: index of the range (> 0); -EINVAL zero or overflow; -ENOSPC space
 * or slab full
 * Kernel: memremap_device_private_pagemap().
 */
UHMM_CHECKED int64_t uhmm_dpfn_reserve(struct uhmm_store *store,
				       uint64_t npages,
				       const uint8_t owner[16], uint32_t kind);

/**
 * uhmm_dpfn_release() - give a range back
 * Return: 0; -EBUSY pages of it are still allocated; -EINVAL no such range
 */
UHMM_CHECKED int uhmm_dpfn_release(struct uhmm_store *store, uint32_t range);

/**
 * uhmm_dpfn_mend() - sort out the ranges of a store whose owner was killed: a
 * reservation that had not returned is undone, a release that had begun is done
 */
void uhmm_dpfn_mend(struct uhmm_store *store);

/** uhmm_dpfn_range() - range @index, which must exist */
struct uhmm_dpfn_range *uhmm_dpfn_range(const struct uhmm_store *store,
					uint32_t index);

/**
 * uhmm_dpfn_lookup() - the range that holds @dpfn
 * Return: its index; 0 none does (never a wild read)
 * Cost: O(log ranges).
 */
uint32_t uhmm_dpfn_lookup(const struct uhmm_store *store, uhmm_dpfn_t dpfn);

#endif
