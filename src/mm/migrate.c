/* SPDX-License-Identifier: MIT */
/* migrate.c - migration in three phases, to the device (uhmm/migrate.h); the
 * first of them is in migrate_setup.c
 *
 * Order within one page, so that no byte is lost whatever happens between two
 * steps: migration entry (others wait) -> trap (the CPU stops) -> look what is
 * there -> destination in the flight -> bytes copied, page leaves the CPU ->
 * device entry. What the program does meanwhile to its mappings marks or moves
 * the migration entry; finalize looks at that and nothing else.
 * To a coherent device (coherent.h) a page goes without leaving the CPU, and
 * the mapping is only watched: a hole gets a page of zeros, the zero page is
 * taken first.
 */
#include <uhmm/migrate.h>

#include <errno.h>

#include "mm/flight.h"
#include "mm/migrate_args.h"
#include "mm/migrate_from.h"
#include "mm/migrate_unit.h"
#include "mm/mm.h"
#include "mm/sharers.h"
#include "mm/unit.h"

/* Runs handed to the engine in one call. */
#define NRUNS 64
/* How often pages are tried that the program's mappings moved around. */
#define TAKE_TRIES 64

/* ---- pages ---- */

/* Is page @i a system page that is to go to a device page now? */
static bool goes_to_device(const struct uhmm_migrate_vma *args, uint64_t i)
{
	return (args->src[i] & UHMM_MIGRATE_PFN_MIGRATE) &&
	       !uhmm_migrate_pfn_is_device(args->src[i]) &&
	       uhmm_migrate_pfn_is_device(args->dst[i]);
}

/* Note every destination first: what is copied must have a known place. */
static void note_destinations(struct uhmm_migrate_vma *args)
{
	struct uhmm_flight *flight;

	if (!args->flight)
		return;
	flight = uhmm_flight_at(args->mm->core, args->flight);
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
		if (!uhmm_migrate_pfn_is_device(args->src[i]) &&
		    uhmm_migrate_pfn_is_device(args->dst[i]))
			flight->page[i].dpfn =
				uhmm_migrate_pfn_to_dpfn(args->dst[i]).val;
}

/* Can page @i be taken now? */
static bool is_to_take(struct uhmm_migrate_vma *args, uint64_t i)
{
	return goes_to_device(args, i) && !uhmm_args_bit(args->taken, i) &&
	       uhmm_flight_is_still(args->mm, args->flight, i);
}

/* And as one with the page before it? */
static bool continues(struct uhmm_migrate_vma *args, uint64_t i)
{
	return is_to_take(args, i) &&
	       (args->src[i] & UHMM_MIGRATE_PFN_VALID) ==
		       (args->src[i - 1] & UHMM_MIGRATE_PFN_VALID) &&
	       uhmm_args_bit(args->shared, i) ==
		       uhmm_args_bit(args->shared, i - 1) &&
	       uhmm_migrate_pfn_to_dpfn(args->dst[i]).val ==
		       uhmm_migrate_pfn_to_dpfn(args->dst[i - 1]).val + 1;
}

/* The next run of pages that go, from page *@i on. */
static bool next_run(struct uhmm_migrate_vma *args, uint64_t *i,
		     struct uhmm_run *run)
{
	uint64_t npages = uhmm_args_npages(args), first;

	while (*i < npages && !is_to_take(args, *i))
		++*i;
	if (*i == npages)
		return false;
	first = (*i)++;
	while (*i < npages && continues(args, *i))
		++*i;
	*run = (struct uhmm_run){
		.vpn = uhmm_args_vpn(args, first),
		.dpfn = uhmm_migrate_pfn_to_dpfn(args->dst[first]),
		.npages = *i - first,
		.flags = args->src[first] & UHMM_MIGRATE_PFN_VALID ?
				 0 :
				 UHMM_RUN_ZERO,
	};
	if (uhmm_args_bit(args->shared, first))
		run->flags |= UHMM_RUN_SHARED;
	if (run->npages == npages && uhmm_migrate_unit_lands(args, NULL))
		run->flags |= UHMM_RUN_UNIT;
	if (uhmm_args_want(args, UHMM_MIGRATE_VMA_AT_ONCE))
		run->flags |= UHMM_RUN_AT_ONCE;
	return true;
}

