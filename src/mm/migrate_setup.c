/* SPDX-License-Identifier: MIT */
/* migrate_setup.c - the first phase of a migration (uhmm/migrate.h): who can go
 *
 * Each page of the range that has no entry gets a migration entry, the CPU is
 * stopped at all of them, and then it is looked what is there.
 */
#include <uhmm/migrate.h>

#include <errno.h>
#include <string.h>

#include <uhmm/gup.h>

#include "mm/file_rmap.h"
#include "mm/flight.h"
#include "mm/migrate_args.h"
#include "mm/migrate_from.h"
#include "mm/migrate_unit.h"
#include "mm/mm.h"
#include "mm/restore.h"
#include "mm/sharers.h"
#include "mm/split.h"

/* What we trapped in parts is one mapping to the program. */
static bool holds(const struct uhmm_mm *mm, const struct uhmm_vma *vma,
		  struct uhmm_range r)
{
	return vma->range.start.val <= r.start.val &&
	       (vma->range.end.val >= r.end.val ||
		mm->ops->mapping_end(mm->ops_ctx, vma, r.end).val >=
			r.end.val);
}

static int find_vma(struct uhmm_migrate_vma *args)
{
	struct uhmm_mm *mm = args->mm;
	uint64_t npages = uhmm_args_npages(args);
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
					 uhmm_args_npages(args));
	if (!args->flight)
		return -ENOMEM;
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++) {
		if (!uhmm_softleaf_is_none(
			    uhmm_mm_leaf(mm, uhmm_args_vpn(args, i))) ||
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
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
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
	return uhmm_args_want(args, UHMM_MIGRATE_VMA_AT_ONCE) &&
	       (pte & UHMM_PTE_PRESENT) && !(pte & UHMM_PTE_ZERO) &&
	       !(pte & UHMM_PTE_EXCLUSIVE);
}

/* Say in src[] which of those on board can go. */
static void judge_all(struct uhmm_migrate_vma *args, const uint8_t *before,
		      const uint8_t *pte)
{
	for (uint64_t i = 0; i < uhmm_args_npages(args); i++) {
		bool still = uhmm_flight_is_still(args->mm, args->flight, i);

		if (!(before[i] & UHMM_PTE_WP) &&
		    (still || uhmm_softleaf_is_device_coherent(uhmm_mm_leaf(
				      args->mm, uhmm_args_vpn(args, i)))))
			uhmm_args_set(args->protected_by_us, i);
		if (!still || stays_here(args, pte[i]) ||
		    uhmm_mm_is_pinned(args->mm, uhmm_args_vpn(args, i)))
			continue;
		args->src[i] =
			judge(&args->vma, pte[i], before[i] & UHMM_PTE_WP);
		if (!(args->src[i] & UHMM_MIGRATE_PFN_VALID) ||
		    (!(before[i] & UHMM_PTE_WP) &&
		     (pte[i] & UHMM_PTE_EXCLUSIVE)))
			uhmm_args_set(args->exclusive, i);
		if (uhmm_args_are_coherent(args) && !(pte[i] & UHMM_PTE_ZERO))
			uhmm_args_set(args->in_place, i);
	}
}

/* From here on the CPU stops at what is to move. Return: as trap(). */
static int stop_cpu(const struct uhmm_migrate_vma *args)
{
	const struct uhmm_mm *mm = args->mm;
	int err;

	if (!uhmm_args_are_coherent(args))
		return mm->ops->trap(mm->ops_ctx, args->range);
	/* All of the mapping, so that it stays one. */
	err = mm->ops->look(mm->ops_ctx, args->vma.range);
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

	for (uint64_t i = 0; i < uhmm_args_npages(args); i++)
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
	memset(args->src, 0, uhmm_args_npages(args) * sizeof(*args->src));
	memset(args->dst, 0, uhmm_args_npages(args) * sizeof(*args->dst));
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
	if (uhmm_args_want(args, UHMM_MIGRATE_VMA_SELECT_SYSTEM))
		err = collect_system(args);
	if (err) {
		uhmm_restore_finish(&args->restore);
		return err;
	}
	uhmm_migrate_unit_pack(args);
	args->cpages = count_migrating(args);
	return 0;
}
