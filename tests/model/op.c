/* SPDX-License-Identifier: MIT */
/* op.c - what programs and devices do to the library (world.h) */
#include <errno.h>

#include <uhmm/event.h>
#include <uhmm/exclusive.h>
#include <uhmm/share.h>

#include "world_inside.h"

/* ---- operations, each in a task of its own ---- */

/* A driver may stop here, between two phases. */
static void between(struct job *job)
{
	job->phase++;
	if (w.f.pause_at && --w.f.pause_at == 0)
		fake_task_pause(&w.f.tasks);
}

static int value_at(const struct job *job)
{
	return w.m.proc[job->op.p].page[job->op.v].value;
}

static void read_page(struct job *job)
{
	uint64_t value = 0;

	job->result = fake_cpu_read(job->program, world_vpn(job->op.v).val,
				    &value);
	if (!job->result)
		unit_expect((int)value == value_at(job));
}

static void write_page(struct job *job)
{
	uint64_t vpn = world_vpn(job->op.v).val;
	unsigned char *bytes;

	job->result = fake_touch(job->program, vpn, true);
	if (job->result)
		return;
	bytes = job->program->pte[vpn].page->bytes;
	unit_expect((int)fake_value(bytes) == value_at(job));
	fake_fill(bytes, (uint64_t)model_next_value(&w.m));
}

static void allocate(struct job *job)
{
	bool moves = job->op.kind == OP_MOVE;
	struct uhmm_pagemap *pgmap = &w.dev[job->op.dev ^ moves];

	for (int i = 0; i < job->op.n; i++) {
		bool is_device = uhmm_migrate_pfn_is_device(job->src[i]);
		uhmm_dpfn_t dpfn;

		if (!(job->src[i] & UHMM_MIGRATE_PFN_MIGRATE) ||
		    job->op.failure == FAILS_ALLOC)
			continue;
		if (is_device && !moves) {
			job->dst[i] = UHMM_MIGRATE_PFN_SYSTEM;
			job->given[job->op.v + i] = true;
		} else if (uhmm_pagemap_alloc(pgmap, 0, &dpfn) == 0) {
			job->dst[i] = uhmm_migrate_pfn(dpfn);
			job->given[job->op.v + i] = true;
		} else {
			unit_expect(pgmap->unplugged ||
				    uhmm_pagemap_used(pgmap) ==
					    pgmap->npages);
		}
	}
}

static void migrate(struct job *job, unsigned int select)
{
	job->args = (struct uhmm_migrate_vma){
		.mm = job->mm,
		.range = uhmm_range_of(world_vpn(job->op.v), job->op.n),
		.src = job->src,
		.dst = job->dst,
		.pgmap = &w.dev[job->op.dev],
		.flags = select,
	};
	job->result = uhmm_migrate_vma_setup(&job->args);
	if (job->result)
		return;
	between(job);
	allocate(job);
	uhmm_migrate_vma_pages(&job->args);
	between(job);
	uhmm_migrate_vma_finalize(&job->args);
}

static void make_exclusive(struct job *job)
{
	uint64_t done;

	job->result = uhmm_make_device_exclusive(
		job->mm, uhmm_range_of(world_vpn(job->op.v), 1), &done);
	unit_expect(done == (job->result ? 0 : 1));
	if (!job->result && job->program == w.program[job->op.p].fake)
		w.program[job->op.p].tag[job->op.v][job->op.dev] = true;
}

static void do_fork(struct job *job)
{
	int64_t back = uhmm_migrate_to_ram(
		job->mm, uhmm_range_of(UHMM_VPN(0), FAKE_NPAGES),
		&w.exclusive);

	if (back < 0)
		job->result = (int)back;
	else
		job->result = uhmm_mm_share(job->mm,
					    uhmm_range_of(UHMM_VPN(0), 0));
	if (!job->result)
		world_begin_program(!job->op.p, fake_raw_fork(job->program));
}

static void remap(const struct job *job)
{
	fake_remap(job->program, world_vpn(job->op.v).val,
		   world_vpn(!job->op.v).val, 1, false);
}

static void protect(const struct job *job)
{
	static const struct fake_kind *const kinds[] = {
		[MODEL_NONE] = &fake_none,
		[MODEL_READ] = &fake_ro,
		[MODEL_WRITE] = &fake_rw,
	};

	fake_protect(job->program, world_vpn(job->op.v).val, 1,
		     kinds[job->op.rights]);
}

static void device_write(const struct job *job)
{
	uhmm_softleaf_t leaf = world_leaf(job->op.p, job->op.v);
	unsigned char *bytes = fake_device_bytes(
		&w.f, uhmm_softleaf_to_dpfn(leaf));

	unit_expect((int)fake_value(bytes) == value_at(job));
	fake_fill(bytes, (uint64_t)model_next_value(&w.m));
}

void world_run(void *arg)
{
	struct job *job = arg;
	uint64_t vpn = world_vpn(job->op.v).val;

	switch (job->op.kind) {
	case OP_READ:
		read_page(job);
		break;
	case OP_WRITE:
		write_page(job);
		break;
	case OP_TO_DEV:
		migrate(job, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
		break;
	case OP_TO_SYS:
	case OP_MOVE:
		migrate(job, UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
		break;
	case OP_EVICT:
		uhmm_migrate_evict(&w.dev[job->op.dev]);
		break;
	case OP_UNPLUG:
		uhmm_pagemap_unplug(&w.dev[job->op.dev]);
		break;
	case OP_EXCLUSIVE:
		make_exclusive(job);
		break;
	case OP_DEV_WRITE:
		device_write(job);
		break;
	case OP_FORK:
		do_fork(job);
		break;
	case OP_EXIT:
		world_end_program(job->op.p);
		break;
	case OP_MAP:
		fake_map(job->program, vpn, 1, &fake_rw);
		break;
	case OP_UNMAP:
		fake_unmap(job->program, vpn, 1);
		break;
	case OP_DONTNEED:
		fake_dontneed(job->program, vpn, 1);
		break;
	case OP_PROTECT:
		protect(job);
		break;
	case OP_REMAP:
		remap(job);
		break;
	default:
		unit_expect(false);
	}
	job->ended = true;
}

