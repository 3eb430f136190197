/* SPDX-License-Identifier: MIT */
/* dmirror_rw.c - the device reads and writes the program's pages (dmirror.h)
 *
 * As the driver does it: copy while the mirror's page table allows; at the
 * first page it does not, fault in the whole rest, count one fault, go on. What
 * it reads, the driver hands over at the end, if there was no error; here it is
 * copied, to where it is to be at once, when there are entries for all of it.
 */
#include <errno.h>

#include <uhmm/range_fault.h>

#include "device/dmirror.h"

/* Is it a page of a huge one, in the CPU's memory? */
static bool is_huge(uint64_t pfn)
{
	return (pfn >> UHMM_HMM_PFN_ORDER_SHIFT & 0x1f) &&
	       !(pfn & UHMM_HMM_PFN_DEVICE_PRIVATE);
}

/* The entries that what the range fault said stands for, in its place; @r is
 * part of one mapping, or of holes by now. */
static int make_entries(struct dmirror *m, const struct uhmm_vma *vma,
			struct uhmm_range r, uint64_t *pfns)
{
	for (uint64_t i = 0; i < uhmm_range_npages(r); i++)
		pfns[i] = DMIRROR_ENTRY_VALID |
			  (pfns[i] & UHMM_HMM_PFN_WRITE ? DMIRROR_ENTRY_WRITE :
							  0) |
			  (is_huge(pfns[i]) ? DMIRROR_ENTRY_HUGE : 0);
	if (!uhmm_dmirror_can_look(vma))
		return 0;
	m->looks = true;
	return uhmm_dmirror_note(m, vma, r, pfns);
}

static int store_entries(struct dmirror *m, struct uhmm_range r,
			 const uint64_t *entry)
{
	int err = 0;

	for (uint64_t i = 0; !err && i < uhmm_range_npages(r); i++)
		err = uhmm_dmirror_store(m, UHMM_VPN(r.start.val + i),
					 entry[i]);
	return err;
}

/* Put what the range fault said into the page table. */
static int store_all(struct dmirror *m, struct uhmm_range r, uint64_t *pfns)
{
	struct uhmm_range rest = r;
	struct uhmm_vma vma;

	while (rest.start.val < rest.end.val) {
		struct uhmm_range part = rest;
		int err = uhmm_find_vma(m->mm, rest.start,
					       &vma);

		if (err && err != -ENOENT)
			return err;
		if (!err && uhmm_range_has(vma.range, rest.start))
			part = uhmm_range_clip(rest, vma.range);
		else
			vma = (struct uhmm_vma){ .range = rest };
		err = make_entries(m, &vma, part,
				   pfns + (part.start.val - r.start.val));
		if (err)
			return err;
		rest.start = part.end;
	}
	return store_entries(m, r, pfns);
}

static bool is_read_only(uint64_t pfn)
{
	return (pfn & UHMM_HMM_PFN_VALID) && !(pfn & UHMM_HMM_PFN_WRITE) &&
	       !(pfn & UHMM_HMM_PFN_DEVICE_PRIVATE);
}

/* @r, and what is in one huge page with its ends: one that is protected in part
 * is huge no more. */
static struct uhmm_range whole_pages(const struct dmirror *m,
				     struct uhmm_range r, const uint64_t *pfns)
{
	uint64_t pmd = uhmm_core_pmd_npages(m->dev->core);
	uint64_t last = uhmm_range_npages(r) - 1;

	if (is_huge(pfns[0]))
		r.start.val -= r.start.val % pmd;
	if (is_huge(pfns[last]))
		r.end.val += (pmd - r.end.val % pmd) % pmd;
	return r;
}

/* Protect what of @r lies in a mapping that may be written: a write to it
 * replaces the page (zero page, copy on write) and must be told. */
static int protect_run(struct dmirror *m, struct uhmm_range r)
{
	struct uhmm_vma vma;

	while (r.start.val < r.end.val) {
		struct uhmm_range part;
		int err = uhmm_find_vma(m->mm, r.start, &vma);

		if (err)
			return err == -ENOENT ? 0 : err;
		part = uhmm_range_clip(r, vma.range);
		if (vma.write && uhmm_range_npages(part))
			err = uhmm_mm_protect(m->mm, part);
		if (err)
			return err;
		r.start = vma.range.end;
	}
	return 0;
}

static int protect_read_only(struct dmirror *m, struct uhmm_range r,
			     const uint64_t *pfns)
{
	uint64_t n = uhmm_range_npages(r), i = 0, first;
	int err = 0;

	while (!err && i < n) {
		first = i;
		while (i < n && is_read_only(pfns[i]))
			i++;
		if (i > first)
			err = protect_run(m, whole_pages(
				m, uhmm_range_of(UHMM_VPN(r.start.val + first),
						 i - first), pfns + first));
		else
			i++;
	}
	return err;
}

