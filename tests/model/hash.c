/* SPDX-License-Identifier: MIT */
/* hash.c - a number for what a world is (world.h)
 *
 * Device pages are named by the order they are met in. What a job that stopped
 * will do depends on its operation, where it stopped, and what it has in its
 * hands: its flights and pages on their way back, which the core knows, and the
 * arguments of its migration.
 */
#include "mm/flight.h"
#include "mm/sharers.h"
#include "world_inside.h"

static struct {
	uint64_t hash;
	uint64_t name[32];	/* device page numbers in the order met */
	unsigned int nnames;
} h;

static void add(uint64_t word)
{
	h.hash = (h.hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	h.hash ^= h.hash >> 29;
}

static void add_dpfn(uint64_t dpfn)
{
	unsigned int i = 0;

	while (i < h.nnames && h.name[i] != dpfn)
		i++;
	if (i == h.nnames) {
		unit_expect(i < UNIT_COUNT(h.name));
		h.name[h.nnames++] = dpfn;
	}
	add(dpfn ? 1 + i : 0);
	add(dpfn ? (uint64_t)world_device(UHMM_DPFN(dpfn)) : 0);
}

static void add_leaf(uhmm_softleaf_t leaf)
{
	add(uhmm_softleaf_type(leaf));
	add(uhmm_softleaf_bits(leaf));
	if (uhmm_softleaf_has_dpfn(leaf))
		add_dpfn(uhmm_softleaf_to_dpfn(leaf).val);
	else
		add(uhmm_softleaf_offset(leaf));
}

static void add_page(int p, int v)
{
	const struct fake_pte *pte = world_pte(p, v);
	const struct model_page *page = &w.m.proc[p].page[v];

	add((uint64_t)pte->mapped << 3 | (uint64_t)pte->trapped << 2 |
	    (uint64_t)pte->watched << 1 | (pte->page != NULL));
	add(fake_pte_bits(w.program[p].fake, world_vpn(v).val));
	add(page->rights);
	add((uint64_t)page->value);
	add((uint64_t)page->alone << 3 | (uint64_t)page->write << 2 |
	    (uint64_t)page->tag[1] << 1 | page->tag[0]);
	add_leaf(uhmm_mm_leaf(w.program[p].fake->mm, world_vpn(v)));
}

static bool is_kin(int v, int u)
{
	uint64_t number = uhmm_kin_get(w.program[0].fake->mm, world_vpn(v));

	return number && number == uhmm_kin_get(w.program[1].fake->mm,
						world_vpn(u));
}

static void add_programs(void)
{
	for (int p = 0; p < MODEL_PROCS; p++) {
		add(w.m.proc[p].alive);
		if (!w.m.proc[p].alive)
			continue;
		add(w.m.proc[p].joined);
		for (int v = 0; v < MODEL_PAGES; v++)
			add_page(p, v);
	}
	/* pages that both have, by a fork */
	for (int v = 0; v < MODEL_PAGES; v++)
		for (int u = 0; u < MODEL_PAGES; u++)
			add(w.m.proc[0].alive && w.m.proc[1].alive ?
				    (uint64_t)(world_pte(0, v)->page ==
					       world_pte(1, u)->page) << 1 |
					    is_kin(v, u) :
				    0);
}

/* ---- what is under way ---- */

static void add_flights(void)
{
	const struct uhmm_store *store = &w.f.core.store;

	for (uint32_t i = uhmm_slab_next(store, UHMM_SLAB_FLIGHT, 0); i;
	     i = uhmm_slab_next(store, UHMM_SLAB_FLIGHT, i)) {
		const struct uhmm_flight *flight =
			uhmm_flight_at(&w.f.core, i);

		add(i);
		add(flight->forked);
		for (uint32_t k = 0; k < flight->npages; k++) {
			add(flight->page[k].vpn);
			add_dpfn(flight->page[k].dpfn);
		}
	}
}

static void add_restores(void)
{
	const struct uhmm_list *node;

	UHMM_LIST_EACH(node, &w.f.core.restores) {
		const struct uhmm_restore *r = UHMM_CONTAINER_OF(
			node, struct uhmm_restore, link);

		add(r->nlegs);
		for (uint32_t i = 0; i < r->nlegs; i++) {
			const struct uhmm_leg *leg = &r->leg[i];

			add_dpfn(leg->dpfn.val);
			add(leg->now.val << 8 | (uint64_t)leg->write << 4 |
			    (uint64_t)leg->wanted << 3 |
			    (uint64_t)leg->given << 2 |
			    (uint64_t)leg->there << 1 | leg->gone);
		}
	}
}

static void add_mpfn(uint64_t mpfn)
{
	if (uhmm_migrate_pfn_is_device(mpfn))
		add_dpfn(uhmm_migrate_pfn_to_dpfn(mpfn).val);
	add(mpfn & ((1 << UHMM_MIGRATE_PFN_SHIFT) - 1));
}

static void add_job(const struct job *job)
{
	const struct op *op = &job->op;

	add(job->used);
	if (!job->used)
		return;
	add((uint64_t)op->kind << 40 | (uint64_t)op->p << 32 |
	    (uint64_t)op->v << 24 | (uint64_t)op->n << 16 |
	    (uint64_t)op->dev << 8 | op->rights);
	add((uint64_t)job->task->state << 32 | job->concern << 16 |
	    job->dirty);
	add(job->phase);
	add((uint64_t)job->at.op << 32 | job->at.flags);
	add(job->at.vpn << 8 | job->at.npages);
	for (uint32_t k = 0; job->phase && k < job->args.sharers.n; k++) {
		const struct uhmm_sharer *s = &job->args.sharers.sharer[k];

		add(s->vpn.val << 8 | (uint64_t)s->i << 4 |
		    (uint64_t)s->stopped << 2 | (uint64_t)s->taken << 1 |
		    s->left);
	}
	for (int i = 0; job->phase && i < op->n; i++) {
		add_mpfn(job->src[i]);
		add_mpfn(job->dst[i]);
		add((job->args.taken[0] >> i & 1) << 3 |
		    (job->args.protected_by_us[0] >> i & 1) << 2 |
		    (job->args.exclusive[0] >> i & 1) << 1);
		add(job->given[i]);
	}
}

uint64_t world_hash(void)
{
	h.hash = 0;
	h.nnames = 0;
	add_programs();
	for (int i = 0; i < JOBS; i++)
		add_job(&w.job[i]);
	add_flights();
	add_restores();
	return h.hash;
}
