/* SPDX-License-Identifier: MIT */
/* compare.c - the model follows, and says what each page must be (world.h) */
#include <errno.h>
#include <string.h>

#include <uhmm/exclusive.h>

#include "world_inside.h"

/* ---- what the model makes of an operation that has ended ---- */

static void expect_result(const struct job *job, int want)
{
	if (job->result != want)
		ck_abort_msg("it says %d, not %d", job->result, want);
}

static void apply_migration(struct job *job)
{
	const struct op *op = &job->op;

	if (job->result || job->dirty)
		return;
	if (op->failure == FAILS_ENGINE)
		memset(job->given, 0, sizeof(job->given));
	if (op->kind == OP_TO_DEV)
		model_to_dev(&w.m, op->p, op->v, op->n, op->dev, job->given);
	else if (op->kind == OP_MOVE)
		model_move(&w.m, op->p, op->v, op->n, op->dev, job->given);
	else
		model_to_sys(&w.m, op->p, op->v, op->n, op->dev,
			     op->failure == FAILS_NOT);
}

/* Is the program that began @job still there? */
static bool is_there(const struct job *job)
{
	const struct fake_mm *fake = w.program[job->op.p].fake;

	return fake && fake->mm == job->mm;
}

/* How much room there is the model does not know when others had something in
 * their hands meanwhile. */
static void apply_exclusive(const struct job *job)
{
	const struct op *op = &job->op;
	int want;

	if (job->dirty)
		return;
	want = model_exclusive(&w.m, op->p, op->v, op->dev);
	if (!job->crowded || want == -EFAULT) {
		expect_result(job, want);
		return;
	}
	unit_expect(job->result == 0 || job->result == -EBUSY);
	world_take_over(op->p, op->v);
	unit_expect((w.m.proc[op->p].page[op->v].where == MODEL_EXCLUSIVE) ==
		    (job->result == 0));
}

static void apply_touch(const struct job *job)
{
	const struct op *op = &job->op;

	if (model_touch(&w.m, op->p, op->v, op->kind == OP_WRITE))
		expect_result(job, 0);
	else
		expect_result(job, -EFAULT);
}

/* What was under way when its program ended. */
static bool is_orphan(const struct job *job)
{
	const struct op *op = &job->op;

	if (is_there(job) || op->kind == OP_EXIT || op->kind == OP_EVICT ||
	    op->kind == OP_UNPLUG)
		return false;
	if (op->kind == OP_READ || op->kind == OP_WRITE ||
	    op->kind == OP_EXCLUSIVE || op->kind == OP_FORK)
		expect_result(job, -ESRCH);
	return true;
}

void world_apply(struct job *job)
{
	const struct op *op = &job->op;

	if (is_orphan(job))
		return;
	switch (op->kind) {
	case OP_READ:
	case OP_WRITE:
		apply_touch(job);
		break;
	case OP_TO_DEV:
	case OP_TO_SYS:
	case OP_MOVE:
		apply_migration(job);
		break;
	case OP_EVICT:
		if (!job->dirty)
			model_evict(&w.m, op->dev,
				    op->failure == FAILS_NOT);
		break;
	case OP_UNPLUG:
		model_unplug(&w.m, op->dev);
		break;
	case OP_EXCLUSIVE:
		apply_exclusive(job);
		break;
	case OP_DEV_WRITE:
		model_dev_write(&w.m, op->p, op->v);
		break;
	case OP_FORK:
		if (!job->result)
			model_fork(&w.m, op->p, !op->p);
		break;
	case OP_EXIT:
		model_exit(&w.m, op->p);
		break;
	case OP_MAP:
		model_map(&w.m, op->p, op->v);
		break;
	case OP_UNMAP:
		model_unmap(&w.m, op->p, op->v);
		break;
	case OP_DONTNEED:
		model_dontneed(&w.m, op->p, op->v);
		break;
	case OP_PROTECT:
		model_protect(&w.m, op->p, op->v, op->rights);
		break;
	case OP_REMAP:
		model_remap(&w.m, op->p, op->v);
		break;
	default:
		unit_expect(false);
	}
}

/* ---- comparing ---- */

static bool is_hole(const struct fake_pte *pte)
{
	return !(pte->bits & UHMM_PTE_PRESENT) || (pte->bits & UHMM_PTE_ZERO);
}

/* Can the page be written without asking? */
static bool is_writable(int p, int v)
{
	uint8_t bits = fake_pte_bits(w.program[p].fake, world_vpn(v).val);

	return !(bits & UHMM_PTE_WP) && (bits & UHMM_PTE_EXCLUSIVE);
}

/* A fork that came when its pages had been protected already, or whose memory was
 * made anew meanwhile, shares it unprotected. */
