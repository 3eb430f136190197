/* SPDX-License-Identifier: MIT */
/* places.h - memory of a program that a policy may take
 *
 * Theory of operation. A policy works on programs that know nothing of it, so
 * it takes only what cannot be missed: private anonymous memory that may be
 * read and written (heap, mappings, bss), page by page what is there. Never:
 *
 *   the first thread's stack, and what looks like the stack of another (a
 *   small inaccessible mapping lies below it)
 *   the control blocks of threads, and the stacks below them: the kernel uses
 *   a control block when its thread exits, and waits for nobody then
 *   the preload library's own memory
 *   what the program changed in the last second: a thread that drops memory
 *   does so a moment after the kernel has told of it
 *
 * The mappings are looked up again after REFRESH_NS, the threads each time.
 *
 * Locks:  the core's.
 * Errors: 0 or -errno.
 */
#ifndef UHMMD_PLACES_H
#define UHMMD_PLACES_H

#include "sys/maps.h"
#include "sys/ptes.h"
#include "sys/threads.h"

struct session;

/** Changes that are remembered. */
#define PLACES_CHANGES 1024

struct places {
	struct session *s;
	int pid;			/* as this process sees it; 0: not known */
	struct uhmm_ptes ptes;
	struct uhmm_maps maps;
	struct uhmm_range *map;		/* candidates, ascending */
	unsigned int nmaps, room;
	uint64_t npages;		/* of all of them, huge ones cut */
	uint64_t refreshed_ns;
	struct uhmm_threads threads;
	struct uhmm_range *kept;	/* of threads */
	unsigned int nkept, kept_room;
	struct {
		struct uhmm_range range;
		uint64_t until_ns;
	} change[PLACES_CHANGES];	/* a ring */
	unsigned int last_change;
	uint64_t blind_until_ns;	/* there were more than we remember */
};

/** places_init() - of @s, which outlives it */
void places_init(struct places *p, struct session *s);

void places_fini(struct places *p);

/**
 * places_look() - (yields) what is there now
 * Return: 0; -ESRCH; -EPERM its threads cannot be seen: nothing may be taken;
 * -ENOMEM
 */
UHMM_CHECKED int places_look(struct places *p);

/**
 * places_threads() - the same of the threads alone
 * Return: as places_look()
 */
UHMM_CHECKED int places_threads(struct places *p);

/**
 * places_next() - the first pages in @r that may be taken now
 * @max: at most
 * Return: 0 with *@run; -ENOENT none; -ESRCH; -EOPNOTSUPP as uhmm_ptes_next()
 */
UHMM_CHECKED int places_next(struct places *p, struct uhmm_range r,
			     uint64_t max, struct uhmm_range *run);

/** places_map() - candidate @i, or the one that holds page @at of all of them
 *  together; an empty range when there is none */
struct uhmm_range places_at(const struct places *p, uint64_t at);

/** places_allow() - may all of @r, which places_next() gave, still be taken? */
bool places_allow(const struct places *p, struct uhmm_range r);

/** places_changed() - the program unmapped, moved or dropped @r */
void places_changed(struct places *p, struct uhmm_range r);

#endif
