/* SPDX-License-Identifier: MIT */
/* window.h - the part of a program's address space that keeps the bytes of
 * device pages (engine_move.c)
 *
 * Theory of operation. The window is a private mapping of the program that it
 * cannot access (PROT_NONE) and did not ask for. Each device page number has
 * one place in it, whatever is there: no table is needed, neighbours on the
 * device are neighbours here, and what is aligned there is aligned here. The
 * daemon reads and writes it through the program's mem descriptor.
 * A place is empty; or held: the bytes of a device page are there and nowhere
 * else (a held place without a page is one of zeros); or stale: nobody needs
 * the page that is there, and the program's hands have not dropped it yet.
 * Pages that come or go one by one leave a page table, into which the kernel
 * moves nothing whole.
 *
 * Owns:   which place is what. Only devmem.c makes a place held or takes that
 *         from it, since it knows every window.
 * Units:  device page numbers, pages.
 * Locks:  caller holds the core's lock for every call.
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_WINDOW_H
#define UHMM_SYS_WINDOW_H

#include <uhmm/list.h>

#include "sys/trapset.h"

/** struct uhmm_window - zeroed is none */
struct uhmm_window {
	struct uhmm_list link;	/* in uhmm_devmem.windows */
	struct uhmm_window **hint;	/* uhmm_devmem.hint, so many */
	unsigned int nhints;
	uhmm_vpn_t base;	/* the place of page @first */
	uhmm_dpfn_t first;
	uint64_t npages;
	int mem;		/* /proc/PID/mem of the program, not owned */
	uint64_t *held;		/* bit per page; NULL: there is no window */
	uint64_t *some;		/* bit per 4096 of these: one is set */
	size_t bitmap_bytes;	/* of both */
	uint64_t nheld;
	struct uhmm_trapset stale;	/* by place */
	uint64_t nstale;
	struct uhmm_trapset tables;	/* places that page tables are for */
};

/**
 * uhmm_window_init() - places for [@first, +@npages) from @base on, all empty
 * Return: 0; -ENOMEM
 */
UHMM_CHECKED int uhmm_window_init(struct uhmm_window *w, uhmm_vpn_t base,
				  uhmm_dpfn_t first, uint64_t npages, int mem);

/** uhmm_window_fini() - forget it; a zeroed object is fine */
void uhmm_window_fini(struct uhmm_window *w);

/** uhmm_window_exists() - is there one? */
static inline bool uhmm_window_exists(const struct uhmm_window *w)
{
	return w->held != NULL;
}

/** uhmm_window_covers() - has each page of [@dpfn, +@npages) a place in it? */
bool uhmm_window_covers(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			uint64_t npages);

/** uhmm_window_places() - the places of [@dpfn, +@npages), which it covers */
struct uhmm_range uhmm_window_places(const struct uhmm_window *w,
				     uhmm_dpfn_t dpfn, uint64_t npages);

/** uhmm_window_run() - how many pages from @dpfn on, @npages at most, are all
 *  held (*@held) or all not held here; >= 1 */
uint64_t uhmm_window_run(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			 uint64_t npages, bool *held);

/** uhmm_window_next_held() - the first held page from *@dpfn on */
bool uhmm_window_next_held(const struct uhmm_window *w, uhmm_dpfn_t *dpfn);

/** uhmm_window_hold() - these places are held; devmem.c only */
void uhmm_window_hold(struct uhmm_window *w, uhmm_dpfn_t dpfn,
		      uint64_t npages);

/** uhmm_window_drop() - what is held of these is stale; devmem.c only */
void uhmm_window_drop(struct uhmm_window *w, uhmm_dpfn_t dpfn,
		      uint64_t npages);

/** uhmm_window_litter() - pages nobody needs came to these places */
void uhmm_window_litter(struct uhmm_window *w, uhmm_dpfn_t dpfn,
			uint64_t npages);

/** uhmm_window_emptied() - these are empty: the pages were moved or dropped */
void uhmm_window_emptied(struct uhmm_window *w, uhmm_dpfn_t dpfn,
			 uint64_t npages);

/** uhmm_window_note_table() - there are page tables for these places, or not
 *  any more (@there false); uhmm_window_has_table() - are there? */
void uhmm_window_note_table(struct uhmm_window *w, uhmm_dpfn_t dpfn,
			    uint64_t npages, bool there);
bool uhmm_window_has_table(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			   uint64_t npages);

/**
 * uhmm_window_read() - bytes of the held pages [@dpfn, +@npages) to @buf
 * uhmm_window_write() - and @buf to them
 * Return: pages done; fewer when the program has unmapped the place; -ESRCH
 */
int64_t uhmm_window_read(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			 uint64_t npages, void *buf);
int64_t uhmm_window_write(const struct uhmm_window *w, uhmm_dpfn_t dpfn,
			  uint64_t npages, const void *buf);

#endif
