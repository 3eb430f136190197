/* SPDX-License-Identifier: MIT */
/* cpu_fault.c - a CPU touched a trapped page (uhmm/cpu_fault.h) */
#include <uhmm/cpu_fault.h>

#include <assert.h>
#include <errno.h>

#include <uhmm/migrate.h>

#include "mm/cow.h"
#include "mm/mm.h"
#include "mm/unit.h"

/* How often one looks again before the CPU itself has to. */
#define TRIES 64

/* A page that is there may be written again; a huge one that is nobody else's
 * all of it. */
static int let_write(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint8_t pte)
{
	struct uhmm_range r = uhmm_range_of(vpn, 1);
	bool shares = uhmm_kin_count(mm) > 0;
	int err;

	if ((pte & UHMM_PTE_HUGE) && !uhmm_cow_is_copied(mm, vpn, pte))
		r = uhmm_unit_range(vpn);
	if (uhmm_range_npages(r) > 1)
		uhmm_kin_drop(mm, r);
	else
		uhmm_cow_break(mm, r, &pte);
	err = mm->ops->unprotect(mm->ops_ctx, r);
	/* the last that a fork left shared, where nobody looks any more? */
	if (!err && shares && !uhmm_kin_count(mm) &&
	    uhmm_list_is_empty(&mm->notifiers))
		uhmm_mm_settle(mm);
	return err;
}

/*
 * An ordinary page: a hole in trapped memory, or a page that may be written
 * again. One that is there and only read is left as it is: while the CPU waited
 * a fork may have protected it.
 * @zeros: a hole gets a page of its own also for a read
 */
static int settle_ordinary(struct uhmm_mm *mm, uhmm_vpn_t vpn, bool write,
			   bool zeros)
{
	struct uhmm_range r = uhmm_range_of(vpn, 1);
	uint8_t pte;
	int err = mm->ops->scan(mm->ops_ctx, r, &pte);

	if (err)
		return err;
	if (pte & UHMM_PTE_PRESENT)
		return write ? let_write(mm, vpn, pte) :
			       mm->ops->let_read(mm->ops_ctx, r);
	uhmm_kin_drop(mm, r);
	return mm->ops->give_zero(mm->ops_ctx, vpn, write || zeros);
}

/* A page of a coherent device, which is there unless the program's mappings
 * moved while it came: then it is one of zeros still. */
static int settle_coherent(struct uhmm_mm *mm, uhmm_vpn_t vpn, bool write)
{
	int err;

	err = settle_ordinary(mm, vpn, write, true);
	if (!err)
		uhmm_mm_settle(mm);
	return err;
}

/* A device page: its driver brings it back. */
static int to_ram(struct uhmm_mm *mm, uhmm_vpn_t vpn, uhmm_softleaf_t leaf,
		  bool write)
{
	struct uhmm_device_fault fault = {
		.mm = mm,
		.pgmap = uhmm_pagemap_of(mm->core,
					 uhmm_softleaf_to_dpfn(leaf)),
		.vpn = vpn,
		.write = write,
	};

	assert(fault.pgmap);
	return fault.pgmap->ops->migrate_to_ram(&fault);
}

/* Deal with what stands there now. Return: 0; -EAGAIN look again */
static int settle(struct uhmm_mm *mm, uhmm_vpn_t vpn, bool write)
{
	uhmm_softleaf_t leaf = uhmm_mm_wait_leaf(mm, vpn);
	int err;

	if (mm->gone)
		return -ESRCH;
	if (uhmm_softleaf_is_device_coherent(leaf))
		return settle_coherent(mm, vpn, write);
	if (!uhmm_softleaf_is_away(leaf)) {
		assert(uhmm_softleaf_is_none(leaf));
		return settle_ordinary(mm, vpn, write, false);
	}
	mm->given = uhmm_range_of(vpn, 0);
	err = to_ram(mm, vpn, leaf, write);
	if (err || uhmm_range_has(mm->given, vpn))
		return err;
	/* Whatever happened, the CPU looks again: one that did not come back
	 * faults again. */
	return mm->ops->wake(mm->ops_ctx, uhmm_range_of(vpn, 1));
}

int uhmm_cpu_fault(struct uhmm_mm *mm, uhmm_vpn_t vpn, bool write)
{
	int err, tries = 0;

	do {
		err = settle(mm, vpn, write);
	} while (err == -EAGAIN && ++tries < TRIES);
	if (!err || err == -ESRCH)
		return err;
	/* It cannot be had now, or is gone: nobody may be left waiting. */
	return mm->ops->wake(mm->ops_ctx, uhmm_range_of(vpn, 1));
}

int uhmm_cpu_fault_range(struct uhmm_mm *mm, struct uhmm_range r)
{
	int64_t back = uhmm_migrate_to_ram(mm, r, NULL);

	return back < 0 ? (int)back : 0;
}
