/* SPDX-License-Identifier: MIT */
/* migrate.c - migration in three phases, to the device (uhmm/migrate.h)
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
#include <string.h>

#include <uhmm/gup.h>

#include "mm/file_rmap.h"
#include "mm/flight.h"
#include "mm/migrate_from.h"
#include "mm/migrate_unit.h"
#include "mm/mm.h"
#include "mm/restore.h"
#include "mm/sharers.h"
#include "mm/split.h"
#include "mm/unit.h"

/* Runs handed to the engine in one call. */
#define NRUNS 64
/* How often pages are tried that the program's mappings moved around. */
#define TAKE_TRIES 64

static uint64_t npages_of(const struct uhmm_migrate_vma *args)
{
	return uhmm_range_npages(args->range);
}

static uhmm_vpn_t vpn_of(const struct uhmm_migrate_vma *args, uint64_t i)
{
	return UHMM_VPN(args->range.start.val + i);
}

static bool is_set(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void set(uint64_t *bits, uint64_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Is it to a device whose pages the CPU can reach? */
static bool is_coherent(const struct uhmm_migrate_vma *args)
{
	return args->pgmap && args->pgmap->type == UHMM_MEMORY_DEVICE_COHERENT;
}

static bool wants(const struct uhmm_migrate_vma *args,
		  enum uhmm_migrate_vma_flags flag)
{
	return (args->flags & flag) != 0;
}

/* ---- setup ---- */

/* What we trapped in parts is one mapping to the program. */
static bool holds(const struct uhmm_mm *mm, const struct uhmm_vma *vma,
		  struct uhmm_range r)
{
	return vma->range.start.val <= r.start.val &&
	       (vma->range.end.val >= r.end.val ||
		mm->ops->mapping_end(mm->ops_ctx, vma).val >= r.end.val);
}

static int find_vma(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;
	uint64_t npages = npages_of(args);
	int err;

	if (npages == 0 || npages > UHMM_MIGRATE_NPAGES_MAX)
		return -EINVAL;
	if (mm->gone)
		return -ESRCH;
	err = mm->ops->vma_find(mm->ops_ctx, args->range.start, &args->vma);
	if (err)
		return err == -ENOENT ? -EINVAL : err;
	if (!uhmm_range_has(args->vma.range, args->range.start) ||
	    args->vma.hugetlb || args->vma.special ||
	    !holds(mm, &args->vma, args->range))
		return -EINVAL;
	return 0;
}

/*
 * Can a page in state @pte of this mapping go to a device, and what is it?
 * @wp: it was write-protected before we came.
 * Return: src word, 0 when it stays.
 */
static uint64_t judge(const struct uhmm_vma *vma, uint8_t pte, bool wp)
{
	uint64_t src = UHMM_MIGRATE_PFN_MIGRATE;

	if (pte & UHMM_PTE_SWAP)
		return 0;
	if (!(pte & UHMM_PTE_PRESENT) && !vma->anon)
		return 0;
	if (!(pte & UHMM_PTE_PRESENT) || (pte & UHMM_PTE_ZERO))
		return vma->write ? src | UHMM_MIGRATE_PFN_WRITE : src;
	if (pte & UHMM_PTE_FILE)
		return 0;
	src |= UHMM_MIGRATE_PFN_VALID;
	if (vma->write && !wp && (pte & UHMM_PTE_EXCLUSIVE))
		src |= UHMM_MIGRATE_PFN_WRITE;
	return src;
}

/* Put migration entries where there is no entry at all. */
static int board_all(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;
	uint64_t boarded = 0;

	args->flight = uhmm_flight_begin(mm, args->range.start,
					 npages_of(args));
	if (!args->flight)
		return -ENOMEM;
	for (uint64_t i = 0; i < npages_of(args); i++) {
		if (!uhmm_softleaf_is_none(uhmm_mm_leaf(mm, vpn_of(args, i))) ||
		    uhmm_inject_pass(&mm->core->inject, UHMM_INJECT_LOCK))
			continue;
		if (uhmm_flight_board(mm, args->flight, i) == 0)
			boarded++;
	}
	return boarded ? 0 : -ENOENT;
}

/* Everyone who boarded leaves again, nothing has happened. */
static void leave_all(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;

	if (!args->flight)
		return;
	for (uint64_t i = 0; i < npages_of(args); i++)
		uhmm_flight_leave(mm, args->flight, i);
	uhmm_sharers_leave(args);
	uhmm_flight_end(mm, args->flight);
	args->flight = 0;
	uhmm_sharers_fini(&args->sharers);
	mm->core->ops->wake(mm->core, mm);
	uhmm_mm_settle(mm);
}

/* Must a page in state @pte stay, since one that others have, too, is
 * not taken at once, but from each in turn? */
static bool stays_here(const struct uhmm_migrate_vma *args, uint8_t pte)
{
	return wants(args, UHMM_MIGRATE_VMA_AT_ONCE) &&
	       (pte & UHMM_PTE_PRESENT) && !(pte & UHMM_PTE_ZERO) &&
	       !(pte & UHMM_PTE_EXCLUSIVE);
}

/* Say in src[] which of those on board can go. */
static void judge_all(struct uhmm_migrate_vma *args, const uint8_t *before,
		      const uint8_t *pte)
{
	for (uint64_t i = 0; i < npages_of(args); i++) {
		bool still = uhmm_flight_is_still(args->mm, args->flight, i);

		if (!(before[i] & UHMM_PTE_WP) &&
		    (still || uhmm_softleaf_is_device_coherent(
				      uhmm_mm_leaf(args->mm, vpn_of(args, i)))))
			set(args->protected_by_us, i);
		if (!still || stays_here(args, pte[i]) ||
		    uhmm_mm_is_pinned(args->mm, vpn_of(args, i)))
			continue;
		args->src[i] =
			judge(&args->vma, pte[i], before[i] & UHMM_PTE_WP);
		if (!(args->src[i] & UHMM_MIGRATE_PFN_VALID) ||
		    (!(before[i] & UHMM_PTE_WP) &&
		     (pte[i] & UHMM_PTE_EXCLUSIVE)))
			set(args->exclusive, i);
		if (is_coherent(args) && !(pte[i] & UHMM_PTE_ZERO))
			set(args->in_place, i);
	}
}

/* From here on the CPU stops at what is to move. Return: as trap(). */
static int stop_cpu(const struct uhmm_migrate_vma *args)
{
	const struct uhmm_mm *mm = args->mm;
	int err;

	if (!is_coherent(args))
		return mm->ops->trap(mm->ops_ctx, args->range);
	/* All of the mapping, so that it stays one. */
	err = mm->ops->watch(mm->ops_ctx, args->vma.range);
	if (err)
		return err;
	if (!mm->ops->is_watched(mm->ops_ctx, args->range.start))
		return -EINVAL;
	return mm->ops->protect(mm->ops_ctx, args->range);
}

/* Lock the ordinary pages and the holes of the range. */
static int collect_system(struct uhmm_migrate_vma *args)
{
	uint8_t before[UHMM_MIGRATE_NPAGES_MAX], pte[UHMM_MIGRATE_NPAGES_MAX];
	struct uhmm_mm *mm = args->mm;
	int err;

	if (args->vma.file) {
		err = mm->ops->scan(mm->ops_ctx, args->range, pte);
		if (err)
			return err;
		err = uhmm_file_rmap_tell(mm, &args->vma, args->range, pte);
		if (err)
			return err;
	}
	if (args->vma.shared)
		return 0;
	err = board_all(args);
	if (!err) {
		uhmm_sharers_board(args);
		err = mm->ops->scan(mm->ops_ctx, args->range, before);
	}
	if (!err)
		err = stop_cpu(args);
	if (!err)
		uhmm_sharers_stop(args, before);
	if (!err)
		err = mm->ops->scan(mm->ops_ctx, args->range, pte);
	if (err) {
		leave_all(args);
		return err == -ESRCH ? err : 0;
	}
	judge_all(args, before, pte);
	uhmm_sharers_tell(args);
	uhmm_migrate_unit_collect(args, before);
	return 0;
}

static uint64_t count_migrating(const struct uhmm_migrate_vma *args)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < npages_of(args); i++)
		n += (args->src[i] & UHMM_MIGRATE_PFN_MIGRATE) != 0;
	return n;
}

