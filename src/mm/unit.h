/* SPDX-License-Identifier: MIT */
/* unit.h - PMD-sized units: 512 pages of a device, or on their way to one,
 * that are taken, given and counted as one
 *
 * Theory of operation. The kernel has one PMD entry in place of a table of
 * PTEs. Here the shadow always has an entry per page, so that a unit can be
 * split at any time: the entry of its first page, at an aligned page number,
 * has the bit COMPOUND and says that the 511 behind it are one with it. All
 * 512 are of one kind and have the same bits, their offsets go up by one from
 * an aligned one. Only DEVICE_PRIVATE entries and migration entries form
 * units: pages of coherent devices, and those one device has for itself, are
 * base pages.
 * A split is one store, which takes the bit away. Whoever is about to change
 * entries of a unit one by one, or in part, splits it first; whoever changes
 * all of them alike may leave it. Each mapping of a page that fork shares is
 * split by itself, as a PMD is.
 * What the program does to its mappings without telling (mlock() of a part)
 * may split a PMD, too: see uhmm_unit_is_intact().
 *
 * Units:  page numbers; ranges [start, end) in pages.
 * Locks:  caller holds the core's lock.
 */
#ifndef UHMM_MM_UNIT_H
#define UHMM_MM_UNIT_H

#include <uhmm/migrate.h>

#include "mm/mm.h"

/** uhmm_unit_has() - is @leaf the entry of a unit's first page? */
static inline bool uhmm_unit_has(uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_COMPOUND;
}

/** uhmm_unit_range() - the pages of the unit that @vpn is or would be in */
static inline struct uhmm_range uhmm_unit_range(uhmm_vpn_t vpn)
{
	return uhmm_range_of(UHMM_VPN(vpn.val & -UHMM_UNIT_NPAGES),
			     UHMM_UNIT_NPAGES);
}

/** uhmm_unit_of() - is @vpn of mm @slot in a unit? */
bool uhmm_unit_of(const struct uhmm_store *store, uint32_t slot,
		  uhmm_vpn_t vpn);

/**
 * uhmm_unit_is_intact() - the same for @mm, whose mapping at @vpn is @vma: a
 * unit that does not lie in it whole is split
 */
bool uhmm_unit_is_intact(struct uhmm_mm *mm, uhmm_vpn_t vpn,
			 const struct uhmm_vma *vma);

/** uhmm_unit_heads() - does any mapping of page @dpfn begin a unit? */
bool uhmm_unit_heads(const struct uhmm_store *store, uhmm_dpfn_t dpfn);

/**
 * uhmm_unit_join() - the entries [@head, +512) become a unit
 * Return: false they cannot be one (no two units are alike in what may differ:
 * the program changed some of them), nothing is done
 */
bool uhmm_unit_join(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t head);

/**
 * uhmm_unit_split() - the unit that @vpn is in, if it is in one, is 512 pages
 * Kernel: split_huge_pmd() on an entry that is not present.
 */
void uhmm_unit_split(struct uhmm_store *store, uint32_t slot, uhmm_vpn_t vpn);

/** uhmm_unit_split_part() - units that @r has a part of only */
void uhmm_unit_split_part(struct uhmm_store *store, uint32_t slot,
			  struct uhmm_range r);

/** uhmm_unit_split_all() - units that @r has any part of */
void uhmm_unit_split_all(struct uhmm_store *store, uint32_t slot,
			 struct uhmm_range r);

/** uhmm_unit_is_sound() - is what stands at @head, with COMPOUND, a unit? For
 *  check.c and repair.c */
bool uhmm_unit_is_sound(const struct uhmm_store *store, uint32_t slot,
			uhmm_vpn_t head);

#endif
