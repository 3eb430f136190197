/* SPDX-License-Identifier: MIT */
/* smaps.h - what only /proc/PID/smaps tells of a mapping
 *
 * Slow: the kernel walks every page of every mapping before the wanted one.
 * Asked only for a mapping that may be a device's, where PROCMAP_QUERY is
 * missing and the mapping may be hugetlb, or of a program with a userfaultfd of
 * its own whose memory we trap without one; and of each that a device begins to
 * look at where the kernel maps no zero page.
 */
#ifndef UHMM_SYS_SMAPS_H
#define UHMM_SYS_SMAPS_H

#include <stdbool.h>
#include <stdint.h>

struct uhmm_smaps {
	uint64_t page_bytes;	/* KernelPageSize */
	bool io, pfnmap, mixedmap, dontexpand;	/* VmFlags io pf mm de */
	bool thp;		/* THPeligible: a fault may map a huge page */
	bool uffd;		/* um uw ui: some userfaultfd has it */
};

/**
 * uhmm_smaps_find() - look up the mapping [@start, @end), in bytes
 * @maps: descriptor of that mm's maps; smaps is opened beside it, which needs
 *        the same user and the same /proc
 * Return: 0; -ENOENT no such mapping there (or another mm's smaps); -EACCES
 * and the like: it cannot be opened
 */
int uhmm_smaps_find(int maps, uint64_t start, uint64_t end,
		    struct uhmm_smaps *smaps);

#endif
