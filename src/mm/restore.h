/* SPDX-License-Identifier: MIT */
/* restore.h - device pages on their way back to all who map them
 *
 * Theory of operation. A device page may be mapped by several mms (fork). It
 * goes back to all of them at once, as the kernel's reverse map does: every
 * entry of it becomes a migration entry (lock), every mm gets the bytes (give),
 * every entry goes and the page is free (finish). One mapping of one page is a
 * "leg" here. A leg whose give failed gets its device entry back, so no byte
 * is lost; a leg the program dropped meanwhile is dropped at the end.
 * While it is under way the core knows it (uhmm_core.restores), so that events
 * can say where a leg is now, and that a fork made another one: that one is
 * not given, its own page table says in the end what the child has.
 * A page may go to another device instead: relocate.h.
 * Callers choose pages; nothing here looks at mappings (VMAs) or devices.
 */
#ifndef UHMM_MM_RESTORE_H
#define UHMM_MM_RESTORE_H

#include <uhmm/migrate.h>

#include "mm/mm.h"
#include "mm/page.h"

/** One mapping of one device page that is on its way back. */
struct uhmm_leg {
	uhmm_dpfn_t dpfn;
	struct uhmm_mm *mm;	/* referenced until finish */
	struct uhmm_mapping at;	/* where it was when it was locked */
	uhmm_vpn_t now;		/* where it is */
	uhmm_dpfn_t dest;	/* a device page it goes to instead; 0: none */
	bool holds;		/* dest, until the end: one leg of each page */
	bool unit;		/* its entry began a unit, and still would */
	bool write;		/* give it as the mapping is, else read-only */
	bool wanted;		/* give it; else only put the entry back */
	bool given;
	bool there;		/* the CPU had a page there already */
	bool coherent;		/* the CPU has it all the time: nothing to
				 * give, the entry just goes */
	bool exclusive;		/* the entry was device-exclusive */
	bool gone;		/* something else is in its place */
};

/**
 * uhmm_restore_lock() - lock @dpfn: its entries become migration entries
 * Return: 0; -EBUSY it is on its way already; -ENOMEM
 */
UHMM_CHECKED int uhmm_restore_lock(struct uhmm_restore *r,
				   struct uhmm_core *core, uhmm_dpfn_t dpfn);

/**
 * uhmm_restore_lock_unit() - the same for the pages [@head, +512), which some
 * mm maps as a unit (unit.h): it stays one, and is given as one
 * Locking a single page splits every unit it is in.
 * Return: as uhmm_restore_lock(), and then none of them is locked
 */
UHMM_CHECKED int uhmm_restore_lock_unit(struct uhmm_restore *r,
					struct uhmm_core *core,
					uhmm_dpfn_t head);

/**
 * uhmm_restore_tell() - mirrors are told of the legs from @first on, as by a walk
 * of the reverse map for pages that somebody else than the caller maps
 * @caller: whose page table was looked at before, or NULL (kin.h)
 */
void uhmm_restore_tell(const struct uhmm_restore *r, uint32_t first,
		       const struct uhmm_mm *caller);

/** uhmm_restore_split() - what is locked is given page by page */
void uhmm_restore_split(struct uhmm_restore *r);

/** uhmm_restore_unwant() - @dpfn shall stay on the device after all */
void uhmm_restore_unwant(struct uhmm_restore *r, uhmm_dpfn_t dpfn);

/** uhmm_restore_give() - (yields) bytes to everyone */
void uhmm_restore_give(struct uhmm_restore *r);

/** uhmm_restore_take() - (yields) instead: coherent pages that are locked, each
 *  mapped once and trapped, leave the CPU, to be device-exclusive */
void uhmm_restore_take(struct uhmm_restore *r);

/** uhmm_restore_is_given() - did @dpfn come back at @vpn of @mm? */
bool uhmm_restore_is_given(const struct uhmm_restore *r,
			   const struct uhmm_mm *mm, uhmm_vpn_t vpn);

/** uhmm_restore_moved() - entries of @mm in @from are at @to now, and what was
 *  there is gone (mremap) */
void uhmm_restore_moved(struct uhmm_mm *mm, struct uhmm_range from,
			uhmm_vpn_t to);

/** uhmm_restore_lost() - no entry of @mm is in @r any more */
void uhmm_restore_lost(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_restore_forked() - @child has a migration entry of @dpfn, too, at @vpn
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int uhmm_restore_forked(struct uhmm_mm *child, uhmm_vpn_t vpn,
				     uhmm_dpfn_t dpfn);

/**
 * uhmm_restore_finish() - unlock; wake who waits; @r is all zero again
 * Return: legs that came back
 */
uint64_t uhmm_restore_finish(struct uhmm_restore *r);

/** uhmm_restore_run() - (yields) all of it, with what is locked: notifiers are
 *  told, bytes given; for @caller or, NULL, for nobody. Return: as
 *  uhmm_restore_finish() */
uint64_t uhmm_restore_run(struct uhmm_restore *r, const struct uhmm_mm *caller);

#endif
