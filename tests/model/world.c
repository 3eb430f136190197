/* SPDX-License-Identifier: MIT */
/* world.c - life of a world, and its jobs (world.h) */
#include "world.h"

#include <errno.h>
#include <string.h>

#include <uhmm/exclusive.h>

#include "rules.h"
#include "world_inside.h"

/* The first page of each program. */
#define FIRST 2
#define ALL_PAGES ((1u << (MODEL_PROCS * MODEL_PAGES)) - 1)

/* Pages of the devices, and exclusive ones: few, so that they run out. */
static const int dev_room[MODEL_DEVS] = { 2, 1 };
#define EXCLUSIVE_ROOM 1

struct world w;

unsigned int world_bit(int p, int v)
{
	return 1u << (p * MODEL_PAGES + v);
}

uhmm_vpn_t world_vpn(int v)
{
	return UHMM_VPN(FIRST + (uint64_t)v);
}

struct fake_pte *world_pte(int p, int v)
{
	return &w.program[p].fake->pte[world_vpn(v).val];
}

uhmm_softleaf_t world_leaf(int p, int v)
{
	return uhmm_mm_leaf(w.program[p].fake->mm, world_vpn(v));
}

/* ---- the devices ---- */

static int migrate_to_ram(struct uhmm_device_fault *fault)
{
	int64_t back = uhmm_migrate_to_ram(
		fault->mm, uhmm_range_of(fault->vpn, 1), fault->pgmap);

	return back < 0 ? (int)back : 0;
}

static const struct uhmm_pagemap_ops pagemap_ops = {
	.migrate_to_ram = migrate_to_ram,
};

int world_device(uhmm_dpfn_t dpfn)
{
	const struct uhmm_pagemap *pgmap = uhmm_pagemap_of(&w.f.core, dpfn);

	for (int d = 0; d < MODEL_DEVS; d++)
		if (pgmap == &w.dev[d])
			return d;
	return -1;
}

static void forget_tags(struct program *program, int dev, struct uhmm_range r)
{
	for (int v = 0; v < MODEL_PAGES; v++)
		if (uhmm_range_has(r, world_vpn(v)))
			program->tag[v][dev] = false;
}

static void invalidate(struct uhmm_notifier *n, struct uhmm_range r,
		       enum uhmm_notify_event event, const void *owner)
{
	for (int p = 0; p < MODEL_PROCS; p++)
		for (int d = 0; d < MODEL_DEVS; d++)
			if (&w.program[p].notifier[d] == n &&
			    !(event == UHMM_NOTIFY_MIGRATE &&
			      owner == &w.dev[d]))
				forget_tags(&w.program[p], d, r);
}

void world_begin_program(int p, struct fake_mm *fake)
{
	struct program *program = &w.program[p];

	memset(program, 0, sizeof(*program));
	program->fake = fake;
	for (int d = 0; d < MODEL_DEVS; d++) {
		program->notifier[d].invalidate = invalidate;
		uhmm_notifier_insert(&program->notifier[d], fake->mm,
				     uhmm_range_of(UHMM_VPN(0), FAKE_NPAGES));
	}
}

void world_end_program(int p)
{
	struct program *program = &w.program[p];
	struct uhmm_mm *mm = program->fake->mm;

	uhmm_mm_get(mm);
	fake_exit(program->fake);
	for (int d = 0; d < MODEL_DEVS; d++)
		uhmm_notifier_remove(&program->notifier[d]);
	uhmm_mm_put(mm);
	program->fake = NULL;
}

/* ---- who is about what ---- */

/* Do these two share a device page, or @all: any page? */
static bool is_shared(int i, int k, bool all)
{
	const struct model_page *a =
		&w.m.proc[i / MODEL_PAGES].page[i % MODEL_PAGES];
	const struct model_page *b =
		&w.m.proc[k / MODEL_PAGES].page[k % MODEL_PAGES];

	return i != k && ((a->id && a->id == b->id) ||
			  (all && model_is_kin(a, b)));
}

/* These pages, and those that share one with them; mirrors are told of what is
 * at the same places, too. */
