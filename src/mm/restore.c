/* SPDX-License-Identifier: MIT */
/* restore.c - device pages on their way back (restore.h) */
#include "mm/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/pagemap.h"

/* Runs handed to the engine in one call. */
#define NRUNS 64

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
	r->leg[r->nlegs++] = leg;
	return 0;
}

/* May the page be written at once when it is back? An exclusive entry says
 * nothing of that: its page may unless a fork shared it. */
static bool is_writable(struct uhmm_core *core, uhmm_dpfn_t dpfn,
			uhmm_softleaf_t leaf)
{
	if (uhmm_softleaf_is_device_exclusive(leaf))
		return uhmm_page_mapcount(&core->store, dpfn) == 1;
	return uhmm_softleaf_is_device_private_write(leaf);
}

/* A page that is the program's alone may be given as its mapping is where that
 * cannot be written: the day it can, the page can. */
static bool follows_mapping(struct uhmm_mm *mm, uhmm_vpn_t vpn,
			    uhmm_softleaf_t leaf)
{
	struct uhmm_vma vma;

	return !mm->gone &&
	       (uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_EXCLUSIVE) &&
	       !mm->ops->vma_find(mm->ops_ctx, vpn, &vma) && !vma.write;
}

/* Lock one mapping of a page. */
static int lock_leg(struct uhmm_restore *r, uhmm_dpfn_t dpfn,
		    struct uhmm_mapping at)
{
	struct uhmm_store *store = &r->core->store;
	uhmm_softleaf_t leaf = uhmm_shadow_get(store, at.mm, at.vpn);
	bool write = is_writable(r->core, dpfn, leaf);
	struct uhmm_mm *mm = uhmm_mm_find(r->core, at.mm);
	bool plain = write || follows_mapping(mm, at.vpn, leaf);
	int err = add_leg(r, (struct uhmm_leg){ .dpfn = dpfn, .at = at,
						.mm = mm, .write = plain,
						.wanted = true });

	if (err)
		return err;
	uhmm_mm_get(mm);
	uhmm_shadow_change(store, at.mm, at.vpn,
			   uhmm_softleaf_with_bits(
				   uhmm_softleaf_mk_migration_from_dpfn(dpfn,
									write),
				   uhmm_softleaf_bits(leaf)));
	return 0;
}

/* Put the entry of @leg back to what it was before it was locked. */
static void unlock_leg(struct uhmm_restore *r, const struct uhmm_leg *leg,
		       struct uhmm_mapping at)
{
	struct uhmm_store *store = &r->core->store;
	uhmm_softleaf_t leaf = uhmm_shadow_get(store, at.mm, at.vpn);
	bool write = uhmm_softleaf_is_migration_write(leaf);

	uhmm_shadow_change(store, at.mm, at.vpn,
			   uhmm_softleaf_with_bits(
				   uhmm_pagemap_leaf(r->core, leg->dpfn,
						     write),
				   uhmm_softleaf_bits(leaf)));
}

int uhmm_restore_lock(struct uhmm_restore *r, struct uhmm_core *core,
		      uhmm_dpfn_t dpfn)
{
	uint32_t before = r->nlegs;
	struct uhmm_mapping at;

	r->core = core;
	if (!uhmm_page_mapping(&core->store, dpfn, 0, &at))
		return -EBUSY;
	for (uint32_t i = 0; uhmm_page_mapping(&core->store, dpfn, i, &at); i++)
		if (uhmm_softleaf_is_migration(
			    uhmm_shadow_get(&core->store, at.mm, at.vpn)))
			return -EBUSY;
	for (uint32_t i = 0; uhmm_page_mapping(&core->store, dpfn, i, &at);
	     i++) {
		int err = lock_leg(r, dpfn, at);

		if (!err)
			continue;
		while (r->nlegs > before) {
			struct uhmm_leg *leg = &r->leg[--r->nlegs];

			unlock_leg(r, leg, leg->at);
			uhmm_mm_put(leg->mm);
		}
		return err;
	}
	return 0;
}

void uhmm_restore_unwant(struct uhmm_restore *r, uhmm_dpfn_t dpfn)
{
	for (uint32_t i = 0; i < r->nlegs; i++)
		if (r->leg[i].dpfn.val == dpfn.val)
			r->leg[i].wanted = false;
}

static int by_place(const void *a, const void *b)
{
	const struct uhmm_leg *x = a, *y = b;

	if (x->at.mm != y->at.mm)
		return x->at.mm < y->at.mm ? -1 : 1;
	if (x->at.vpn.val != y->at.vpn.val)
		return x->at.vpn.val < y->at.vpn.val ? -1 : 1;
	return 0;
}

/* Does @b go right behind @a, in both spaces and the same way? */
static bool is_next(const struct uhmm_leg *a, const struct uhmm_leg *b)
{
	return b->wanted && b->at.mm == a->at.mm &&
	       b->at.vpn.val == a->at.vpn.val + 1 &&
	       b->dpfn.val == a->dpfn.val + 1 && b->write == a->write;
}

