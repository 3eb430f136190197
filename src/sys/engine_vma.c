/* SPDX-License-Identifier: MIT */
/* engine_vma.c - the program's mappings as they are without us, and what is in
 * them: vma_find(), mapping_end(), scan(), the same for every engine (engine_base.h)
 *
 * What we register of a mapping is a mapping of its own for the kernel, and may
 * remain one when it is not registered any more. So a mapping that ends at
 * something of ours is looked at together with its neighbour: alike, and one
 * the continuation of the other, they are one to the program. Where every other
 * page is on a device there are as many mappings as pages: to look at all of
 * them at each request would make that a hundred times as dear. So some on either
 * side are enough: who works on more goes on where what was found ends.
 */
#include "sys/engine_base.h"

/* Neighbours of ours that are looked at, on either side. */
#define PARTS_MOST 16

/* May the border at @vpn be one that we made, now or before, and is it none of
 * what a fork copies? */
static bool is_ours(struct uhmm_engine *e, uint64_t vpn)
{
	return vpn && (uhmm_engine_op_is_watched(e, UHMM_VPN(vpn - 1)) ||
		       uhmm_engine_op_is_watched(e, UHMM_VPN(vpn))) &&
	       uhmm_engine_op_is_forked(e, UHMM_VPN(vpn - 1)) ==
		       uhmm_engine_op_is_forked(e, UHMM_VPN(vpn));
}

bool uhmm_engine_continues(const struct uhmm_vma *a, const struct uhmm_vma *b)
{
	return a->range.end.val == b->range.start.val && a->read == b->read &&
	       a->write == b->write && a->exec == b->exec &&
	       a->shared == b->shared && a->anon == b->anon &&
	       a->hugetlb == b->hugetlb && a->special == b->special &&
	       a->pfnmap == b->pfnmap && a->file == b->file &&
	       (!a->file || a->file_page + uhmm_range_npages(a->range) ==
				    b->file_page);
}

/* The part of the same mapping that begins where @vma ends. */
static bool find_behind(struct uhmm_engine *e, const struct uhmm_vma *vma,
			struct uhmm_vma *behind)
{
	return is_ours(e, vma->range.end.val) &&
	       uhmm_maps_find(&e->maps, vma->range.end, behind) == 0 &&
	       uhmm_engine_continues(vma, behind);
}

uhmm_vpn_t uhmm_engine_op_mapping_end(void *ctx, const struct uhmm_vma *vma,
				      uhmm_vpn_t until)
{
	struct uhmm_vma last = *vma, next;

	while (last.range.end.val < until.val && find_behind(ctx, &last, &next))
		last = next;
	return last.range.end;
}

/* The part of the same mapping that ends where @vma begins. */
static bool find_before(struct uhmm_engine *e, const struct uhmm_vma *vma,
			struct uhmm_vma *before)
{
	uint64_t start = vma->range.start.val;

	return is_ours(e, start) &&
	       uhmm_maps_find(&e->maps, UHMM_VPN(start - 1), before) == 0 &&
	       uhmm_engine_continues(before, vma);
}

/* Has the mapping that holds @vpn been looked up in this turn? */
static bool recall(struct uhmm_engine *e, uhmm_vpn_t vpn, struct uhmm_vma *vma)
{
	struct uhmm_engine_looks *looks = &e->looks;

	if (!e->env.turn)
		return false;
	if (looks->turn != *e->env.turn)
		*looks = (struct uhmm_engine_looks){ .turn = *e->env.turn };
	for (unsigned int i = 0; i < looks->n; i++) {
		if (!uhmm_range_has(looks->vma[i].range, vpn))
			continue;
		*vma = looks->vma[i];
		return true;
	}
	return false;
}

static void remember(struct uhmm_engine *e, const struct uhmm_vma *vma)
{
	struct uhmm_engine_looks *looks = &e->looks;

	if (!e->env.turn)
		return;
	looks->vma[looks->next++ % UHMM_ENGINE_LOOKS_MAX] = *vma;
	if (looks->n < UHMM_ENGINE_LOOKS_MAX)
		looks->n++;
}

/* With what is left of the mapping on both sides of *@vma, if that is not too
 * much to look at. */
static void put_together(struct uhmm_engine *e, struct uhmm_vma *vma)
{
	struct uhmm_vma part = *vma, next;

	for (int i = 0; i < PARTS_MOST && find_behind(e, &part, &next); i++) {
		vma->range.end = next.range.end;
		part = next;
	}
	part = *vma;
	for (int i = 0; i < PARTS_MOST && find_before(e, &part, &next); i++) {
		vma->range.start = next.range.start;
		vma->file_page = next.file_page;
		part = next;
	}
}

int uhmm_engine_op_vma_find(void *ctx, uhmm_vpn_t vpn, struct uhmm_vma *vma)
{
	struct uhmm_engine *e = ctx;
	int err;

	if (recall(e, vpn, vma))
		return 0;
	err = uhmm_maps_find(&e->maps, vpn, vma);
	if (err)
		return err;
	put_together(e, vma);
	remember(e, vma);
	return 0;
}

uhmm_vpn_t uhmm_engine_part_end(const struct uhmm_engine *engine,
				uhmm_vpn_t vpn)
{
	struct uhmm_vma vma;

	return uhmm_maps_find(&engine->maps, vpn, &vma) ||
			       !uhmm_range_has(vma.range, vpn) ?
		       vpn :
		       vma.range.end;
}

/* Is a page of @vma read-only until it is written? */
static bool is_written_back(struct uhmm_engine *e, const struct uhmm_vma *vma)
{
	return vma->shared && vma->write && vma->file && !vma->anon &&
	       !vma->hugetlb && !vma->special &&
	       !uhmm_memfs_has(&e->memfs, e->fds.maps, vma->device);
}

/* Nobody tells which of those the CPU has written: the kernel calls every page
 * soft dirty, if any, until somebody clears that for the whole program. So none
 * has been. */
static void mark_clean(struct uhmm_engine *e, struct uhmm_range r, uint8_t *pte)
{
	struct uhmm_range rest = r, part;
	struct uhmm_vma vma;

	for (; rest.start.val < rest.end.val; rest.start = vma.range.end) {
		if (uhmm_maps_find(&e->maps, rest.start, &vma))
			return;
		part = uhmm_range_clip(rest, vma.range);
		if (!uhmm_range_npages(part) || !is_written_back(e, &vma))
			continue;
		for (uint64_t i = part.start.val - r.start.val;
		     i < part.end.val - r.start.val; i++)
			if (pte[i] & UHMM_PTE_FILE)
				pte[i] |= UHMM_PTE_WP;
	}
}

int uhmm_engine_op_scan(void *ctx, struct uhmm_range r, uint8_t *pte)
{
	struct uhmm_engine *e = ctx;
	int err = uhmm_ptes_scan(&e->ptes, r, pte);

	if (!err && e->no_zero_page)
		uhmm_engine_see_zeros(e, r, pte);
	for (uint64_t i = 0; !err && i < uhmm_range_npages(r); i++) {
		if (!(pte[i] & UHMM_PTE_FILE))
			continue;
		mark_clean(e, r, pte);
		break;
	}
	return err;
}

uhmm_vpn_t uhmm_engine_op_skip_holes(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;

	return uhmm_ptes_skip_holes(&e->ptes, r);
}
