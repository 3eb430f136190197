/* SPDX-License-Identifier: MIT */
/* split.h - huge pages that a migration has a part of only
 *
 * Theory of operation. The kernel splits a huge page before it looks at the
 * part of it that is to migrate, whether anything migrates or not, for all who
 * map it; and the mirrors of those forget all of it. Here the program's own
 * kernel does, when an engine asks. Entries of units are split by unit.h. To make
 * a page exclusive splits the PMD alone.
 * One that the range has whole, but that is not selected, is split by Linux 6.12
 * and left by later ones. Here it is left, and mirrors forget it.
 * Kernel: split_folio() in migrate_vma_collect_pmd().
 */
#ifndef UHMM_MM_SPLIT_H
#define UHMM_MM_SPLIT_H

#include <uhmm/migrate.h>

/**
 * uhmm_split_part() - (yields) huge pages that @args->range, in @args->vma, has
 * a part of become base pages
 * Return: 0; 1 others may have run, so that what was known of the mapping is to
 * be looked up again; -ESRCH
 */
UHMM_CHECKED int uhmm_split_part(const struct uhmm_migrate_vma *args);

#endif
