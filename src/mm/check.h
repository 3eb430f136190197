/* SPDX-License-Identifier: MIT */
/* check.h - proof that everything in a store agrees
 *
 * Walks all of it, forward (mms, their tables, the device pages in them) and
 * back (ranges, units, page words, their mappings), and compares. For tests,
 * fuzzers, `uhmm dump`, and a daemon that takes over a store. Asserts nothing:
 * a store may be as wrong as it likes.
 */
#ifndef UHMM_MM_CHECK_H
#define UHMM_MM_CHECK_H

#include "arena/store.h"

/**
 * uhmm_store_check() - are all invariants of @store kept?
 * @unmapped: (out) pages that are allocated and not mapped: right only while
 *            somebody holds them, which the caller must know
 * @why:      (out) one line; "" when all is well
 * Proven: each device page is held by exactly its mappings, forward and
 * reverse map agree; words, bits, units and counts of ranges agree; ranges are
 * sorted and apart; counts of tables, nodes and migration entries are true;
 * summaries of bitmaps are; free objects are zero; no object is leaked or used
 * twice.
 * Return: 0; -EUCLEAN with @why; -ENOMEM
 */
UHMM_CHECKED int uhmm_store_check(const struct uhmm_store *store,
				  uint64_t *unmapped, char *why,
				  size_t why_bytes);

#endif
