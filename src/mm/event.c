/* SPDX-License-Identifier: MIT */
/* event.c - what the program did to its mappings (uhmm/event.h) */
#include <uhmm/event.h>

#include <errno.h>

#include "mm/cow.h"
#include "mm/flight.h"
#include "mm/mm.h"
#include "mm/restore.h"
#include "mm/unit.h"

/* Pages looked at at once. */
#define PIECE 512

/* Whoever decided by an entry in @r has to look again. */
static void note_change(struct uhmm_mm *mm, struct uhmm_range r)
{
	uhmm_softleaf_t leaf;

	mm->changes += uhmm_shadow_next(&mm->core->store, mm->slot, &r.start,
					r.end, &leaf);
}

/* ---- mappings that are cut ---- */

/* Is @r in one mapping? */
static bool is_mapped(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_vma vma;

	return r.start.val >= r.end.val ||
	       (!mm->ops->vma_find(mm->ops_ctx, r.start, &vma) &&
		uhmm_range_has(vma.range, r.start) &&
		mm->ops->mapping_end(mm->ops_ctx, &vma, r.end).val >=
			r.end.val);
}

/* A mapping that held @r is cut at @border, one end of that. If all of the PMD
 * there was in it, all of that is told of. */
static void tell_cut(struct uhmm_mm *mm, struct uhmm_range r, uhmm_vpn_t border)
{
	uint64_t n = mm->core->pmd_npages;
	struct uhmm_range pmd =
		uhmm_range_of(UHMM_VPN(border.val - border.val % n), n);
	struct uhmm_range before = { pmd.start, r.start };
	struct uhmm_range behind = { r.end, pmd.end };

	if (border.val % n && is_mapped(mm, before) && is_mapped(mm, behind))
		uhmm_mm_invalidate(mm, pmd, UHMM_NOTIFY_CLEAR, NULL);
}

void uhmm_event_cut(struct uhmm_mm *mm, struct uhmm_range r)
{
	if (uhmm_list_is_empty(&mm->notifiers) || mm->bare)
		return;
	tell_cut(mm, r, r.start);
	tell_cut(mm, r, r.end);
}

/* Those of the two ends of @r, which is in a mapping, that are not its ends. */
static void cut_within(struct uhmm_mm *mm, struct uhmm_range r)
{
	if (uhmm_list_is_empty(&mm->notifiers))
		return;
	if (r.start.val &&
	    is_mapped(mm, uhmm_range_of(UHMM_VPN(r.start.val - 1), 2)))
		tell_cut(mm, r, r.start);
	if (is_mapped(mm, uhmm_range_of(UHMM_VPN(r.end.val - 1), 2)))
		tell_cut(mm, r, r.end);
}

/* ---- what is done to them ---- */

void uhmm_event_unmap(struct uhmm_mm *mm, struct uhmm_range r)
{
	note_change(mm, r);
	uhmm_mm_drop(mm, r);
}

/* The flight of a system page on its way must know where it is now. */
static void tell_flights(struct uhmm_mm *mm, struct uhmm_range from,
			 uhmm_vpn_t to)
{
	uhmm_vpn_t vpn = from.start;
	uhmm_softleaf_t leaf;

	for (; uhmm_shadow_next(&mm->core->store, mm->slot, &vpn, from.end,
				&leaf);
	     vpn.val++)
		if (uhmm_softleaf_is_migration(leaf) &&
		    !uhmm_softleaf_has_dpfn(leaf))
			uhmm_flight_moved(mm, leaf,
					  UHMM_VPN(to.val + vpn.val -
						   from.start.val));
}

/* A unit that moves whole to an aligned place stays one, as a PMD does. */
static void split_for_remap(struct uhmm_mm *mm, struct uhmm_range from,
			    uhmm_vpn_t to)
{
	struct uhmm_store *store = &mm->core->store;

	if ((from.start.val - to.val) % UHMM_UNIT_NPAGES)
		uhmm_unit_split_all(store, mm->slot, from);
	else
		uhmm_unit_split_part(store, mm->slot, from);
	uhmm_unit_split_part(store, mm->slot,
			     uhmm_range_of(to, uhmm_range_npages(from)));
}