/* Note what became of @run. Return: pages of which that is known now. */
static uint64_t note_taken(struct uhmm_migrate_vma *args,
			   const struct uhmm_run *run)
{
	uint64_t first = run->vpn.val - args->range.start.val;

	for (uint64_t j = 0; j < run->done; j++)
		uhmm_args_set(args->taken, first + j);
	if (run->done == run->npages || run->error == -EAGAIN)
		return run->done;
	uhmm_args_stay(args, first + run->done);
	return run->done + 1;
}

/* Take what can be taken, or some of it. Of a program that ended meanwhile a
 * child may have what it had: what did leave counts. Return: pages of which it is
 * known now whether they go; 0: none is left, or nothing came of it */
static uint64_t take_some(struct uhmm_migrate_vma *args, bool *left)
{
	struct uhmm_run run[NRUNS];
	unsigned int nruns = 0;
	uint64_t i = 0, known = 0;
	int err = 0;

	while (nruns < NRUNS && next_run(args, &i, &run[nruns]))
		nruns++;
	if (nruns)
		err = args->mm->ops->take(args->mm->ops_ctx, run, nruns);
	*left = nruns && !err;
	for (unsigned int k = 0; k < nruns; k++)
		known += note_taken(args, &run[k]);
	return known;
}

/* What could not be taken may be possible once its mapping was looked at
 * again, but not for ever. */
static void take_all(struct uhmm_migrate_vma *args)
{
	bool left = true;
	int tries = 0;

	while (left && tries < TAKE_TRIES)
		if (!take_some(args, &left))
			tries++;
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
		if (!uhmm_migrate_pfn_is_device(args->src[i]) &&
		    !uhmm_args_bit(args->taken, i))
			uhmm_args_stay(args, i);
}

/* These have arrived with that: nothing of theirs is anywhere else. */
static void take_in_place(struct uhmm_migrate_vma *args)
{
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
		if (uhmm_args_bit(args->in_place, i) && is_to_take(args, i))
			uhmm_args_set(args->taken, i);
}

/* Was page @i a hole or the zero page? */
static bool is_fresh(struct uhmm_migrate_vma *args, uint64_t i)
{
	return uhmm_args_bit(args->taken, i) &&
	       !(args->src[i] & UHMM_MIGRATE_PFN_VALID) &&
	       uhmm_flight_is_still(args->mm, args->flight, i);
}

/* Nobody has cleared the device page of a hole yet. */
static void clear_page(const struct uhmm_migrate_vma *args, uint64_t i)
{
	struct uhmm_core *core = args->mm->core;

	if (uhmm_args_bit(args->in_place, i))
		core->ops->page_clear(core,
				      uhmm_migrate_pfn_to_dpfn(args->dst[i]));
}

/* The run of such pages from page *@i on, which moves behind it; empty when
 * there is none. Their device pages are zeros. */
static struct uhmm_run next_fresh(struct uhmm_migrate_vma *args, uint64_t *i)
{
	uint64_t npages = uhmm_args_npages(args);
	struct uhmm_run run = { .npages = 0 };

	while (*i < npages && !is_fresh(args, *i))
		++*i;
	for (; *i < npages && is_fresh(args, *i); ++*i, run.npages++) {
		uhmm_dpfn_t dpfn = uhmm_migrate_pfn_to_dpfn(args->dst[*i]);

		if (!run.npages)
			run = (struct uhmm_run){ .vpn = uhmm_args_vpn(args, *i),
						 .dpfn = dpfn };
		if (dpfn.val != run.dpfn.val + run.npages)
			break;
		clear_page(args, *i);
	}
	return run;
}