static unsigned int with_sharers(unsigned int pages, bool all)
{
	unsigned int told = 0;

	for (int i = 0; i < MODEL_PROCS * MODEL_PAGES; i++)
		for (int k = 0; k < MODEL_PROCS * MODEL_PAGES; k++) {
			if (!(pages >> i & 1) || !is_shared(i, k, all))
				continue;
			pages |= 1u << k;
			for (int p = 0; p < MODEL_PROCS; p++)
				told |= world_bit(p, i % MODEL_PAGES) |
					world_bit(p, k % MODEL_PAGES);
		}
	return pages | told;
}

static unsigned int pages_of(int p)
{
	unsigned int pages = 0;

	for (int v = 0; v < MODEL_PAGES; v++)
		pages |= world_bit(p, v);
	return pages;
}

unsigned int world_concern(const struct op *op)
{
	unsigned int pages = 0;

	switch (op->kind) {
	case OP_EVICT:
	case OP_UNPLUG:
	case OP_FORK:
		return ALL_PAGES;
	case OP_EXIT:
		return with_sharers(pages_of(op->p), false);
	case OP_REMAP:
		/* mirrors are told of the place it comes to, too */
		pages = pages_of(op->p);
		return with_sharers(pages, false) == pages ? pages : ALL_PAGES;
	default:
		for (int v = op->v; v < op->v + op->n; v++)
			pages |= world_bit(op->p, v);
		return with_sharers(pages, op->kind == OP_TO_DEV);
	}
}

/* @job is at work now: whoever is under way with the same pages is disturbed,
 * and may disturb it. */
static void disturb(struct job *job)
{
	for (int i = 0; i < JOBS; i++) {
		struct job *other = &w.job[i];

		if (!other->used || other == job)
			continue;
		other->crowded = job->crowded = true;
		if (!(other->concern & job->concern))
			continue;
		other->concern |= job->concern;
		job->concern = other->concern;
		other->dirty |= job->concern;
		job->dirty |= job->concern;
	}
}

unsigned int world_under_way(void)
{
	unsigned int pages = 0;

	for (int i = 0; i < JOBS; i++)
		if (w.job[i].used)
			pages |= w.job[i].concern;
	return pages;
}

/* ---- jobs ---- */

/* It is over: the model follows. */
static void end_job(struct job *job)
{
	unsigned int dirty = job->dirty, busy;
	struct uhmm_mm *mm = job->mm;

	job->used = false;
	world_apply(job);
	memset(job, 0, sizeof(*job));
	uhmm_mm_put(mm);
	busy = world_under_way();
	for (int p = 0; p < MODEL_PROCS; p++)
		for (int v = 0; v < MODEL_PAGES; v++)
			if ((dirty & ~busy & world_bit(p, v)) &&
			    w.m.proc[p].alive)
				world_take_over(p, v);
}

/* Those that were woken go on; those that stopped by themselves do not. */
static bool run_woken(bool paused[JOBS])
{
	for (int i = 0; i < JOBS; i++) {
		struct job *job = &w.job[i];

		if (!job->used || paused[i] || job->ended ||
		    job->task->state != FAKE_TASK_READY)
			continue;
		disturb(job);
		fake_task_resume(job->task);
		if (job->ended)
			end_job(job);
		return true;
	}
	return false;
}

bool world_is_paused(const struct job *job)
{
	return job->used && job->task->state == FAKE_TASK_READY;
}

static struct job *free_job(void)
{
	for (int i = 0; i < JOBS; i++)
		if (!w.job[i].used)
			return &w.job[i];
	return NULL;
}

static struct job *begin_job(const struct op *op)
{
	struct job *job = free_job();

	unit_expect(job);
	job->used = true;
	job->op = *op;
	job->program = w.program[op->p].fake;
	job->mm = job->program->mm;
	uhmm_mm_get(job->mm);
	job->concern = world_concern(op);
	/* Of those that share the page one gets it and another does not. */
	if (op->kind == OP_READ && op->failure == FAILS_ENGINE &&
	    job->concern != world_bit(op->p, op->v))
		job->dirty = job->concern;
	return job;
}

static void set_failure(const struct op *op)
{
	if (op->failure != FAILS_ENGINE)
		return;
	fake_fail(&w.f, FAKE_TAKE_PAGE, 1, 1000, -ENOMEM);
	fake_fail(&w.f, FAKE_GIVE_PAGE, 1, op->kind == OP_READ ? 1 : 1000,
		  -ENOMEM);
}

