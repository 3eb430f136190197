/* SPDX-License-Identifier: MIT */
/* engine_watch.c - be told of what a program does to ordinary memory, the same
 * for every engine (engine_base.h)
 *
 * A mapping registered for write protection alone raises all events, and only
 * a write to a page that was protected waits. So that is what watching is for
 * anonymous memory. With a file or shared memory behind it the kernel would
 * treat such a mapping otherwise than it does others: a fault would map one page
 * instead of those around it, and a fork would copy what it leaves to be faulted
 * in. Registered for missing pages it does neither; then a page that is not
 * even in the file waits, and gets what the kernel would put there. Pages around
 * it are mapped as far as the mapping goes, so all of it is watched. Where the
 * kernel's own accesses cannot wait for us this would make them fail, so there
 * it is write protection for all.
 */
#include <errno.h>

#include "sys/engine_base.h"
#include "sys/pagesize.h"

#define BATCH 512	/* pages looked at at once */

/* The first piece of @r that is neither trapped nor watched. */
static bool next_unknown(const struct uhmm_engine *e, struct uhmm_range r,
			 struct uhmm_range *piece)
{
	while (r.start.val < r.end.val) {
		struct uhmm_range known;
		bool found = uhmm_trapset_next(&e->trapped, r, &known);
		struct uhmm_range other;

		if (uhmm_trapset_next(&e->watched, r, &other) &&
		    (!found || other.start.val < known.start.val)) {
			known = other;
			found = true;
		}
		*piece = r;
		if (!found)
			return true;
		piece->end = known.start;
		if (uhmm_range_npages(*piece))
			return true;
		r.start = known.end;
	}
	return false;
}

/* Does the kernel fill such a mapping from a file, or from shared memory? */
static bool has_file(const struct uhmm_vma *vma)
{
	return (vma->shared || !vma->anon) && !vma->hugetlb;
}

struct uhmm_range uhmm_engine_widen(struct uhmm_range r,
				    const struct uhmm_vma *vma)
{
	r.start.val &= -uhmm_pmd_npages();
	r.end.val = (r.end.val + uhmm_pmd_npages() - 1) & -uhmm_pmd_npages();
	return uhmm_range_clip(r, vma->range);
}

/* Register @r, in @vma; not every mapping can be. */
static int watch_piece(struct uhmm_engine *e, struct uhmm_range r,
		       const struct uhmm_vma *vma)
{
	uint64_t mode = UFFDIO_REGISTER_MODE_WP;
	int err = uhmm_trapset_reserve(&e->watched);

	if (err)
		return err;
	if (has_file(vma) && !e->env.user_mode_only) {
		mode = UFFDIO_REGISTER_MODE_MISSING;
		r = vma->range;
	} else {
		r = uhmm_engine_widen(r, vma);
	}
	err = uhmm_uffd_register(e->fds.uffd, r, mode, NULL);
	if (!err)
		uhmm_trapset_add(&e->watched, r);
	return err ? uhmm_engine_mm_error(e, err) : 0;
}

/* Watch @r, mapping by mapping. */
static int watch_parts(struct uhmm_engine *e, struct uhmm_range r)
{
	while (r.start.val < r.end.val) {
		struct uhmm_range part;
		struct uhmm_vma vma;
		int err = uhmm_maps_find(&e->maps, r.start, &vma);

		if (err)
			return err == -ENOENT ? 0 : err;
		part = uhmm_range_clip(r, vma.range);
		if (uhmm_range_npages(part))
			err = watch_piece(e, part, &vma);
		if (err == -ESRCH || err == -ENOMEM)
			return err;
		r.start = vma.range.end;
	}
	return 0;
}

int uhmm_engine_op_watch(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range piece;
	int err;

	while (next_unknown(e, r, &piece)) {
		r.start = piece.end;
		err = watch_parts(e, piece);
		if (err)
			return err;
	}
	return 0;
}

bool uhmm_engine_op_is_foreign(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range piece;
	struct uhmm_vma vma;

	while (next_unknown(e, r, &piece)) {
		if (uhmm_maps_find(&e->maps, piece.start, &vma) == 0 &&
		    uhmm_range_has(vma.range, piece.start) &&
		    watch_piece(e, uhmm_range_clip(piece, vma.range), &vma) ==
			    -EBUSY)
			return true;
		r.start = piece.end;
	}
	return false;
}

bool uhmm_engine_op_is_watched(void *ctx, uhmm_vpn_t vpn)
{
	struct uhmm_engine *e = ctx;

	return uhmm_trapset_has(&e->watched, vpn) ||
	       uhmm_trapset_has(&e->trapped, vpn);
}

bool uhmm_engine_op_next_watched(void *ctx, struct uhmm_range r,
				 struct uhmm_range *piece)
{
	return uhmm_engine_next_trapped(ctx, r, piece);
}

