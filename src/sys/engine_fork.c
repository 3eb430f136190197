/* SPDX-License-Identifier: MIT */
/* engine_fork.c - an engine for the child of a fork: first with a userfaultfd
 * alone, later with everything (engine.h)
 */
#include <stdint.h>

#include "sys/engine_base.h"

static int copy_set(struct uhmm_trapset *to, const struct uhmm_trapset *from)
{
	struct uhmm_range rest = { { 0 }, { UINT64_MAX } };
	struct uhmm_range piece;
	int err;

	while (uhmm_trapset_next(from, rest, &piece)) {
		err = uhmm_trapset_reserve(to);
		if (err)
			return err;
		uhmm_trapset_add(to, piece);
		rest.start = piece.end;
	}
	return 0;
}

int uhmm_engine_note_fork(struct uhmm_engine *child,
			  struct uhmm_engine *parent)
{
	int err = copy_set(&child->trapped, &parent->trapped);

	if (!err)
		err = copy_set(&child->watched, &parent->watched);
	if (!err)
		err = copy_set(&child->fenceable, &parent->fenceable);
	if (!err)
		err = copy_set(&child->wiped, &parent->wiped);
	return err ? err : uhmm_engine_evacuate(parent, false);
}

void uhmm_engine_adopt(struct uhmm_engine *engine,
		       const struct uhmm_engine_fds *fds)
{
	engine->fds = *fds;
	uhmm_ptes_init(&engine->ptes, fds->pagemap, fds->mem);
	uhmm_maps_init(&engine->maps, fds->maps);
}

bool uhmm_engine_next_trapped(const struct uhmm_engine *engine,
			      struct uhmm_range within,
			      struct uhmm_range *piece)
{
	struct uhmm_range other;
	bool found = uhmm_trapset_next(&engine->trapped, within, piece);

	if (uhmm_trapset_next(&engine->watched, within, &other) &&
	    (!found || other.start.val < piece->start.val)) {
		*piece = other;
		found = true;
	}
	return found;
}

int uhmm_engine_note_unforked(struct uhmm_engine *engine, struct uhmm_range r,
			      enum uhmm_engine_unforked what, bool on)
{
	struct uhmm_trapset *set = what == UHMM_ENGINE_WIPEONFORK ?
					   &engine->wiped :
					   &engine->unforked;
	int err = uhmm_trapset_reserve(set);

	if (err)
		return err;
	uhmm_engine_forget_looks(engine);
	uhmm_trapset_remove(set, r);
	if (on)
		uhmm_trapset_add(set, r);
	return 0;
}

bool uhmm_engine_op_is_forked(void *ctx, uhmm_vpn_t vpn)
{
	const struct uhmm_engine *e = ctx;

	return !uhmm_trapset_has(&e->unforked, vpn) &&
	       !uhmm_trapset_has(&e->wiped, vpn);
}
