/* SPDX-License-Identifier: MIT */
/* restore.c - device pages on their way back (restore.h) */
#include "mm/restore.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uhmm/device_private.h>

#include "mm/mm.h"
#include "mm/relocate.h"
#include "mm/unit.h"

/* How often the engine may say that the program's mappings moved. */
#define GIVE_TRIES 64

/* ---- legs ---- */

/* One more leg. @r is known to the core from its first on. */
static int add_leg(struct uhmm_restore *r, struct uhmm_leg leg)
{
	if (r->nlegs == r->room) {
		uint32_t room = r->room ? r->room * 2 : 16;
		struct uhmm_leg *more = realloc(r->leg, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->leg = more;
		r->room = room;
	}
	if (!r->nlegs)
		uhmm_list_add_tail(&r->core->restores, &r->link);
	r->leg[r->nlegs++] = leg;
	uhmm_mm_get(leg.mm);
	return 0;
}

/* The entry of @leg, wherever it is now. */
static uhmm_softleaf_t entry_of(const struct uhmm_leg *leg)
{
	return uhmm_mm_leaf(leg->mm, leg->now);
}

static bool is_zapped(const struct uhmm_leg *leg)
{
	return uhmm_softleaf_bits(entry_of(leg)) & UHMM_SOFTLEAF_ZAPPED;
}

/* Is @leg where it was locked, and does the program still want it there? */
static bool is_still(const struct uhmm_leg *leg)
{
	return !leg->gone && leg->now.val == leg->at.vpn.val &&
	       !is_zapped(leg) && !leg->mm->gone;
}

/* ---- lock ---- */

/* May the page be written at once when it is back? An exclusive entry says
 * nothing of that: its page may unless a fork shared it. */
static bool is_writable(struct uhmm_core *core, uhmm_dpfn_t dpfn,
			uhmm_softleaf_t leaf)
{
	if (uhmm_softleaf_is_device_exclusive(leaf))
		return uhmm_page_mapcount(&core->store, dpfn) == 1 &&
		       !(uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_UFFD_WP);
	return uhmm_softleaf_is_device_private_write(leaf);
}

/* A page that is the program's alone may be given as its mapping is where that
 * cannot be written: the day it can, the page can. */
static bool follows_mapping(const struct uhmm_leg *leg, uhmm_softleaf_t leaf)
{
	const struct uhmm_mm *mm = leg->mm;
	struct uhmm_vma vma;

	return (uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_EXCLUSIVE) &&
	       !mm->ops->vma_find(mm->ops_ctx, leg->now, &vma) && !vma.write;
}

/* Lock one mapping of a page. */
static int lock_leg(struct uhmm_restore *r, uhmm_dpfn_t dpfn,
		    struct uhmm_mapping at)
{
	struct uhmm_mm *mm = uhmm_mm_find(r->core, at.mm);
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, at.vpn);
	bool write = is_writable(r->core, dpfn, leaf);
	struct uhmm_leg leg = {
		.dpfn = dpfn,
		.mm = mm,
		.at = at,
		.now = at.vpn,
		.wanted = true,
		.coherent = uhmm_softleaf_is_device_coherent(leaf),
		.exclusive = uhmm_softleaf_is_device_exclusive(leaf),
	};
	int err = add_leg(r, leg);

	if (err)
		return err;
	uhmm_shadow_change(&r->core->store, at.mm, at.vpn,
			   uhmm_softleaf_with_bits(
				   uhmm_softleaf_mk_migration_from_dpfn(dpfn,
									write),
				   uhmm_softleaf_bits(leaf)));
	return 0;
}

/* Is it of a coherent device, though the CPU does not have it now? */
static bool is_coherent_exclusive(const struct uhmm_leg *leg)
{
	return leg->exclusive &&
	       uhmm_pagemap_type_of(leg->mm->core, leg->dpfn) ==
		       UHMM_MEMORY_DEVICE_COHERENT;
}

/* The entry of the page of @leg when it is not on its way. */
static uhmm_softleaf_t leaf_of(const struct uhmm_leg *leg, bool write)
{
	if (leg->exclusive)
		return uhmm_softleaf_mk(UHMM_SOFTLEAF_DEVICE_EXCLUSIVE,
					leg->dpfn.val);
	return uhmm_pagemap_leaf(leg->mm->core, leg->dpfn, write);
}