/* The task is known before it ends, which may be at once. */
static void begin_task(struct job *job)
{
	job->task = fake_task_start(&w.f.tasks, world_run, job);
}

bool world_step(const struct step *step, bool checks)
{
	bool paused[JOBS];
	bool stopped = true;
	struct job *job;

	for (int i = 0; i < JOBS; i++)
		paused[i] = world_is_paused(&w.job[i]);
	w.f.pause_at = step->stops;
	if (step->job) {
		job = &w.job[step->job - 1];
		paused[step->job - 1] = false;
		disturb(job);
		fake_task_resume(job->task);
	} else {
		job = begin_job(&step->op);
		disturb(job);
		set_failure(&step->op);
		begin_task(job);
	}
	fake_heal(&w.f);
	if (step->stops)
		stopped = w.f.pause_at == 0;
	w.f.pause_at = 0;
	paused[job - w.job] = world_is_paused(job);
	if (world_is_paused(job))
		job->at = w.f.call[(w.f.ncalls - 1) % FAKE_CALLS];
	if (job->ended)
		end_job(job);
	while (run_woken(paused))
		;
	world_follow_loose();
	if (checks)
		world_compare();
	return stopped;
}

/* ---- life ---- */

static void begin_device(struct uhmm_pagemap *pgmap, int npages, uint8_t owner)
{
	memset(pgmap, 0, sizeof(*pgmap));
	pgmap->type = UHMM_MEMORY_DEVICE_PRIVATE;
	pgmap->npages = (uint64_t)npages;
	pgmap->owner[0] = owner;
	pgmap->ops = &pagemap_ops;
	unit_expect(uhmm_memremap_device_private_pagemap(&w.f.core, pgmap) ==
		    0);
}

void world_begin(const struct scope *scope)
{
	static const struct uhmm_store_limits limits = {
		.dpfns = FAKE_DPFNS,
		.objects = {
			[UHMM_SLAB_NODE] = 48, [UHMM_SLAB_RMAP] = 16,
			[UHMM_SLAB_MM] = FAKE_MMS, [UHMM_SLAB_RANGE] = 4,
			[UHMM_SLAB_FLIGHT] = JOBS,
		},
	};

	memset(&w, 0, sizeof(w));
	arena_open(&w, sizeof(w));
	w.scope = *scope;
	fake_init(&w.f, &limits);
	for (int d = 0; d < MODEL_DEVS; d++)
		begin_device(&w.dev[d], dev_room[d], (uint8_t)(d + 1));
	unit_expect(uhmm_exclusive_init(&w.f.core, &w.exclusive,
					EXCLUSIVE_ROOM) == 0);
	model_init(&w.m, dev_room, EXCLUSIVE_ROOM);
	world_begin_program(0, fake_start(&w.f));
	fake_map(w.program[0].fake, FIRST, MODEL_PAGES, &fake_rw);
	uhmm_shadow_trace = rules_note;
}

static void finish_jobs(void)
{
	for (int i = 0; i < JOBS; i++) {
		struct step go_on = { .job = (uint8_t)(i + 1) };

		if (world_is_paused(&w.job[i])) {
			world_step(&go_on, false);
			i = -1;
		}
	}
	for (int i = 0; i < JOBS; i++)
		unit_expect(!w.job[i].used);
}

void world_end(void)
{
	finish_jobs();
	world_compare();
	world_prove();
	for (int p = 0; p < MODEL_PROCS; p++)
		if (w.program[p].fake)
			world_end_program(p);
	for (int d = 0; d < MODEL_DEVS; d++) {
		unit_expect(uhmm_pagemap_used(&w.dev[d]) == 0);
		uhmm_memunmap_device_private_pagemap(&w.dev[d]);
	}
	uhmm_memunmap_device_private_pagemap(&w.exclusive);
	uhmm_shadow_trace = NULL;
	fake_fini(&w.f);
	arena_close();
}

void world_restore(const struct arena_copy *copy)
{
	arena_restore(copy);
	uhmm_shadow_trace = rules_note;
}

