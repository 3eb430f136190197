/* SPDX-License-Identifier: MIT */
/* to_dev.c - pages to device memory, without a driver's choice (migrate.h) */
#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>

#include "mm/mm.h"

/** Room for one piece. */
struct piece {
	struct uhmm_migrate_vma args;
	uint64_t src[UHMM_MIGRATE_NPAGES_MAX];
	uint64_t dst[UHMM_MIGRATE_NPAGES_MAX];
};

/* Is the piece one PMD-sized unit that moves, or did? */
static bool is_unit(const struct piece *p)
{
	const uint64_t both = UHMM_MIGRATE_PFN_MIGRATE |
			      UHMM_MIGRATE_PFN_COMPOUND;

	return (p->src[0] & both) == both;
}

/* How many pages of the piece want one of the device? */
static uint64_t wanted(const struct piece *p)
{
	return is_unit(p) ? UHMM_UNIT_NPAGES : p->args.cpages;
}

/* A unit whole, if that can be had; else page by page. */
static void allocate(struct piece *p)
{
	bool unit = is_unit(p);
	uhmm_dpfn_t dpfn;

	if (unit &&
	    !uhmm_pagemap_alloc(p->args.pgmap, UHMM_UNIT_ORDER, &dpfn)) {
		p->dst[0] = uhmm_migrate_pfn(dpfn) | UHMM_MIGRATE_PFN_COMPOUND;
		return;
	}
	for (uint64_t i = 0; i < uhmm_range_npages(p->args.range); i++)
		if ((unit || (p->src[i] & UHMM_MIGRATE_PFN_MIGRATE)) &&
		    uhmm_pagemap_alloc(p->args.pgmap, 0, &dpfn) == 0)
			p->dst[i] = uhmm_migrate_pfn(dpfn);
}

static int64_t count_moved(const struct piece *p)
{
	uint64_t npages = uhmm_range_npages(p->args.range);
	int64_t moved = 0;

	if (is_unit(p))
		return (int64_t)npages;
	for (uint64_t i = 0; i < npages; i++)
		moved += (p->src[i] & UHMM_MIGRATE_PFN_MIGRATE) != 0;
	return moved;
}

static int64_t move_piece(struct piece *p, struct uhmm_mm *mm,
			  struct uhmm_range r, struct uhmm_pagemap *pgmap,
			  unsigned int flags)
{
	int err;

	p->args = (struct uhmm_migrate_vma){
		.mm = mm,
		.range = r,
		.src = p->src,
		.dst = p->dst,
		.pgmap = pgmap,
		.flags = UHMM_MIGRATE_VMA_SELECT_SYSTEM |
			 UHMM_MIGRATE_VMA_SELECT_COMPOUND |
			 (flags & UHMM_MIGRATE_VMA_AT_ONCE),
	};
	err = uhmm_migrate_vma_setup(&p->args);
	if (err)
		return err;
	if (flags & UHMM_MIGRATE_VMA_MAKE_ROOM)
		uhmm_pagemap_make_room(pgmap, wanted(p));
	allocate(p);
	uhmm_migrate_vma_pages(&p->args);
	uhmm_migrate_vma_finalize(&p->args);
	return count_moved(p);
}

int64_t uhmm_migrate_to_dev(struct uhmm_mm *mm, struct uhmm_range r,
			    struct uhmm_pagemap *pgmap, unsigned int flags)
{
	struct piece *p = malloc(sizeof(*p));
	int64_t moved = 0, n = p ? 0 : -ENOMEM;

	while (n >= 0 && r.start.val < r.end.val) {
		struct uhmm_range part = uhmm_range_clip(
			uhmm_range_of(r.start, UHMM_MIGRATE_NPAGES_MAX), r);

		n = mm->gone ? -ESRCH : move_piece(p, mm, part, pgmap, flags);
		moved += n > 0 ? n : 0;
		r.start = part.end;
	}
	free(p);
	return n < 0 && !moved ? n : moved;
}
