/* SPDX-License-Identifier: MIT */
/* trapset.h - which pages of one mm an engine has trapped
 *
 * Owns:   a sorted array of ranges that neither overlap nor touch; a program
 *         has few (one per migrated buffer).
 * Errors: without memory, removing from the middle of a range keeps the range
 *         whole: the set may then say too much, never too little.
 */
#ifndef UHMM_SYS_TRAPSET_H
#define UHMM_SYS_TRAPSET_H

#include <uhmm/types.h>

/** Zeroed is empty. */
struct uhmm_trapset {
	struct uhmm_range *range;
	unsigned int n;
	unsigned int room;
};

void uhmm_trapset_fini(struct uhmm_trapset *set);

/** uhmm_trapset_reserve() - the next add cannot fail. 0 or -ENOMEM. */
UHMM_CHECKED int uhmm_trapset_reserve(struct uhmm_trapset *set);

/** uhmm_trapset_add() - @r is in it; a reserve must have come before */
void uhmm_trapset_add(struct uhmm_trapset *set, struct uhmm_range r);

/** uhmm_trapset_remove() - @r is not in it */
void uhmm_trapset_remove(struct uhmm_trapset *set, struct uhmm_range r);

/** uhmm_trapset_has() - is @vpn in it? */
bool uhmm_trapset_has(const struct uhmm_trapset *set, uhmm_vpn_t vpn);

/**
 * uhmm_trapset_next() - the first piece of @within that is in the set
 * To walk: set @within->start to @piece->end and ask again.
 * Return: false when there is none
 */
bool uhmm_trapset_next(const struct uhmm_trapset *set,
		       struct uhmm_range within, struct uhmm_range *piece);

#endif
