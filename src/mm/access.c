/* SPDX-License-Identifier: MIT */
/* access.c - what drivers and hosts may know of a core and its programs
 * (uhmm/mm.h, uhmm/core.h, uhmm/device_private.h)
 */
#include <errno.h>
#include <stdlib.h>

#include <uhmm/device_private.h>

#include "mm/mm.h"
#include "mm/page.h"

/* ---- a core ---- */

int uhmm_core_create(const struct uhmm_core_ops *ops, void *ctx,
		     uint64_t page_bytes, uint64_t pmd_bytes,
		     struct uhmm_core **out)
{
	struct uhmm_core *core = calloc(1, sizeof(*core));
	struct uhmm_store store = { 0 };
	int err;

	if (!core)
		return -ENOMEM;
	err = uhmm_store_map(&store, NULL);
	if (!err)
		err = uhmm_core_init(core, store, ops, ctx, page_bytes,
				     pmd_bytes);
	if (err) {
		uhmm_store_unmap(&store);
		free(core);
		return err;
	}
	*out = core;
	return 0;
}

void uhmm_core_destroy(struct uhmm_core *core)
{
	if (!core)
		return;
	uhmm_core_fini(core);
	uhmm_store_unmap(&core->store);
	free(core);
}

void *uhmm_core_ctx(const struct uhmm_core *core)
{
	return core->ops_ctx;
}

uint64_t uhmm_core_page_bytes(const struct uhmm_core *core)
{
	return core->page_bytes;
}

uint64_t uhmm_core_pmd_npages(const struct uhmm_core *core)
{
	return core->pmd_npages;
}

uint64_t uhmm_core_now_ns(struct uhmm_core *core)
{
	return core->ops->now_ns(core);
}

/* ---- device pages ---- */

uint64_t uhmm_device_private_read(struct uhmm_core *core, uhmm_dpfn_t dpfn,
				  uint64_t npages, void *buf)
{
	return core->ops->page_read(core, dpfn, npages, buf);
}

uint64_t uhmm_device_private_write(struct uhmm_core *core, uhmm_dpfn_t dpfn,
				   uint64_t npages, const void *buf)
{
	return core->ops->page_write(core, dpfn, npages, buf);
}

int uhmm_device_private_offset_to_page(struct uhmm_core *core, uint64_t offset,
				       struct uhmm_device_page *page)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(offset);
	struct uhmm_pagemap *pgmap = uhmm_pagemap_of(core, dpfn);

	if (!pgmap)
		return -ENXIO;
	*page = (struct uhmm_device_page){
		.dpfn = dpfn,
		.pgmap = pgmap,
		.used = uhmm_page_state(&core->store, dpfn) != UHMM_PAGE_FREE,
		.mapcount = uhmm_page_mapcount(&core->store, dpfn),
	};
	return 0;
}

/* ---- an mm ---- */

struct uhmm_core *uhmm_mm_core(const struct uhmm_mm *mm)
{
	return mm->core;
}

bool uhmm_mm_is_gone(const struct uhmm_mm *mm)
{
	return mm->gone;
}

int uhmm_find_vma(struct uhmm_mm *mm, uhmm_vpn_t vpn, struct uhmm_vma *vma)
{
	int err = mm->gone ? -ESRCH :
			     mm->ops->vma_find(mm->ops_ctx, vpn, vma);

	/* what is a mapping of its own only for us is none */
	if (!err && vma->by_fence)
		vma->range.end = mm->ops->mapping_end(mm->ops_ctx, vma,
						      UHMM_VPN(UINT64_MAX));
	return err;
}

int uhmm_mm_scan(struct uhmm_mm *mm, struct uhmm_range r, uint8_t *pte)
{
	return mm->gone ? -ESRCH : mm->ops->scan(mm->ops_ctx, r, pte);
}

int uhmm_mm_watch(struct uhmm_mm *mm, struct uhmm_range r)
{
	return mm->gone ? -ESRCH : mm->ops->look(mm->ops_ctx, r);
}

bool uhmm_mm_is_watched(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	return !mm->gone && mm->ops->is_watched(mm->ops_ctx, vpn);
}

int uhmm_mm_protect(struct uhmm_mm *mm, struct uhmm_range r)
{
	return mm->gone ? -ESRCH : mm->ops->protect(mm->ops_ctx, r);
}

int64_t uhmm_mm_read(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint64_t npages,
		     void *buf)
{
	return mm->gone ? -ESRCH :
			  mm->ops->read(mm->ops_ctx, vpn, npages, buf);
}

int64_t uhmm_mm_write(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint64_t npages,
		      const void *buf)
{
	return mm->gone ? -ESRCH :
			  mm->ops->write(mm->ops_ctx, vpn, npages, buf);
}
