/* SPDX-License-Identifier: MIT */
/* to_ram.c - device pages back to ordinary memory, without a driver's choice
 * (uhmm/migrate.h), after a CPU fault. Chosen by place (evict.c: by device page);
 * what mapping they are in does not matter.
 */
#include <errno.h>

#include <uhmm/migrate.h>

#include "mm/mm.h"
#include "mm/page.h"
#include "mm/restore.h"
#include "mm/unit.h"

/* Pages locked at once. */
#define BATCH 512

/* Of the pagemap for exclusive pages are those of coherent devices, too, though
 * they wait in memory of these. */
static bool is_of(struct uhmm_core *core, uhmm_softleaf_t leaf,
		  const struct uhmm_pagemap *pgmap)
{
	if (pgmap && pgmap == core->exclusive)
		return uhmm_softleaf_is_device_exclusive(leaf);
	return uhmm_softleaf_is_away(leaf) &&
	       (!pgmap ||
		uhmm_pagemap_of(core, uhmm_softleaf_to_dpfn(leaf)) == pgmap);
}

/* Is the page at @vpn in a unit? A CPU that touches one of its pages gets all
 * of them. */
static bool is_in_unit(struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	struct uhmm_vma vma;

	return uhmm_unit_of(&mm->core->store, mm->slot, vpn) &&
	       !mm->ops->vma_find(mm->ops_ctx, vpn, &vma) &&
	       uhmm_unit_is_intact(mm, vpn, &vma);
}

/* Lock the page that has @leaf at *@vpn, or the unit it is in, behind which
 * *@vpn is then. */
static int lock_here(struct uhmm_restore *restore, struct uhmm_mm *mm,
		     uhmm_vpn_t *vpn, uhmm_softleaf_t leaf)
{
	struct uhmm_range unit = uhmm_unit_range(*vpn);
	uhmm_dpfn_t dpfn = uhmm_softleaf_to_dpfn(leaf);
	int err;

	if (!is_in_unit(mm, *vpn)) {
		vpn->val++;
		return uhmm_restore_lock(restore, mm->core, dpfn);
	}
	dpfn.val -= vpn->val - unit.start.val;
	err = uhmm_restore_lock_unit(restore, mm->core, dpfn);
	*vpn = unit.end;
	return err;
}

/* Lock at least BATCH pages of @pgmap from *@vpn on, if there are so many. */
static void lock_by_place(struct uhmm_restore *restore, struct uhmm_mm *mm,
			  uhmm_vpn_t *vpn, uhmm_vpn_t end,
			  const struct uhmm_pagemap *pgmap)
{
	uhmm_softleaf_t leaf;
	int err;

	while (restore->nlegs < BATCH &&
	       uhmm_shadow_next(&mm->core->store, mm->slot, vpn, end, &leaf)) {
		uhmm_vpn_t here = *vpn;

		if (!is_of(mm->core, leaf, pgmap)) {
			vpn->val++;
			continue;
		}
		err = lock_here(restore, mm, vpn, leaf);
		if (err == -ENOMEM && restore->nlegs) {
			*vpn = here;
			return;
		}
	}
}

int64_t uhmm_migrate_to_ram(struct uhmm_mm *mm, struct uhmm_range r,
			    struct uhmm_pagemap *pgmap)
{
	struct uhmm_restore restore = { 0 };
	uhmm_vpn_t vpn = r.start;
	int64_t back = 0;

	do {
		if (mm->gone)
			return -ESRCH;
		lock_by_place(&restore, mm, &vpn, r.end, pgmap);
		if (!restore.nlegs)
			break;
		back += (int64_t)uhmm_restore_run(&restore, mm);
	} while (vpn.val < r.end.val);
	uhmm_mm_settle(mm);
	return back;
}