int uhmm_migrate_vma_setup(struct uhmm_migrate_vma *args)
{
	int err = find_vma(args);

	if (!err)
		err = uhmm_split_part(args);
	if (err == 1)
		err = find_vma(args);
	if (err)
		return err;
	memset(args->src, 0, npages_of(args) * sizeof(*args->src));
	memset(args->dst, 0, npages_of(args) * sizeof(*args->dst));
	memset(&args->restore, 0, sizeof(args->restore));
	memset(&args->sharers, 0, sizeof(args->sharers));
	memset(args->taken, 0, sizeof(args->taken));
	memset(args->protected_by_us, 0, sizeof(args->protected_by_us));
	memset(args->exclusive, 0, sizeof(args->exclusive));
	memset(args->in_place, 0, sizeof(args->in_place));
	memset(args->shared, 0, sizeof(args->shared));
	args->flight = 0;
	args->unit = false;
	uhmm_mm_invalidate(args->mm, args->range, UHMM_NOTIFY_MIGRATE,
			   args->pgmap);
	uhmm_migrate_from_collect(args);
	if (wants(args, UHMM_MIGRATE_VMA_SELECT_SYSTEM))
		err = collect_system(args);
	if (err) {
		uhmm_restore_finish(&args->restore);
		return err;
	}
	uhmm_migrate_unit_pack(args);
	args->cpages = count_migrating(args);
	return 0;
}

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
	for (uint64_t i = 0; i < npages_of(args); i++)
		if (!uhmm_migrate_pfn_is_device(args->src[i]) &&
		    uhmm_migrate_pfn_is_device(args->dst[i]))
			flight->page[i].dpfn =
				uhmm_migrate_pfn_to_dpfn(args->dst[i]).val;
}

