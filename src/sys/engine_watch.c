/* SPDX-License-Identifier: MIT */
/* engine_watch.c - be told of what a program does to ordinary memory, the same
 * for every engine (engine_base.h)
 *
 * A mapping registered for write protection alone raises all events, and only
 * a write to a page that was protected waits. So that is what watching is.
 */
#include <errno.h>

#include "sys/engine_base.h"

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

/* Register @r for write protection; not every mapping can. */
static int watch_piece(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = uhmm_trapset_reserve(&e->watched);

	if (err)
		return err;
	err = uhmm_uffd_register(e->fds.uffd, r, UFFDIO_REGISTER_MODE_WP, NULL);
	if (!err)
		uhmm_trapset_add(&e->watched, r);
	return err ? uhmm_engine_mm_error(e, err) : 0;
}

int uhmm_engine_op_watch(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range piece;

	while (next_unknown(e, r, &piece)) {
		struct uhmm_range rest = piece;

		r.start = piece.end;
		while (rest.start.val < rest.end.val) {
			struct uhmm_range part = rest;
			int err = uhmm_engine_clip(e, &part);

			if (err == -ENOENT) {
				rest.start.val++;
				continue;
			}
			if (!err)
				err = watch_piece(e, part);
			if (err == -ESRCH || err == -ENOMEM)
				return err;
			rest.start = part.end;
		}
	}
	return 0;
}

bool uhmm_engine_op_is_watched(void *ctx, uhmm_vpn_t vpn)
{
	struct uhmm_engine *e = ctx;

	return uhmm_trapset_has(&e->watched, vpn) ||
	       uhmm_trapset_has(&e->trapped, vpn);
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
	return err ? err : watch_piece(e, r);
}

int uhmm_engine_op_relax(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range rest = r;
	struct uhmm_range piece;

	while (uhmm_trapset_next(&e->trapped, rest, &piece)) {
		if (relax_piece(e, piece) == -ESRCH)
			return -ESRCH;
		rest.start = piece.end;
	}
	return 0;
}

int uhmm_engine_op_protect(void *ctx, struct uhmm_range r)
{
	int err = uhmm_engine_writeprotect(ctx, r, UFFDIO_WRITEPROTECT_MODE_WP);

	return err == -ENOENT ? 0 : err;
}

/* Does a piece of @set lie in @r? */
static bool touches(const struct uhmm_trapset *set, struct uhmm_range r)
{
	struct uhmm_range piece;

	return uhmm_trapset_next(set, r, &piece);
}

int uhmm_engine_join(struct uhmm_engine *engine, struct uhmm_range r)
{
	int err;

	if (!touches(&engine->trapped, r))
		return touches(&engine->watched, r) ?
			       uhmm_engine_op_watch(engine, r) :
			       0;
	err = uhmm_trapset_reserve(&engine->trapped);
	if (err)
		return err;
	err = uhmm_uffd_register(engine->fds.uffd, r,
				 UFFDIO_REGISTER_MODE_MISSING |
					 UFFDIO_REGISTER_MODE_WP,
				 NULL);
	if (err) {
		err = uhmm_engine_mm_error(engine, err);
		return err == -ESRCH ? err : 0;
	}
	uhmm_trapset_add(&engine->trapped, r);
	uhmm_trapset_remove(&engine->watched, r);
	return 0;
}
