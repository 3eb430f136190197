/* SPDX-License-Identifier: MIT */
/* coherent.c - pages of a device whose memory the CPU can reach (coherent.h) */
#include "mm/coherent.h"

#include <errno.h>

#include "mm/mm.h"
#include "mm/page.h"
#include "mm/restore.h"

static bool is_shared(const struct uhmm_mm *mm, uhmm_softleaf_t leaf)
{
	return uhmm_page_mapcount(&mm->core->store,
				  uhmm_softleaf_to_dpfn(leaf)) > 1;
}

void uhmm_coherent_break(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_store *store = &mm->core->store;
	uhmm_softleaf_t leaf;

	for (; uhmm_shadow_next(store, mm->slot, &r.start, r.end, &leaf);
	     r.start.val++)
		if (uhmm_softleaf_is_device_coherent(leaf) &&
		    is_shared(mm, leaf))
			uhmm_shadow_clear(store, mm->slot, r.start);
}

void uhmm_coherent_leave(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_store *store = &mm->core->store;
	uhmm_softleaf_t leaf;

	for (; !mm->gone &&
	       uhmm_shadow_next(store, mm->slot, &r.start, r.end, &leaf);
	     r.start.val++) {
		if (!uhmm_softleaf_is_device_coherent(leaf))
			continue;
		uhmm_mm_invalidate(mm, uhmm_range_of(r.start, 1),
				   UHMM_NOTIFY_MIGRATE, NULL);
		uhmm_shadow_clear(store, mm->slot, r.start);
	}
	uhmm_mm_settle(mm);
}

static bool can_take(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, vpn);

	return uhmm_softleaf_is_device_coherent(leaf) && !is_shared(mm, leaf);
}

/* The next run of pages of @r that can be taken. */
static bool next_run(const struct uhmm_mm *mm, struct uhmm_range *r,
		     struct uhmm_range *run)
{
	while (r->start.val < r->end.val && !can_take(mm, r->start))
		r->start.val++;
	*run = uhmm_range_of(r->start, 0);
	while (r->start.val < r->end.val && can_take(mm, r->start))
		run->end.val = ++r->start.val;
	return uhmm_range_npages(*run) > 0;
}

/* What of @r is not taken may be written again. Where that fails now the CPU
 * asks for it when it writes. */
static int let_go(struct uhmm_mm *mm, struct uhmm_range r)
{
	int err = 0;

	for (; err != -ESRCH && r.start.val < r.end.val; r.start.val++)
		if (uhmm_softleaf_is_device_coherent(
			    uhmm_mm_leaf(mm, r.start)))
			err = mm->ops->unprotect(mm->ops_ctx,
						 uhmm_range_of(r.start, 1));
	return err == -ESRCH ? err : 0;
}

static int take_run(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_restore restore = { 0 };
	int err = 0;

	for (uhmm_vpn_t v = r.start; !err && v.val < r.end.val; v.val++)
		err = uhmm_restore_lock(
			&restore, mm->core,
			uhmm_softleaf_to_dpfn(uhmm_mm_leaf(mm, v)));
	if (!err)
		err = mm->ops->trap(mm->ops_ctx, r);
	if (!err)
		uhmm_restore_take(&restore);
	if (restore.nlegs)
		uhmm_restore_finish(&restore);
	if (mm->gone)
		return -ESRCH;
	if (err == -ENOMEM || err == -ESRCH)
		return err;
	return let_go(mm, r);
}

int uhmm_coherent_take(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_range run;
	int err = 0;

	while (!err && next_run(mm, &r, &run))
		err = take_run(mm, run);
	return err;
}
