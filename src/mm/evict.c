/* SPDX-License-Identifier: MIT */
/* evict.c - pages of a device go back to whoever maps them, chosen by device
 * page (uhmm/migrate.h): all of them, or the coldest when there is no room
 *
 * Who is cold. A page that is new, or that its driver has used, is marked
 * (page.h). A hand goes round over the pages of a device, as a clock's: it takes
 * the mark from those that have one and evicts those that have none. It goes
 * round twice at most, so it finds every page that can be evicted.
 */
#include <uhmm/migrate.h>

#include <errno.h>

#include "mm/mm.h"
#include "mm/page.h"
#include "mm/restore.h"
#include "mm/unit.h"

/* Pages locked at once. */
#define BATCH 512

/* Is @dpfn a page of a coherent device that one has for itself? */
static bool is_exclusive(const struct uhmm_pagemap *pgmap, uhmm_dpfn_t dpfn,
			 struct uhmm_mapping *at)
{
	const struct uhmm_store *store = &pgmap->core->store;

	return pgmap->type == UHMM_MEMORY_DEVICE_COHERENT &&
	       uhmm_page_mapping(store, dpfn, 0, at) &&
	       uhmm_softleaf_is_device_exclusive(
		       uhmm_shadow_get(store, at->mm, at->vpn));
}

/* Such a page is not evicted, as in the kernel; that it was tried makes it
 * read-only when a CPU gets it. */
static bool skip(const struct uhmm_pagemap *pgmap, uhmm_dpfn_t dpfn)
{
	struct uhmm_store *store = &pgmap->core->store;
	struct uhmm_mapping at;
	uhmm_softleaf_t leaf;

	if (!is_exclusive(pgmap, dpfn, &at))
		return false;
	leaf = uhmm_shadow_get(store, at.mm, at.vpn);
	uhmm_shadow_change(store, at.mm, at.vpn,
			   uhmm_softleaf_with_bits(
				   leaf, uhmm_softleaf_bits(leaf) |
						 UHMM_SOFTLEAF_UFFD_WP));
	return true;
}

/* Lock page *@dpfn, or the unit it begins, behind which *@dpfn is then. */
static int lock_this(struct uhmm_restore *restore, struct uhmm_core *core,
		     uhmm_dpfn_t *dpfn)
{
	uhmm_dpfn_t first = *dpfn;

	if (!uhmm_unit_heads(&core->store, first)) {
		dpfn->val++;
		return uhmm_restore_lock(restore, core, first);
	}
	dpfn->val += UHMM_UNIT_NPAGES;
	return uhmm_restore_lock_unit(restore, core, first);
}

/* Lock about BATCH pages from *@dpfn on that are not on their way already:
 * those that are @exclusive, or the others. */
static bool lock_by_page(struct uhmm_restore *restore,
			 struct uhmm_pagemap *pgmap, uhmm_dpfn_t *dpfn,
			 bool exclusive)
{
	struct uhmm_store *store = &pgmap->core->store;
	uhmm_dpfn_t end = uhmm_pagemap_end(pgmap);
	struct uhmm_mapping at;

	while (restore->nlegs < BATCH && uhmm_page_next(store, dpfn, end)) {
		uhmm_dpfn_t here = *dpfn;

		if (exclusive ? !is_exclusive(pgmap, *dpfn, &at) :
				skip(pgmap, *dpfn)) {
			dpfn->val++;
			continue;
		}
		if (lock_this(restore, pgmap->core, dpfn) == -ENOMEM) {
			*dpfn = here;
			break;
		}
	}
	return restore->nlegs > 0;
}

static void settle_all(struct uhmm_core *core)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &core->mms)
		uhmm_mm_settle(UHMM_CONTAINER_OF(node, struct uhmm_mm, link));
}

uint64_t uhmm_migrate_evict(struct uhmm_pagemap *pgmap)
{
	struct uhmm_restore restore = { 0 };
	uhmm_dpfn_t dpfn = uhmm_pagemap_first(pgmap);
	uint64_t back = 0;

	while (lock_by_page(&restore, pgmap, &dpfn, false))
		back += uhmm_restore_run(&restore, NULL);
	settle_all(pgmap->core);
	return back;
}

uint64_t uhmm_migrate_evict_all(struct uhmm_pagemap *pgmap)
{
	struct uhmm_restore restore = { 0 };
	uhmm_dpfn_t dpfn = uhmm_pagemap_first(pgmap);

	while (lock_by_page(&restore, pgmap, &dpfn, true))
		uhmm_restore_run(&restore, NULL);
	return uhmm_migrate_evict(pgmap);
}

/* ---- the coldest ---- */

/** One search for cold pages. */
struct sweep {
	struct uhmm_pagemap *pgmap;
	uint64_t left;		/* numbers that the hand may still pass */
};

/* The hand goes on to the next page that is in use. */
static bool advance(struct sweep *s)
{
	struct uhmm_pagemap *pgmap = s->pgmap;
	uint64_t first = uhmm_pagemap_first(pgmap).val;
	uhmm_dpfn_t from = UHMM_DPFN(first + pgmap->hand), at = from;
	bool found = uhmm_page_next(&pgmap->core->store, &at,
				    uhmm_pagemap_end(pgmap));
	uint64_t passed = (found ? at.val : first + pgmap->npages) - from.val;

	pgmap->hand = found ? at.val - first : 0;
	if (passed >= s->left) {
		s->left = 0;
		return false;
	}
	s->left -= passed;
	return found || advance(s);
}

/* Was the page at the hand, or any of the unit it begins, used lately? */
static bool is_hot(const struct sweep *s, uhmm_dpfn_t dpfn, uint64_t npages)
{
	struct uhmm_store *store = &s->pgmap->core->store;
	bool hot = false;

	for (uint64_t i = 0; i < npages; i++)
		hot |= uhmm_page_test_clear_accessed(
			store, UHMM_DPFN(dpfn.val + i));
	return hot;
}

/* Lock cold pages, @want of them if there are so many. */
static bool lock_cold(struct uhmm_restore *restore, struct sweep *s,
		      uint64_t want)
{
	struct uhmm_pagemap *pgmap = s->pgmap;
	struct uhmm_store *store = &pgmap->core->store;
	uint64_t n = 0;

	while (n < want && advance(s)) {
		uhmm_dpfn_t dpfn = UHMM_DPFN(
			uhmm_pagemap_first(pgmap).val + pgmap->hand);
		uint64_t npages = uhmm_unit_heads(store, dpfn) ?
					  UHMM_UNIT_NPAGES :
					  1;

		if (!is_hot(s, dpfn, npages) && !skip(pgmap, dpfn) &&
		    !lock_this(restore, pgmap->core, &dpfn))
			n += npages;
		pgmap->hand += npages;
		s->left -= npages < s->left ? npages : s->left;
		pgmap->hand %= pgmap->npages;
	}
	return n > 0;
}

static uint64_t room_of(const struct uhmm_pagemap *pgmap)
{
	return pgmap->npages - uhmm_pagemap_used(pgmap);
}

uint64_t uhmm_pagemap_make_room(struct uhmm_pagemap *pgmap, uint64_t npages)
{
	struct sweep s = { .pgmap = pgmap, .left = 2 * pgmap->npages };
	struct uhmm_restore restore = { 0 };
	uint64_t back = 0;

	while (room_of(pgmap) < npages) {
		uint64_t want = npages - room_of(pgmap);

		if (!lock_cold(&restore, &s, want < BATCH ? want : BATCH))
			break;
		back += uhmm_restore_run(&restore, NULL);
	}
	if (back)
		settle_all(pgmap->core);
	return back;
}
