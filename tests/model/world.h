/* SPDX-License-Identifier: MIT */
/* world.h - the library and the model side by side
 *
 * Theory of operation. A world is a struct fake (tests/mm) with two devices and
 * up to two programs, and the model of it. A step begins an operation or goes
 * on with one that stopped. An operation stops at the engine's yields and
 * between the phases of a migration, as the step says, or because it waits for
 * a page on its way. The library must satisfy uhmm_mm_check(), every change of a
 * leaf must be one of rules.h, and after every step every page must be what the
 * model says it is:
 *
 *   no operation under way concerns the page   exactly so
 *   one does                                   it holds what it should
 *   one did, and others interfered             it holds what it should; where
 *                                              it is now is taken over
 */
#ifndef UHMM_TESTS_MODEL_WORLD_H
#define UHMM_TESTS_MODEL_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum op_kind {
	OP_READ,		/* CPU accesses */
	OP_WRITE,
	OP_TO_DEV,		/* migrate_vma, by device dev */
	OP_TO_SYS,
	OP_MOVE,		/* migrate_vma, from device dev to the other */
	OP_EVICT,
	OP_UNPLUG,		/* device dev is pulled out */
	OP_EXCLUSIVE,
	OP_DEV_WRITE,		/* the device writes to what it has */
	OP_FORK,
	OP_EXIT,
	OP_MAP,
	OP_UNMAP,
	OP_DONTNEED,
	OP_PROTECT,
	OP_REMAP,
	OP_NR
};

/** What goes wrong. */
enum op_failure {
	FAILS_NOT,
	FAILS_ALLOC,		/* the driver has no destination: an abort */
	FAILS_ENGINE,		/* take or give say -ENOMEM */
	FAILS_NR
};

struct op {
	uint8_t kind;		/* enum op_kind */
	uint8_t p, v, n;	/* program, first page, number of pages */
	uint8_t dev;
	uint8_t rights;		/* PROTECT: enum model_rights */
	uint8_t failure;	/* enum op_failure */
};

struct step {
	struct op op;		/* to begin, when job is 0 */
	uint8_t job;		/* 1 ..: which job goes on */
	bool stops;		/* at the next yield, else it runs to its end */
};

/** How large a world the explorer looks at. */
struct scope {
	int procs, pages, devs, jobs;
	bool failures;		/* of allocations and engine */
	bool stops;		/* at yields of the engine, not only between
				 * the phases of a migration */
};

#define WORLD_STEPS 400

/** world_begin() - a new world; world_end() - all of it ends: what is under way
 *  finishes, programs exit, nothing may be left */
void world_begin(const struct scope *scope);
void world_end(void);

/** world_steps() - the steps that can be taken now. Return: how many */
size_t world_steps(struct step steps[WORLD_STEPS]);

/**
 * world_step() - take one
 * @checks: compare afterwards
 * Return: false: it was to stop and did not (the same without is a step, too)
 */
bool world_step(const struct step *step, bool checks);

/** world_prove() - uhmm_mm_check(), and that nothing is lost or doubled */
void world_prove(void);

struct arena_copy;

/** world_restore() - the world is what it was when @copy was made of it */
void world_restore(const struct arena_copy *copy);

/**
 * world_hash() - two worlds with the same one go on alike
 * That is, but for names: which program is number 0, which job comes first,
 * which free page of a device is taken, and what pages hold. No value is written
 * twice, so that whoever gets another page's bytes, or those of yesterday, is
 * found out, whatever it was. Pages and devices are not exchanged: what goes over a range
 * begins at its start, and devices differ in size.
 */
uint64_t world_hash(void);

/** world_print() - the step in words, to standard error */
void world_print(const struct step *step);

#endif
