/* SPDX-License-Identifier: MIT */
/* sharers.c - who has the pages of a flight, too (sharers.h) */
#include <errno.h>
#include <stdlib.h>

#include <uhmm/device_private.h>
#include <uhmm/gup.h>

#include "mm/flight.h"
#include "mm/mm.h"
#include "mm/sharers.h"
#include "mm/unit.h"

/* Pages looked at at once. */
#define PIECE UHMM_MIGRATE_NPAGES_MAX
/* How often pages are tried that the program's mappings moved around. */
#define TRIES 8

/** A page of the flight that has a number. */
struct wanted {
	uint64_t number;
	uint32_t i;
};

/* ---- who boards ---- */

static bool has_room(struct uhmm_sharers *s)
{
	uint32_t room = s->room ? 2 * s->room : 64;
	struct uhmm_sharer *more;

	if (s->n < s->room)
		return true;
	more = realloc(s->sharer, room * sizeof(*more));
	if (!more)
		return false;
	s->sharer = more;
	s->room = room;
	return true;
}

/* Is the entry of @sharer still that of its page, where it was? */
static bool is_on_board(const struct uhmm_migrate_vma *args,
			const struct uhmm_sharer *sharer)
{
	return uhmm_flight_has(uhmm_mm_leaf(sharer->mm, sharer->vpn),
			       args->flight, sharer->i);
}

/* Leave the flight, also where it was moved to meanwhile. */
static void leave(const struct uhmm_migrate_vma *args,
		  struct uhmm_sharer *sharer)
{
	if (sharer->left)
		return;
	sharer->left = true;
	if (is_on_board(args, sharer))
		uhmm_shadow_clear(&sharer->mm->core->store, sharer->mm->slot,
				  sharer->vpn);
	else
		uhmm_flight_settle(sharer->mm, args->flight);
}

/* Page @i cannot go: neither for the one that migrates nor for any other. */
static void leave_everywhere(struct uhmm_migrate_vma *args, uint32_t i)
{
	struct uhmm_sharers *s = &args->sharers;

	uhmm_flight_leave(args->mm, args->flight, i);
	for (uint32_t k = 0; k < s->n; k++)
		if (s->sharer[k].i == i)
			leave(args, &s->sharer[k]);
}

/* @mm has page @i of the flight at @vpn, too. */
static void board_one(struct uhmm_migrate_vma *args, struct uhmm_mm *mm,
		      uhmm_vpn_t vpn, uint32_t i)
{
	struct uhmm_sharers *s = &args->sharers;
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, vpn);

	if (uhmm_softleaf_is_none(
		    uhmm_flight_entry(args->mm, args->flight, i)))
		return;
	/* a fork came between: the one had it in flight, the other got it */
	if (uhmm_softleaf_has_dpfn(leaf) && !uhmm_softleaf_is_migration(leaf)) {
		uhmm_kin_drop(mm, uhmm_range_of(vpn, 1));
		return;
	}
	if (!uhmm_softleaf_is_none(leaf) || uhmm_mm_is_pinned(mm, vpn) || !has_room(s) ||
	    uhmm_flight_board_sharer(mm, vpn, args->flight, i)) {
		leave_everywhere(args, i);
		return;
	}
	uhmm_mm_get(mm);
	s->sharer[s->n++] = (struct uhmm_sharer){ .mm = mm, .vpn = vpn,
						  .i = i };
}

static int by_number(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return 0;
}

