/* SPDX-License-Identifier: MIT */
/* maps.h - the mappings of a program, through its /proc/PID/maps descriptor
 *
 * Theory of operation. PROCMAP_QUERY (6.11) asks for one mapping; before that
 * the text is read up to it. Nothing is remembered.
 *
 * What a mapping is follows from its name and page size:
 *   anon     no inode, or /dev/zero (a shared anonymous mapping is called
 *            "/dev/zero (deleted)")
 *   hugetlb  page size above the base page; without PROCMAP_QUERY, smaps
 *   special  [vdso], [vvar], [vsyscall] and their like; our device's
 *            "/memfd:hmm_dmirror"; a character device below /dev or an
 *            anonymous inode, unless smaps' VmFlags (exact but slow, so only
 *            asked for these, and only if it can be opened) says it is none of
 *            io, pf, mm, de
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_MAPS_H
#define UHMM_SYS_MAPS_H

#include <uhmm/mm_ops.h>

/** How the mappings of one mm are read. */
struct uhmm_maps {
	int fd;			/* /proc/PID/maps, not owned */
	bool has_query;		/* PROCMAP_QUERY works */
};

/** uhmm_maps_device() - uhmm_vma.device of a device number */
static inline uint64_t uhmm_maps_device(unsigned int major, unsigned int minor)
{
	return (uint64_t)major << 20 | minor;
}

/** uhmm_maps_init() - use this descriptor; finds out what works */
void uhmm_maps_init(struct uhmm_maps *maps, int fd);

/**
 * uhmm_maps_find() - the mapping that holds @vpn, or the first above it
 * Return: 0; -ENOENT nothing there or above; -ESRCH mm gone
 */
UHMM_CHECKED int uhmm_maps_find(const struct uhmm_maps *maps, uhmm_vpn_t vpn,
				struct uhmm_vma *vma);

#endif