/* Put the entry of @leg back to what it was before it was locked, less what
 * the program has taken from it since. */
static void unlock_leg(const struct uhmm_leg *leg)
{
	uhmm_softleaf_t leaf = entry_of(leg);
	bool write = uhmm_softleaf_is_migration_write(leaf);

	uhmm_shadow_change(&leg->mm->core->store, leg->mm->slot, leg->now,
			   uhmm_softleaf_with_bits(leaf_of(leg, write),
						   uhmm_softleaf_bits(leaf)));
}

/* The last leg was never there. */
static void undo_lock(struct uhmm_restore *r)
{
	struct uhmm_leg *leg = &r->leg[--r->nlegs];

	unlock_leg(leg);
	uhmm_mm_put(leg->mm);
	if (!r->nlegs)
		uhmm_list_del(&r->link);
}

static bool can_lock(struct uhmm_core *core, uhmm_dpfn_t dpfn)
{
	struct uhmm_mapping at;
	uint32_t i = 0;

	for (; uhmm_page_mapping(&core->store, dpfn, i, &at); i++)
		if (!uhmm_mm_find(core, at.mm) ||
		    uhmm_softleaf_is_migration(
			    uhmm_shadow_get(&core->store, at.mm, at.vpn)))
			return false;
	return i > 0;
}

static void undo_locks(struct uhmm_restore *r, uint32_t nlegs)
{
	while (r->nlegs > nlegs)
		undo_lock(r);
}

/* Lock every mapping of a page; what units these are in is the caller's. */
static int lock_page(struct uhmm_restore *r, uhmm_dpfn_t dpfn)
{
	struct uhmm_store *store = &r->core->store;
	uint32_t before = r->nlegs;
	struct uhmm_mapping at;
	int err = 0;

	if (!can_lock(r->core, dpfn) ||
	    uhmm_inject_pass(&r->core->inject, UHMM_INJECT_LOCK))
		return -EBUSY;
	for (uint32_t i = 0; !err && uhmm_page_mapping(store, dpfn, i, &at);
	     i++)
		err = lock_leg(r, dpfn, at);
	if (err)
		undo_locks(r, before);
	return err;
}

int uhmm_restore_lock(struct uhmm_restore *r, struct uhmm_core *core,
		      uhmm_dpfn_t dpfn)
{
	struct uhmm_mapping at;

	r->core = core;
	for (uint32_t i = 0; uhmm_page_mapping(&core->store, dpfn, i, &at);
	     i++)
		uhmm_unit_split(&core->store, at.mm, at.vpn);
	return lock_page(r, dpfn);
}

int uhmm_restore_lock_unit(struct uhmm_restore *r, struct uhmm_core *core,
			   uhmm_dpfn_t head)
{
	uint32_t before = r->nlegs;
	int err = 0;

	r->core = core;
	for (uint64_t i = 0; !err && i < UHMM_UNIT_NPAGES; i++)
		err = lock_page(r, UHMM_DPFN(head.val + i));
	if (err)
		undo_locks(r, before);
	return err;
}

void uhmm_restore_tell(const struct uhmm_restore *r, uint32_t first,
		       const struct uhmm_mm *caller)
{
	uint32_t end, until;

	for (; first < r->nlegs; first = end) {
		until = 0;
		end = first;
		while (end < r->nlegs &&
		       r->leg[end].dpfn.val == r->leg[first].dpfn.val) {
			const struct uhmm_mm *mm = r->leg[end++].mm;

			if (mm != caller && mm->kin.born > until)
				until = mm->kin.born;
		}
		/* what the caller alone has is mapped by nobody any more */
		for (uint32_t i = first;
		     i < end && (!caller || end - first > 1); i++)
			uhmm_kin_tell(r->leg[i].mm, r->leg[i].at.vpn, until);
	}
}

void uhmm_restore_split(struct uhmm_restore *r)
{
	for (uint32_t i = 0; i < r->nlegs; i++)
		if (!r->leg[i].gone && uhmm_unit_has(entry_of(&r->leg[i])))
			uhmm_unit_split(&r->core->store, r->leg[i].mm->slot,
					r->leg[i].now);
}

