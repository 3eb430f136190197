/* SPDX-License-Identifier: MIT */
/* remap.h - mremap of memory that is one mapping to the program, and several to
 * the kernel
 *
 * What is registered of a mapping is a mapping of its own; after a fork the
 * child's pieces stay apart, for each has its own way to its pages (anon_vma).
 * The kernel moves one mapping at a time, so such a range is moved piece by
 * piece, in the order in which it lies; when one cannot be moved those before
 * it go back. The caller has signals blocked: only another thread could see a
 * range of which a part has moved.
 */
#ifndef UHMM_PRELOAD_REMAP_H
#define UHMM_PRELOAD_REMAP_H

#include "preload.h"

/**
 * uhmm_remap() - mremap() of @old_bytes at @old, in whole pages, of which the
 * first @part bytes are a mapping to the kernel
 * Return: and errno: as mremap()
 */
void *uhmm_remap(char *old, size_t old_bytes, size_t new_bytes, int flags,
		 char *to, size_t part);

#endif
