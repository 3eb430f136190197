/* SPDX-License-Identifier: MIT */
/* hash.c - a number for what a world is (world.h)
 *
 * Device pages and flights are named by the order they are met in. Programs and
 * jobs are met in each order there is, and the least of the numbers that come
 * out is the world's. What a job that stopped will do depends on its operation,
 * where it stopped, and what it has in its hands: its flights and pages on their
 * way back, which the core knows, and the arguments of its migration. Of flights
 * and pages on their way back the order does not count.
 */
#include "mm/flight.h"
#include "mm/sharers.h"
#include "world_inside.h"

#define NAMES 32

/** Numbers in the order met. */
struct names {
	uint64_t name[NAMES];
	unsigned int n;
};

static struct {
	uint64_t hash;
	struct names dpfns, flights;
	int program[MODEL_PROCS];	/* in the order they are met */
	int place[MODEL_PROCS];		/* and where in that each is */
	int job[JOBS];
} h;

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static void add(uint64_t word)
{
	h.hash = mix(h.hash, word);
}

/* 0: nothing; 1 .. its name; @meet: it gets one when it has none, else it is
 * NAMES then. */
static uint64_t name_of(struct names *names, uint64_t number, bool meet)
{
	unsigned int i = 0;

	if (!number)
		return 0;
	while (i < names->n && names->name[i] != number)
		i++;
	if (i == names->n && !meet)
		return NAMES;
	if (i == names->n) {
		unit_expect(i < NAMES - 1);
		names->name[names->n++] = number;
	}
	return 1 + i;
}

static uint64_t dpfn_word(uint64_t dpfn, bool meet)
{
	return name_of(&h.dpfns, dpfn, meet) << 2 |
	       (dpfn ? (uint64_t)(world_device(UHMM_DPFN(dpfn)) + 1) : 0);
}

static void add_dpfn(uint64_t dpfn)
{
	add(dpfn_word(dpfn, true));
}

/* Which program @mm is of, as this order names it; MODEL_PROCS: of none that
 * lives. */
static uint64_t place_of(const struct uhmm_mm *mm)
{
	for (int p = 0; p < MODEL_PROCS; p++)
		if (w.program[p].fake && w.program[p].fake->mm == mm)
			return (uint64_t)h.place[p];
	return MODEL_PROCS;
}

/* Bits of pages, as this order names programs. */
static uint64_t pages_word(unsigned int pages)
{
	const unsigned int mask = (1u << MODEL_PAGES) - 1;
	uint64_t word = 0;

	for (int p = 0; p < MODEL_PROCS; p++)
		word |= (uint64_t)(pages >> (p * MODEL_PAGES) & mask)
			<< (h.place[p] * MODEL_PAGES);
	return word;
}

/* Flight and page of a migration entry proper. */
static void add_flight_page(uhmm_softleaf_t leaf)
{
	uint64_t offset = uhmm_softleaf_offset(leaf);
	uint64_t index = 0;

	for (uint32_t i = 1; i <= JOBS && offset; i++)
		for (uint64_t k = 0; k < MODEL_PAGES; k++)
			if (uhmm_flight_has(leaf, i, k))
				index = (uint64_t)i << 8 | k;
	add(name_of(&h.flights, index >> 8, true) << 8 | (index & 255));
}

static void add_leaf(uhmm_softleaf_t leaf)
{
	add((uint64_t)uhmm_softleaf_type(leaf) << 8 |
	    uhmm_softleaf_bits(leaf));
	if (uhmm_softleaf_has_dpfn(leaf))
		add_dpfn(uhmm_softleaf_to_dpfn(leaf).val);
	else if (!uhmm_softleaf_is_none(leaf))
		add_flight_page(leaf);
}

