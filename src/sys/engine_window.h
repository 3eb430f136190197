/* SPDX-License-Identifier: MIT */
/* engine_window.h - the window of engine move and what its hands do to it; for
 * engine*.c only
 *
 * All that is done to places of a window is done by one pair of hands, one
 * thing after the other, and nothing waits for them: a place that was found
 * stale cannot be dropped after somebody has put a page there.
 *
 * Locks:  caller holds the core's lock.
 * Errors: 0 or -errno.
 */
#ifndef UHMM_SYS_ENGINE_WINDOW_H
#define UHMM_SYS_ENGINE_WINDOW_H

#include "sys/engine_base.h"

/**
 * uhmm_engine_need_window() - (yields the first time) is there one?
 * Return: 0; -EAGAIN there is now, look again; -EOPNOTSUPP there cannot be one;
 * -ESRCH
 */
UHMM_CHECKED int uhmm_engine_need_window(struct uhmm_engine *e);

/** uhmm_engine_bring_out() - what @w, of any program, holds of these pages comes
 *  to the daemon's memory. Return: 0; -EIO some are lost */
int uhmm_engine_bring_out(struct uhmm_engine *e, const struct uhmm_window *w,
			  uhmm_dpfn_t dpfn, uint64_t npages);

/** uhmm_engine_do_moves() - env.move, counted and traced; one end of each of
 *  the @n moves lies in @open */
UHMM_CHECKED int uhmm_engine_do_moves(struct uhmm_engine *e,
				      struct uhmm_range open,
				      const struct uhmm_engine_move *m,
				      unsigned int n, uint64_t *moved);

#endif