static void stays(struct uhmm_migrate_vma *args, uint64_t i)
{
	args->src[i] &= ~(uint64_t)UHMM_MIGRATE_PFN_MIGRATE;
}

/* Can page @i be taken now? */
static bool is_to_take(struct uhmm_migrate_vma *args, uint64_t i)
{
	return goes_to_device(args, i) && !is_set(args->taken, i) &&
	       uhmm_flight_is_still(args->mm, args->flight, i);
}

/* And as one with the page before it? */
static bool continues(struct uhmm_migrate_vma *args, uint64_t i)
{
	return is_to_take(args, i) &&
	       (args->src[i] & UHMM_MIGRATE_PFN_VALID) ==
		       (args->src[i - 1] & UHMM_MIGRATE_PFN_VALID) &&
	       is_set(args->shared, i) == is_set(args->shared, i - 1) &&
	       uhmm_migrate_pfn_to_dpfn(args->dst[i]).val ==
		       uhmm_migrate_pfn_to_dpfn(args->dst[i - 1]).val + 1;
}

/* The next run of pages that go, from page *@i on. */
static bool next_run(struct uhmm_migrate_vma *args, uint64_t *i,
		     struct uhmm_run *run)
{
	uint64_t npages = npages_of(args), first;

	while (*i < npages && !is_to_take(args, *i))
		++*i;
	if (*i == npages)
		return false;
	first = (*i)++;
	while (*i < npages && continues(args, *i))
		++*i;
	*run = (struct uhmm_run){
		.vpn = vpn_of(args, first),
		.dpfn = uhmm_migrate_pfn_to_dpfn(args->dst[first]),
		.npages = *i - first,
		.flags = args->src[first] & UHMM_MIGRATE_PFN_VALID ?
				 0 :
				 UHMM_RUN_ZERO,
	};
	if (is_set(args->shared, first))
		run->flags |= UHMM_RUN_SHARED;
	if (run->npages == npages && uhmm_migrate_unit_lands(args, NULL))
		run->flags |= UHMM_RUN_UNIT;
	if (wants(args, UHMM_MIGRATE_VMA_AT_ONCE))
		run->flags |= UHMM_RUN_AT_ONCE;
	return true;
}

/* Note what became of @run. Return: pages of which that is known now. */
static uint64_t note_taken(struct uhmm_migrate_vma *args,
			   const struct uhmm_run *run)
{
	uint64_t first = run->vpn.val - args->range.start.val;

	for (uint64_t j = 0; j < run->done; j++)
		set(args->taken, first + j);
	if (run->done == run->npages || run->error == -EAGAIN)
		return run->done;
	stays(args, first + run->done);
	return run->done + 1;
}

/* Take what can be taken, or some of it. Return: pages of which it is known
 * now whether they go; 0: none is left, or nothing came of it */
static uint64_t take_some(struct uhmm_migrate_vma *args, bool *left)
{
	struct uhmm_run run[NRUNS];
	unsigned int nruns = 0;
	uint64_t i = 0, known = 0;

	while (nruns < NRUNS && next_run(args, &i, &run[nruns]))
		nruns++;
	*left = nruns > 0;
	if (!nruns || args->mm->ops->take(args->mm->ops_ctx, run, nruns)) {
		*left = false;
		return 0;
	}
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
	for (uint64_t i = 0; i < npages_of(args); i++)
		if (!uhmm_migrate_pfn_is_device(args->src[i]) &&
		    !is_set(args->taken, i))
			stays(args, i);
}

