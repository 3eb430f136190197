/* SPDX-License-Identifier: MIT */
/* dmirror_rw.c - the device reads and writes the program's pages (dmirror.h)
 *
 * As the driver does it: copy while the mirror's page table allows; at the
 * first page it does not, fault in the whole rest, count one fault, go on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uhmm/range_fault.h>

#include "device/dmirror.h"

/* Copies system pages between the program and a buffer of ours. */
static int64_t move_system(struct dmirror *m, uhmm_vpn_t vpn, uint64_t npages,
			   unsigned char *buf, bool write)
{

	if (write)
		return uhmm_mm_write(m->mm, vpn, npages, buf);
	return uhmm_mm_read(m->mm, vpn, npages, buf);
}

/* Pages from @vpn on, up to @end, that have an entry and are not on the
 * device. */
static uint64_t system_run(struct dmirror *m, uhmm_vpn_t vpn, uhmm_vpn_t end,
			   uint64_t need)
{
	uint64_t n = 0;
	uhmm_dpfn_t dpfn;

	while (vpn.val + n < end.val &&
	       (uhmm_dmirror_entry(m, UHMM_VPN(vpn.val + n)) & need) == need &&
	       !uhmm_dmirror_is_own(m, UHMM_VPN(vpn.val + n), &dpfn))
		n++;
	return n;
}

/* Pages from @vpn on, up to @end, that have an entry and are on the device one
 * behind the other, from @dpfn on. */
static uint64_t device_run(struct dmirror *m, uhmm_vpn_t vpn, uhmm_vpn_t end,
			   uint64_t need, uhmm_dpfn_t dpfn)
{
	uint64_t n = 1;
	uhmm_dpfn_t next;

	while (vpn.val + n < end.val &&
	       (uhmm_dmirror_entry(m, UHMM_VPN(vpn.val + n)) & need) == need &&
	       uhmm_dmirror_is_own(m, UHMM_VPN(vpn.val + n), &next) &&
	       next.val == dpfn.val + n)
		n++;
	return n;
}

/* The same for device pages. Return: pages done */
static int64_t move_device(struct dmirror *m, uhmm_dpfn_t dpfn, uint64_t npages,
			   unsigned char *buf, bool write)
{
	struct uhmm_core *core = m->dev->core;

	return (int64_t)(write ? uhmm_device_private_write(core, dpfn, npages,
							   buf) :
				 uhmm_device_private_read(core, dpfn, npages,
							  buf));
}

/* A run of pages that are on the device, or that are not. Return: pages done,
 * 0 when the page at @vpn is gone; -ESRCH. */
static int64_t copy_some(struct dmirror *m, uhmm_vpn_t vpn, uhmm_vpn_t end,
			 unsigned char *buf, bool write, uint64_t need)
{
	uhmm_dpfn_t dpfn;
	int64_t done;

	if (uhmm_dmirror_is_own(m, vpn, &dpfn))
		return move_device(m, dpfn,
				   device_run(m, vpn, end, need, dpfn), buf,
				   write);
	done = move_system(m, vpn, system_run(m, vpn, end, need), buf, write);
	if (done == 0)
		uhmm_dmirror_forget(m, uhmm_range_of(vpn, 1));
	return done;
}

/* Copy from the start of @r while the page table allows. */
static int64_t copy_pages(struct dmirror *m, struct uhmm_range r,
			  unsigned char *buf, bool write)
{
	uint64_t need = DMIRROR_ENTRY_VALID | (write ? DMIRROR_ENTRY_WRITE : 0);
	uint64_t bytes = uhmm_core_page_bytes(m->dev->core);
	uhmm_vpn_t vpn = r.start;

	while (vpn.val < r.end.val &&
	       (uhmm_dmirror_entry(m, vpn) & need) == need) {
		int64_t done = copy_some(
			m, vpn, r.end,
			buf + (vpn.val - r.start.val) * bytes, write, need);

		if (done < 0)
			return done;
		if (done == 0)
			break;
		vpn.val += (uint64_t)done;
	}
	return (int64_t)(vpn.val - r.start.val);
}

int64_t uhmm_dmirror_copy_out(struct dmirror *m, struct uhmm_range r,
			      unsigned char *buf)
{
	return copy_pages(m, r, buf, false);
}

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

/* Read or write the range of @call through @buf. The kernel's driver tries for
 * ever; here a page that is said to be there and cannot be copied all the same
 * ends it. */
static int transfer(struct dmirror_call *call, unsigned char *buf, bool write)
{
	struct dmirror *m = call->mirror;
	struct uhmm_core *core = m->dev->core;
	struct uhmm_range rest = call->range;
	uint64_t deadline = 0;

	for (;;) {
		int64_t done = copy_pages(m, rest, buf, write);
		int err;

		if (done < 0)
			return -EFAULT;
		buf += (uint64_t)done * uhmm_core_page_bytes(core);
		rest.start.val += (uint64_t)done;
		if (rest.start.val == rest.end.val)
			return 0;
		if (done || !deadline)
			deadline = uhmm_core_now_ns(core) + DMIRROR_TIMEOUT_NS;
		else if (uhmm_core_now_ns(core) >= deadline)
			return -EBUSY;
		err = fault_rest(call, rest, write);
		if (err)
			return err;
		call->cmd.faults++;
	}
}

int uhmm_dmirror_read(struct dmirror_call *call)
{
	uint64_t npages = uhmm_range_npages(call->range);
	uint64_t bytes = npages * uhmm_core_page_bytes(call->mirror->dev->core);
	unsigned char *buf = uhmm_dmirror_bounce(call, npages);
	int err;

	if (!buf)
		return -ENOMEM;
	err = transfer(call, buf, false);
	forget_unwatched(call->mirror, call->range);
	if (!err && call->user->copy_to(call->user, call->cmd.ptr, buf, bytes))
		err = -EFAULT;
	uhmm_dmirror_unbounce(call, buf, npages);
	call->cmd.cpages = npages;
	return err;
}

int uhmm_dmirror_read_unlocked(struct dmirror_call *call)
{
	call->unlocked = true;
	return uhmm_dmirror_read(call);
}

int uhmm_dmirror_write(struct dmirror_call *call)
{
	uint64_t npages = uhmm_range_npages(call->range);
	uint64_t bytes = npages * uhmm_core_page_bytes(call->mirror->dev->core);
	unsigned char *buf = uhmm_dmirror_bounce(call, npages);
	int err = 0;

	if (!buf)
		return -ENOMEM;
	if (call->user->copy_from(call->user, buf, call->cmd.ptr, bytes))
		err = -EFAULT;
	if (!err)
		err = transfer(call, buf, true);
	forget_unwatched(call->mirror, call->range);
	uhmm_dmirror_unbounce(call, buf, npages);
	call->cmd.cpages = npages;
	return err;
}
