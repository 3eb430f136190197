/* SPDX-License-Identifier: MIT */
/* share.c - before a fork (uhmm/share.h) */
#include <uhmm/share.h>

#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>

#include "mm/mm.h"

/* Pages looked at at once. */
#define PIECE 512

/* The part of @r behind @piece, of which this is what scan() said; where nothing
 * was, from where something may be again: there or on a device. A mapping can
 * have terabytes without a page. */
static struct uhmm_range rest_of(struct uhmm_mm *mm, struct uhmm_range r,
				 struct uhmm_range piece, const uint8_t *pte)
{
	struct uhmm_range holes = { piece.end, r.end };
	uhmm_vpn_t at = piece.end;
	uhmm_softleaf_t leaf;

	r.start = piece.end;
	for (uint64_t i = 0; i < uhmm_range_npages(piece); i++)
		if (pte[i])
			return r;
	if (uhmm_shadow_next(&mm->core->store, mm->slot, &at, r.end, &leaf))
		holes.end = at;
	r.start = mm->ops->skip_holes(mm->ops_ctx, holes);
	return r;
}

/* A page that a write would change in place. One that still is a file's is
 * replaced by its first write, fork or not. */
static bool is_writable(uint8_t pte)
{
	return (pte & UHMM_PTE_PRESENT) &&
	       !(pte & (UHMM_PTE_WP | UHMM_PTE_FILE));
}

/* A page of its own, which a fork would share; from a file it is not. */
static bool is_sharable(uint8_t pte)
{
	return (pte & UHMM_PTE_PRESENT) &&
	       !(pte & (UHMM_PTE_ZERO | UHMM_PTE_FILE));
}

/* What could be written until now is no longer what a number it had was for. */
static void drop_written(struct uhmm_mm *mm, struct uhmm_range r,
			 const uint8_t *pte)
{
	for (uhmm_vpn_t v = r.start; v.val < r.end.val; v.val++)
		if (is_writable(pte[v.val - r.start.val]))
			uhmm_kin_drop(mm, uhmm_range_of(v, 1));
}

/* Has the program a page there that is a device's? */
static bool is_device(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_has_dpfn(leaf) &&
	       !(uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED);
}

/* The pages of @r that both will have get numbers: those that are protected
 * now, and those that are on devices. */
static void number_piece(struct uhmm_mm *mm, struct uhmm_range r,
			 const uint8_t *pte)
{
	for (uhmm_vpn_t v = r.start; v.val < r.end.val; v.val++) {
		uint8_t p = pte[v.val - r.start.val];

		if (is_device(uhmm_mm_leaf(mm, v)) ||
		    (is_sharable(p) && (p & UHMM_PTE_WP)))
			uhmm_kin_number(mm, v);
	}
}

static int protect_runs(struct uhmm_mm *mm, struct uhmm_range r,
			const uint8_t *pte)
{
	uint64_t n = uhmm_range_npages(r), i = 0, first;
	int err = 0;

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

/* While it is protected it may change: it is looked at again then. */
static int protect_piece(struct uhmm_mm *mm, struct uhmm_range r, uint8_t *pte)
{
	int err = mm->ops->scan(mm->ops_ctx, r, pte);

	if (err)
		return err;
	drop_written(mm, r, pte);
	err = protect_runs(mm, r, pte);
	if (!err)
		err = mm->ops->scan(mm->ops_ctx, r, pte);
	if (!err)
		number_piece(mm, r, pte);
	return err;
}

/* Of a mapping with a file behind it the copies alone are watched, which
 * protect() sees to: what else there is shall be faulted in as ever. */
static int protect_all(struct uhmm_mm *mm, struct uhmm_range r, bool anon)
{
	uint8_t pte[PIECE];
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

		err = protect_piece(mm, piece, pte);
		if (!err)
			r = rest_of(mm, r, piece, pte);
	}
	return err;
}

/* ---- what the kernel does not copy ---- */

/* Has the program pages of its own in @r, there or on devices? */
static int has_pages(struct uhmm_mm *mm, struct uhmm_range r)
{
	uhmm_vpn_t at = r.start;
	uint8_t pte[PIECE];
	uhmm_softleaf_t leaf;

	if (uhmm_shadow_next(&mm->core->store, mm->slot, &at, r.end, &leaf))
		return 1;
	while (r.start.val < r.end.val) {
		struct uhmm_range piece =
			uhmm_range_clip(uhmm_range_of(r.start, PIECE), r);
		int err = mm->ops->scan(mm->ops_ctx, piece, pte);

		if (err)
			return err;
		for (uint64_t i = 0; i < uhmm_range_npages(piece); i++)
			if (is_sharable(pte[i]) || (pte[i] & UHMM_PTE_SWAP))
				return 1;
		r = rest_of(mm, r, piece, pte);
	}
	return 0;
}

/* Do not watch @r while a fork copies page tables. Without memory for it the
 * next command that looks at it watches it. */
static int unwatch(struct uhmm_mm *mm, struct uhmm_range r)
{
	struct uhmm_unwatched *u = &mm->unwatched;
	struct uhmm_range *more, rest, piece;

	for (rest = r; mm->ops->next_watched(mm->ops_ctx, rest, &piece);
	     rest.start = piece.end) {
		more = realloc(u->range, (u->n + 1) * sizeof(*more));
		if (!more)
			break;
		u->range = more;
		u->range[u->n++] = piece;
	}
	return mm->ops->untrap(mm->ops_ctx, r);
}

