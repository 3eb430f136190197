/* SPDX-License-Identifier: MIT */
/* range_fault.c - what is at each page of a range (uhmm/range_fault.h)
 *
 * The range is walked mapping by mapping, each mapping in pieces. A piece is
 * looked at; if pages of it must be made accessible first, that is done (which
 * may let anything happen) and the piece is looked at again.
 */
#include <uhmm/range_fault.h>

#include <errno.h>

#include <uhmm/cpu_fault.h>

#include "mm/cow.h"
#include "mm/mm.h"
#include "mm/unit.h"

/* Pages looked at at once. */
#define PIECE 256
/* A piece that needs more looks is being taken away as fast as we fault. */
#define ROUNDS_MAX (4 * PIECE)

/* One piece: pages [range) of the mapping @vma; results go to @out. */
struct piece {
	struct uhmm_range_fault *call;
	struct uhmm_mm *mm;
	const struct uhmm_pagemap *pgmap;
	uint64_t request;		/* default_flags */
	bool *left;			/* NULL, or where to note that read-only
					 * pages of the caller's device were left */
	struct uhmm_vma vma;
	struct uhmm_range range;
	uint64_t *out;
	uint8_t pte[PIECE];
	/* one bit per page: faulted in for writing already, so it is
	 * writable whatever the page table seems to say */
	uint64_t made_writable[PIECE / 64];
	uhmm_vpn_t written;		/* end of the last huge page that was
					 * made ready to be written */
	uhmm_vpn_t last;		/* that was faulted in with the first */
};

/* What one page needs before its word is final. */
enum need {
	NEED_NOTHING,
	NEED_WAIT,	/* it is on its way */
	NEED_RESTORE,	/* on a device that is not the caller's */
	NEED_READ,	/* not there: fault it in */
	NEED_WRITE,	/* not there or not writable */
	NEED_EPERM,
};

static bool wants_fault(const struct piece *p)
{
	return (p->request & UHMM_HMM_PFN_REQ_FAULT) != 0;
}

static bool wants_write(const struct piece *p)
{
	return (p->request & UHMM_HMM_PFN_REQ_WRITE) != 0;
}

static bool is_own(const struct piece *p, uhmm_softleaf_t leaf)
{
	const struct uhmm_pagemap *of =
		uhmm_pagemap_of(p->mm->core, uhmm_softleaf_to_dpfn(leaf));

	return of == p->pgmap;
}

/* Would a CPU write to present page @i go through without a fault? */
static bool is_writable(const struct piece *p, uint64_t i)
{
	bool made = p->made_writable[i / 64] >> (i % 64) & 1;
	uint8_t pte = p->pte[i];

	if (!p->vma.write)
		return false;
	if (p->vma.shared)
		return made || !(pte & UHMM_PTE_WP);
	if (pte & UHMM_PTE_WP)
		return false;
	if (made)
		return true;
	return (pte & UHMM_PTE_EXCLUSIVE) && !(pte & UHMM_PTE_ZERO) &&
	       !(pte & UHMM_PTE_FILE);
}

static uint64_t pmd_order(const struct piece *p)
{
	uint64_t order = 0;

	for (uint64_t n = p->mm->core->pmd_npages; n > 1; n /= 2)
		order++;
	return order;
}

/* Does any page of the PMD-sized unit around page @i have an entry? The kernel
 * maps such a unit by base pages. Here pages of a coherent device are ordinary
 * ones to it, and khugepaged may have made a huge page of all. */
static bool has_entries_beside(const struct piece *p, uint64_t i)
{
	uint64_t n = p->mm->core->pmd_npages;
	uhmm_vpn_t vpn = UHMM_VPN((p->range.start.val + i) / n * n);
	uhmm_vpn_t end = UHMM_VPN(vpn.val + n);
	uhmm_softleaf_t leaf;

	return uhmm_shadow_next(&p->mm->core->store, p->mm->slot, &vpn, end,
				&leaf);
}

/* Word of a present page. */
static uint64_t present_word(const struct piece *p, uint64_t i)
{
	uint64_t word = UHMM_HMM_PFN_VALID, order = 0;

	if (is_writable(p, i))
		word |= UHMM_HMM_PFN_WRITE;
	if ((p->pte[i] & UHMM_PTE_HUGE) && !has_entries_beside(p, i)) {
		order = pmd_order(p);
		if (p->pte[i] & UHMM_PTE_PUD)
			order *= 2;
	} else if (p->pte[i] & UHMM_PTE_ZERO) {
		word |= UHMM_HMM_PFN_ZERO;
	}
	return word | order << UHMM_HMM_PFN_ORDER_SHIFT;
}

