/* SPDX-License-Identifier: MIT */
/* world_inside.h - what the files of the world share (world.h) */
#ifndef UHMM_TESTS_MODEL_WORLD_INSIDE_H
#define UHMM_TESTS_MODEL_WORLD_INSIDE_H

#include <uhmm/migrate.h>

#include "fake_mm.h"
#include "mm/page.h"
#include "mm/restore.h"
#include "arena.h"
#include "world.h"

#define JOBS 3

/** An operation that is under way. */
struct job {
	bool used;
	bool ended;
	struct op op;
	struct fake_task *task;
	struct uhmm_mm *mm;	/* referenced */
	struct fake_mm *program;
	unsigned int concern;	/* bits of pages it is about */
	unsigned int dirty;	/* of these, others were about, too */
	bool crowded;		/* others were about anything meanwhile */
	int result;
	bool given[MODEL_PAGES]; /* the driver had a page for it */
	unsigned int phase;	/* of a migration */
	struct fake_call at;	/* where it stopped */
	struct uhmm_migrate_vma args;
	uint64_t src[MODEL_PAGES], dst[MODEL_PAGES];
};

struct program {
	struct fake_mm *fake;	/* NULL: it does not live */
	struct uhmm_notifier notifier[MODEL_DEVS];
	bool tag[MODEL_PAGES][MODEL_DEVS];
};

struct world {
	struct scope scope;
	struct fake f;
	struct model m;
	struct uhmm_pagemap dev[MODEL_DEVS];
	struct uhmm_pagemap exclusive;
	struct program program[MODEL_PROCS];
	struct job job[JOBS];
};

/** The world that there is. */
extern struct world w;

uhmm_vpn_t world_vpn(int v);
struct fake_pte *world_pte(int p, int v);
uhmm_softleaf_t world_leaf(int p, int v);

/** world_device() - which device @dpfn is of, -1: none */
int world_device(uhmm_dpfn_t dpfn);

/** world_concern() - the pages that @op is about */
unsigned int world_concern(const struct op *op);
unsigned int world_bit(int p, int v);

/** world_under_way() - the pages that operations under way are about */
unsigned int world_under_way(void);

/** world_is_paused() - did @job stop by itself, to go on when a step says so? */
bool world_is_paused(const struct job *job);

/** world_run() - the body of job @arg, in its task */
void world_run(void *arg);

/** world_apply() - the model follows a job that has ended */
void world_apply(struct job *job);

/** world_take_over() - a page that was disturbed is where the library has it */
void world_take_over(int p, int v);

/** world_follow_loose() - and so are those that a fork shares unprotected */
void world_follow_loose(void);

/** world_compare() - every page is what the model says */
void world_compare(void);

/** world_begin_program(), world_end_program() - number @p */
void world_begin_program(int p, struct fake_mm *fake);
void world_end_program(int p);

#endif
