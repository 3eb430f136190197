/* SPDX-License-Identifier: MIT */
/* migrate_unit.h - a migration of one PMD-sized unit; for migrate.c only
 *
 * Theory of operation. A driver sees a unit in src[0] and dst[0], with
 * COMPOUND, and zeros behind (S3.1). Within a phase of the migration the
 * arrays are unpacked, one word per page, so that a unit moves, fails and is
 * split by the code that moves pages; uhmm_migrate_vma.unit says that the
 * words are still alike. The entries in the shadow are a unit as well
 * (unit.h), so that what the program does meanwhile can split it.
 */
#ifndef UHMM_MM_MIGRATE_UNIT_H
#define UHMM_MM_MIGRATE_UNIT_H

#include <uhmm/migrate.h>

/** uhmm_migrate_unit_fits() - is the range such that it can be one, and is
 *  that asked for? */
bool uhmm_migrate_unit_fits(const struct uhmm_migrate_vma *args);

/**
 * uhmm_migrate_unit_collect() - the system pages of the range, whose src[] is
 * known and which had @pte, become a unit if one PMD maps them, or nothing is
 * there
 */
void uhmm_migrate_unit_collect(struct uhmm_migrate_vma *args,
			       const uint8_t *pte);

/** uhmm_migrate_unit_pack() - as a driver sees it; where its pages fared
 *  differently it is a unit no more */
void uhmm_migrate_unit_pack(struct uhmm_migrate_vma *args);

/** uhmm_migrate_unit_unpack() - the reverse, when a phase begins */
void uhmm_migrate_unit_unpack(struct uhmm_migrate_vma *args);

/**
 * uhmm_migrate_unit_accept() - unpack what the driver decided: one destination
 * for all, none, or a base page each, for which the unit is split
 * A destination of a unit for what is none is refused and freed.
 */
void uhmm_migrate_unit_accept(struct uhmm_migrate_vma *args);

/** uhmm_migrate_unit_lands() - are the entries of the flight a unit still?
 *  Then @head, if not NULL, is where its first page is now. */
bool uhmm_migrate_unit_lands(const struct uhmm_migrate_vma *args,
			     uhmm_vpn_t *head);

#endif
