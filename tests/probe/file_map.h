/* SPDX-License-Identifier: MIT */
/* file_map.h - private memory of a file, for probes */
#ifndef UHMM_PROBE_FILE_MAP_H
#define UHMM_PROBE_FILE_MAP_H

#include <stddef.h>

/** file_map() - @npages of a new file, filled with probe_fill(@seed), mapped
 *  privately for @prot */
void *file_map(size_t npages, int prot, unsigned int seed);

#endif
