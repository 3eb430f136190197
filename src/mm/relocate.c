/* SPDX-License-Identifier: MIT */
/* relocate.c - device pages to another device (relocate.h) */
#include "mm/relocate.h"

#include <errno.h>
#include <stdlib.h>

#include <uhmm/device_private.h>

#include "mm/unit.h"

static bool is_private(const struct uhmm_core *core, uhmm_dpfn_t dpfn)
{
	return uhmm_pagemap_type_of(core, dpfn) == UHMM_MEMORY_DEVICE_PRIVATE;
}

static int copy_page(struct uhmm_core *core, uhmm_dpfn_t from, uhmm_dpfn_t to)
{
	void *page = malloc(core->page_bytes);
	int err = 0;

	if (!page)
		return -ENOMEM;
	core->ops->page_clear(core, to);
	if (core->ops->page_read(core, from, 1, page) != 1 ||
	    core->ops->page_write(core, to, 1, page) != 1)
		err = -EIO;
	free(page);
	return err;
}

int uhmm_restore_redirect(struct uhmm_restore *r, uhmm_dpfn_t dpfn,
			  uhmm_dpfn_t dest)
{
	int err = -EINVAL;

	if (!r->nlegs || !is_private(r->core, dpfn) ||
	    !is_private(r->core, dest))
		return err;
	for (uint32_t i = 0; i < r->nlegs; i++) {
		if (r->leg[i].dpfn.val != dpfn.val)
			continue;
		if (err) {
			err = copy_page(r->core, dpfn, dest);
			r->leg[i].holds = !err;
		}
		if (err)
			break;
		r->leg[i].wanted = false;
		r->leg[i].dest = dest;
	}
	return err;
}

bool uhmm_relocate_leg(struct uhmm_restore *r, struct uhmm_leg *leg)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(leg->mm, leg->now);
	unsigned int bits = uhmm_softleaf_bits(leaf);
	bool write = uhmm_softleaf_is_migration_write(leaf);

	if (!leg->dest.val || (bits & UHMM_SOFTLEAF_ZAPPED) || leg->mm->gone)
		return false;
	/* a unit is one again when all of it has moved */
	leg->unit = uhmm_unit_has(leaf);
	uhmm_unit_split(&r->core->store, leg->mm->slot, leg->now);
	bits &= ~(unsigned int)UHMM_SOFTLEAF_COMPOUND;
	return !uhmm_shadow_set(
		&r->core->store, leg->mm->slot, leg->now,
		uhmm_softleaf_with_bits(uhmm_softleaf_from_dpfn(leg->dest,
								write),
					bits));
}

void uhmm_relocate_settle(struct uhmm_restore *r, const struct uhmm_leg *leg)
{
	struct uhmm_store *store = &r->core->store;

	if (leg->unit)
		uhmm_unit_join(store, leg->mm->slot, leg->now);
	if (leg->holds &&
	    uhmm_page_state(store, leg->dest) == UHMM_PAGE_ALLOCATED)
		uhmm_page_free(store, leg->dest);
}

uint64_t uhmm_relocate_count(const struct uhmm_core *core)
{
	const struct uhmm_list *node;
	uint64_t n = 0;

	UHMM_LIST_EACH(node, &core->restores) {
		const struct uhmm_restore *r =
			UHMM_CONTAINER_OF(node, struct uhmm_restore, link);

		for (uint32_t i = 0; i < r->nlegs; i++)
			n += r->leg[i].holds;
	}
	return n;
}

struct uhmm_mm *uhmm_relocate_to(struct uhmm_core *core, uhmm_dpfn_t first,
				 uhmm_dpfn_t end)
{
	const struct uhmm_list *node;

	UHMM_LIST_EACH(node, &core->restores) {
		const struct uhmm_restore *r =
			UHMM_CONTAINER_OF(node, struct uhmm_restore, link);

		for (uint32_t i = 0; i < r->nlegs; i++)
			if (r->leg[i].holds && r->leg[i].dest.val >= first.val &&
			    r->leg[i].dest.val < end.val)
				return r->leg[i].mm;
	}
	return NULL;
}