/* What an access that is not satisfied yet needs. */
static enum need need_access(const struct piece *p)
{
	if (wants_write(p))
		return p->vma.write ? NEED_WRITE : NEED_EPERM;
	return wants_fault(p) ? NEED_READ : NEED_NOTHING;
}

/* Page @i has no entry: look at what the CPU has. */
static enum need look_ordinary(struct piece *p, uint64_t i)
{
	if (!(p->pte[i] & UHMM_PTE_PRESENT)) {
		p->out[i] = 0;
		return need_access(p);
	}
	p->out[i] = present_word(p, i);
	if (wants_write(p) && !(p->out[i] & UHMM_HMM_PFN_WRITE))
		return need_access(p);
	return NEED_NOTHING;
}

/* Page @i is as ordinary as that, and a device's. The kernel has it as a base
 * page always. */
static enum need look_coherent(struct piece *p, uint64_t i,
			       uhmm_softleaf_t leaf)
{
	enum need need = look_ordinary(p, i);

	p->out[i] &= UHMM_HMM_PFN_VALID | UHMM_HMM_PFN_WRITE;
	if (p->out[i])
		p->out[i] |= UHMM_HMM_PFN_DEVICE_COHERENT |
			     uhmm_softleaf_to_dpfn(leaf).val;
	return need;
}

/* A page of the caller's own device is to be written, and its entry is read-only.
 * The kernel hands that out, whatever the mapping says, so that no error comes
 * of it and nothing happens to it while another page has one; its test driver
 * fails in the end, with a warning. We do then what a CPU write would (spec
 * 2.12). */
static enum need need_own_read_only(const struct piece *p)
{
	if (p->left) {
		*p->left = true;
		return NEED_NOTHING;
	}
	return p->vma.write ? NEED_RESTORE : NEED_EPERM;
}

/* Page @i has an entry. */
static enum need look_leaf(struct piece *p, uint64_t i, uhmm_softleaf_t leaf)
{
	p->out[i] = 0;
	if (uhmm_softleaf_is_migration(leaf))
		/* The kernel says nothing is there when nobody asks to fault.
		 * A CPU whose fault brings the page back stands still there
		 * until it has come; ours may run on a moment earlier, and
		 * shall not see that. */
		return NEED_WAIT;
	if (!uhmm_softleaf_is_device_private(leaf) || !is_own(p, leaf)) {
		if (wants_write(p) && !p->vma.write)
			return NEED_EPERM;
		return wants_fault(p) ? NEED_RESTORE : NEED_NOTHING;
	}
	p->out[i] = UHMM_HMM_PFN_VALID | UHMM_HMM_PFN_DEVICE_PRIVATE |
		    uhmm_softleaf_to_dpfn(leaf).val;
	if (uhmm_unit_is_intact(p->mm, UHMM_VPN(p->range.start.val + i),
				&p->vma))
		p->out[i] |= pmd_order(p) << UHMM_HMM_PFN_ORDER_SHIFT;
	if (uhmm_softleaf_is_device_private_write(leaf))
		p->out[i] |= UHMM_HMM_PFN_WRITE;
	else if (wants_write(p))
		return need_own_read_only(p);
	return NEED_NOTHING;
}

static enum need look(struct piece *p, uint64_t i)
{
	uhmm_vpn_t vpn = UHMM_VPN(p->range.start.val + i);
	uhmm_softleaf_t leaf = uhmm_mm_leaf(p->mm, vpn);

	if (uhmm_softleaf_is_none(leaf))
		return look_ordinary(p, i);
	if (uhmm_softleaf_is_device_coherent(leaf))
		return look_coherent(p, i, leaf);
	return look_leaf(p, i, leaf);
}

/* We write: all who know a page that is copied forget it. That we ourselves
 * caused this invalidation is no reason to begin again. */
static void announce_write(struct piece *p, struct uhmm_range r)
{
	const uint8_t *pte = p->pte + (r.start.val - p->range.start.val);
	struct uhmm_range_fault *call = p->call;
	bool fresh = !uhmm_notifier_read_retry(call->notifier,
					       call->notifier_seq);

	if (!p->vma.shared)
		uhmm_cow_break(p->mm, r, pte);
	if (fresh)
		call->notifier_seq = uhmm_notifier_read_begin(call->notifier);
}