void uhmm_event_remap(struct uhmm_mm *mm, uhmm_vpn_t from, uhmm_vpn_t to,
		      uint64_t npages)
{
	struct uhmm_range old = uhmm_range_of(from, npages);
	struct uhmm_range target = uhmm_range_of(to, npages);

	if (from.val == to.val)
		return;
	note_change(mm, target);
	note_change(mm, old);
	uhmm_mm_invalidate(mm, target, UHMM_NOTIFY_UNMAP, NULL);
	uhmm_mm_invalidate(mm, old, UHMM_NOTIFY_UNMAP, NULL);
	split_for_remap(mm, old, to);
	uhmm_kin_move(mm, old, to);
	tell_flights(mm, old, to);
	uhmm_restore_moved(mm, old, to);
	if (!uhmm_shadow_move(&mm->core->store, mm->slot, from, to, npages))
		return;
	uhmm_restore_lost(mm, old);
	uhmm_restore_lost(mm, target);
	uhmm_mm_exit(mm);
}

/* Device pages stay where they are, but no entry is writable any more. Bits
 * stay, but soft-dirty of a device page, as in the kernel. */
static uhmm_softleaf_t without_write(uhmm_softleaf_t leaf)
{
	if (uhmm_softleaf_is_migration_write(leaf))
		return uhmm_softleaf_mk_readable_exclusive_migration(leaf);
	if (!uhmm_softleaf_is_device_private_write(leaf))
		return leaf;
	return uhmm_softleaf_with_bits(
		uhmm_softleaf_from_dpfn(uhmm_softleaf_to_dpfn(leaf), false),
		uhmm_softleaf_bits(leaf) &
			~(unsigned int)UHMM_SOFTLEAF_SOFT_DIRTY);
}

void uhmm_event_protect(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_store *store = &mm->core->store;
	uhmm_vpn_t vpn = r.start;
	uhmm_softleaf_t leaf;

	cut_within(mm, r);
	uhmm_mm_invalidate(mm, r, UHMM_NOTIFY_PROTECTION, NULL);
	uhmm_unit_split_part(store, mm->slot, r);
	for (; uhmm_shadow_next(store, mm->slot, &vpn, r.end, &leaf);
	     vpn.val++)
		uhmm_shadow_change(store, mm->slot, vpn, without_write(leaf));
}

/* Is it a page that stops who writes it, and has no reason to? */
static bool is_needlessly_protected(const struct uhmm_mm *mm, uhmm_vpn_t vpn,
				    uint8_t pte)
{
	const uint8_t both = UHMM_PTE_PRESENT | UHMM_PTE_WP;

	return (pte & both) == both && !uhmm_kin_get(mm, vpn) &&
	       !uhmm_cow_is_copied(mm, vpn, pte) &&
	       !uhmm_softleaf_is_migration(uhmm_mm_leaf(mm, vpn));
}

/* Such pages of @r, at most PIECE, in a mapping that may be written. */
static int let_be_written(struct uhmm_mm *mm, struct uhmm_range r)
{
	uint64_t n = uhmm_range_npages(r), i = 0, first;
	uint8_t pte[PIECE];
	int err = mm->ops->scan(mm->ops_ctx, r, pte);

	while (!err && i < n) {
		uhmm_vpn_t vpn = UHMM_VPN(r.start.val + i);

		first = i;
		while (i < n && is_needlessly_protected(
					mm, UHMM_VPN(r.start.val + i), pte[i]))
			i++;
		if (i == first)
			i++;
		else
			err = mm->ops->unprotect(mm->ops_ctx,
						 uhmm_range_of(vpn, i - first));
	}
	/* who writes one that others have changed meanwhile asks for it */
	return err == -EAGAIN ? 0 : err;
}

int uhmm_event_protected(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_vma vma;
	int err = 0;

	while (!err && !mm->gone && r.start.val < r.end.val) {
		struct uhmm_range part;

		err = mm->ops->vma_find(mm->ops_ctx, r.start, &vma);
		if (err)
			return err == -ENOENT ? 0 : err;
		/* what is protected in parts is no huge page any more */
		part = uhmm_range_clip(
			uhmm_range_of(r.start, PIECE - r.start.val % PIECE),
			uhmm_range_clip(r, vma.range));
		if (uhmm_range_npages(part) && vma.write && vma.anon &&
		    !vma.shared && !vma.by_fence)
			err = let_be_written(mm, part);
		r.start = uhmm_range_npages(part) ? part.end : vma.range.start;
	}
	return err;
}

/* What both have after the fork: the same, read-only. None: the child has its
 * own page, and the parent what it had. Bits stay, but soft-dirty of a base page
 * that could be written, as in the kernel. */
