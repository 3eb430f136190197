/* SPDX-License-Identifier: MIT */
/* devmap.h - memory of a device that the program has mapped
 *
 * The driver puts its pages in when it is mapped, and no fault ever puts in
 * others: a page that the program drops is gone, and to touch it is SIGBUS. Here
 * such memory is a memfd, which would be filled again: so what was dropped is
 * replaced by a mapping of an empty one.
 * Kernel: VM_MIXEDMAP without vm_ops.fault.
 */
#ifndef UHMM_PRELOAD_DEVMAP_H
#define UHMM_PRELOAD_DEVMAP_H

#include "preload.h"

/** uhmm_devmap_note() - there is such memory now, and may be in children */
void uhmm_devmap_note(void);

/** uhmm_devmap_dropped() - the pages [@addr, +@bytes) were dropped; errno stays */
void uhmm_devmap_dropped(void *addr, size_t bytes);

#endif