/* Fault one piece in, as often as something comes between. */
static int fault_piece(const struct dmirror_call *call, struct uhmm_range r,
		       bool write)
{
	struct dmirror *m = call->mirror;
	uint64_t pfns[DMIRROR_PIECE];
	struct uhmm_core *core = m->dev->core;
	uint64_t deadline = uhmm_core_now_ns(core) + DMIRROR_TIMEOUT_NS;
	struct uhmm_range_fault range = {
		.notifier = &m->notifier,
		.range = r,
		.hmm_pfns = pfns,
		.default_flags = UHMM_HMM_PFN_REQ_FAULT |
				 (write ? UHMM_HMM_PFN_REQ_WRITE : 0),
		.batch = DMIRROR_BATCH,
		.unlocked = call->unlocked,
		.pgmap = &m->dev->pgmap,
	};
	/* Watched before looked at: what changes later is told. */
	int err = uhmm_mm_watch(m->mm, r);

	if (err)
		return err;
	do {
		range.notifier_seq = uhmm_notifier_read_begin(&m->notifier);
		err = uhmm_range_fault(&range);
		if (!err)
			err = protect_read_only(m, r, pfns);
		if (!err && uhmm_notifier_read_retry(&m->notifier,
						     range.notifier_seq))
			err = -EBUSY;
	} while (err == -EBUSY &&
		 (call->unlocked || uhmm_core_now_ns(core) < deadline));
	return err ? err : store_all(m, r, pfns);
}

static int fault_pieces(const struct dmirror_call *call, struct uhmm_range *r,
			bool write, uint64_t npages)
{
	int err = 0;

	while (!err && r->start.val < r->end.val) {
		struct uhmm_range piece = uhmm_range_clip(
			uhmm_range_of(r->start, npages), *r);

		err = fault_piece(call, piece, write);
		if (!err)
			r->start = piece.end;
	}
	return err;
}

/* The fault step: the whole rest of the range. When a page cannot be had the
 * pieces before it are in the table all the same, pieces as the driver makes
 * them. */
static int fault_rest(const struct dmirror_call *call, struct uhmm_range r,
		      bool write)
{
	int err = fault_pieces(call, &r, write, DMIRROR_PIECE);

	if ((err == -EFAULT || err == -EPERM) &&
	    uhmm_range_npages(r) > DMIRROR_FAULT_NPAGES)
		(void)!fault_pieces(call, &r, write, DMIRROR_FAULT_NPAGES);
	return err == -ESRCH ? -EFAULT : err;
}

/* Entries of pages that nobody watches or looks at do not outlive the
 * command. */
static void forget_unwatched(struct dmirror *m, struct uhmm_range r)
{
	uhmm_dpfn_t dpfn;

	for (; uhmm_dmirror_next(m, &r.start, r.end); r.start.val++)
		if (!(uhmm_dmirror_entry(m, r.start) & DMIRROR_ENTRY_LOOK) &&
		    !uhmm_dmirror_is_own(m, r.start, &dpfn) &&
		    !uhmm_mm_is_watched(m->mm, r.start))
			uhmm_dmirror_forget(m, uhmm_range_of(r.start, 1));
}

/* The first page of @r that cannot be read without asking. */
static uhmm_vpn_t first_missing(const struct dmirror *m, struct uhmm_range r)
{
	while (r.start.val < r.end.val && uhmm_dmirror_has(m, r.start, false))
		r.start.val++;
	return r.start;
}

/* Copy what can be of @rest, which gets shorter: what is read is handed over when
 * all of it can be. Return: 0; -errno */
static int copy_ready(struct dmirror_call *call, struct uhmm_range *rest,
		      bool write)
{
	int64_t done;

	if (!write && first_missing(call->mirror, *rest).val != rest->end.val)
		return 0;
	done = uhmm_dmirror_copy(call, *rest, write);
	if (done < 0)
		return done == -ENOMEM ? -ENOMEM : -EFAULT;
	rest->start.val += (uint64_t)done;
	return 0;
}

/* Read or write the range of @call. The kernel's driver tries for ever; here a
 * page that is said to be there and cannot be copied all the same ends it. */
static int transfer(struct dmirror_call *call, bool write)
{
	struct dmirror *m = call->mirror;
	struct uhmm_core *core = m->dev->core;
	struct uhmm_range rest = call->range, missing = { { 0 }, rest.end };
	uint64_t deadline = 0;

	for (;;) {
		uhmm_vpn_t last = missing.start;
		int err = copy_ready(call, &rest, write);

		if (err || rest.start.val == rest.end.val)
			return err;
		missing.start = write ? rest.start : first_missing(m, rest);
		if (missing.start.val == rest.end.val)
			continue;
		if (missing.start.val > last.val || !deadline)
			deadline = uhmm_core_now_ns(core) + DMIRROR_TIMEOUT_NS;
		else if (uhmm_core_now_ns(core) >= deadline)
			return -EBUSY;
		err = fault_rest(call, missing, write);
		if (err)
			return err;
		call->cmd.faults++;
	}
}

static int read_or_write(struct dmirror_call *call, bool write)
{
	int err = uhmm_dmirror_copy_begin(call, write);

	if (err)
		return err;
	err = transfer(call, write);
	forget_unwatched(call->mirror, call->range);
	err = uhmm_dmirror_copy_end(call, write, err);
	call->cmd.cpages = uhmm_range_npages(call->range);
	return err;
}

int uhmm_dmirror_read(struct dmirror_call *call)
{
	return read_or_write(call, false);
}

int uhmm_dmirror_read_unlocked(struct dmirror_call *call)
{
	call->unlocked = true;
	return uhmm_dmirror_read(call);
}

int uhmm_dmirror_write(struct dmirror_call *call)
{
	return read_or_write(call, true);
}
