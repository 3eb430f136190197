/* SPDX-License-Identifier: MIT */
/* exclusive.h - pages that one device has for itself (device-exclusive)
 *
 * Theory of operation. The page is the program's, but the next CPU access, a
 * read too, stops and gets it back first; until then the device may work on it
 * atomically. In the kernel the page stays where it is and only the entry
 * changes. No stock kernel lets us trap reads of a present page, so the page
 * waits in a device page of a pagemap that belongs to no device; one of a
 * coherent device waits in that device's, whose it stays. For everyone else
 * (fork, unmap, remap, faults) it is handled as a device page is.
 * Kernel: make_device_exclusive(). Difference: a range, not one address.
 */
#ifndef UHMM_EXCLUSIVE_H
#define UHMM_EXCLUSIVE_H

#include <uhmm/device_private.h>
#include <uhmm/mm.h>

UHMM_EXPORTS_BEGIN

/**
 * uhmm_exclusive_init() - make room for @npages exclusive pages of all mms
 * @pgmap: caller's storage, all zero; core->exclusive from now on
 * Return: as uhmm_memremap_device_private_pagemap()
 */
UHMM_CHECKED int uhmm_exclusive_init(struct uhmm_core *core,
				     struct uhmm_pagemap *pgmap,
				     uint64_t npages);

/**
 * uhmm_make_device_exclusive() - (yields) take the pages of @r, one by one in
 * effect: on failure the pages before it are exclusive already
 * @r:    at most UHMM_MIGRATE_NPAGES_MAX pages
 * @done: (out) pages made exclusive, from the start of @r
 * Return: 0 all; -EFAULT no mapping, not writable; -EOPNOTSUPP not private
 * anonymous memory (in the kernel a private page of a file mapping is, too);
 * -EBUSY others are faster, again and again; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_make_device_exclusive(struct uhmm_mm *mm,
					    struct uhmm_range r,
					    uint64_t *done);

UHMM_EXPORTS_END

#endif