/* Pages of @mm that moved since they were shared may be anywhere. */
static void board_from_anywhere(struct uhmm_migrate_vma *args,
				struct uhmm_mm *mm, const struct wanted *wanted,
				size_t n)
{
	uhmm_vpn_t vpn = UHMM_VPN(0);
	uhmm_vpn_t end = UHMM_VPN(UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
	struct wanted key = { 0 };

	for (; uhmm_kin_next(mm, &vpn, end, &key.number); vpn.val++) {
		const struct wanted *found = bsearch(
			&key, wanted, n, sizeof(*wanted), by_number);

		if (found)
			board_one(args, mm, vpn, found->i);
	}
}

static void board_from(struct uhmm_migrate_vma *args, struct uhmm_mm *mm,
		       const struct wanted *wanted, size_t n)
{
	if (args->mm->kin.moved || mm->kin.moved) {
		board_from_anywhere(args, mm, wanted, n);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		uhmm_vpn_t vpn = UHMM_VPN(args->range.start.val + wanted[k].i);

		if (uhmm_kin_get(mm, vpn) == wanted[k].number)
			board_one(args, mm, vpn, wanted[k].i);
	}
}

/* What is on board and has a number, by number. */
static size_t find_wanted(const struct uhmm_migrate_vma *args,
			  struct wanted *wanted)
{
	uint64_t number;
	uhmm_vpn_t vpn = args->range.start;
	size_t n = 0;

	for (; uhmm_kin_next(args->mm, &vpn, args->range.end, &number);
	     vpn.val++)
		wanted[n++] = (struct wanted){
			number, (uint32_t)(vpn.val - args->range.start.val)
		};
	if (n)
		qsort(wanted, n, sizeof(*wanted), by_number);
	return n;
}

static int by_place(const void *a, const void *b)
{
	const struct uhmm_sharer *x = a, *y = b;

	if (x->mm != y->mm)
		return x->mm->slot < y->mm->slot ? -1 : 1;
	if (x->vpn.val != y->vpn.val)
		return x->vpn.val < y->vpn.val ? -1 : 1;
	return 0;
}

void uhmm_sharers_board(struct uhmm_migrate_vma *args)
{
	struct wanted wanted[PIECE];
	struct uhmm_sharers *s = &args->sharers;
	size_t n = find_wanted(args, wanted);
	struct uhmm_list *node;

	if (!n)
		return;
	UHMM_LIST_EACH(node, &args->mm->core->mms) {
		struct uhmm_mm *mm =
			UHMM_CONTAINER_OF(node, struct uhmm_mm, link);

		if (mm != args->mm && !mm->gone &&
		    uhmm_kin_is_family(mm, args->mm))
			board_from(args, mm, wanted, n);
	}
	if (s->n)
		qsort(s->sharer, s->n, sizeof(*s->sharer), by_place);
}

/* ---- runs ---- */

/* Sharers [@first, @end) have consecutive pages of one mm. */
struct span {
	uint32_t first, end;
};

static struct uhmm_range range_of(const struct uhmm_sharers *s,
				  struct span span)
{
	return uhmm_range_of(s->sharer[span.first].vpn,
			     span.end - span.first);
}

/* Does the place of @b follow that of @a? */
static bool follows(const struct uhmm_sharer *a, const struct uhmm_sharer *b)
{
	return a->mm == b->mm && a->vpn.val + 1 == b->vpn.val;
}

/* ---- their CPUs stop ---- */

/* Somebody who is not known yet says hello in a moment. */
static void wait_for(struct uhmm_mm *mm)
{
	while (mm->bare && mm->coming && !mm->gone)
		mm->core->ops->wait(mm->core, mm);
}

/* Its page is its own from now on. */
static void keeps(struct uhmm_migrate_vma *args, struct uhmm_sharer *sharer)
{
	sharer->stopped = false;
	leave(args, sharer);
	uhmm_kin_drop(sharer->mm, uhmm_range_of(sharer->vpn, 1));
}

/* A page that was written since it was shared is protected no longer. */
static bool is_shared(uint8_t pte)
{
	return (pte & UHMM_PTE_PRESENT) && (pte & UHMM_PTE_WP) &&
	       !(pte & (UHMM_PTE_ZERO | UHMM_PTE_FILE));
}

static int stop_range(const struct uhmm_migrate_vma *args, struct uhmm_mm *mm,
		      struct uhmm_range r)
{
	if (!args->pgmap || args->pgmap->type != UHMM_MEMORY_DEVICE_COHERENT)
		return mm->ops->trap(mm->ops_ctx, r);
	/* protected it is, and so watched */
	return 0;
}

/* Stop as many of @span, from its first on, as lie in one mapping.
 * Return: how many, at least one */
static uint32_t stop_some(struct uhmm_migrate_vma *args, struct span span)
{
	struct uhmm_sharer *sharer = &args->sharers.sharer[span.first];
	struct uhmm_range r = range_of(&args->sharers, span);
	struct uhmm_mm *mm = sharer->mm;
	struct uhmm_vma vma;
	uint8_t pte[PIECE];
	uint32_t n = 1;
	int err = mm->gone ? -ESRCH :
			     mm->ops->vma_find(mm->ops_ctx, r.start, &vma);

	if (!err && (!uhmm_range_has(vma.range, r.start) || vma.shared ||
		     !vma.anon || vma.hugetlb))
		err = -EINVAL;
	if (!err) {
		r = uhmm_range_clip(r, vma.range);
		n = (uint32_t)uhmm_range_npages(r);
		err = mm->ops->scan(mm->ops_ctx, r, pte);
	}
	if (!err)
		err = stop_range(args, mm, r);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = sharer[k].i;

		sharer[k].stopped = !err && is_on_board(args, &sharer[k]);
		if (sharer[k].stopped)
			args->shared[i / 64] |= UINT64_C(1) << (i % 64);
		if (is_on_board(args, &sharer[k]) &&
		    (err || !is_shared(pte[k])))
			keeps(args, &sharer[k]);
	}
	return n;
}