/* A page of zeros for each of these, unless the CPU was faster. One whose
 * mapping moved meanwhile gets it when it is touched. */
static void give_fresh(struct uhmm_migrate_vma *args)
{
	const struct uhmm_mm *mm = args->mm;
	struct uhmm_run run;
	uint64_t i = 0;
	int tries = 0;

	while ((run = next_fresh(args, &i)).npages) {
		uint64_t reached;

		if (mm->ops->give(mm->ops_ctx, &run, 1))
			return;
		reached = run.vpn.val - args->range.start.val + run.done;
		if (run.error == -EEXIST)
			i = reached + 1;
		else if (run.error == -EAGAIN && ++tries < TAKE_TRIES)
			i = reached;
	}
}

bool uhmm_migrate_is_taken(const struct uhmm_migrate_vma *args, uint64_t i)
{
	return uhmm_args_bit(args->taken, i);
}

void uhmm_migrate_vma_pages(struct uhmm_migrate_vma *args)
{
	uhmm_migrate_unit_accept(args);
	note_destinations(args);
	if (args->flight && uhmm_args_are_coherent(args))
		take_in_place(args);
	if (args->flight) {
		take_all(args);
		if (!uhmm_args_are_coherent(args))
			uhmm_sharers_take(args);
	}
	if (args->flight && uhmm_args_are_coherent(args))
		give_fresh(args);
	if (args->restore.nlegs)
		uhmm_migrate_from_pages(args);
	if (args->flight)
		uhmm_inject_slow(args->mm->core);
	uhmm_migrate_unit_pack(args);
}

/* ---- finalize ---- */

/*
 * Is the program's page @i in its device page now? If the program moved it
 * meanwhile, the engine may have looked for it where it no longer was.
 */
static bool is_taken(const struct uhmm_migrate_vma *args, uint64_t i)
{
	struct uhmm_mm *mm = args->mm;
	const struct uhmm_flight *flight =
		uhmm_flight_at(mm->core, args->flight);
	uint8_t pte = 0;

	if (!uhmm_args_bit(args->taken, i) || !flight->page[i].dpfn)
		return false;
	if (flight->page[i].vpn == flight->start + i ||
	    uhmm_args_are_coherent(args))
		return true;
	return mm->ops->scan(mm->ops_ctx,
			     uhmm_range_of(UHMM_VPN(flight->page[i].vpn), 1),
			     &pte) ||
	       !(pte & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP));
}

/* Page @i of the flight arrives, or goes back where it came from. */
static void end_page(struct uhmm_migrate_vma *args, uint64_t i)
{
	struct uhmm_mm *mm = args->mm;
	uhmm_softleaf_t leaf = uhmm_flight_entry(mm, args->flight, i);

	if (!is_taken(args, i)) {
		uhmm_flight_drop(mm->core, args->flight, i);
	} else if (!uhmm_softleaf_is_none(leaf) &&
		   !(uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED)) {
		uhmm_flight_land(mm, args->flight, i,
				 uhmm_softleaf_is_migration_write(leaf) &&
					 (args->src[i] &
					  UHMM_MIGRATE_PFN_WRITE),
				 uhmm_args_bit(args->exclusive, i) ?
					 UHMM_SOFTLEAF_EXCLUSIVE :
					 0);
		return;
	}
	uhmm_args_stay(args, i);
	uhmm_flight_leave(mm, args->flight, i);
}

/* Is page @i still with the CPU, did we write-protect it, and is it nobody
 * else's? */
static bool to_unprotect(const struct uhmm_migrate_vma *args, uint64_t i)
{
	uhmm_vpn_t vpn = uhmm_args_vpn(args, i);
	uhmm_softleaf_t leaf = uhmm_mm_leaf(args->mm, vpn);

	if (!uhmm_args_bit(args->protected_by_us, i))
		return false;
	if (!uhmm_softleaf_is_device_coherent(leaf) &&
	    ((args->src[i] & UHMM_MIGRATE_PFN_MIGRATE) ||
	     !uhmm_softleaf_is_none(leaf)))
		return false;
	/* by a fork meanwhile; to ask takes long, and few stay */
	return !uhmm_kin_is_shared(args->mm, vpn);
}

