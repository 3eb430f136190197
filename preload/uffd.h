/* SPDX-License-Identifier: MIT */
/* uffd.h - a userfaultfd with all that this kernel and user may have */
#ifndef UHMM_PRELOAD_UFFD_H
#define UHMM_PRELOAD_UFFD_H

#include "preload.h"

/**
 * uhmm_uffd_create() - a userfaultfd of this mm, non-blocking, handshake done
 * @features: (out) granted features   @flags: (out) enum uhmm_hello_flags
 * Return: descriptor; -errno: userfaultfd is not to be had, or -EMFILE
 */
UHMM_CHECKED int uhmm_uffd_create(uint64_t *features, uint32_t *flags);

#endif