/* What was written since it was shared is nobody else's. */
static void drop_stale(struct uhmm_migrate_vma *args, const uint8_t *before)
{
	struct uhmm_sharers *s = &args->sharers;

	for (uint32_t k = 0; k < s->n; k++) {
		uhmm_vpn_t vpn = UHMM_VPN(args->range.start.val +
					  s->sharer[k].i);

		if (is_shared(before[s->sharer[k].i]))
			continue;
		uhmm_kin_drop(args->mm, uhmm_range_of(vpn, 1));
		leave(args, &s->sharer[k]);
	}
}

void uhmm_sharers_stop(struct uhmm_migrate_vma *args, const uint8_t *before)
{
	struct uhmm_sharers *s = &args->sharers;
	struct span span = { 0, 0 };

	drop_stale(args, before);
	for (uint32_t k = 0; k < s->n; k++)
		wait_for(s->sharer[k].mm);
	while (span.first < s->n) {
		span.end = span.first + 1;
		while (span.end < s->n && span.end - span.first < PIECE &&
		       follows(&s->sharer[span.end - 1], &s->sharer[span.end]))
			span.end++;
		span.first += stop_some(args, span);
	}
}

/* Is the page of @sharer one that was looked for? */
static bool is_looked_for(const struct uhmm_migrate_vma *args,
			  const struct uhmm_sharer *sharer)
{
	return sharer->stopped &&
	       (args->src[sharer->i] & UHMM_MIGRATE_PFN_MIGRATE);
}

void uhmm_sharers_tell(struct uhmm_migrate_vma *args)
{
	const struct uhmm_sharers *s = &args->sharers;
	uint32_t until[PIECE] = { 0 };

	for (uint32_t k = 0; k < s->n; k++) {
		const struct uhmm_sharer *sharer = &s->sharer[k];

		if (is_looked_for(args, sharer) &&
		    sharer->mm->kin.born > until[sharer->i])
			until[sharer->i] = sharer->mm->kin.born;
	}
	for (uint32_t k = 0; k < s->n; k++) {
		const struct uhmm_sharer *sharer = &s->sharer[k];
		uint32_t i = sharer->i;

		if (!is_looked_for(args, sharer))
			continue;
		uhmm_kin_tell(sharer->mm, sharer->vpn, until[i]);
		if (args->mm->kin.moved || sharer->mm->kin.moved)
			uhmm_kin_tell(args->mm,
				      UHMM_VPN(args->range.start.val + i),
				      until[i]);
	}
}

/* ---- their pages leave ---- */

static uhmm_dpfn_t dpfn_of(const struct uhmm_migrate_vma *args,
			   const struct uhmm_sharer *sharer)
{
	return uhmm_migrate_pfn_to_dpfn(args->dst[sharer->i]);
}

static bool is_to_take(struct uhmm_migrate_vma *args,
		       const struct uhmm_sharer *sharer)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(sharer->mm, sharer->vpn);

	return sharer->stopped && !sharer->taken &&
	       uhmm_migrate_is_taken(args, sharer->i) &&
	       is_on_board(args, sharer) &&
	       !(uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED);
}

/* Take those that go as one run from *@k on, which moves behind them.
 * Return: -EAGAIN: *@k stands at one that is worth another look */