void uhmm_restore_unwant(struct uhmm_restore *r, uhmm_dpfn_t dpfn)
{
	for (uint32_t i = 0; i < r->nlegs; i++)
		if (r->leg[i].dpfn.val == dpfn.val)
			r->leg[i].wanted = false;
}

/* ---- give ---- */

static int by_place(const void *a, const void *b)
{
	const struct uhmm_leg *x = a, *y = b;

	if (x->at.mm != y->at.mm)
		return x->at.mm < y->at.mm ? -1 : 1;
	if (x->at.vpn.val != y->at.vpn.val)
		return x->at.vpn.val < y->at.vpn.val ? -1 : 1;
	return 0;
}

/* Is @leg to be given now? Then its entry says how. */
static bool is_to_give(struct uhmm_leg *leg)
{
	if (!leg->wanted || leg->coherent || !is_still(leg))
		return false;
	leg->write = uhmm_softleaf_is_migration_write(entry_of(leg)) ||
		     follows_mapping(leg, entry_of(leg));
	return true;
}

/* Does @b go right behind @a, in both spaces and the same way? */
static bool is_next(const struct uhmm_leg *a, struct uhmm_leg *b)
{
	return is_to_give(b) && !uhmm_unit_has(entry_of(b)) &&
	       b->at.mm == a->at.mm &&
	       b->at.vpn.val == a->at.vpn.val + 1 &&
	       b->dpfn.val == a->dpfn.val + 1 && b->write == a->write;
}

/* Length of the run that starts at leg @i, which is to be given. */
static uint32_t run_length(const struct uhmm_restore *r, uint32_t i)
{
	bool unit = uhmm_unit_has(entry_of(&r->leg[i]));
	uint32_t n = 1;

	while (i + n < r->nsorted && !(unit && n == UHMM_UNIT_NPAGES) &&
	       is_next(&r->leg[i + n - 1], &r->leg[i + n]))
		n++;
	return n;
}

/* How is the run that starts with @leg given? One that fork shares comes back as
 * base pages: each mm gets a copy, and one of them writes to its soon. */
static uint32_t run_flags(const struct uhmm_leg *leg, uint32_t npages)
{
	uint32_t flags = leg->write ? 0 : UHMM_RUN_WP;

	if (uhmm_unit_has(entry_of(leg)) && npages == UHMM_UNIT_NPAGES &&
	    uhmm_page_mapcount(&leg->mm->core->store, leg->dpfn) == 1)
		flags |= UHMM_RUN_UNIT;
	return flags;
}

/* Note what became of the run that started at leg @i. Return: the leg to go on
 * with: behind one that could not be given; that one, when things moved. */
static uint32_t note_run(struct uhmm_restore *r, uint32_t i,
			 const struct uhmm_run *run, unsigned int *tries)
{
	for (uint64_t n = 0; n < run->done; n++)
		r->leg[i++].given = true;
	if (run->done == run->npages)
		return i;
	if (run->error == -EAGAIN && ++*tries < GIVE_TRIES)
		return i;
	r->leg[i].there = run->error == -EEXIST;
	return i + 1;
}

/* Give the run that starts at leg @i. Events may add legs: no pointer to one
 * outlives the call of the engine. Return: the leg to go on with. */
static uint32_t give_run(struct uhmm_restore *r, uint32_t i,
			 unsigned int *tries)
{
	const struct uhmm_leg *leg = &r->leg[i];
	struct uhmm_mm *mm = leg->mm;
	uint32_t n = run_length(r, i);
	struct uhmm_run run = { .vpn = leg->at.vpn, .dpfn = leg->dpfn,
				.npages = n, .flags = run_flags(leg, n) };

	if (mm->ops->give(mm->ops_ctx, &run, 1))
		return i + n;
	mm->given = uhmm_range_of(run.vpn, run.done);
	return note_run(r, i, &run, tries);
}

static void sort_legs(struct uhmm_restore *r)
{
	if (r->nlegs > 1)
		qsort(r->leg, r->nlegs, sizeof(*r->leg), by_place);
	r->nsorted = r->nlegs;
}

