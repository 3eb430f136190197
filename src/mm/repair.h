/* SPDX-License-Identifier: MIT */
/* repair.h - what a daemon does with a store whose owner was killed
 *
 * Theory of operation. A change of the store is many stores, and the owner may
 * have died between any two of them. But they come in an order, so that some
 * words are true at any instant, and everything else follows from these:
 *
 *   which mms, ranges and flights there are   bits of their slabs; a range is
 *                                             one once it has a generation
 *   leaves                                    nodes reached from the mms
 *   which device pages are not free           the tags of their words
 *
 * Each leaf's page is in use at any instant: it gains a mapping before the leaf
 * is stored and loses it after. So the reverse map, chains, bits, summaries and
 * counts are made anew. A page in use that is then in no leaf was about to be
 * mapped, and a flight holds it, or had lost its last mapping: it is freed.
 * Killed while it repairs, a daemon is followed by one that repairs as well.
 */
#ifndef UHMM_MM_REPAIR_H
#define UHMM_MM_REPAIR_H

#include "arena/store.h"

/**
 * uhmm_store_repair() - make @store sound again: uhmm_store_check() passes
 * @is_held: is @dpfn, which nothing maps, held by somebody (a flight)? NULL: no
 *           page is
 * Touches neither mm records but for their tables, nor flights: what these
 * mean is for the caller to finish or to undo.
 * Return: 0; -EUCLEAN this is not what a killed daemon leaves; -ENOMEM
 */
UHMM_CHECKED int uhmm_store_repair(struct uhmm_store *store,
				   bool (*is_held)(void *ctx,
						   uhmm_dpfn_t dpfn),
				   void *ctx);

#endif