/* The run of such pages from page *@i on, which moves behind it; empty when
 * there is none. The first page goes alone to a coherent device: it has base
 * pages only, and what is unprotected in parts is no PMD-sized page any more. */
static struct uhmm_range next_to_unprotect(const struct uhmm_migrate_vma *args,
					   uint64_t *i)
{
	uint64_t npages = uhmm_args_npages(args), first;

	while (*i < npages && !to_unprotect(args, *i))
		++*i;
	first = *i;
	while (*i < npages && to_unprotect(args, *i) &&
	       !(first == 0 && *i == 1 && uhmm_args_are_coherent(args)))
		++*i;
	return uhmm_range_of(uhmm_args_vpn(args, first), *i - first);
}

/* Pages that stayed may be written again. Where that fails the CPU asks for it
 * when it writes. */
static void unprotect_stayed(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;
	struct uhmm_range r;
	int err = 0, tries = 0;
	uint64_t i = 0;

	for (r = next_to_unprotect(args, &i);
	     !mm->gone && !err && uhmm_range_npages(r);
	     r = next_to_unprotect(args, &i)) {
		err = mm->ops->unprotect(mm->ops_ctx, r);
		if (err != -EAGAIN || ++tries == TAKE_TRIES)
			continue;
		i = r.start.val - args->range.start.val;
		err = 0;
	}
}

/* The run of pages without an entry from page *@i on, which moves behind it. */
static struct uhmm_range next_stayed(const struct uhmm_migrate_vma *args,
				     uint64_t *i)
{
	uint64_t npages = uhmm_args_npages(args), first;

	while (*i < npages && !uhmm_softleaf_is_none(uhmm_mm_leaf(
				      args->mm, uhmm_args_vpn(args, *i))))
		++*i;
	first = *i;
	while (*i < npages && uhmm_softleaf_is_none(uhmm_mm_leaf(
				      args->mm, uhmm_args_vpn(args, *i))))
		++*i;
	return uhmm_range_of(uhmm_args_vpn(args, first), *i - first);
}

/* What was protected before stays so, but may be read. Where that fails the CPU
 * asks for it when it reads. */
static void let_stayed_be_read(struct uhmm_migrate_vma *args)
{
	const struct uhmm_mm *mm = args->mm;
	struct uhmm_range r;
	int err = 0, tries = 0;
	uint64_t i = 0;

	while (!err && !mm->gone &&
	       uhmm_range_npages(r = next_stayed(args, &i))) {
		err = mm->ops->let_read(mm->ops_ctx, r);
		if (err != -EAGAIN || ++tries == TAKE_TRIES)
			continue;
		i = r.start.val - args->range.start.val;
		err = 0;
	}
}

static void end_flight(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;
	uhmm_vpn_t head;
	bool unit = uhmm_migrate_unit_lands(args, &head);

	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
		if (!uhmm_migrate_pfn_is_device(args->src[i]))
			end_page(args, i);
	args->unit = unit && uhmm_unit_join(&mm->core->store, mm->slot, head);
	uhmm_sharers_land(args, args->unit);
	uhmm_flight_end(mm, args->flight);
	args->flight = 0;
	uhmm_sharers_fini(&args->sharers);
	unprotect_stayed(args);
	if (args->vma.by_fence)
		let_stayed_be_read(args);
	mm->core->ops->wake(mm->core, mm);
}

void uhmm_migrate_vma_finalize(struct uhmm_migrate_vma *args)
{
	uhmm_migrate_unit_unpack(args);
	if (args->flight)
		end_flight(args);
	if (args->restore.nlegs)
		uhmm_migrate_from_finalize(args);
	uhmm_migrate_unit_pack(args);
	uhmm_mm_settle(args->mm);
}
