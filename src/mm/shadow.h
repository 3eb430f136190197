/* SPDX-License-Identifier: MIT */
/* shadow.h - what each page of a mirrored address space is, where it is not
 * an ordinary page
 *
 * Owns:   the map vpn -> softleaf of an mm record and, with every leaf that
 *         holds a device page, the reverse map of that page: nobody else
 *         stores a leaf. One setter, uhmm_shadow_set(), traces old -> new.
 * Units:  vpn = address / page size; ranges [start, end) in pages.
 * Locks:  caller holds the core's lock.
 * Errors: 0 or -errno; outputs and table untouched on failure.
 */
#ifndef UHMM_MM_SHADOW_H
#define UHMM_MM_SHADOW_H

#include <uhmm/softleaf.h>

#include "arena/table.h"

/**
 * struct uhmm_mm_record - an mm, in the store
 * What a later daemon must know of it.
 */
struct uhmm_mm_record {
	struct uhmm_table shadow;	/* vpn -> softleaf */
	uint32_t pid;			/* of the program, 0 when not known */
	uint32_t generation;
	uint64_t start_time;		/* of the program, from /proc */
	uint64_t migrating;		/* leaves that are migration entries */
	struct uhmm_table kin;		/* vpn -> number (kin.h) */
};

/** uhmm_shadow_get() - the entry at @vpn of mm @slot; none if nothing is */
uhmm_softleaf_t uhmm_shadow_get(const struct uhmm_store *store, uint32_t slot,
				uhmm_vpn_t vpn);

/**
 * uhmm_shadow_set() - store @leaf at @vpn of mm @slot, the one setter
 * Keeps the reverse map: a device page that leaves an entry loses that
 * mapping (and is freed with the last one), one that enters gains it.
 * An entry that changes kind but keeps its page keeps its mapping.
 * Return: 0; -ENOMEM (never when @leaf is none or keeps the page, nor for the
 * first mapping of a page where an entry is; always for a page number that no
 * address has)
 */
UHMM_CHECKED int uhmm_shadow_set(struct uhmm_store *store, uint32_t slot,
				 uhmm_vpn_t vpn, uhmm_softleaf_t leaf);

/** uhmm_shadow_clear() - store none at @vpn; cannot fail */
void uhmm_shadow_clear(struct uhmm_store *store, uint32_t slot,
		       uhmm_vpn_t vpn);

/**
 * uhmm_shadow_change() - store @leaf, which has the same device page as the
 * entry there (or, like it, none) and is not none; cannot fail
 */
void uhmm_shadow_change(struct uhmm_store *store, uint32_t slot,
			uhmm_vpn_t vpn, uhmm_softleaf_t leaf);

/**
 * uhmm_shadow_next() - the first entry in [*@vpn, @end)
 * Return: true with *@vpn and *@leaf; false there is none
 */
bool uhmm_shadow_next(const struct uhmm_store *store, uint32_t slot,
		      uhmm_vpn_t *vpn, uhmm_vpn_t end, uhmm_softleaf_t *leaf);

/** uhmm_shadow_count() - entries of mm @slot that are not none */
uint64_t uhmm_shadow_count(const struct uhmm_store *store, uint32_t slot);

/**
 * uhmm_shadow_move() - the entries of [@from, +@npages) are now at @to; what
 * was there is dropped. The ranges may overlap.
 * Return: 0; -ENOMEM: then both ranges are dropped, which the caller must
 * treat as the end of the mm (it can no longer be exact)
 */
UHMM_CHECKED int uhmm_shadow_move(struct uhmm_store *store, uint32_t slot,
				  uhmm_vpn_t from, uhmm_vpn_t to,
				  uint64_t npages);

/** uhmm_shadow_fini() - drop every entry of mm @slot */
void uhmm_shadow_fini(struct uhmm_store *store, uint32_t slot);

/** Called on each change when not NULL; for --trace and for tests. */
extern void (*uhmm_shadow_trace)(uint32_t slot, uhmm_vpn_t vpn,
				 uhmm_softleaf_t old, uhmm_softleaf_t leaf);

#endif