static uhmm_softleaf_t shared_by_fork(struct uhmm_core *core,
				      uhmm_softleaf_t leaf)
{
	unsigned int bits = uhmm_softleaf_bits(leaf) &
			    ~(unsigned int)UHMM_SOFTLEAF_EXCLUSIVE;

	if (bits & UHMM_SOFTLEAF_ZAPPED)
		return uhmm_softleaf_none();
	if (!uhmm_softleaf_has_dpfn(leaf))
		return uhmm_flight_forked(core, leaf);
	if (uhmm_softleaf_is_device_private_write(leaf) &&
	    !(bits & UHMM_SOFTLEAF_COMPOUND))
		bits &= ~(unsigned int)UHMM_SOFTLEAF_SOFT_DIRTY;
	if (uhmm_softleaf_is_device_private(leaf))
		leaf = uhmm_softleaf_from_dpfn(uhmm_softleaf_to_dpfn(leaf),
					       false);
	else if (uhmm_softleaf_is_migration(leaf))
		leaf = uhmm_softleaf_mk_readable_migration(leaf);
	return uhmm_softleaf_with_bits(leaf, bits);
}

/* A unit that the child gets a part of only is split. */
static void split_for_fork(struct uhmm_mm *parent, uhmm_vpn_t head)
{
	struct uhmm_range r = uhmm_unit_range(head);
	bool forked = parent->ops->is_forked(parent->ops_ctx, head);

	while (++r.start.val < r.end.val)
		if (parent->ops->is_forked(parent->ops_ctx, r.start) != forked)
			uhmm_unit_split(&parent->core->store, parent->slot,
					head);
}

int uhmm_event_fork(struct uhmm_mm *parent, struct uhmm_mm *child)
{
	struct uhmm_store *store = &parent->core->store;
	uhmm_vpn_t vpn = UHMM_VPN(0);
	uhmm_vpn_t end = UHMM_VPN(UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
	uhmm_softleaf_t leaf;

	if (uhmm_kin_fork(parent, child))
		uhmm_kin_drop(child, (struct uhmm_range){ vpn, end });
	for (; uhmm_shadow_next(store, parent->slot, &vpn, end, &leaf);
	     vpn.val++) {
		uhmm_softleaf_t shared;

		if (uhmm_unit_has(leaf)) {
			split_for_fork(parent, vpn);
			leaf = uhmm_mm_leaf(parent, vpn);
		}
		shared = shared_by_fork(parent->core, leaf);
		/* on its way to a device it leaves the child behind */
		if (uhmm_softleaf_is_none(shared))
			uhmm_kin_drop(child, uhmm_range_of(vpn, 1));
		if (uhmm_softleaf_is_none(shared) ||
		    !parent->ops->is_forked(parent->ops_ctx, vpn))
			continue;
		if (uhmm_shadow_set(store, child->slot, vpn, shared))
			return -ENOMEM;
		if (uhmm_softleaf_is_migration_device_private(shared) &&
		    uhmm_restore_forked(child, vpn,
					uhmm_softleaf_to_dpfn(shared))) {
			uhmm_shadow_clear(store, child->slot, vpn);
			return -ENOMEM;
		}
		uhmm_shadow_change(store, parent->slot, vpn, shared);
		uhmm_mm_invalidate(parent, uhmm_range_of(vpn, 1),
				   UHMM_NOTIFY_PROTECTION, NULL);
	}
	return 0;
}

/* ---- pages that the kernel took ---- */

/* Mirrors are told of those pages of @r, one piece, that are gone. Return: they
 * could be looked at */
static bool tell_gone(struct uhmm_mm *mm, struct uhmm_range r)
{
	uint8_t pte[PIECE];

	if (mm->ops->scan(mm->ops_ctx, r, pte))
		return false;
	for (uint64_t i = 0; i < uhmm_range_npages(r); i++) {
		uhmm_vpn_t vpn = UHMM_VPN(r.start.val + i);

		if (!(pte[i] & UHMM_PTE_PRESENT) &&
		    uhmm_softleaf_is_none(uhmm_mm_leaf(mm, vpn)))
			uhmm_mm_invalidate(mm, uhmm_range_of(vpn, 1),
					   UHMM_NOTIFY_CLEAR, NULL);
	}
	return true;
}

void uhmm_event_pageout(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_range part = { r.start, r.start };

	do {
		part = uhmm_range_clip(uhmm_range_of(part.end, PIECE), r);
	} while (uhmm_range_npages(part) && !mm->gone && tell_gone(mm, part));
}
