/* SPDX-License-Identifier: MIT */
/* zaps.h - removals that we asked for, told from the program's own
 *
 * Theory of operation. When hands zap a page on our word the kernel reports a
 * removal, as if the program had dropped it. One that was expected is not
 * news; any other is: the program's data is gone and its device pages must go.
 * Each expected page stands for one removal, whatever ranges the reports come
 * in (a mapping that was split meanwhile reports twice). If the program drops
 * the same page at the same time there are two reports; which of them is taken
 * for ours does not matter, since the second then is news.
 *
 * A report comes before the removal's call returns, so when hands have
 * answered nothing more is expected of what they did.
 */
#ifndef UHMMD_ZAPS_H
#define UHMMD_ZAPS_H

#include <uhmm/types.h>

/** struct zaps - all zero expects nothing */
struct zaps {
	struct uhmm_range *range;	/* may touch, and even overlap when
					 * two jobs zap at once */
	unsigned int n;
	unsigned int room;
};

/** zaps_expect() - one removal of each page of @r will be ours. 0; -ENOMEM */
UHMM_CHECKED int zaps_expect(struct zaps *z, struct uhmm_range r);

/** zaps_forget() - no (further) removal of @r is expected */
void zaps_forget(struct zaps *z, struct uhmm_range r);

/**
 * zaps_consume() - the first piece of @r, which was removed, that is of one
 * kind
 * @r:    (in, out) moves behind the piece
 * @piece: (out)  @ours: (out) it was expected, and no longer is
 * Return: false: @r is empty
 */
bool zaps_consume(struct zaps *z, struct uhmm_range *r,
		  struct uhmm_range *piece, bool *ours);

void zaps_fini(struct zaps *z);

#endif
