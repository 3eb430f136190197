/* SPDX-License-Identifier: MIT */
/* devpath.h - which paths are ours
 *
 * /dev/hmm_dmirror0 to 3, what $UHMM_NODES names, and the kernel's test of
 * get_user_pages() in debugfs.
 * Only these words: a path that leads there by another way is not looked at.
 */
#ifndef UHMM_PRELOAD_DEVPATH_H
#define UHMM_PRELOAD_DEVPATH_H

#include "preload.h"

/** uhmm_devpath_minor() - minor of @path as the wire has it, -1 not ours.
 *  Reads no byte past a difference. */
int uhmm_devpath_minor(const char *path);

/** uhmm_devpath_minor_unchecked() - the same of a path the kernel has not
 *  looked at: it may be no address */
int uhmm_devpath_minor_unchecked(const char *path);

#endif
