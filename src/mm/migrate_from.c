/* SPDX-License-Identifier: MIT */
/* migrate_from.c - the device pages of a migration (migrate_from.h) */
#include "mm/migrate_from.h"

#include "mm/migrate_args.h"
#include "mm/migrate_unit.h"
#include "mm/mm.h"
#include "mm/page.h"
#include "mm/relocate.h"
#include "mm/unit.h"

/* ---- setup ---- */

/* Lock a device page, or the @unit that begins with it, in every mm; when there
 * are others, mirrors are told as by a walk of the reverse map. */
static int lock_device_page(struct uhmm_migrate_vma *args, uhmm_dpfn_t dpfn,
			    bool unit)
{
	struct uhmm_restore *restore = &args->restore;
	struct uhmm_core *core = args->mm->core;
	uint32_t before = restore->nlegs;
	int err = unit ? uhmm_restore_lock_unit(restore, core, dpfn) :
			 uhmm_restore_lock(restore, core, dpfn);

	uhmm_restore_tell(restore, before, args->mm);
	return err;
}

/* Are pages with such an entry asked for? */
static bool is_selected(const struct uhmm_migrate_vma *args,
			uhmm_softleaf_t leaf)
{
	enum uhmm_migrate_vma_flags flag;

	if (uhmm_softleaf_is_device_private(leaf))
		flag = UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
	else if (uhmm_softleaf_is_device_coherent(leaf))
		flag = UHMM_MIGRATE_VMA_SELECT_DEVICE_COHERENT;
	else
		return false;
	return uhmm_args_want(args, flag) &&
	       (!args->pgmap ||
		uhmm_pagemap_of(args->mm->core, uhmm_softleaf_to_dpfn(leaf)) ==
			args->pgmap);
}

/* What src[] says of a device page with entry @leaf. */
static uint64_t src_of_device(uhmm_softleaf_t leaf)
{
	return uhmm_migrate_pfn(uhmm_softleaf_to_dpfn(leaf)) |
	       UHMM_MIGRATE_PFN_MIGRATE |
	       (uhmm_softleaf_is_device_private_write(leaf) ?
			UHMM_MIGRATE_PFN_WRITE :
			0);
}

/* The range is a unit of device pages: it is locked whole, or stays. */
static void collect_device_unit(struct uhmm_migrate_vma *args)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(args->mm, args->range.start);

	if (!is_selected(args, leaf) ||
	    lock_device_page(args, uhmm_softleaf_to_dpfn(leaf), true))
		return;
	args->src[0] = src_of_device(leaf);
	args->unit = true;
	uhmm_migrate_unit_unpack(args);
}

void uhmm_migrate_from_collect(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;
	uhmm_vpn_t vpn = args->range.start;
	uhmm_softleaf_t leaf;

	if (uhmm_migrate_unit_fits(args) &&
	    uhmm_unit_of(&mm->core->store, mm->slot, vpn)) {
		collect_device_unit(args);
		return;
	}
	for (; uhmm_shadow_next(&mm->core->store, mm->slot, &vpn,
				args->range.end, &leaf);
	     vpn.val++) {
		if (!is_selected(args, leaf) ||
		    lock_device_page(args, uhmm_softleaf_to_dpfn(leaf), false))
			continue;
		args->src[vpn.val - args->range.start.val] =
			src_of_device(leaf);
	}
}

/* ---- pages ---- */

/* Is it a device page that is to become a system page? */
static bool goes_to_system(const struct uhmm_migrate_vma *args, uint64_t i)
{
	return (args->src[i] & UHMM_MIGRATE_PFN_MIGRATE) &&
	       uhmm_migrate_pfn_is_device(args->src[i]) &&
	       args->dst[i] == UHMM_MIGRATE_PFN_SYSTEM;
}

/* Page @i has gone to another device. */
static bool is_moved(const struct uhmm_migrate_vma *args, uint64_t i)
{
	return uhmm_args_bit(args->taken, i);
}

/* Page @i, a device page, goes to another device, if it can. */
static bool redirect(struct uhmm_migrate_vma *args, uint64_t i)
{
	if (!(args->src[i] & UHMM_MIGRATE_PFN_MIGRATE) ||
	    !uhmm_migrate_pfn_is_device(args->dst[i]) ||
	    uhmm_restore_redirect(&args->restore,
				  uhmm_migrate_pfn_to_dpfn(args->src[i]),
				  uhmm_migrate_pfn_to_dpfn(args->dst[i])))
		return false;
	uhmm_args_set(args->taken, i);
	return true;
}

/* Page @i, a device page, stays one of its device; what it was to go to instead
 * is free. */
static void keep(struct uhmm_migrate_vma *args, uint64_t i)
{
	uhmm_restore_unwant(&args->restore,
			    uhmm_migrate_pfn_to_dpfn(args->src[i]));
	if (uhmm_migrate_pfn_is_device(args->dst[i]))
		uhmm_page_free(&args->mm->core->store,
			       uhmm_migrate_pfn_to_dpfn(args->dst[i]));
	args->dst[i] = 0;
}

void uhmm_migrate_from_pages(struct uhmm_migrate_vma *args)
{
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
		if (uhmm_migrate_pfn_is_device(args->src[i]) &&
		    !goes_to_system(args, i) && !redirect(args, i))
			keep(args, i);
	uhmm_restore_give(&args->restore);
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
		if (uhmm_migrate_pfn_is_device(args->src[i]) &&
		    !is_moved(args, i) &&
		    !uhmm_restore_is_given(&args->restore, args->mm,
					   uhmm_args_vpn(args, i)))
			uhmm_args_stay(args, i);
}

/* ---- finalize ---- */

/* Is the program's page @i, which was a device's, the other device's now? The
 * program may have dropped it meanwhile. */
static bool is_elsewhere(const struct uhmm_migrate_vma *args, uint64_t i)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(args->mm, uhmm_args_vpn(args, i));

	return uhmm_softleaf_is_device_private(leaf) &&
	       uhmm_softleaf_to_dpfn(leaf).val ==
		       uhmm_migrate_pfn_to_dpfn(args->dst[i]).val;
}

void uhmm_migrate_from_finalize(struct uhmm_migrate_vma *args)
{
	uhmm_restore_finish(&args->restore);
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
		if (uhmm_migrate_pfn_is_device(args->src[i]) &&
		    is_moved(args, i) && !is_elsewhere(args, i))
			uhmm_args_stay(args, i);
}