/* Is page @i one that a userfaultfd has a say in, if there is one? */
static bool can_be_asked_for(const struct piece *p, uint64_t i)
{
	return !(p->pte[i] & UHMM_PTE_PRESENT) || (p->pte[i] & UHMM_PTE_WP);
}

/* Would a fault of pages [@i, @end) have to wait for the program's own
 * userfaultfd, and may not? */
static bool cannot_wait(const struct piece *p, uint64_t i, uint64_t end)
{
	const struct uhmm_mm *mm = p->mm;
	uint64_t start = p->range.start.val;

	while (i < end && !can_be_asked_for(p, i))
		i++;
	return i < end && !p->call->unlocked &&
	       mm->ops->is_foreign(mm->ops_ctx,
				   (struct uhmm_range){
					   UHMM_VPN(start + i),
					   UHMM_VPN(start + end) });
}

/*
 * Page @i of a huge page is to be written. All of one that is nobody else's may
 * be, and it stays one. The huge zero page is split, as by a CPU whose write is
 * told of; later kernels than 6.12 would make a huge page of it.
 * Return: 0; 1 something was done, look again; -errno
 */
static int write_huge(struct piece *p, uint64_t i)
{
	uhmm_vpn_t vpn = UHMM_VPN(p->range.start.val + i);
	struct uhmm_range unit = uhmm_unit_range(vpn);
	struct uhmm_mm *mm = p->mm;
	uint8_t pte = p->pte[i];
	int err = 0;

	if (!(pte & UHMM_PTE_HUGE) || p->vma.shared || p->vma.hugetlb ||
	    p->written.val == unit.end.val)
		return 0;
	p->written = unit.end;
	if (pte & UHMM_PTE_ZERO) {
		err = mm->ops->split(mm->ops_ctx, uhmm_range_of(vpn, 1));
	} else if ((pte & UHMM_PTE_WP) && !uhmm_cow_is_copied(mm, vpn, pte)) {
		uhmm_kin_drop(mm, unit);
		err = mm->ops->unprotect(mm->ops_ctx, unit);
	} else {
		return 0;
	}
	return err && err != -EAGAIN ? err : 1;
}

/* Does a huge page begin with page @i? */
static bool begins_huge(const struct piece *p, uint64_t i)
{
	return (p->pte[i] & UHMM_PTE_HUGE) &&
	       (p->range.start.val + i) % UHMM_UNIT_NPAGES == 0;
}

/* Fault in the run of pages from @i on that all need @need. */
static int fault_run(struct piece *p, uint64_t i, enum need need)
{
	uint64_t n = uhmm_range_npages(p->range), end = i + 1;
	struct uhmm_range r;
	int err = need == NEED_WRITE ? write_huge(p, i) : 0;

	if (err)
		return err < 0 ? err : 0;
	while (end < n && look(p, end) == need && !begins_huge(p, end))
		end++;
	r = uhmm_range_of(UHMM_VPN(p->range.start.val + i), end - i);
	p->last = UHMM_VPN(r.end.val - 1);
	if (cannot_wait(p, i, end))
		return -EFAULT;
	if (need == NEED_WRITE)
		announce_write(p, r);
	err = p->mm->ops->fault_in(p->mm->ops_ctx, r, need == NEED_WRITE);
	if (err == -EAGAIN)
		return 0;	/* we look again anyway */
	for (; !err && need == NEED_WRITE && i < end; i++)
		p->made_writable[i / 64] |= UINT64_C(1) << (i % 64);
	return err;
}

/* Do what page @i needs. Everything may be different afterwards. */
static int satisfy(struct piece *p, uint64_t i, enum need need)
{
	uhmm_vpn_t vpn = UHMM_VPN(p->range.start.val + i);

	switch (need) {
	case NEED_EPERM:
		return -EPERM;
	case NEED_WAIT:
		uhmm_mm_wait_leaf(p->mm, vpn);
		return p->mm->gone ? -ESRCH : 0;
	case NEED_RESTORE:
		return uhmm_cpu_fault(p->mm, vpn, wants_write(p));
	default:
		return fault_run(p, i, need);
	}
}

static void clip_end(uhmm_vpn_t *end, uint64_t to)
{
	if (end->val > to)
		end->val = to;
}

/* How far the kernel goes when page @vpn needs a fault: to the end of the
 * driver's batch, of the page table and of the mapping. */