static int take_run(struct uhmm_migrate_vma *args, uint32_t *k)
{
	struct uhmm_sharer *sharer = &args->sharers.sharer[*k];
	struct uhmm_run run = { .vpn = sharer->vpn,
				.dpfn = dpfn_of(args, sharer),
				.npages = 1,
				.flags = UHMM_RUN_SAME };

	while (*k + run.npages < args->sharers.n &&
	       follows(&sharer[run.npages - 1], &sharer[run.npages]) &&
	       is_to_take(args, &sharer[run.npages]) &&
	       dpfn_of(args, &sharer[run.npages]).val ==
		       run.dpfn.val + run.npages)
		run.npages++;
	if (sharer->mm->ops->take(sharer->mm->ops_ctx, &run, 1))
		run.done = run.error = 0;
	for (uint64_t n = 0; n < run.done; n++)
		sharer[n].taken = true;
	*k += (uint32_t)run.done;
	if (run.done == run.npages)
		return 0;
	if (run.error == -EAGAIN)
		return -EAGAIN;
	++*k;
	return 0;
}

void uhmm_sharers_take(struct uhmm_migrate_vma *args)
{
	unsigned int tries = 0;
	uint32_t k = 0;

	while (k < args->sharers.n) {
		if (!is_to_take(args, &args->sharers.sharer[k]))
			k++;
		else if (take_run(args, &k) && ++tries >= TRIES)
			k++;
	}
}

/* ---- the end ---- */

/* The entry becomes that of the device page, if it can. */
static void land(struct uhmm_migrate_vma *args, struct uhmm_sharer *sharer,
		 uhmm_dpfn_t dpfn)
{
	struct uhmm_mm *mm = sharer->mm;
	bool in_place = args->pgmap &&
			args->pgmap->type == UHMM_MEMORY_DEVICE_COHERENT;
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, sharer->vpn);

	if ((uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED) || mm->gone) {
		leave(args, sharer);
	} else if (!dpfn.val || (!sharer->taken && !in_place)) {
		if (dpfn.val)
			keeps(args, sharer);
		leave(args, sharer);
	} else if (uhmm_shadow_set(&mm->core->store, mm->slot, sharer->vpn,
				   uhmm_pagemap_leaf(mm->core, dpfn, false))) {
		/* no memory: what it had cannot be told any more */
		uhmm_shadow_clear(&mm->core->store, mm->slot, sharer->vpn);
		if (!in_place)
			uhmm_mm_exit(mm);
	}
}

/* Where the whole unit has landed, at an aligned place, it is one. */
static void join_units(struct uhmm_migrate_vma *args)
{
	const struct uhmm_sharers *s = &args->sharers;

	for (uint32_t k = 0; k + UHMM_UNIT_NPAGES <= s->n; k++) {
		const struct uhmm_sharer *first = &s->sharer[k];
		const struct uhmm_sharer *last = first + UHMM_UNIT_NPAGES - 1;

		if (first->i == 0 && first->vpn.val % UHMM_UNIT_NPAGES == 0 &&
		    last->mm == first->mm && !first->mm->gone &&
		    last->vpn.val - first->vpn.val == UHMM_UNIT_NPAGES - 1)
			(void)!uhmm_unit_join(&first->mm->core->store,
					      first->mm->slot, first->vpn);
	}
}

void uhmm_sharers_land(struct uhmm_migrate_vma *args, bool unit)
{
	const struct uhmm_flight *flight =
		uhmm_flight_at(args->mm->core, args->flight);
	struct uhmm_sharers *s = &args->sharers;

	for (uint32_t k = 0; k < s->n; k++) {
		struct uhmm_sharer *sharer = &s->sharer[k];

		if (is_on_board(args, sharer))
			land(args, sharer,
			     UHMM_DPFN(flight->page[sharer->i].dpfn));
		else
			/* it has left before, or moved meanwhile */
			leave(args, sharer);
	}
	if (unit)
		join_units(args);
}

void uhmm_sharers_leave(struct uhmm_migrate_vma *args)
{
	for (uint32_t k = 0; k < args->sharers.n; k++)
		leave(args, &args->sharers.sharer[k]);
}

void uhmm_sharers_fini(struct uhmm_sharers *s)
{
	for (uint32_t k = 0; k < s->n; k++) {
		struct uhmm_mm *mm = s->sharer[k].mm;

		if (k + 1 == s->n || s->sharer[k + 1].mm != mm) {
			mm->core->ops->wake(mm->core, mm);
			uhmm_mm_settle(mm);
		}
		uhmm_mm_put(mm);
	}
	free(s->sharer);
	*s = (struct uhmm_sharers){ .sharer = NULL };
}