void uhmm_restore_give(struct uhmm_restore *r)
{
	unsigned int tries = 0;
	uint32_t i = 0;

	if (r->nlegs)
		uhmm_inject_slow(r->core);
	sort_legs(r);
	while (i < r->nsorted) {
		struct uhmm_leg *leg = &r->leg[i];

		if (leg->coherent)
			leg->given = leg->wanted && is_still(leg);
		if (is_to_give(leg))
			i = give_run(r, i, &tries);
		else
			i++;
	}
}

/* ---- take ---- */

static bool is_to_take(const struct uhmm_leg *leg)
{
	return leg->wanted && is_still(leg);
}

/* Take the run that starts at leg @i. Return: the leg to go on with. */
static uint32_t take_run(struct uhmm_restore *r, uint32_t i)
{
	const struct uhmm_leg *leg = &r->leg[i];
	const struct uhmm_mm *mm = leg->mm;
	struct uhmm_run run = { .vpn = leg->at.vpn, .dpfn = leg->dpfn,
				.npages = 1 };
	uint32_t n;

	while (i + run.npages < r->nsorted &&
	       is_to_take(&r->leg[i + run.npages]) &&
	       r->leg[i + run.npages].mm == mm &&
	       r->leg[i + run.npages].at.vpn.val == run.vpn.val + run.npages &&
	       r->leg[i + run.npages].dpfn.val == run.dpfn.val + run.npages)
		run.npages++;
	n = (uint32_t)run.npages;
	if (mm->ops->take(mm->ops_ctx, &run, 1))
		return i + n;
	for (uint64_t k = 0; k < run.done; k++) {
		r->leg[i + k].coherent = false;
		r->leg[i + k].exclusive = true;
	}
	return i + n;
}

void uhmm_restore_take(struct uhmm_restore *r)
{
	uint32_t i = 0;

	sort_legs(r);
	while (i < r->nsorted)
		i = is_to_take(&r->leg[i]) ? take_run(r, i) : i + 1;
}

bool uhmm_restore_is_given(const struct uhmm_restore *r,
			   const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	struct uhmm_leg key = { .at = { mm->slot, vpn } };
	const struct uhmm_leg *leg = NULL;

	if (r->nsorted)
		leg = bsearch(&key, r->leg, r->nsorted, sizeof(*r->leg),
			      by_place);
	return leg && leg->given;
}

/* ---- what happens meanwhile ---- */

static void leg_moved(struct uhmm_leg *leg, struct uhmm_range from,
		      uhmm_vpn_t to)
{
	struct uhmm_range target = uhmm_range_of(to, uhmm_range_npages(from));

	if (uhmm_range_has(from, leg->now))
		leg->now.val += to.val - from.start.val;
	else if (uhmm_range_has(target, leg->now))
		leg->gone = true;
}

void uhmm_restore_moved(struct uhmm_mm *mm, struct uhmm_range from,
			uhmm_vpn_t to)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &mm->core->restores) {
		struct uhmm_restore *r =
			UHMM_CONTAINER_OF(node, struct uhmm_restore, link);

		for (uint32_t i = 0; i < r->nlegs; i++)
			if (r->leg[i].mm == mm && !r->leg[i].gone)
				leg_moved(&r->leg[i], from, to);
	}
}

void uhmm_restore_lost(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &mm->core->restores) {
		struct uhmm_restore *restore =
			UHMM_CONTAINER_OF(node, struct uhmm_restore, link);

		for (uint32_t i = 0; i < restore->nlegs; i++)
			if (restore->leg[i].mm == mm &&
			    uhmm_range_has(r, restore->leg[i].now))
				restore->leg[i].gone = true;
	}
}

/* The way back of @dpfn by @r, NULL: it is not on it. */
static const struct uhmm_leg *find_leg(const struct uhmm_restore *r,
				       uhmm_dpfn_t dpfn)
{
	for (uint32_t i = 0; i < r->nlegs; i++)
		if (r->leg[i].dpfn.val == dpfn.val && !r->leg[i].gone)
			return &r->leg[i];
	return NULL;
}

