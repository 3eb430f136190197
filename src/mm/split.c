/* SPDX-License-Identifier: MIT */
/* split.c - huge pages that a migration has a part of only (split.h) */
#include "mm/split.h"

#include <errno.h>

#include <uhmm/gup.h>

#include "mm/mm.h"
#include "mm/unit.h"

/* ---- who has it ---- */

/** Pages of a huge page, as its mms have it. */
struct part {
	struct uhmm_mm *mm;	/* the one that migrates */
	struct uhmm_range r;	/* there */
	uint64_t number;	/* of the first page (kin.h); 0: nobody's else */
};

/* Where has @mm page @number, which is at *@vpn elsewhere? */
static bool find_number(const struct uhmm_mm *mm, uint64_t number,
			uhmm_vpn_t *vpn)
{
	uhmm_vpn_t at = { 0 }, end = { UINT64_C(1) << UHMM_TABLE_INDEX_BITS };
	uint64_t seen;

	if (!number || uhmm_kin_get(mm, *vpn) == number)
		return number != 0;
	for (; mm->kin.moved && uhmm_kin_next(mm, &at, end, &seen); at.val++)
		if (seen == number) {
			*vpn = at;
			return true;
		}
	return false;
}

/* Has the mm of record @slot the part? Then it is *@mm, and *@r is where. */
static bool has_part(const struct part *p, uint32_t slot, struct uhmm_mm **mm,
		     struct uhmm_range *r)
{
	*r = p->r;
	*mm = uhmm_mm_find(p->mm->core, slot);
	if (*mm == p->mm)
		return true;
	if (!*mm || (*mm)->gone || (*mm)->bare ||
	    !uhmm_kin_is_family(*mm, p->mm) ||
	    !find_number(*mm, p->number, &r->start))
		return false;
	*r = uhmm_range_of(r->start, uhmm_range_npages(p->r));
	return true;
}

/* ---- all of them ---- */

static uint32_t next_slot(const struct part *p, uint32_t slot)
{
	return uhmm_slab_next(&p->mm->core->store, UHMM_SLAB_MM, slot);
}

/* Mirrors of one that has it at another address forget it there, too. */
static void tell_all(const struct part *p)
{
	struct uhmm_range unit = uhmm_unit_range(p->r.start), r;
	uint32_t until = 0;
	struct uhmm_mm *mm;

	for (uint32_t i = next_slot(p, 0); i; i = next_slot(p, i)) {
		if (!has_part(p, i, &mm, &r))
			continue;
		if (mm->kin.born > until)
			until = mm->kin.born;
		if (r.start.val != p->r.start.val)
			uhmm_mm_invalidate(mm, uhmm_unit_range(r.start),
					   UHMM_NOTIFY_CLEAR, NULL);
	}
	for (uhmm_vpn_t v = unit.start; v.val < unit.end.val; v.val++)
		uhmm_kin_tell(p->mm, v, until);
}

static int split_all(const struct part *p)
{
	struct uhmm_mm *mm;
	struct uhmm_range r;
	int err = 0;

	for (uint32_t i = next_slot(p, 0); i && !err; i = next_slot(p, i)) {
		if (!has_part(p, i, &mm, &r))
			continue;
		uhmm_mm_get(mm);
		err = mm->ops->split(mm->ops_ctx, r);
		if (mm != p->mm)	/* it is its own affair */
			err = 0;
		uhmm_mm_put(mm);
	}
	return err;
}

/* ---- is there one ---- */

/* A pinned page keeps all of its huge page together. */
static bool is_pinned(const struct uhmm_mm *mm, struct uhmm_range unit)
{
	for (uhmm_vpn_t v = unit.start;
	     !uhmm_list_is_empty(&mm->pins) && v.val < unit.end.val; v.val++)
		if (uhmm_mm_is_pinned(mm, v))
			return true;
	return false;
}

/* Does all of @unit lie in the range? */
static bool is_whole(const struct uhmm_migrate_vma *args,
		     struct uhmm_range unit)
{
	return unit.start.val >= args->range.start.val &&
	       unit.end.val <= args->range.end.val;
}

/* Can a huge page lie at @vpn that does not go as one? */
static bool may_be_there(const struct uhmm_migrate_vma *args, uhmm_vpn_t vpn)
{
	const struct uhmm_vma *vma = &args->vma;
	struct uhmm_range unit = uhmm_unit_range(vpn);

	return args->mm->core->pmd_npages == UHMM_UNIT_NPAGES &&
	       !vma->shared && vma->anon &&
	       unit.start.val >= vma->range.start.val &&
	       unit.end.val <= vma->range.end.val &&
	       !(is_whole(args, unit) &&
		 (args->flags & UHMM_MIGRATE_VMA_SELECT_SYSTEM)) &&
	       uhmm_softleaf_is_none(uhmm_mm_leaf(args->mm, vpn)) &&
	       !is_pinned(args->mm, unit);
}

/* Split what lies at @vpn, or only tell. Return: as uhmm_split_part() */
static int split_at(const struct uhmm_migrate_vma *args, uhmm_vpn_t vpn)
{
	struct uhmm_mm *mm = args->mm;
	struct part p = { .mm = mm };
	uint8_t pte;
	int err;

	if (!may_be_there(args, vpn))
		return 0;
	err = mm->ops->scan(mm->ops_ctx, uhmm_range_of(vpn, 1), &pte);
	if (err || !(pte & UHMM_PTE_HUGE))
		return err;
	if (args->pgmap && args->pgmap == mm->core->exclusive) {
		/* only the PMD is split, where the page is trapped */
		uhmm_mm_invalidate(mm, uhmm_unit_range(vpn), UHMM_NOTIFY_CLEAR,
				   NULL);
		return 0;
	}
	p.r = uhmm_range_clip(uhmm_unit_range(vpn), args->range);
	/* what was written since is nobody else's */
	if (pte & UHMM_PTE_WP)
		p.number = uhmm_kin_get(mm, p.r.start);
	tell_all(&p);
	if (is_whole(args, uhmm_unit_range(vpn)))
		return 0;
	err = split_all(&p);
	return err ? err : 1;
}

int uhmm_split_part(const struct uhmm_migrate_vma *args)
{
	uhmm_vpn_t first = args->range.start;
	uhmm_vpn_t last = UHMM_VPN(args->range.end.val - 1);
	int split = split_at(args, first), more = 0;

	if (split >= 0 && uhmm_unit_range(last).start.val !=
				  uhmm_unit_range(first).start.val)
		more = split_at(args, last);
	return split < 0 || more < 0 ? -ESRCH : split | more;
}