static bool is_loose(int p, int v)
{
	uint8_t bits = fake_pte_bits(w.program[p].fake, world_vpn(v).val);

	return !(bits & (UHMM_PTE_WP | UHMM_PTE_ZERO | UHMM_PTE_EXCLUSIVE));
}

/* Where the library has it. */
static enum model_where where_is(int p, int v)
{
	uhmm_softleaf_t leaf = world_leaf(p, v);

	if (uhmm_softleaf_is_device_exclusive(leaf))
		return MODEL_EXCLUSIVE;
	if (uhmm_softleaf_is_device_private(leaf))
		return MODEL_DEV;
	unit_expect(uhmm_softleaf_is_none(leaf));
	return is_hole(world_pte(p, v)) ? MODEL_HOLE : MODEL_RAM;
}

/* Which page it is, by what the library says: the one that another place with
 * the same number has. */
static int kin_of(int p, int v)
{
	uint64_t number = uhmm_kin_get(w.program[p].fake->mm, world_vpn(v));

	w.m.proc[p].page[v].birth = (int)(number >> 48);
	for (int q = 0; number && q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES; u++)
			if ((q != p || u != v) && w.m.proc[q].alive &&
			    w.m.proc[q].page[u].kin &&
			    uhmm_kin_get(w.program[q].fake->mm,
					 world_vpn(u)) == number)
				return w.m.proc[q].page[u].kin;
	return number ? ++w.m.last_kin : 0;
}

/* Device page @dpfn is that of page @v of program @p. A page that was there and is
 * on its way back, which the model will be told of later, is another one. */
static int id_of(int p, int v, uhmm_dpfn_t dpfn)
{
	for (int q = 0; q < MODEL_PROCS; q++)
		for (int u = 0; u < MODEL_PAGES && w.m.proc[q].alive; u++) {
			uhmm_softleaf_t leaf = world_leaf(q, u);

			if ((q == p && u == v) ||
			    w.m.proc[q].page[u].id != (int)dpfn.val ||
			    (uhmm_softleaf_has_dpfn(leaf) &&
			     uhmm_softleaf_to_dpfn(leaf).val == dpfn.val))
				continue;
			w.m.proc[q].page[u].id = ++w.m.last_id;
		}
	return (int)dpfn.val;
}

/* A page that others disturbed: it is where the library has it. */
void world_take_over(int p, int v)
{
	struct model_page *page = &w.m.proc[p].page[v];
	uhmm_softleaf_t leaf = world_leaf(p, v);

	page->where = where_is(p, v);
	page->loose = false;
	page->id = page->dev = 0;
	page->kin = kin_of(p, v);
	if (page->where == MODEL_DEV) {
		page->dev = world_device(uhmm_softleaf_to_dpfn(leaf));
		page->id = id_of(p, v, uhmm_softleaf_to_dpfn(leaf));
		page->write = uhmm_softleaf_is_device_private_write(leaf);
		page->alone = uhmm_softleaf_bits(leaf) &
			      UHMM_SOFTLEAF_EXCLUSIVE;
	} else if (page->where == MODEL_EXCLUSIVE) {
		page->id = id_of(p, v, uhmm_softleaf_to_dpfn(leaf));
		page->write = page->alone =
			uhmm_page_mapcount(&w.f.core.store,
					   uhmm_softleaf_to_dpfn(leaf)) == 1;
	} else if (page->where == MODEL_RAM) {
		page->alone = is_writable(p, v);
		page->write = page->alone && page->rights == MODEL_WRITE;
		page->loose = is_loose(p, v);
	}
	memcpy(page->tag, w.program[p].tag[v], sizeof(page->tag));
}

void world_follow_loose(void)
{
	unsigned int busy = world_under_way();

	for (int p = 0; p < MODEL_PROCS; p++)
		for (int v = 0; v < MODEL_PAGES && w.m.proc[p].alive; v++)
			if (w.m.proc[p].page[v].loose &&
			    !(busy & world_bit(p, v)))
				world_take_over(p, v);
}

static void compare_where(int p, int v)
{
	const struct model_page *page = &w.m.proc[p].page[v];
	uhmm_softleaf_t leaf = world_leaf(p, v);
	enum model_where where = where_is(p, v);

	if (where != page->where)
		ck_abort_msg("page %d of program %d is in state %d, not %d", v,
			     p, where, page->where);
	if (where == MODEL_DEV &&
	    (world_device(uhmm_softleaf_to_dpfn(leaf)) != page->dev ||
	     uhmm_softleaf_is_device_private_write(leaf) != page->write))
		ck_abort_msg("page %d of program %d: device %d, write %d; not "
			     "device %d, write %d", v, p,
			     world_device(uhmm_softleaf_to_dpfn(leaf)),
			     uhmm_softleaf_is_device_private_write(leaf),
			     page->dev, page->write);
	if (where == MODEL_RAM && page->rights == MODEL_WRITE &&
	    is_writable(p, v) != page->write)
		ck_abort_msg("page %d of program %d: write %d, not %d", v, p,
			     is_writable(p, v), page->write);
}

