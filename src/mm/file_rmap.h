/* SPDX-License-Identifier: MIT */
/* file_rmap.h - migrations that meet pages of files
 *
 * A page of a file does not migrate. But the kernel has taken it from everyone
 * who maps it before it sees that, first from the one who migrates, then from
 * all others, mapping by mapping until nobody has it, those first that begin
 * with an earlier page of the file. The mirrors where it has
 * looked for others have forgotten the page then; that of the one who migrates,
 * too, where it lies on this way. A page that nobody else maps needs no walk.
 * Kernel: migrate_vma_unmap(), try_to_migrate(), rmap_walk_file().
 */
#ifndef UHMM_MM_FILE_RMAP_H
#define UHMM_MM_FILE_RMAP_H

#include "mm/mm.h"

/**
 * uhmm_file_rmap_tell() - pages of files of the range of @vma in @mm were to
 * migrate: mirrors forget those that are mapped more than once
 * @pte: enum uhmm_pte bits of each page of @r
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int uhmm_file_rmap_tell(struct uhmm_mm *mm, const struct uhmm_vma *vma,
				     struct uhmm_range r, const uint8_t *pte);

#endif
