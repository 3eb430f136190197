/* SPDX-License-Identifier: MIT */
/* migrate_device.c - migration of device pages chosen by number, whoever maps
 * them (uhmm/migrate.h)
 */
#include <uhmm/migrate.h>

#include <errno.h>
#include <string.h>

#include "mm/mm.h"
#include "mm/page.h"
#include "mm/relocate.h"
#include "mm/unit.h"

static uhmm_dpfn_t dpfn_of(const struct uhmm_migrate_device *args, uint64_t i)
{
	return UHMM_DPFN(args->start.val + i);
}

/* Is page @i the first of a unit that lies in the range? */
static bool begins_unit(const struct uhmm_migrate_device *args, uint64_t i)
{
	return args->npages - i >= UHMM_UNIT_NPAGES &&
	       uhmm_unit_heads(&args->core->store, dpfn_of(args, i));
}

/* ---- setup ---- */

/* Lock page @i, or the unit it begins. Return: pages that were looked at */
static uint64_t collect(struct uhmm_migrate_device *args, uint64_t i)
{
	bool unit = begins_unit(args, i);
	uint64_t npages = unit ? UHMM_UNIT_NPAGES : 1;
	int err;

	if (uhmm_page_state(&args->core->store, dpfn_of(args, i)) !=
	    UHMM_PAGE_MAPPED)
		return npages;
	err = unit ? uhmm_restore_lock_unit(&args->restore, args->core,
					    dpfn_of(args, i)) :
		     uhmm_restore_lock(&args->restore, args->core,
				       dpfn_of(args, i));
	if (err)
		return npages;
	args->src[i] = uhmm_migrate_pfn(dpfn_of(args, i)) |
		       UHMM_MIGRATE_PFN_MIGRATE |
		       (unit ? UHMM_MIGRATE_PFN_COMPOUND : 0);
	args->cpages += npages;
	return npages;
}

int uhmm_migrate_device_range(struct uhmm_migrate_device *args)
{
	const struct uhmm_pagemap *pgmap =
		uhmm_pagemap_of(args->core, args->start);
	struct uhmm_restore *restore = &args->restore;

	if (!pgmap || !args->npages ||
	    args->npages > UHMM_MIGRATE_NPAGES_MAX ||
	    args->npages > uhmm_pagemap_end(pgmap).val - args->start.val)
		return -EINVAL;
	memset(args->src, 0, args->npages * sizeof(*args->src));
	memset(args->dst, 0, args->npages * sizeof(*args->dst));
	memset(restore, 0, sizeof(*restore));
	args->cpages = 0;
	for (uint64_t i = 0; i < args->npages;)
		i += collect(args, i);
	for (uint32_t i = 0; i < restore->nlegs; i++)
		uhmm_mm_invalidate(restore->leg[i].mm,
				   uhmm_range_of(restore->leg[i].at.vpn, 1),
				   UHMM_NOTIFY_MIGRATE, NULL);
	uhmm_restore_tell(restore, 0, NULL);
	return 0;
}

/* ---- pages ---- */

#define COMPOUND ((uint64_t)UHMM_MIGRATE_PFN_COMPOUND)
#define NUMBER_ONE (UINT64_C(1) << UHMM_MIGRATE_PFN_SHIFT)

/* What page @k of a unit is to become whose first page has @word. */
static uint64_t word_of(uint64_t word, uint64_t k)
{
	word &= ~COMPOUND;
	return uhmm_migrate_pfn_is_device(word) ? word + k * NUMBER_ONE : word;
}

static void free_page(struct uhmm_core *core, uint64_t word)
{
	if (uhmm_migrate_pfn_is_device(word))
		uhmm_page_free(&core->store, uhmm_migrate_pfn_to_dpfn(word));
}

/* Page @i, which is locked, goes where @word says. Return: it can */
static bool send(struct uhmm_migrate_device *args, uint64_t i, uint64_t word)
{
	if (word == UHMM_MIGRATE_PFN_SYSTEM)
		return true;
	if (uhmm_migrate_pfn_is_device(word) &&
	    !uhmm_restore_redirect(&args->restore, dpfn_of(args, i),
				   uhmm_migrate_pfn_to_dpfn(word)))
		return true;
	free_page(args->core, word);
	uhmm_restore_unwant(&args->restore, dpfn_of(args, i));
	return false;
}

/* A unit with base pages as destinations is none any more; one with a unit, or
 * nothing, as destination has a word for each page now. */
static void unpack(struct uhmm_migrate_device *args, uint64_t i)
{
	bool whole = !args->dst[i] || (args->dst[i] & COMPOUND);

	for (uint64_t k = UHMM_UNIT_NPAGES; k-- > 0;) {
		args->src[i + k] = word_of(args->src[i], k);
		if (whole)
			args->dst[i + k] = word_of(args->dst[i], k);
	}
	if (!whole)
		uhmm_restore_split(&args->restore);
}

/* Nothing of a unit's size goes to the place of a base page. */
static void refuse(struct uhmm_migrate_device *args, uint64_t i)
{
	for (uint64_t k = 0; k < UHMM_UNIT_NPAGES; k++)
		free_page(args->core, word_of(args->dst[i], k));
	args->dst[i] = 0;
}

static bool is_back(const struct uhmm_migrate_device *args, uhmm_dpfn_t dpfn)
{
	for (uint32_t k = 0; k < args->restore.nlegs; k++)
		if (args->restore.leg[k].dpfn.val == dpfn.val &&
		    args->restore.leg[k].given)
			return true;
	return false;
}

void uhmm_migrate_device_pages(struct uhmm_migrate_device *args)
{
	for (uint64_t i = 0; i < args->npages; i++) {
		if (args->src[i] & COMPOUND)
			unpack(args, i);
		else if (args->dst[i] & COMPOUND)
			refuse(args, i);
		if ((args->src[i] & UHMM_MIGRATE_PFN_MIGRATE) &&
		    !send(args, i, args->dst[i])) {
			args->src[i] &= ~(uint64_t)UHMM_MIGRATE_PFN_MIGRATE;
			args->dst[i] = 0;
		}
	}
	uhmm_restore_give(&args->restore);
	for (uint64_t i = 0; i < args->npages; i++)
		if (args->dst[i] == UHMM_MIGRATE_PFN_SYSTEM &&
		    !is_back(args, dpfn_of(args, i)))
			args->src[i] &= ~(uint64_t)UHMM_MIGRATE_PFN_MIGRATE;
}

void uhmm_migrate_device_finalize(struct uhmm_migrate_device *args)
{
	struct uhmm_list *node;

	if (args->restore.nlegs)
		uhmm_restore_finish(&args->restore);
	UHMM_LIST_EACH(node, &args->core->mms)
		uhmm_mm_settle(UHMM_CONTAINER_OF(node, struct uhmm_mm, link));
}
