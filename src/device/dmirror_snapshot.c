/* SPDX-License-Identifier: MIT */
/* dmirror_snapshot.c - what is at each page, without touching it (dmirror.h) */
#include <errno.h>

#include <uhmm/range_fault.h>

#include "device/dmirror.h"

static uhmm_dpfn_t number_of(uint64_t word)
{
	return UHMM_DPFN(word & UHMM_HMM_PFN_NUMBER_MASK);
}

/* Byte for a word of the range fault (spec 1.3, 2.7). */
static unsigned char byte_of(const struct dmirror *m, uint64_t word)
{
	struct uhmm_core *core = m->dev->core;
	unsigned char byte = 0;
	unsigned int order = word >> UHMM_HMM_PFN_ORDER_SHIFT & 0x1f;

	if (word & UHMM_HMM_PFN_ERROR)
		return UHMM_DMIRROR_PROT_ERROR;
	if (!(word & UHMM_HMM_PFN_VALID))
		return UHMM_DMIRROR_PROT_NONE;
	if (word & UHMM_HMM_PFN_DEVICE_PRIVATE)
		byte = UHMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL;
	else if (word & UHMM_HMM_PFN_DEVICE_COHERENT)
		byte = uhmm_pagemap_of(core, number_of(word)) ==
				       &m->dev->pgmap ?
			       UHMM_DMIRROR_PROT_DEV_COHERENT_LOCAL :
			       UHMM_DMIRROR_PROT_DEV_COHERENT_REMOTE;
	else if (word & UHMM_HMM_PFN_ZERO)
		byte = UHMM_DMIRROR_PROT_ZERO;
	byte |= word & UHMM_HMM_PFN_WRITE ? UHMM_DMIRROR_PROT_WRITE :
					    UHMM_DMIRROR_PROT_READ;
	if (order && (UINT64_C(1) << order) > uhmm_core_pmd_npages(core))
		byte |= UHMM_DMIRROR_PROT_PUD;
	else if (order)
		byte |= UHMM_DMIRROR_PROT_PMD;
	return byte;
}

/* A page of a file that this mirror has been told it may write can be written,
 * though the kernel does not say so to us. */
static uint64_t known(const struct dmirror *m, uhmm_vpn_t vpn, uint64_t word)
{
	const uint64_t seen = DMIRROR_ENTRY_LOOK | DMIRROR_ENTRY_WRITE;

	if (!(word & UHMM_HMM_PFN_VALID) ||
	    (uhmm_dmirror_entry(m, vpn) & seen) != seen)
		return 0;
	return UHMM_HMM_PFN_WRITE;
}

static int look(struct dmirror *m, struct uhmm_range r, uint64_t *pfns)
{
	struct uhmm_core *core = m->dev->core;
	uint64_t deadline = uhmm_core_now_ns(core) + DMIRROR_TIMEOUT_NS;
	struct uhmm_range_fault range = {
		.notifier = &m->notifier,
		.range = r,
		.hmm_pfns = pfns,
		.pgmap = &m->dev->pgmap,
	};
	int err;

	do {
		range.notifier_seq = uhmm_notifier_read_begin(&m->notifier);
		err = uhmm_range_fault(&range);
	} while (err == -EBUSY && uhmm_core_now_ns(core) < deadline);
	return err == -ESRCH ? -EINVAL : err;
}

int uhmm_dmirror_snapshot(struct dmirror_call *call)
{
	struct dmirror *m = call->mirror;
	uint64_t pfns[DMIRROR_PIECE], ptr = call->cmd.ptr;
	unsigned char byte[DMIRROR_PIECE];
	uhmm_vpn_t at = call->range.start;

	while (at.val < call->range.end.val) {
		struct uhmm_range r = uhmm_range_clip(
			uhmm_range_of(at, DMIRROR_PIECE), call->range);
		uint64_t n = uhmm_range_npages(r);
		int err = look(m, r, pfns);

		if (err)
			return err;
		for (uint64_t i = 0; i < n; i++)
			byte[i] = byte_of(m, pfns[i] |
						     known(m, UHMM_VPN(at.val + i),
							   pfns[i]));
		if (call->user->copy_to(call->user, ptr, byte, n))
			return -EFAULT;
		ptr += n;
		at = r.end;
	}
	call->cmd.cpages = uhmm_range_npages(call->range);
	return 0;
}