/* Does a write to any page of @r stop? 0, 1 or -ESRCH */
static int has_protected(const struct uhmm_engine *e, struct uhmm_range r)
{
	const uint8_t both = UHMM_PTE_PRESENT | UHMM_PTE_WP;
	uint8_t pte[BATCH];

	while (r.start.val < r.end.val) {
		struct uhmm_range part = uhmm_range_clip(
			uhmm_range_of(r.start, BATCH), r);
		int err = uhmm_ptes_scan(&e->ptes, part, pte);

		if (err)
			return err;
		for (uint64_t i = 0; i < uhmm_range_npages(part); i++)
			if ((pte[i] & both) == both)
				return 1;
		r.start = part.end;
	}
	return 0;
}

/*
 * The kernel only ever adds modes to a registration, so it is given up and
 * made anew, which drops all protection: a piece that has some stays trapped.
 * What the program does to its mappings in between is not told; no leaf
 * depends on it, and reading a page that is gone fails.
 */
static int relax_piece(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = has_protected(e, r);

	if (err)
		return err < 0 ? err : 0;
	err = uhmm_engine_unregister(e, &e->trapped, r);
	return err ? err : watch_parts(e, r);
}

int uhmm_engine_op_relax(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range rest = r;
	struct uhmm_range piece;

	if (uhmm_engine_turns_zeros(e))
		return 0;
	while (!e->kept && uhmm_trapset_next(&e->trapped, rest, &piece)) {
		if (relax_piece(e, piece) == -ESRCH)
			return -ESRCH;
		rest.start = piece.end;
	}
	return 0;
}

/* The copies @part of the pages of a private mapping are to be protected, which
 * is watched for missing pages at most. */
static int watch_copies(struct uhmm_engine *e, struct uhmm_range part)
{
	int err = uhmm_trapset_reserve(&e->watched);

	if (err)
		return err;
	err = uhmm_uffd_register(e->fds.uffd, part, UFFDIO_REGISTER_MODE_WP,
				 NULL);
	if (err)
		return uhmm_engine_mm_error(e, err);
	uhmm_trapset_add(&e->watched, part);
	return uhmm_engine_writeprotect(e, part, UFFDIO_WRITEPROTECT_MODE_WP);
}

/* The same of all of @r that has a file behind it, is private and not for fences
 * to guard: a mapping of a device. */
static int protect_copies(struct uhmm_engine *e, struct uhmm_range r)
{
	while (r.start.val < r.end.val) {
		struct uhmm_range part;
		struct uhmm_vma vma;
		int err = uhmm_maps_find(&e->maps, r.start, &vma);

		if (err)
			return err == -ENOENT ? 0 : err;
		part = uhmm_range_clip(r, vma.range);
		if (uhmm_range_npages(part) && has_file(&vma) && !vma.shared &&
		    !uhmm_engine_can_fence(e, &vma))
			err = watch_copies(e, part);
		if (err == -ESRCH || err == -ENOMEM)
			return err;
		r.start = vma.range.end;
	}
	return 0;
}

int uhmm_engine_op_protect(void *ctx, struct uhmm_range r)
{
	int err = uhmm_engine_writeprotect(ctx, r, UFFDIO_WRITEPROTECT_MODE_WP);

	return err == -ENOENT ? protect_copies(ctx, r) : err;
}

/* Does a piece of @set lie in @r? */
static bool touches(const struct uhmm_trapset *set, struct uhmm_range r)
{
	struct uhmm_range piece;

	return uhmm_trapset_next(set, r, &piece);
}

/* Watched in all parts; those that are protected are so in another way. */
static int join_watched(struct uhmm_engine *e, struct uhmm_range r)
{
	struct uhmm_vma vma;
	int err = uhmm_engine_op_watch(e, r);

	if (err || uhmm_maps_find(&e->maps, r.start, &vma) ||
	    !has_file(&vma) || vma.shared)
		return err;
	err = uhmm_uffd_register(e->fds.uffd, r,
				 UFFDIO_REGISTER_MODE_MISSING |
					 UFFDIO_REGISTER_MODE_WP,
				 NULL);
	return err && uhmm_engine_mm_error(e, err) == -ESRCH ? -ESRCH : 0;
}

int uhmm_engine_join(struct uhmm_engine *engine, struct uhmm_range r)
{
	int err;

	if (!touches(&engine->trapped, r))
		return touches(&engine->watched, r) ? join_watched(engine, r) :
						      0;
	err = uhmm_trapset_reserve(&engine->trapped);
	if (err)
		return err;
	err = uhmm_engine_register(engine, r, NULL);
	return err == -ESRCH ? err : 0;
}
