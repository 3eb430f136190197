/* SPDX-License-Identifier: MIT */
/* migrate_from.h - a migration's pages that are a device's; for migrate.c only
 *
 * They go back to the system, or to another private device. Each is locked for
 * all who map it (restore.h); the arrays are unpacked (migrate_unit.h).
 */
#ifndef UHMM_MM_MIGRATE_FROM_H
#define UHMM_MM_MIGRATE_FROM_H

#include <uhmm/migrate.h>

/** uhmm_migrate_from_collect() - lock the device pages of the range that are
 *  selected, and say so in src[] */
void uhmm_migrate_from_collect(struct uhmm_migrate_vma *args);

/** uhmm_migrate_from_pages() - (yields) bytes to where dst[] says; what has no
 *  destination stays, and so what cannot go there */
void uhmm_migrate_from_pages(struct uhmm_migrate_vma *args);

/** uhmm_migrate_from_finalize() - unlock them */
void uhmm_migrate_from_finalize(struct uhmm_migrate_vma *args);

#endif