static void compare_mapping(int p, int v)
{
	const struct model_page *page = &w.m.proc[p].page[v];
	const struct fake_pte *pte = world_pte(p, v);

	unit_expect(pte->mapped == page->mapped);
	unit_expect(!page->mapped ||
		    pte->kind.write == (page->rights == MODEL_WRITE));
}

/* What a CPU would read there, were it let. */
static void compare_value(int p, int v, bool exact)
{
	uhmm_softleaf_t leaf = world_leaf(p, v);
	const struct fake_pte *pte = world_pte(p, v);

	/* On its way: in one of two places, which one is not told. */
	if (!exact && uhmm_softleaf_is_migration(leaf) && !pte->page)
		return;
	if ((int)fake_peek(w.program[p].fake, world_vpn(v).val) !=
	    w.m.proc[p].page[v].value)
		ck_abort_msg("page %d of program %d holds %d, not %d", v, p,
			     (int)fake_peek(w.program[p].fake, world_vpn(v).val),
			     w.m.proc[p].page[v].value);
}

static void compare_tags(int p, int v)
{
	for (int d = 0; d < MODEL_DEVS; d++)
		if (w.program[p].tag[v][d] != w.m.proc[p].page[v].tag[d])
			ck_abort_msg("page %d of program %d: atomic for device "
				     "%d is %d, not %d", v, p, d,
				     w.program[p].tag[v][d],
				     w.m.proc[p].page[v].tag[d]);
}

/* Two places have one page where the model says so. */
static void compare_kin(void)
{
	for (int v = 0; v < MODEL_PAGES; v++)
		for (int u = 0; u < MODEL_PAGES; u++) {
			uint64_t a = uhmm_kin_get(w.program[0].fake->mm,
						  world_vpn(v));
			uint64_t b = uhmm_kin_get(w.program[1].fake->mm,
						  world_vpn(u));

			if (model_is_kin(&w.m.proc[0].page[v],
					 &w.m.proc[1].page[u]) !=
			    (a && a == b))
				ck_abort_msg("page %d of program 0 and %d of 1 "
					     "have numbers %#lx, %#lx; kin %d, "
					     "%d", v, u, (unsigned long)a,
					     (unsigned long)b,
					     w.m.proc[0].page[v].kin,
					     w.m.proc[1].page[u].kin);
		}
}

/* Two entries are of one device page where the model says so. */
static void compare_sharing(void)
{
	const struct model_page *a, *b;

	for (int v = 0; v < MODEL_PAGES; v++) {
		for (int u = 0; u < MODEL_PAGES; u++) {
			a = &w.m.proc[0].page[v];
			b = &w.m.proc[1].page[u];
			if (!w.m.proc[0].alive || !w.m.proc[1].alive ||
			    !uhmm_softleaf_has_dpfn(world_leaf(0, v)) ||
			    !uhmm_softleaf_has_dpfn(world_leaf(1, u)))
				continue;
			unit_expect((a->id == b->id) ==
				    (uhmm_softleaf_to_dpfn(world_leaf(0, v)).val ==
				     uhmm_softleaf_to_dpfn(world_leaf(1, u)).val));
		}
	}
}

void world_compare(void)
{
	unsigned int busy = world_under_way();

	for (int p = 0; p < MODEL_PROCS; p++) {
		unit_expect(w.m.proc[p].alive == (w.program[p].fake != NULL));
		for (int v = 0; v < MODEL_PAGES && w.m.proc[p].alive; v++) {
			bool exact = !(busy & world_bit(p, v));

			compare_mapping(p, v);
			compare_value(p, v, exact);
			if (!exact)
				continue;
			compare_where(p, v);
			compare_tags(p, v);
		}
	}
	if (busy)
		return;
	compare_sharing();
	if (w.m.proc[0].alive && w.m.proc[1].alive)
		compare_kin();
	for (int d = 0; d < MODEL_DEVS; d++)
		unit_expect((int)uhmm_pagemap_used(&w.dev[d]) ==
			    model_used(&w.m, d));
	unit_expect((int)uhmm_pagemap_used(&w.exclusive) ==
		    model_exclusives(&w.m));
}

void world_prove(void)
{
	if (world_under_way())
		fake_check(&w.f);
	else
		fake_check_idle(&w.f);
}

