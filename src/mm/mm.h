/* SPDX-License-Identifier: MIT */
/* mm.h - the core and the address spaces it mirrors
 *
 * Theory of operation. The core is everything semantic in one daemon: the
 * store, the devices, the mms. One lock covers it. Code in src/mm and in a
 * driver runs with that lock held and reads top to bottom like kernel code; a
 * call marked (yields) may drop it, run other work, and take it again: what
 * was known of leaves, mappings and opens must then be looked up again. A page
 * that is on its way is a migration entry in the shadow, which is its lock:
 * whoever meets one waits and looks again.
 *
 * Owns:   uhmm_mm and the list of them.
 * Locks:  caller holds the core's lock, everywhere.
 * Errors: 0 or -errno.
 */
#ifndef UHMM_MM_MM_H
#define UHMM_MM_MM_H

#include <uhmm/core.h>
#include <uhmm/inject.h>
#include <uhmm/list.h>
#include <uhmm/notifier.h>

#include "mm/kin.h"
#include "mm/shadow.h"

struct uhmm_pagemap;

/** struct uhmm_core - all semantic state of one daemon */
struct uhmm_core {
	struct uhmm_store store;
	const struct uhmm_core_ops *ops;
	void *ops_ctx;
	uint64_t page_bytes;
	uint64_t pmd_npages;		/* pages of a PMD-sized unit */
	struct uhmm_list mms;		/* of uhmm_mm.link */
	struct uhmm_mm **mm_by_slot;
	struct uhmm_list pagemaps;	/* of uhmm_pagemap.link */
	struct uhmm_list restores;	/* of uhmm_restore.link */
	struct uhmm_pagemap *exclusive;	/* of uhmm/exclusive.h, NULL: no room */
	uint64_t kin_serial;		/* of the last number given (kin.h) */
	uint32_t kin_births;		/* mms that there were */
	struct uhmm_inject inject;
};

/** struct uhmm_mm - one mirrored address space */
struct uhmm_mm {
	struct uhmm_list link;		/* in uhmm_core.mms */
	struct uhmm_core *core;
	uint32_t slot;			/* of its record in the store */
	uint32_t refs;
	bool gone;			/* the program is; every op fails */
	struct uhmm_range given;	/* last: who waited there is awake */
	uint64_t changes;		/* events that changed an entry */
	bool bare;			/* a child of which nothing is known yet
					 * but how to give it pages ... */
	bool coming;			/* ... which will be known soon */
	bool unsure;			/* its CPU may have pages for which it
					 * has entries (flight.h) */
	const struct uhmm_mm_ops *ops;
	void *ops_ctx;
	struct uhmm_list notifiers;	/* of uhmm_notifier.link */
	struct uhmm_list pins;		/* of uhmm_pin.link (uhmm/gup.h) */
	struct uhmm_kin kin;
	struct uhmm_unwatched {		/* while it forks (share.h) */
		struct uhmm_range *range;
		uint32_t n;
	} unwatched;
};

/**
 * uhmm_core_init() - @store is formatted or attached; geometry in bytes
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int uhmm_core_init(struct uhmm_core *core,
				struct uhmm_store store,
				const struct uhmm_core_ops *ops, void *ops_ctx,
				uint64_t page_bytes, uint64_t pmd_bytes);

/** uhmm_core_fini() - no mm and no pagemap is left */
void uhmm_core_fini(struct uhmm_core *core);

/** uhmm_inject_slow() - (yields) bytes are copied; does that take long? */
void uhmm_inject_slow(struct uhmm_core *core);

/** uhmm_mm_find() - the live mm of record @slot, or NULL */
struct uhmm_mm *uhmm_mm_find(struct uhmm_core *core, uint32_t slot);

/**
 * uhmm_mm_drop() - the program dropped the pages of @r: notifiers are told,
 * entries go, and a page on its way is marked so that it goes when it arrives
 */
void uhmm_mm_drop(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_mm_settle() - entries of @mm went away, or a subscriber of it: where no
 * entry is left at all its memory is ordinary again, watched as long as there
 * are subscribers, pages that it shares with a mm that has some, or, where there
 * once were subscribers, pages that a fork left shared and nobody has written
 */
void uhmm_mm_settle(struct uhmm_mm *mm);

#endif