/* Length of the run that starts at leg @i. */
static uint32_t run_length(const struct uhmm_restore *r, uint32_t i)
{
	uint32_t n = 1;

	while (i + n < r->nlegs &&
	       is_next(&r->leg[i + n - 1], &r->leg[i + n]))
		n++;
	return n;
}

/* Note what became of the legs of one run. A page that was there already ends
 * the run without being given; the legs behind it are tried again. */
static uint32_t note_run(struct uhmm_leg *leg, const struct uhmm_run *run)
{
	for (uint64_t i = 0; i < run->done; i++)
		leg[i].given = true;
	if (run->done == run->npages)
		return (uint32_t)run->npages;
	leg[run->done].there = run->error == -EEXIST;
	return (uint32_t)run->done + 1;
}

/* Give the run that starts at leg @i. Return: legs dealt with. */
static uint32_t give_run(struct uhmm_restore *r, uint32_t i)
{
	struct uhmm_leg *leg = &r->leg[i];
	struct uhmm_mm *mm = leg->mm;
	struct uhmm_run run = { .vpn = leg->at.vpn, .dpfn = leg->dpfn,
				.npages = run_length(r, i),
				.flags = leg->write ? 0 : UHMM_RUN_WP };

	if (mm->gone)
		return (uint32_t)run.npages;
	if (mm->ops->give(mm->ops_ctx, &run, 1))
		return (uint32_t)run.npages;
	return note_run(leg, &run);
}

void uhmm_restore_give(struct uhmm_restore *r)
{
	uint32_t i = 0;

	if (r->nlegs > 1)
		qsort(r->leg, r->nlegs, sizeof(*r->leg), by_place);
	while (i < r->nlegs)
		i += r->leg[i].wanted ? give_run(r, i) : 1;
}

bool uhmm_restore_is_given(const struct uhmm_restore *r,
			   const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	struct uhmm_leg key = { .at = { mm->slot, vpn } };
	const struct uhmm_leg *leg = NULL;

	if (r->nlegs)
		leg = bsearch(&key, r->leg, r->nlegs, sizeof(*r->leg),
			      by_place);
	return leg && leg->given;
}

/* Where the entry of @leg is now: where it was, or moved by mremap. */
static bool find_leg(struct uhmm_restore *r, const struct uhmm_leg *leg,
		     struct uhmm_mapping *at)
{
	struct uhmm_store *store = &r->core->store;
	uhmm_softleaf_t leaf = uhmm_shadow_get(store, leg->at.mm, leg->at.vpn);

	*at = leg->at;
	if (uhmm_softleaf_is_migration_device_private(leaf) &&
	    uhmm_softleaf_to_dpfn(leaf).val == leg->dpfn.val)
		return true;
	for (uint32_t i = 0; uhmm_page_mapping(store, leg->dpfn, i, at); i++)
		if (at->mm == leg->at.mm)
			return true;
	return false;
}

/* A page that the CPU has already, or got now, or dropped, needs no entry. */
static bool is_over(struct uhmm_restore *r, const struct uhmm_leg *leg,
		    struct uhmm_mapping at)
{
	uhmm_softleaf_t leaf = uhmm_shadow_get(&r->core->store, at.mm, at.vpn);

	if (uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED)
		return true;
	return at.vpn.val == leg->at.vpn.val && (leg->given || leg->there);
}

/* Entries that a fork made while the page was locked: nobody gave those. */
static void unlock_latecomers(struct uhmm_restore *r,
			      const struct uhmm_leg *leg)
{
	struct uhmm_store *store = &r->core->store;
	struct uhmm_mapping at;

	for (uint32_t i = 0; uhmm_page_mapping(store, leg->dpfn, i, &at); i++)
		if (uhmm_softleaf_is_migration(
			    uhmm_shadow_get(store, at.mm, at.vpn)))
			unlock_leg(r, leg, at);
}

static uint64_t finish_leg(struct uhmm_restore *r, const struct uhmm_leg *leg)
{
	struct uhmm_mapping at;

	if (!find_leg(r, leg, &at))
		return 0;
	if (!is_over(r, leg, at)) {
		unlock_leg(r, leg, at);
		return 0;
	}
	uhmm_shadow_clear(&r->core->store, at.mm, at.vpn);
	return leg->given;
}

uint64_t uhmm_restore_finish(struct uhmm_restore *r)
{
	uint64_t given = 0;

	for (uint32_t i = 0; i < r->nlegs; i++)
		given += finish_leg(r, &r->leg[i]);
	for (uint32_t i = 0; i < r->nlegs; i++) {
		struct uhmm_leg *leg = &r->leg[i];

		if (uhmm_page_state(&r->core->store, leg->dpfn) ==
		    UHMM_PAGE_MAPPED)
			unlock_latecomers(r, leg);
		if (i + 1 == r->nlegs || leg->mm != leg[1].mm)
			r->core->ops->wake(r->core, leg->mm);
	}
	for (uint32_t i = 0; i < r->nlegs; i++)
		uhmm_mm_put(r->leg[i].mm);
	free(r->leg);
	memset(r, 0, sizeof(*r));
	return given;
}