static uhmm_vpn_t fault_end(const struct piece *p, uhmm_vpn_t vpn)
{
	const struct uhmm_range_fault *call = p->call;
	uint64_t pmd = p->mm->core->pmd_npages;
	uint64_t at = vpn.val - call->range.start.val;
	uhmm_vpn_t end = call->range.end;

	clip_end(&end, vpn.val - vpn.val % pmd + pmd);
	if (call->batch)
		clip_end(&end, vpn.val - at % call->batch + call->batch);
	clip_end(&end,
		 p->mm->ops->mapping_end(p->mm->ops_ctx, &p->vma, end).val);
	return end;
}

/*
 * A page that needs a fault has the kernel fault in all behind it as well, and
 * a fault of a page on the caller's own device brings that back, though the
 * caller could have had it there. So do all from @vpn to p->last.
 */
static int sweep(const struct piece *p, uhmm_vpn_t vpn)
{
	struct uhmm_range r = { vpn, fault_end(p, p->last) };
	uhmm_softleaf_t leaf;
	int err = 0;

	for (; !err && uhmm_shadow_next(&p->mm->core->store, p->mm->slot,
					&r.start, r.end, &leaf);
	     r.start.val++)
		if (uhmm_softleaf_is_device_private(leaf) && is_own(p, leaf))
			err = uhmm_cpu_fault(p->mm, r.start, wants_write(p));
	return err;
}

/* Look at every page; stop at the first that needs something. */
static enum need look_all(struct piece *p, uint64_t *i)
{
	uint64_t n = uhmm_range_npages(p->range);

	for (*i = 0; *i < n; ++*i) {
		enum need need = look(p, *i);

		if (need != NEED_NOTHING)
			return need;
	}
	return NEED_NOTHING;
}

static int do_piece(struct piece *p)
{
	enum need need;
	uint64_t i;
	int err;

	for (unsigned int round = 0; round < ROUNDS_MAX; round++) {
		err = p->mm->ops->scan(p->mm->ops_ctx, p->range, p->pte);
		if (err)
			return err;
		need = look_all(p, &i);
		if (need == NEED_NOTHING)
			return 0;
		p->last = UHMM_VPN(p->range.start.val + i);
		err = satisfy(p, i, need);
		if (!err && need != NEED_WAIT)
			err = sweep(p, UHMM_VPN(p->range.start.val + i));
		if (err)
			return err;
	}
	return -EBUSY;
}

/* No page of @r can be looked at. */
static int refuse(const struct uhmm_range_fault *range, struct uhmm_range r)
{
	if (range->default_flags)
		return -EFAULT;
	for (uint64_t v = r.start.val; v < r.end.val; v++)
		range->hmm_pfns[v - range->range.start.val] =
			UHMM_HMM_PFN_ERROR;
	return 0;
}

/* Deal with what is at @at. Return: 0 with *@at behind it, or -errno. */
static int do_mapping(struct uhmm_range_fault *range, uhmm_vpn_t *at,
		      bool *left)
{
	struct uhmm_mm *mm = range->notifier->mm;
	struct uhmm_range rest = { *at, range->range.end };
	struct piece p = { .call = range, .mm = mm, .pgmap = range->pgmap,
			   .request = range->default_flags, .left = left };
	int err = mm->ops->vma_find(mm->ops_ctx, *at, &p.vma);

	if (err == -ENOENT) {
		*at = rest.end;
		return refuse(range, rest);
	}
	if (err)
		return err;
	if (at->val < p.vma.range.start.val) {
		if (rest.end.val > p.vma.range.start.val)
			rest.end = p.vma.range.start;
		*at = rest.end;
		return refuse(range, rest);
	}
	p.range = uhmm_range_clip(rest, p.vma.range);
	if (!p.vma.read || p.vma.pfnmap) {
		*at = p.range.end;
		return refuse(range, p.range);
	}
	if (uhmm_range_npages(p.range) > PIECE)
		p.range = uhmm_range_of(*at, PIECE);
	p.out = range->hmm_pfns + (at->val - range->range.start.val);
	*at = p.range.end;
	return do_piece(&p);
}

static int do_mappings(struct uhmm_range_fault *range, bool *left)
{
	const struct uhmm_mm *mm = range->notifier->mm;
	uhmm_vpn_t at = range->range.start;

	while (at.val < range->range.end.val) {
		int err = mm->gone ? -ESRCH : do_mapping(range, &at, left);

		if (err)
			return err;
	}
	return 0;
}

int uhmm_range_fault(struct uhmm_range_fault *range)
{
	bool left = false;
	int err = do_mappings(range, &left);

	if (!err && left)
		err = do_mappings(range, NULL);
	if (err)
		return err;
	if (uhmm_notifier_read_retry(range->notifier, range->notifier_seq))
		return -EBUSY;
	return 0;
}
