/* SPDX-License-Identifier: MIT */
/* slots.h - objects named by number and generation instead of by pointer
 *
 * What leaves this process (a completion tag, a token) or lives longer than
 * the object must not be a pointer: a stale name finds nothing here, never
 * another object that came to the same place.
 * Owns:  the table, not the objects.  Locks: the caller's.
 */
#ifndef UHMMD_SLOTS_H
#define UHMMD_SLOTS_H

#include <stdint.h>

#include <uhmm/types.h>

/** A name. All zero names nothing. */
struct slot_ref {
	uint32_t slot;
	uint32_t generation;	/* never 0 of an object */
};

struct slot {
	void *obj;		/* NULL: free */
	uint32_t generation;
	uint32_t next_free;	/* slot + 1, 0: none */
};

/** struct slots - all zero is an empty table */
struct slots {
	struct slot *at;
	uint32_t room;
	uint32_t used;
	uint32_t free;		/* first free slot + 1, 0: none */
};

/**
 * slots_add() - give @obj a name
 * Return: 0 with *@ref; -ENOMEM
 */
UHMM_CHECKED int slots_add(struct slots *s, void *obj, struct slot_ref *ref);

/** slots_get() - the object @ref names, or NULL when it is gone */
void *slots_get(const struct slots *s, struct slot_ref ref);

/** slots_del() - forget @ref; harmless when it names nothing */
void slots_del(struct slots *s, struct slot_ref ref);

/** slots_next() - the first object in slot *@at or above, for walkers; NULL at
 *  the end. *@at moves behind it. */
void *slots_next(const struct slots *s, uint32_t *at);

/** slots_fini() - free the table */
void slots_fini(struct slots *s);

#endif