/* These have arrived with that: nothing of theirs is anywhere else. */
static void take_in_place(struct uhmm_migrate_vma *args)
{
	for (uint64_t i = 0; i < npages_of(args); i++)
		if (is_set(args->in_place, i) && is_to_take(args, i))
			set(args->taken, i);
}

/* Was page @i a hole or the zero page? */
static bool is_fresh(struct uhmm_migrate_vma *args, uint64_t i)
{
	return is_set(args->taken, i) &&
	       !(args->src[i] & UHMM_MIGRATE_PFN_VALID) &&
	       uhmm_flight_is_still(args->mm, args->flight, i);
}

/* Nobody has cleared the device page of a hole yet. */
static void clear_page(const struct uhmm_migrate_vma *args, uint64_t i)
{
	struct uhmm_core *core = args->mm->core;

	if (is_set(args->in_place, i))
		core->ops->page_clear(core,
				      uhmm_migrate_pfn_to_dpfn(args->dst[i]));
}

/* The run of such pages from page *@i on, which moves behind it; empty when
 * there is none. Their device pages are zeros. */
static struct uhmm_run next_fresh(struct uhmm_migrate_vma *args, uint64_t *i)
{
	uint64_t npages = npages_of(args);
	struct uhmm_run run = { .npages = 0 };

	while (*i < npages && !is_fresh(args, *i))
		++*i;
	for (; *i < npages && is_fresh(args, *i); ++*i, run.npages++) {
		uhmm_dpfn_t dpfn = uhmm_migrate_pfn_to_dpfn(args->dst[*i]);

		if (!run.npages)
			run = (struct uhmm_run){ .vpn = vpn_of(args, *i),
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
	return is_set(args->taken, i);
}

void uhmm_migrate_vma_pages(struct uhmm_migrate_vma *args)
{
	uhmm_migrate_unit_accept(args);
	note_destinations(args);
	if (args->flight && is_coherent(args))
		take_in_place(args);
	if (args->flight) {
		take_all(args);
		if (!is_coherent(args))
			uhmm_sharers_take(args);
	}
	if (args->flight && is_coherent(args))
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

	if (!is_set(args->taken, i) || !flight->page[i].dpfn)
		return false;
	if (flight->page[i].vpn == flight->start + i || is_coherent(args))
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
				 is_set(args->exclusive, i) ?
					 UHMM_SOFTLEAF_EXCLUSIVE :
					 0);
		return;
	}
	stays(args, i);
	uhmm_flight_leave(mm, args->flight, i);
}

/* Is page @i still with the CPU, did we write-protect it, and is it nobody
 * else's? */
static bool to_unprotect(const struct uhmm_migrate_vma *args, uint64_t i)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(args->mm, vpn_of(args, i));

	if (!is_set(args->protected_by_us, i))
		return false;
	if (uhmm_softleaf_is_device_coherent(leaf))
		return true;
	return !(args->src[i] & UHMM_MIGRATE_PFN_MIGRATE) &&
	       uhmm_softleaf_is_none(leaf);
}

/* The run of such pages from page *@i on, which moves behind it; empty when
 * there is none. The first page goes alone to a coherent device: it has base
 * pages only, and what is unprotected in parts is no PMD-sized page any more. */
static struct uhmm_range next_to_unprotect(const struct uhmm_migrate_vma *args,
					   uint64_t *i)
{
	uint64_t npages = npages_of(args), first;

	while (*i < npages && !to_unprotect(args, *i))
		++*i;
	first = *i;
	while (*i < npages && to_unprotect(args, *i) &&
	       !(first == 0 && *i == 1 && is_coherent(args)))
		++*i;
	return uhmm_range_of(vpn_of(args, first), *i - first);
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
	uint64_t npages = npages_of(args), first;

	while (*i < npages && !uhmm_softleaf_is_none(
				      uhmm_mm_leaf(args->mm, vpn_of(args, *i))))
		++*i;
	first = *i;
	while (*i < npages && uhmm_softleaf_is_none(
				      uhmm_mm_leaf(args->mm, vpn_of(args, *i))))
		++*i;
	return uhmm_range_of(vpn_of(args, first), *i - first);
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

	for (uint64_t i = 0; i < npages_of(args); i++)
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
