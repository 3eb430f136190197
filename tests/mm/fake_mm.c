/* SPDX-License-Identifier: MIT */
/* fake_mm.c - a world, and its checks (fake_mm.h) */
#include "fake_mm.h"

#include <string.h>

#include <uhmm/device_private.h>

#include "mm/flight.h"
#include "mm/page.h"

static struct fake *world_of(struct uhmm_core *core)
{
	return core->ops_ctx;
}

/* ---- what the core needs ---- */

static unsigned int run_hooks(struct fake *f, enum fake_op op, bool after)
{
	unsigned int n = 0;

	for (int i = 0; i < FAKE_HOOKS; i++) {
		struct fake_hook hook = f->hook[i];

		if (!hook.countdown || hook.op != op || hook.after != after)
			continue;
		if (--f->hook[i].countdown)
			continue;
		hook.fn(hook.arg);
		n++;
	}
	return n;
}

static void core_wait(struct uhmm_core *core, struct uhmm_mm *mm)
{
	struct fake *f = world_of(core);

	f->calls[FAKE_WAIT]++;
	if (run_hooks(f, FAKE_WAIT, false))
		return;
	if (!fake_task_wait(&f->tasks, mm))
		ck_abort_msg("waits with nobody left to wake it");
}

static void core_wake(struct uhmm_core *core, struct uhmm_mm *mm)
{
	fake_task_wake(&world_of(core)->tasks, mm);
}

unsigned char *fake_device_bytes(struct fake *f, uhmm_dpfn_t dpfn)
{
	unit_expect(dpfn.val < FAKE_DPFNS);
	return f->devmem + dpfn.val * FAKE_PAGE_BYTES;
}

static uint64_t core_page_read(struct uhmm_core *core, uhmm_dpfn_t dpfn,
			       uint64_t npages, void *buf)
{
	memcpy(buf, fake_device_bytes(world_of(core), dpfn),
	       npages * FAKE_PAGE_BYTES);
	return npages;
}

static uint64_t core_page_write(struct uhmm_core *core, uhmm_dpfn_t dpfn,
				uint64_t npages, const void *buf)
{
	memcpy(fake_device_bytes(world_of(core), dpfn), buf,
	       npages * FAKE_PAGE_BYTES);
	return npages;
}

static void core_page_clear(struct uhmm_core *core, uhmm_dpfn_t dpfn)
{
	memset(fake_device_bytes(world_of(core), dpfn), 0, FAKE_PAGE_BYTES);
}

static uint64_t core_now_ns(struct uhmm_core *core)
{
	return world_of(core)->now_ns += world_of(core)->tick_ns;
}

static void core_pause(struct uhmm_core *core)
{
	struct fake *f = world_of(core);

	if (f->tasks.current)
		fake_task_pause(&f->tasks);
}

static const struct uhmm_core_ops core_ops = {
	.wait = core_wait,
	.wake = core_wake,
	.page_read = core_page_read,
	.page_write = core_page_write,
	.page_clear = core_page_clear,
	.pause = core_pause,
	.now_ns = core_now_ns,
};

/* ---- the world ---- */

static const struct uhmm_store_limits enough = {
	.dpfns = FAKE_DPFNS,
	.objects = {
		[UHMM_SLAB_NODE] = 4096, [UHMM_SLAB_RMAP] = 16384,
		[UHMM_SLAB_MM] = FAKE_MMS, [UHMM_SLAB_RANGE] = 8,
		[UHMM_SLAB_FLIGHT] = 16,
	},
};

void fake_init(struct fake *f, const struct uhmm_store_limits *limits)
{
	struct uhmm_store store;

	memset(f, 0, sizeof(*f));
	unit_store_init(&store, limits ? limits : &enough);
	f->devmem = calloc(FAKE_DPFNS, FAKE_PAGE_BYTES);
	unit_expect(f->devmem);
	f->tick_ns = 1000000;
	fake_tasks_init(&f->tasks);
	unit_expect(uhmm_core_init(&f->core, store, &core_ops, f,
				   FAKE_PAGE_BYTES,
				   FAKE_PMD_NPAGES * FAKE_PAGE_BYTES) == 0);
}

static void free_files(struct fake *f)
{
	while (f->files) {
		struct fake_file *file = f->files;

		f->files = file->next;
		for (uint64_t i = 0; i < FAKE_NPAGES; i++) {
			unit_expect(file->page[i]->refs == 1);
			free(file->page[i]);
		}
		free(file);
	}
}

void fake_fini(struct fake *f)
{
	fake_heal(f);
	unit_expect(fake_tasks_run(&f->tasks));
	for (unsigned int i = 0; i < f->nmms; i++)
		if (!f->mm[i]->dead)
			fake_exit(f->mm[i]);
	fake_check_idle(f);
	unit_expect(uhmm_list_is_empty(&f->core.mms));
	unit_expect(uhmm_list_is_empty(&f->core.pagemaps));
	for (int i = 0; i < UHMM_NR_SLABS; i++)
		if (uhmm_slab_used(&f->core.store, i))
			ck_abort_msg("objects of slab %d are leaked", i);
	fake_tasks_fini(&f->tasks);
	uhmm_core_fini(&f->core);
	unit_store_fini(&f->core.store);
	for (unsigned int i = 0; i < f->nmms; i++)
		free(f->mm[i]);
	free_files(f);
	free(f->devmem);
}

