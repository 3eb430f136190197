/* SPDX-License-Identifier: MIT */
/* flight.h - system pages on their way to a device
 *
 * Theory of operation. A device page has a number; a system page has none that
 * a daemon could know. While such a page moves, its shadow entry is a
 * migration entry whose offset is a flight number: which flight (an object in
 * the store), and which page of it. The flight says where the page's bytes go
 * and at which page number of the program it is now, also after an mremap in
 * between. A daemon that finds flights in a store it inherits can tell each
 * page's truth: still present in the program: undo; gone: the bytes are in the
 * device page: finish.
 * A fork in the middle copies the program's page table at an instant nobody
 * tells: the child may have got the page, or not. It gets the entry, too, and
 * when the flight ends its own page table says which it was.
 * Owns: the objects of UHMM_SLAB_FLIGHT; migration entries proper.
 */
#ifndef UHMM_MM_FLIGHT_H
#define UHMM_MM_FLIGHT_H

#include "mm/mm.h"

#define UHMM_FLIGHT_NPAGES 512

struct uhmm_flight_page {
	uint64_t vpn;	/* where it is mapped now */
	uint64_t dpfn;	/* where its bytes go, 0: not known yet */
};

/** struct uhmm_flight - up to 512 pages of one mm, in the store */
struct uhmm_flight {
	uint32_t mm;		/* slot */
	uint32_t npages;
	uint64_t start;		/* page number of page[0] at the beginning */
	uint64_t forked;	/* other mms have entries of it, too */
	struct uhmm_flight_page page[UHMM_FLIGHT_NPAGES];
};

/**
 * uhmm_flight_begin() - a flight for @npages pages from @start on; no entry is
 * changed yet
 * Return: its index; 0: too many flights at once
 */
UHMM_CHECKED uint32_t uhmm_flight_begin(struct uhmm_mm *mm, uhmm_vpn_t start,
					uint64_t npages);

/** uhmm_flight_at() - flight @index, which must exist */
struct uhmm_flight *uhmm_flight_at(const struct uhmm_core *core,
				   uint32_t index);

/**
 * uhmm_flight_board() - lock page @i: its entry, none so far, becomes a
 * migration entry of this flight
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int uhmm_flight_board(struct uhmm_mm *mm, uint32_t index,
				   uint64_t i);

/**
 * uhmm_flight_board_sharer() - the same for @vpn of another mm, which has page
 * @i, too
 */
UHMM_CHECKED int uhmm_flight_board_sharer(struct uhmm_mm *mm, uhmm_vpn_t vpn,
					  uint32_t index, uint64_t i);

/** uhmm_flight_has() - is @leaf the entry of page @i of flight @index? */
bool uhmm_flight_has(uhmm_softleaf_t leaf, uint32_t index, uint64_t i);

/**
 * uhmm_flight_entry() - the entry of page @i, wherever it is mapped now, or
 * none when it is not on board
 */
uhmm_softleaf_t uhmm_flight_entry(struct uhmm_mm *mm, uint32_t index,
				  uint64_t i);

/** uhmm_flight_is_still() - is page @i on board, where it boarded, and was it
 *  not dropped by the program? */
bool uhmm_flight_is_still(struct uhmm_mm *mm, uint32_t index, uint64_t i);

/** uhmm_flight_leave() - page @i leaves: its entry becomes none */
void uhmm_flight_leave(struct uhmm_mm *mm, uint32_t index, uint64_t i);

/** uhmm_flight_land() - page @i has arrived: its entry becomes that of
 *  page[i].dpfn, with @bits (enum uhmm_softleaf_bits) */
void uhmm_flight_land(struct uhmm_mm *mm, uint32_t index, uint64_t i,
		      bool write, unsigned int bits);

/** uhmm_flight_drop() - page @i did not get to its device page, which is free
 *  again */
void uhmm_flight_drop(struct uhmm_core *core, uint32_t index, uint64_t i);

/**
 * uhmm_flight_forked() - what the child of a fork gets where the parent has
 * @leaf, a migration entry proper: the same entry, when the page's bytes may
 * be in the device page alone; none, when the child certainly got the page
 */
uhmm_softleaf_t uhmm_flight_forked(struct uhmm_core *core,
				   uhmm_softleaf_t leaf);

/** uhmm_flight_to() - an mm of which pages are on their way to device pages
 *  [@first, @end), or NULL */
struct uhmm_mm *uhmm_flight_to(struct uhmm_core *core, uhmm_dpfn_t first,
			       uhmm_dpfn_t end);

/** uhmm_flight_moved() - a migration entry proper of @mm moved to @to (mremap) */
void uhmm_flight_moved(struct uhmm_mm *mm, uhmm_softleaf_t leaf, uhmm_vpn_t to);

/**
 * uhmm_flight_settle() - every entry that @mm, which is not the flight's own,
 * has of flight @index becomes what it stands for
 */
void uhmm_flight_settle(struct uhmm_mm *mm, uint32_t index);

/**
 * uhmm_flight_look_again() - @mm, bare so far, can be asked now: what it has
 * of flights that ended before is none where its CPU has the page
 */
void uhmm_flight_look_again(struct uhmm_mm *mm);

/**
 * uhmm_flight_end() - every page of @mm has left or landed: those who were
 * forked meanwhile get what is theirs, and pages nobody wants are free
 */
void uhmm_flight_end(struct uhmm_mm *mm, uint32_t index);

#endif
