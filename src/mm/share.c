/* SPDX-License-Identifier: MIT */
/* share.c - before a fork (uhmm/share.h) */
#include <uhmm/share.h>

#include <errno.h>

#include "mm/mm.h"

/* Pages looked at at once. */
#define PIECE 512

/* A page that a write would change in place. One that still is a file's is
 * replaced by its first write, fork or not. */
static bool is_writable(uint8_t pte)
{
	return (pte & UHMM_PTE_PRESENT) &&
	       !(pte & (UHMM_PTE_WP | UHMM_PTE_FILE));
}

static int protect_piece(struct uhmm_mm *mm, struct uhmm_range r)
{
	uint64_t n = uhmm_range_npages(r), i = 0, first;
	uint8_t pte[PIECE];
	int err = mm->ops->scan(mm->ops_ctx, r, pte);

	while (!err && i < n) {
		first = i;
		while (i < n && is_writable(pte[i]))
			i++;
		if (i == first)
			i++;
		else
			err = mm->ops->protect(
				mm->ops_ctx,
				uhmm_range_of(UHMM_VPN(r.start.val + first),
					      i - first));
	}
	return err;
}

/* Of a mapping with a file behind it the copies alone are watched, which
 * protect() sees to: what else there is shall be faulted in as ever. */
static int protect_all(struct uhmm_mm *mm, struct uhmm_range r, bool anon)
{
	int err = 0;

	if (!uhmm_range_npages(r))
		return 0;
	if (anon)
		err = mm->ops->watch(mm->ops_ctx, r);
	while (!err && !mm->gone && r.start.val < r.end.val) {
		/* what is protected in parts is no huge page any more */
		uint64_t n = PIECE - r.start.val % PIECE;
		struct uhmm_range piece =
			uhmm_range_clip(uhmm_range_of(r.start, n), r);

		err = protect_piece(mm, piece);
		r.start = piece.end;
	}
	return err;
}

static int share_vma(struct uhmm_mm *mm, const struct uhmm_vma *vma,
		     struct uhmm_range except)
{
	struct uhmm_range before = vma->range, behind = vma->range;
	int err;

	if (vma->shared || vma->pfnmap || (vma->special && vma->anon) ||
	    !mm->ops->is_forked(mm->ops_ctx, vma->range.start))
		return 0;
	uhmm_mm_invalidate(mm, vma->range, UHMM_NOTIFY_PROTECTION, NULL);
	/* the child knows of no fences */
	if (vma->hugetlb || vma->by_fence || !(vma->anon || vma->write))
		return 0;
	if (!uhmm_range_overlaps(vma->range, except))
		return protect_all(mm, vma->range, vma->anon);
	before = uhmm_range_clip(before, (struct uhmm_range){ before.start,
							      except.start });
	behind = uhmm_range_clip(behind,
				 (struct uhmm_range){ except.end, behind.end });
	err = protect_all(mm, before, vma->anon);
	return err ? err : protect_all(mm, behind, vma->anon);
}

/* Does anybody want to know when a page is copied? */
static bool is_followed(const struct uhmm_mm *mm)
{
	return !uhmm_list_is_empty(&mm->notifiers) ||
	       uhmm_shadow_count(&mm->core->store, mm->slot) != 0;
}

int uhmm_mm_share(struct uhmm_mm *mm, struct uhmm_range except)
{
	uhmm_vpn_t at = UHMM_VPN(0);
	struct uhmm_vma vma;
	int err = 0;

	while (!err && is_followed(mm)) {
		if (mm->gone)
			return -ESRCH;
		err = mm->ops->vma_find(mm->ops_ctx, at, &vma);
		if (err)
			return err == -ENOENT ? 0 : err;
		err = share_vma(mm, &vma, except);
		at = vma.range.end;
	}
	return err;
}