/* Of the pages @r the zero page is replaced by a write: protected. */
static int protect_zero_pages(struct uhmm_mm *mm, struct uhmm_range r)
{
	const uint8_t zero = UHMM_PTE_PRESENT | UHMM_PTE_ZERO;
	uint8_t pte[PIECE];
	int err = 0;

	while (!err && r.start.val < r.end.val) {
		struct uhmm_range piece =
			uhmm_range_clip(uhmm_range_of(r.start, PIECE), r);

		err = mm->ops->scan(mm->ops_ctx, piece, pte);
		for (uint64_t i = 0; !err && i < uhmm_range_npages(piece); i++)
			if ((pte[i] & (zero | UHMM_PTE_WP)) == zero)
				err = mm->ops->protect(
					mm->ops_ctx,
					uhmm_range_of(UHMM_VPN(piece.start.val +
							       i),
						      1));
		if (!err)
			r = rest_of(mm, r, piece, pte);
	}
	return err;
}

int uhmm_mm_shared(struct uhmm_mm *mm)
{
	struct uhmm_unwatched u = mm->unwatched;
	int err = 0;

	mm->unwatched = (struct uhmm_unwatched){ .n = 0 };
	for (uint32_t i = 0; !err && i < u.n; i++) {
		err = mm->gone ? -ESRCH :
				 mm->ops->watch(mm->ops_ctx, u.range[i]);
		if (!err)
			err = protect_zero_pages(mm, u.range[i]);
	}
	free(u.range);
	return err;
}

/* ---- one mapping after the other ---- */

static int protect_but(struct uhmm_mm *mm, const struct uhmm_vma *vma,
		       struct uhmm_range except)
{
	struct uhmm_range r = vma->range;
	struct uhmm_range before = { r.start, except.start };
	struct uhmm_range behind = { except.end, r.end };
	int err;

	if (!uhmm_range_overlaps(r, except))
		return protect_all(mm, r, vma->anon);
	err = protect_all(mm, uhmm_range_clip(before, r), vma->anon);
	return err ? err :
		     protect_all(mm, uhmm_range_clip(behind, r), vma->anon);
}

static int share_vma(struct uhmm_mm *mm, const struct uhmm_vma *vma,
		     struct uhmm_range except)
{
	/* the child knows of no fences */
	bool plain = !vma->hugetlb && !vma->by_fence &&
		     (vma->anon || vma->write);
	int has;

	if (vma->shared || vma->pfnmap || (vma->special && vma->anon) ||
	    !mm->ops->is_forked(mm->ops_ctx, vma->range.start))
		return 0;
	if (mm->core->exclusive) {
		int64_t back = uhmm_migrate_to_ram(mm, vma->range,
						   mm->core->exclusive);

		if (back < 0)
			return (int)back;
	}
	has = has_pages(mm, vma->range);
	if (has < 0)
		return has;
	if (!has)
		return plain && vma->anon ? unwatch(mm, vma->range) : 0;
	uhmm_mm_invalidate(mm, vma->range, UHMM_NOTIFY_PROTECTION, NULL);
	return plain ? protect_but(mm, vma, except) : 0;
}

int uhmm_mm_share(struct uhmm_mm *mm, struct uhmm_range except)
{
	uhmm_vpn_t at = UHMM_VPN(0);
	struct uhmm_vma vma;
	int err = 0;

	/* once mirrored, it may be again: then what was shared now matters */
	while (!err && (mm->kin.mirrored || uhmm_kin_is_wanted(mm))) {
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

/* Protect those of the pages of @r that others map, too. */
static int protect_shared(struct uhmm_mm *mm, struct uhmm_range r)
{
	uint8_t pte[PIECE];
	int err = 0;

	while (!err && !mm->gone && r.start.val < r.end.val) {
		struct uhmm_range piece =
			uhmm_range_clip(uhmm_range_of(r.start, PIECE), r);

		err = mm->ops->scan(mm->ops_ctx, piece, pte);
		for (uint64_t i = 0; i < uhmm_range_npages(piece); i++)
			if (pte[i] & UHMM_PTE_EXCLUSIVE)
				pte[i] = 0;	/* written, or the last */
		if (!err)
			err = protect_runs(mm, piece, pte);
		r.start = piece.end;
	}
	return err;
}

/* Without pages of its own nothing of the mapping need be watched. */
static int share_copies(struct uhmm_mm *mm, struct uhmm_range r, bool late)
{
	int err = has_pages(mm, r);

	if (err <= 0)
		return err;
	err = mm->ops->watch(mm->ops_ctx, r);
	if (err)
		return err;
	return late ? protect_shared(mm, r) : protect_all(mm, r, false);
}

int uhmm_mm_share_copies(struct uhmm_mm *mm, struct uhmm_range r, bool late)
{
	struct uhmm_vma vma;
	int err = 0;

	while (!err && !mm->gone && r.start.val < r.end.val) {
		err = mm->ops->vma_find(mm->ops_ctx, r.start, &vma);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (vma.by_fence && vma.write &&
		    (late || mm->ops->is_forked(mm->ops_ctx, vma.range.start)))
			err = share_copies(mm, uhmm_range_clip(r, vma.range),
					   late);
		r.start = vma.range.end;
	}
	return mm->gone ? -ESRCH : err;
}