static void add_page(int p, int v)
{
	const struct fake_pte *pte = world_pte(p, v);
	const struct model_page *page = &w.m.proc[p].page[v];

	add((uint64_t)pte->mapped << 3 | (uint64_t)pte->trapped << 2 |
	    (uint64_t)pte->watched << 1 | (pte->page != NULL));
	add((uint64_t)fake_pte_bits(w.program[p].fake, world_vpn(v).val) << 8 |
	    page->rights);
	add((uint64_t)page->loose << 4 | (uint64_t)page->alone << 3 |
	    (uint64_t)page->write << 2 |
	    (uint64_t)page->tag[1] << 1 | page->tag[0]);
	add((uint64_t)w.program[p].tag[v][1] << 1 | w.program[p].tag[v][0]);
	add(uhmm_kin_get(w.program[p].fake->mm, world_vpn(v)) != 0);
	add_leaf(uhmm_mm_leaf(w.program[p].fake->mm, world_vpn(v)));
}

/* What both programs have of one family tree. */
static void add_family(void)
{
	int a = h.program[0], b = h.program[1];

	add(model_is_older(&w.m, a, b));
	for (int v = 0; v < MODEL_PAGES; v++) {
		const struct model_page *of_a = &w.m.proc[a].page[v];
		const struct model_page *of_b = &w.m.proc[b].page[v];

		add((uint64_t)(of_a->kin && model_descends(&w.m, b,
							   of_a->birth)) << 1 |
		    (of_b->kin && model_descends(&w.m, a, of_b->birth)));
	}
}

static bool is_kin(int v, int u)
{
	uint64_t number = uhmm_kin_get(w.program[h.program[0]].fake->mm,
				       world_vpn(v));

	return number && number == uhmm_kin_get(
					   w.program[h.program[1]].fake->mm,
					   world_vpn(u));
}

/* Pages that both have, by a fork. */
static void add_shared_pages(void)
{
	for (int v = 0; v < MODEL_PAGES; v++)
		for (int u = 0; u < MODEL_PAGES; u++)
			add((uint64_t)(world_pte(h.program[0], v)->page ==
				       world_pte(h.program[1], u)->page)
				    << 1 |
			    is_kin(v, u));
}

static void add_programs(void)
{
	for (int i = 0; i < MODEL_PROCS; i++) {
		int p = h.program[i];

		add(w.m.proc[p].alive);
		if (!w.m.proc[p].alive)
			continue;
		add(w.m.proc[p].joined);
		for (int v = 0; v < MODEL_PAGES; v++)
			add_page(p, v);
	}
	if (!w.m.proc[0].alive || !w.m.proc[1].alive)
		return;
	add_family();
	add_shared_pages();
}

/* ---- what is under way ---- */

static uint64_t flight_hash(uint32_t index)
{
	const struct uhmm_flight *flight = uhmm_flight_at(&w.f.core, index);
	uint64_t hash = mix(name_of(&h.flights, index, false),
			    flight->forked);

	for (uint32_t k = 0; k < flight->npages; k++)
		hash = mix(hash, flight->page[k].vpn << 16 |
					 dpfn_word(flight->page[k].dpfn,
						   false));
	return mix(hash, flight->npages);
}

static void add_flights(void)
{
	const struct uhmm_store *store = &w.f.core.store;
	uint64_t sum = 0;

	for (uint32_t i = uhmm_slab_next(store, UHMM_SLAB_FLIGHT, 0); i;
	     i = uhmm_slab_next(store, UHMM_SLAB_FLIGHT, i))
		sum += flight_hash(i);
	add(sum);
}

static uint64_t leg_hash(const struct uhmm_leg *leg)
{
	uint64_t hash = mix(dpfn_word(leg->dpfn.val, false),
			    dpfn_word(leg->dest.val, false));

	hash = mix(hash, place_of(leg->mm) << 16 | leg->now.val);
	return mix(hash, (uint64_t)leg->holds << 7 |
				 (uint64_t)leg->write << 6 |
				 (uint64_t)leg->wanted << 5 |
				 (uint64_t)leg->given << 4 |
				 (uint64_t)leg->there << 3 |
				 (uint64_t)leg->exclusive << 2 |
				 (uint64_t)leg->gone << 1 | leg->unit);
}

static void add_restores(void)
{
	const struct uhmm_list *node;
	uint64_t sum = 0;

	UHMM_LIST_EACH(node, &w.f.core.restores) {
		const struct uhmm_restore *r = UHMM_CONTAINER_OF(
			node, struct uhmm_restore, link);
		uint64_t legs = r->nlegs;

		for (uint32_t i = 0; i < r->nlegs; i++)
			legs += leg_hash(&r->leg[i]);
		sum += mix(1, legs);
	}
	add(sum);
}

