/* SPDX-License-Identifier: MIT */
/* devmem.h - where the bytes of device pages are
 *
 * Theory of operation. The bytes of a device page are in one place: in memory
 * of the daemon that no program has, or, with the engine that moves, in the
 * window of the program the page is of (window.h). Whoever fills a device page
 * says where: fill() for the daemon's memory, hold() for a window; what was
 * elsewhere before is garbage from then on.
 *
 * Owns:   one sparse memory descriptor per range of device page numbers; which
 *         window, if any, holds a page: one at most.
 * Units:  device page numbers, pages.
 * Locks:  caller holds the core's lock for every call. A pointer got stays
 *         valid until the range is removed, also without the lock; a range is
 *         removed only when none of its pages is allocated.
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_DEVMEM_H
#define UHMM_SYS_DEVMEM_H

#include "sys/memfd.h"
#include "sys/window.h"

/** Pages [first, first + npages) and their memory. */
struct uhmm_devmem_range {
	uhmm_dpfn_t first;
	uint64_t npages;
	struct uhmm_memfd mem;
	uint64_t *held;		/* bit per page: a window may hold it; NULL: none
				 * ever did */
	size_t held_bytes;
	bool unknown;		/* there was no memory for that */
};

/** Who held a page of such a block last; any of them may be wrong. */
#define UHMM_DEVMEM_HINTS 256
#define UHMM_DEVMEM_BLOCK 512

/** All device memory of the daemon. */
struct uhmm_devmem {
	struct uhmm_devmem_range *range;	/* by number, ascending */
	unsigned int n;
	unsigned int room;
	struct uhmm_list windows;		/* of uhmm_window.link */
	struct uhmm_window *hint[UHMM_DEVMEM_HINTS];
};

void uhmm_devmem_init(struct uhmm_devmem *dm);

/** uhmm_devmem_fini() - every range goes; no window is left */
void uhmm_devmem_fini(struct uhmm_devmem *dm);

/**
 * uhmm_devmem_add() - zeroed memory for [@first, +@npages)
 * Return: 0; -EINVAL empty, page 0 or overflow; -EEXIST overlaps; -ENOMEM
 */
UHMM_CHECKED int uhmm_devmem_add(struct uhmm_devmem *dm, uhmm_dpfn_t first,
				 uint64_t npages);

/**
 * uhmm_devmem_attach() - the same with memory that exists, of a daemon before
 * @fd: of that size; owned from now on when 0 is returned
 * Return: as uhmm_devmem_add(); -EINVAL also when the size differs
 */
UHMM_CHECKED int uhmm_devmem_attach(struct uhmm_devmem *dm, uhmm_dpfn_t first,
				    uint64_t npages, int fd);

/**
 * uhmm_devmem_remove() - the range that begins at @first and its memory go
 * Return: 0; -ENOENT
 */
UHMM_CHECKED int uhmm_devmem_remove(struct uhmm_devmem *dm, uhmm_dpfn_t first);

/** uhmm_devmem_ptr() - the daemon's memory for page @dpfn; NULL no such page */
void *uhmm_devmem_ptr(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn);

/**
 * uhmm_devmem_span() - the daemon's memory for [@dpfn, +@npages), contiguous;
 * the bytes of these pages when no window holds them
 * Return: NULL when they are not all in one range
 * Cost: O(log ranges), a few ns.
 */
void *uhmm_devmem_span(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
		       uint64_t npages);

/**
 * uhmm_devmem_fill() - the same for who is going to fill them: the bytes of
 * these pages are there from now on
 */
void *uhmm_devmem_fill(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
		       uint64_t npages);

/** uhmm_devmem_hold() - the bytes of [@dpfn, +@npages) are in @w from now on,
 *  one of the windows */
void uhmm_devmem_hold(struct uhmm_devmem *dm, struct uhmm_window *w,
		      uhmm_dpfn_t dpfn, uint64_t npages);

/** uhmm_devmem_forget() - these pages are of nobody: their bytes are nowhere */
void uhmm_devmem_forget(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			uint64_t npages);

/** uhmm_devmem_add_window() - @w, in which nothing is held yet, is one of them
 *  until uhmm_window_fini() */
void uhmm_devmem_add_window(struct uhmm_devmem *dm, struct uhmm_window *w);

/**
 * uhmm_devmem_place() - who has the bytes of page @dpfn
 * @w: (out) a window; NULL: the daemon's memory
 * Return: pages from @dpfn on, @npages at most, that are in the same place
 * Cost: mostly the same, however many windows there are.
 */
uint64_t uhmm_devmem_place(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			   uint64_t npages, struct uhmm_window **w);

/**
 * uhmm_devmem_read() - bytes of [@dpfn, +@npages), wherever they are, to @buf
 * uhmm_devmem_write() - and @buf to them
 * Return: pages done; fewer when the program whose window holds the next one
 * is gone, or has unmapped it
 */
uint64_t uhmm_devmem_read(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			  uint64_t npages, void *buf);
uint64_t uhmm_devmem_write(const struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
			   uint64_t npages, const void *buf);

/**
 * uhmm_devmem_discard() - [@dpfn, +@npages) of one range is zeros again and
 * takes no memory
 * Return: 0; -ENOENT no such pages; -ENOMEM
 */
UHMM_CHECKED int uhmm_devmem_discard(struct uhmm_devmem *dm, uhmm_dpfn_t dpfn,
				     uint64_t npages);

/** uhmm_devmem_resident_bytes() - memory that device pages take now */
uint64_t uhmm_devmem_resident_bytes(const struct uhmm_devmem *dm);

#endif