bool fake_is_coherent(const struct fake *f, uhmm_dpfn_t dpfn)
{
	return uhmm_pagemap_type_of(&f->core, dpfn) ==
	       UHMM_MEMORY_DEVICE_COHERENT;
}

/* ---- checks ---- */

/* What a leaf of @m may stand for. */
static void check_leaf(const struct fake_mm *m, uint64_t vpn,
		       uhmm_softleaf_t leaf)
{
	const struct uhmm_store *store = &m->f->core.store;
	const struct fake_pte *pte = &m->pte[vpn];

	unit_expect(vpn < FAKE_NPAGES);
	if (uhmm_softleaf_is_device_coherent(leaf))
		unit_expect(pte->mapped && (pte->trapped || pte->watched));
	if (!uhmm_softleaf_is_away(leaf))
		return;
	if (!pte->mapped)
		ck_abort_msg("a device page where nothing is mapped: %#" PRIx64,
			     vpn);
	if (!m->mm->bare && (pte->bits & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP)))
		ck_abort_msg("page %#" PRIx64 " is here and on the device",
			     vpn);
	if (!pte->trapped)
		ck_abort_msg("device page %#" PRIx64 " is not trapped", vpn);
	unit_expect(!(uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED));
	if (uhmm_softleaf_is_device_private_write(leaf))
		unit_expect(uhmm_page_mapcount(
				    store, uhmm_softleaf_to_dpfn(leaf)) == 1);
}

static void check_leaves(const struct fake_mm *m, bool idle)
{
	const struct uhmm_store *store = &m->f->core.store;
	uhmm_vpn_t vpn = UHMM_VPN(0);
	uhmm_vpn_t end = UHMM_VPN(UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
	uhmm_softleaf_t leaf;

	for (; uhmm_shadow_next(store, m->mm->slot, &vpn, end, &leaf);
	     vpn.val++) {
		check_leaf(m, vpn.val, leaf);
		if (idle && uhmm_softleaf_is_migration(leaf))
			ck_abort_msg("page %#" PRIx64 " is still on its way",
				     vpn.val);
	}
}

static void check(struct fake *f, bool idle)
{
	char why[160] = "";

	if (uhmm_mm_check(&f->core, why, sizeof(why)))
		ck_abort_msg("%s", why);
	for (unsigned int i = 0; i < f->nmms; i++)
		if (!f->mm[i]->dead)
			check_leaves(f->mm[i], idle);
	unit_expect(!idle || !uhmm_slab_used(&f->core.store, UHMM_SLAB_FLIGHT));
}

void fake_check(struct fake *f)
{
	check(f, false);
}

void fake_check_idle(struct fake *f)
{
	check(f, true);
}

/* ---- failures and hooks ---- */

void fake_fail(struct fake *f, enum fake_op op, unsigned int from,
	       unsigned int n, int err)
{
	for (int i = 0; i < FAKE_FAILURES; i++) {
		if (f->failure[i].n)
			continue;
		f->failure[i] = (struct fake_failure){ op, from, n, err };
		return;
	}
	ck_abort_msg("too many failures");
}

void fake_fail_nth(struct fake *f, enum fake_op op, unsigned int nth, int err)
{
	fake_fail(f, op, nth, 1, err);
}

void fake_heal(struct fake *f)
{
	memset(f->failure, 0, sizeof(f->failure));
	memset(f->hook, 0, sizeof(f->hook));
}

static void hook(struct fake *f, struct fake_hook new_hook)
{
	for (int i = 0; i < FAKE_HOOKS; i++) {
		if (f->hook[i].countdown)
			continue;
		f->hook[i] = new_hook;
		return;
	}
	ck_abort_msg("too many hooks");
}

void fake_before(struct fake *f, enum fake_op op, unsigned int nth,
		 void (*fn)(void *arg), void *arg)
{
	hook(f, (struct fake_hook){ op, nth, false, fn, arg });
}

void fake_after(struct fake *f, enum fake_op op, unsigned int nth,
		void (*fn)(void *arg), void *arg)
{
	hook(f, (struct fake_hook){ op, nth, true, fn, arg });
}

static int failing(struct fake *f, enum fake_op op)
{
	for (int i = 0; i < FAKE_FAILURES; i++) {
		struct fake_failure *failure = &f->failure[i];

		if (!failure->n || failure->op != op)
			continue;
		if (failure->from > 1) {
			failure->from--;
			continue;
		}
		failure->n--;
		f->failed++;
		return failure->err;
	}
	return 0;
}

int fake_enter(struct fake *f, struct fake_call call)
{
	int err = failing(f, call.op);

	f->calls[call.op]++;
	f->call[f->ncalls++ % FAKE_CALLS] = call;
	run_hooks(f, call.op, false);
	return err;
}

void fake_leave(struct fake *f, enum fake_op op)
{
	run_hooks(f, op, true);
}