int uhmm_restore_forked(struct uhmm_mm *child, uhmm_vpn_t vpn, uhmm_dpfn_t dpfn)
{
	struct uhmm_leg late = { .dpfn = dpfn, .mm = child,
				 .at = { child->slot, vpn }, .now = vpn };
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &child->core->restores) {
		struct uhmm_restore *r =
			UHMM_CONTAINER_OF(node, struct uhmm_restore, link);
		const struct uhmm_leg *leg = find_leg(r, dpfn);

		if (!leg)
			continue;
		late.coherent = leg->coherent;
		late.dest = leg->dest;
		late.exclusive = leg->exclusive;
		return add_leg(r, late);
	}
	assert(!"a device page on its way without a restore");
	return -EINVAL;
}

/* ---- finish ---- */

/* Has the CPU a page where @leg is now? */
static bool is_there(const struct uhmm_leg *leg, bool unless_known)
{
	uint8_t pte = 0;
	int err = leg->mm->ops->scan(leg->mm->ops_ctx,
				     uhmm_range_of(leg->now, 1), &pte);

	if (err)
		return unless_known;
	return pte & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP);
}

/* A page that the CPU has, or that was dropped, needs no entry. What moved, or
 * came by a fork, may have done so before or after it was given. */
static bool is_over(const struct uhmm_restore *r, const struct uhmm_leg *leg)
{
	bool arrived = leg->given || leg->there;

	if (is_zapped(leg) || leg->mm->gone)
		return true;
	if (leg->coherent)
		return leg->given;
	if (leg >= r->leg + r->nsorted || leg->now.val != leg->at.vpn.val)
		return is_there(leg, arrived);
	return arrived;
}

static void finish_leg(struct uhmm_restore *r, struct uhmm_leg *leg)
{
	struct uhmm_store *store = &r->core->store;

	if (leg->gone || uhmm_relocate_leg(r, leg))
		return;
	/* by a fork before the page was taken from the parent, or after? */
	if (leg->coherent && !leg->wanted && !is_there(leg, false)) {
		leg->coherent = false;
		leg->exclusive = true;
	}
	if (!is_over(r, leg)) {
		unlock_leg(leg);
		return;
	}
	/* what stays of a unit of which one page is back is none */
	uhmm_unit_split(store, leg->mm->slot, leg->now);
	if (is_coherent_exclusive(leg) && !is_zapped(leg))
		uhmm_shadow_change(store, leg->mm->slot, leg->now,
				   uhmm_pagemap_leaf(r->core, leg->dpfn,
						     false));
	else
		uhmm_shadow_clear(store, leg->mm->slot, leg->now);
}

/* A page that came back to one and stayed on the device for another is two. */
static void part(const struct uhmm_leg *leg)
{
	struct uhmm_mm *mm = leg->mm;

	if (!leg->gone && uhmm_softleaf_is_none(entry_of(leg)) &&
	    uhmm_page_state(&mm->core->store, leg->dpfn) == UHMM_PAGE_MAPPED)
		uhmm_kin_drop(mm, uhmm_range_of(leg->now, 1));
}

uint64_t uhmm_restore_finish(struct uhmm_restore *r)
{
	uint64_t given = 0;

	for (uint32_t i = 0; i < r->nlegs; i++) {
		finish_leg(r, &r->leg[i]);
		given += r->leg[i].given;
	}
	for (uint32_t i = 0; i < r->nlegs; i++)
		uhmm_relocate_settle(r, &r->leg[i]);
	for (uint32_t i = 0; i < r->nlegs; i++)
		if (i + 1 == r->nlegs || r->leg[i].mm != r->leg[i + 1].mm)
			r->core->ops->wake(r->core, r->leg[i].mm);
	for (uint32_t i = 0; i < r->nlegs; i++)
		part(&r->leg[i]);
	if (r->nlegs)
		uhmm_list_del(&r->link);
	for (uint32_t i = 0; i < r->nlegs; i++)
		uhmm_mm_put(r->leg[i].mm);
	free(r->leg);
	memset(r, 0, sizeof(*r));
	return given;
}

uint64_t uhmm_restore_run(struct uhmm_restore *r, const struct uhmm_mm *caller)
{
	for (uint32_t i = 0; i < r->nlegs; i++)
		uhmm_mm_invalidate(r->leg[i].mm,
				   uhmm_range_of(r->leg[i].at.vpn, 1),
				   UHMM_NOTIFY_MIGRATE, NULL);
	uhmm_restore_tell(r, 0, caller);
	uhmm_restore_give(r);
	return uhmm_restore_finish(r);
}
