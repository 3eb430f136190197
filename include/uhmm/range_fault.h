/* SPDX-License-Identifier: MIT */
/* range_fault.h - what is at each page of a range, as a device sees it
 *
 * Kernel: hmm_range_fault(). With no request it only looks (snapshot); with
 * REQ_FAULT or REQ_WRITE it makes the pages accessible first, as a CPU access
 * would, except that device pages of the caller's own pagemap stay.
 */
#ifndef UHMM_RANGE_FAULT_H
#define UHMM_RANGE_FAULT_H

#include <uhmm/device_private.h>
#include <uhmm/mm.h>

#define UHMM_HMM_PFN_VALID (UINT64_C(1) << 63)
#define UHMM_HMM_PFN_WRITE (UINT64_C(1) << 62)
#define UHMM_HMM_PFN_ERROR (UINT64_C(1) << 61)
#define UHMM_HMM_PFN_DEVICE_PRIVATE (UINT64_C(1) << 57)
/** order of the mapping, 5 bits */
#define UHMM_HMM_PFN_ORDER_SHIFT 52
/** Ours: the base-size zero page. A daemon has no page to compare with. */
#define UHMM_HMM_PFN_ZERO (UINT64_C(1) << 51)
/** Ours: present, and a coherent device's page, whose number it is. */
#define UHMM_HMM_PFN_DEVICE_COHERENT (UINT64_C(1) << 50)
#define UHMM_HMM_PFN_NUMBER_MASK ((UINT64_C(1) << 50) - 1)

#define UHMM_HMM_PFN_REQ_FAULT UHMM_HMM_PFN_VALID
#define UHMM_HMM_PFN_REQ_WRITE UHMM_HMM_PFN_WRITE

struct uhmm_range_fault {
	struct uhmm_notifier *notifier;	/* (in) */
	uint64_t notifier_seq;		/* (in) from read_begin */
	struct uhmm_range range;	/* (in) */
	uint64_t *hmm_pfns;		/* (out) one word per page: flags and,
					 * with DEVICE_PRIVATE or _COHERENT, a
					 * device page number; else 0 */
	uint64_t default_flags;		/* (in) 0 or REQ_FAULT [| REQ_WRITE] */
	uint64_t batch;			/* (in) the kernel's driver asks for so
					 * many pages at once; 0: for all. A
					 * page that needs a fault brings those
					 * behind it in the same batch, page
					 * table and mapping back from the
					 * caller's own device */
	bool unlocked;			/* (in) a fault may wait for the
					 * program's own userfaultfd (kernel:
					 * the lock may be dropped) */
	const struct uhmm_pagemap *pgmap; /* (in) whose private pages are own;
					 * NULL nobody's */
};

UHMM_EXPORTS_BEGIN

/**
 * uhmm_range_fault() - (yields) fill hmm_pfns
 * Return: 0; with a request also -EFAULT hole, no read permission, special
 * mapping, beyond end of file; -EPERM write requested, mapping not writable;
 * -EBUSY invalidated meanwhile, read_begin again; -ENOMEM; -ESRCH mm gone
 */
UHMM_CHECKED int uhmm_range_fault(struct uhmm_range_fault *range);

UHMM_EXPORTS_END

#endif