static void add_mpfn(uint64_t mpfn)
{
	if (uhmm_migrate_pfn_is_device(mpfn))
		add_dpfn(uhmm_migrate_pfn_to_dpfn(mpfn).val);
	add(mpfn & ((1 << UHMM_MIGRATE_PFN_SHIFT) - 1));
}

static void add_migration(const struct job *job)
{
	const struct uhmm_migrate_vma *args = &job->args;

	add(name_of(&h.flights, args->flight, true));
	for (uint32_t k = 0; k < args->sharers.n; k++) {
		const struct uhmm_sharer *s = &args->sharers.sharer[k];

		add(place_of(s->mm) << 16 | s->vpn.val << 8 |
		    (uint64_t)s->i << 4 | (uint64_t)s->stopped << 2 |
		    (uint64_t)s->taken << 1 | s->left);
	}
	for (int i = 0; i < job->op.n; i++) {
		add_mpfn(job->src[i]);
		add_mpfn(job->dst[i]);
		add((args->taken[0] >> i & 1) << 3 |
		    (args->protected_by_us[0] >> i & 1) << 2 |
		    (args->exclusive[0] >> i & 1) << 1 |
		    (args->shared[0] >> i & 1));
		add(job->given[i]);
	}
}

static void add_job(const struct job *job)
{
	const struct op *op = &job->op;
	const struct fake_mm *mm = w.program[op->p].fake;

	add(job->used);
	if (!job->used)
		return;
	add((uint64_t)op->kind << 48 | (uint64_t)h.place[op->p] << 40 |
	    (uint64_t)op->v << 32 | (uint64_t)op->n << 24 |
	    (uint64_t)op->dev << 16 | (uint64_t)op->rights << 8 | op->failure);
	add((uint64_t)job->task->state << 32 | job->phase << 2 |
	    (uint64_t)(job->crowded && op->kind == OP_EXCLUSIVE) << 1 |
	    (mm && mm->mm == job->mm));
	add(pages_word(job->concern) << 16 | pages_word(job->dirty));
	add((uint64_t)job->at.op << 32 | job->at.flags);
	add(job->at.vpn << 8 | job->at.npages);
	add(job->at.mm ? place_of(job->at.mm->mm) : 0);
	if (job->phase)
		add_migration(job);
}

static void add_devices(void)
{
	for (int d = 0; d < MODEL_DEVS; d++)
		add(w.dev[d].unplugged);
	/* a leak is another world */
	for (int i = 0; i < UHMM_NR_SLABS; i++)
		add(uhmm_slab_used(&w.f.core.store, i));
}

static uint64_t hash_in_order(void)
{
	h.hash = 0;
	h.dpfns.n = h.flights.n = 0;
	for (int i = 0; i < MODEL_PROCS; i++)
		h.place[h.program[i]] = i;
	add_programs();
	for (int i = 0; i < JOBS; i++)
		add_job(&w.job[h.job[i]]);
	add_flights();
	add_restores();
	add_devices();
	return h.hash;
}

static void swap(int *a, int *b)
{
	int was = *a;

	*a = *b;
	*b = was;
}

/* Jobs that there are come first. Return: how many */
static int order_jobs(void)
{
	int n = 0;

	for (int i = 0; i < JOBS; i++)
		h.job[i] = i;
	for (int i = 0; i < JOBS; i++)
		if (w.job[h.job[i]].used)
			swap(&h.job[n++], &h.job[i]);
	return n;
}

uint64_t world_hash(void)
{
	int njobs = order_jobs();
	uint64_t least = UINT64_MAX, hash;

	for (int i = 0; i < MODEL_PROCS; i++)
		h.program[i] = i;
	/* of three jobs, which only walks have, two */
	for (int i = 0; i < MODEL_PROCS * 2; i++) {
		hash = hash_in_order();
		if (hash < least)
			least = hash;
		if (njobs > 1)
			swap(&h.job[0], &h.job[1]);
		if (i == 1 || njobs < 2) {
			swap(&h.program[0], &h.program[1]);
			i |= 1;
		}
	}
	return least;
}
