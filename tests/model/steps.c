/* SPDX-License-Identifier: MIT */
/* steps.c - which steps can be taken (world.h) */
#include "world_inside.h"

struct list {
	struct step *steps;
	size_t n;
};

static void add(struct list *list, struct step step)
{
	unit_expect(list->n < WORLD_STEPS);
	list->steps[list->n++] = step;
}

/* @op, with a stop at its first yield when it can have one. */
static void add_op(struct list *list, struct op op, bool yields)
{
	if (op.n == 0)
		op.n = 1;
	add(list, (struct step){ .op = op });
	if (yields && w.scope.jobs > 1)
		add(list, (struct step){ .op = op, .stops = true });
}

static void add_failures(struct list *list, struct op op)
{
	if (!w.scope.failures || world_under_way())
		return;
	if (op.kind == OP_TO_DEV || op.kind == OP_TO_SYS ||
	    op.kind == OP_MOVE) {
		op.failure = FAILS_ALLOC;
		add_op(list, op, false);
	}
	if (op.kind == OP_MOVE)
		return;	/* no engine has a part in it */
	op.failure = FAILS_ENGINE;
	add_op(list, op, false);
}

/* What the CPU and the program itself can do at page @v. */
static void add_program_ops(struct list *list, int p, int v)
{
	const struct model_page *page = &w.m.proc[p].page[v];
	struct op op = { .p = (uint8_t)p, .v = (uint8_t)v, .n = 1 };
	bool away = page->where == MODEL_DEV || page->where == MODEL_EXCLUSIVE;

	if (!page->mapped) {
		op.kind = OP_MAP;
		add_op(list, op, false);
		return;
	}
	op.kind = OP_READ;
	add_op(list, op, w.scope.stops);
	if (away)
		add_failures(list, op);
	op.kind = OP_WRITE;
	add_op(list, op, w.scope.stops);
	op.kind = OP_UNMAP;
	add_op(list, op, false);
	op.kind = OP_DONTNEED;
	add_op(list, op, false);
	if (w.scope.pages > 1) {
		op.kind = OP_REMAP;
		add_op(list, op, false);
	}
	op.kind = OP_PROTECT;
	for (op.rights = 0; op.rights <= MODEL_WRITE; op.rights++)
		if (op.rights != page->rights)
			add_op(list, op, false);
}

static bool can_device_write(int p, int v, int d)
{
	uhmm_softleaf_t leaf = world_leaf(p, v);

	if (uhmm_softleaf_is_device_exclusive(leaf))
		return w.program[p].tag[v][d];
	return uhmm_softleaf_is_device_private_write(leaf) &&
	       world_device(uhmm_softleaf_to_dpfn(leaf)) == d;
}

/* What device @d can do at pages [@v, +@n). */
static void add_device_ops(struct list *list, int p, int v, int n, int d)
{
	struct op op = { .p = (uint8_t)p, .v = (uint8_t)v, .n = (uint8_t)n,
			 .dev = (uint8_t)d };

	if (!model_is_one_mapping(&w.m, p, v, n))
		return;
	op.kind = OP_TO_DEV;
	add_op(list, op, true);
	add_failures(list, op);
	op.kind = OP_TO_SYS;
	add_op(list, op, true);
	add_failures(list, op);
	if (w.scope.devs > 1) {
		op.kind = OP_MOVE;
		add_op(list, op, true);
		add_failures(list, op);
	}
	if (n > 1)
		return;
	op.kind = OP_EXCLUSIVE;
	add_op(list, op, w.scope.stops);
	if (can_device_write(p, v, d)) {
		op.kind = OP_DEV_WRITE;
		add_op(list, op, false);
	}
}

static bool is_forking(void)
{
	for (int i = 0; i < JOBS; i++)
		if (w.job[i].used && w.job[i].op.kind == OP_FORK)
			return true;
	return false;
}

static void add_proc_ops(struct list *list, int p)
{
	struct op op = { .p = (uint8_t)p };

	for (int v = 0; v < w.scope.pages; v++)
		add_program_ops(list, p, v);
	for (int d = 0; d < w.scope.devs; d++) {
		for (int v = 0; v < w.scope.pages; v++)
			add_device_ops(list, p, v, 1, d);
		if (w.scope.pages > 1)
			add_device_ops(list, p, 0, 2, d);
	}
	if (w.scope.procs > 1 && !w.m.proc[!p].alive && !is_forking()) {
		op.kind = OP_FORK;
		add_op(list, op, w.scope.stops);
	}
	op.kind = OP_EXIT;
	if (w.m.proc[!p].alive)
		add_op(list, op, false);
}

size_t world_steps(struct step steps[WORLD_STEPS])
{
	struct list list = { .steps = steps };
	int jobs = 0;

	for (int i = 0; i < JOBS; i++) {
		struct step go_on = { .job = (uint8_t)(i + 1) };

		jobs += w.job[i].used;
		if (!world_is_paused(&w.job[i]))
			continue;
		add(&list, go_on);
		go_on.stops = true;
		add(&list, go_on);
	}
	if (jobs >= w.scope.jobs)
		return list.n;
	for (int p = 0; p < w.scope.procs; p++)
		if (w.m.proc[p].alive)
			add_proc_ops(&list, p);
	for (int d = 0; d < w.scope.devs; d++) {
		struct op op = { .kind = OP_EVICT, .dev = (uint8_t)d };

		op.p = !w.m.proc[0].alive;
		if (uhmm_pagemap_used(&w.dev[d])) {
			add_op(&list, op, w.scope.stops);
			add_failures(&list, op);
		}
		op.kind = OP_UNPLUG;
		if (!w.dev[d].unplugged)
			add_op(&list, op, w.scope.stops);
	}
	return list.n;
}
