/* SPDX-License-Identifier: MIT */
/* fence_ops.c - the operations of every engine, as src/mm calls them: each part
 * of a range goes to the engine's own, or to the fences (engine_fence.c)
 *
 * An operation of the engine's own finds nothing of its kind in a fence, and
 * the other way round, so most are simply done by both.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/log.h"
#include "sys/devmem.h"
#include "sys/engine_base.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"
#include "sys/smaps.h"

static int op_vma_find(void *ctx, uhmm_vpn_t vpn, struct uhmm_vma *vma)
{
	return uhmm_engine_find_fenced(ctx, vpn, vma);
}

/* What is fenced of a mapping is one of its own for the kernel. */
static uhmm_vpn_t op_mapping_end(void *ctx, const struct uhmm_vma *vma,
				 uhmm_vpn_t until)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_vma last = *vma, next;

	if (!vma->by_fence)
		return e->ops->mapping_end(e, vma, until);
	while (last.range.end.val < until.val &&
	       uhmm_engine_find_fenced(e, last.range.end, &next) == 0 &&
	       uhmm_engine_continues(&last, &next))
		last = next;
	return last.range.end;
}

/* Pages whose markers are looked at in one call. */
#define BATCH 512

static bool has_swap(const uint8_t *pte, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (pte[i] & UHMM_PTE_SWAP)
			return true;
	return false;
}

/* Markers of ours are no pages that were swapped out. */
static int see_markers(const struct uhmm_engine *e, struct uhmm_range r,
		       uint8_t *pte)
{
	uint64_t word[BATCH], n;

	for (; r.start.val < r.end.val; r.start.val += n, pte += n) {
		n = uhmm_range_npages(r) < BATCH ? uhmm_range_npages(r) : BATCH;
		if (!has_swap(pte, n))
			continue;
		if (uhmm_ptes_raw(&e->ptes, uhmm_range_of(r.start, n), word))
			return -ESRCH;
		for (uint64_t i = 0; i < n; i++)
			if ((pte[i] & UHMM_PTE_SWAP) &&
			    (word[i] & UHMM_PM_GUARD))
				pte[i] = 0;
	}
	return 0;
}

/* A fenced page looks as a trapped one does: protected, or marked as away. */
static int op_scan(void *ctx, struct uhmm_range r, uint8_t *pte)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range rest = r;
	struct uhmm_fence f;
	int err = e->ops->scan(e, r, pte);

	while (!err && uhmm_fences_next(&e->fences, rest, &f)) {
		if (e->guards)
			err = see_markers(e, f.range,
					  pte + f.range.start.val -
						  r.start.val);
		for (uint64_t v = f.range.start.val; v < f.range.end.val; v++)
			pte[v - r.start.val] |= UHMM_PTE_WP;
		rest.start = f.range.end;
	}
	return err;
}

/* What is fenced has no entries where it has no pages. */
static uhmm_vpn_t op_skip_holes(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;

	return e->ops->skip_holes(e, r);
}

/* Has a userfaultfd the mapping that @r begins in? If it cannot be found out it
 * may. */
static bool is_registered(const struct uhmm_engine *e, struct uhmm_range r)
{
	struct uhmm_smaps smaps;
	struct uhmm_vma vma;

	if (uhmm_maps_find(&e->maps, r.start, &vma) ||
	    !uhmm_range_has(vma.range, r.start))
		return false;
	return uhmm_smaps_find(e->maps.fd, uhmm_addr_of(vma.range.start),
			       uhmm_addr_of(vma.range.end), &smaps) ||
	       smaps.uffd;
}

/* Memory that fences trap is never registered by us. */
static bool has_other_uffd(const struct uhmm_engine *e, struct uhmm_range r)
{
	struct uhmm_vma vma;

	while (e->shares && r.start.val < r.end.val) {
		if (is_registered(e, r))
			return true;
		if (uhmm_maps_find(&e->maps, r.start, &vma))
			return false;
		r.start = vma.range.end;
	}
	return false;
}

void uhmm_engine_note_uffd(struct uhmm_engine *engine)
{
	engine->shares = true;
}

static int op_trap(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_vma vma;
	int err = uhmm_engine_find_fenced(e, r.start, &vma);

	if (err || uhmm_range_overlaps(r, e->keep_off))
		return err && err != -ENOENT ? err : -EINVAL;
	if (!vma.by_fence || !uhmm_range_has(vma.range, r.start))
		return e->ops->trap(e, r);
	/* what is away could not be written back */
	if (has_other_uffd(e, r))
		return -EBUSY;
	e->stats.traps++;
	err = uhmm_engine_note_fenceable(e, vma.range);
	return err ? err : uhmm_engine_fence(e, r, UHMM_FENCE_ALL);
}

/* No page is away: what is left guards against writing, and may go. */
static int op_untrap(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;

	if (uhmm_engine_has_fences(e, r))
		e->env.tidy_fences(e->env.ctx);
	return e->ops->untrap(e, r);
}

/* What fences trap is watched by hooks alone. @r: of @vma */
static int watch_fenced(struct uhmm_engine *e, struct uhmm_range r,
			const struct uhmm_vma *vma)
{
	int err = uhmm_engine_note_fenceable(e, vma->range);

	return err ? err : uhmm_engine_tell(e, r);
}

/* @plain: for what fences do not trap */
static int watch_all(struct uhmm_engine *e, struct uhmm_range r,
		     int (*plain)(void *ctx, struct uhmm_range r))
{
	int err = 0;

	while (!err && r.start.val < r.end.val) {
		struct uhmm_range part;
		struct uhmm_vma vma;

		err = uhmm_engine_find_fenced(e, r.start, &vma);
		if (err)
			return err == -ENOENT ? 0 : err;
		part = uhmm_range_clip(r, vma.range);
		if (uhmm_range_npages(part))
			err = vma.by_fence ? watch_fenced(e, part, &vma) :
					     plain(e, part);
		r.start = vma.range.end;
	}
	return err;
}

static int op_watch(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;

	return watch_all(e, r, e->ops->watch);
}

static int op_look(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;

	return watch_all(e, r, e->ops->look);
}

static bool op_is_foreign(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_vma vma;

	if (uhmm_engine_find_fenced(e, r.start, &vma) || !vma.by_fence)
		return e->ops->is_foreign(e, r);
	return has_other_uffd(e, uhmm_range_clip(r, vma.range));
}

static bool op_is_watched(void *ctx, uhmm_vpn_t vpn)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_vma vma;

	if (e->ops->is_watched(e, vpn))
		return true;
	return e->told && !uhmm_engine_find_fenced(e, vpn, &vma) &&
	       uhmm_range_has(vma.range, vpn) && vma.by_fence;
}

static bool op_next_watched(void *ctx, struct uhmm_range r,
			    struct uhmm_range *piece)
{
	struct uhmm_engine *e = ctx;

	return e->ops->next_watched(e, r, piece);
}

static bool op_is_forked(void *ctx, uhmm_vpn_t vpn)
{
	struct uhmm_engine *e = ctx;

	return e->ops->is_forked(e, vpn);
}

static int op_relax(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;

	return e->ops->relax(e, r);
}

static int op_protect(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	int err = e->ops->protect(e, r);

	/* nothing that fences trap is watched before it is told of */
	return err || !e->told ? err : uhmm_engine_fence(e, r, PROT_WRITE);
}

static int op_unprotect(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	int err;

	if (uhmm_engine_has_fences(e, r)) {
		if (uhmm_engine_is_changing(e))
			return -EAGAIN;
		err = uhmm_engine_unfence(e, r, 0);
		if (err)
			return err;
	}
	return e->ops->unprotect(e, r);
}

static int op_let_read(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	int err;

	if (!uhmm_engine_has_fences(e, r))
		return e->ops->let_read(e, r);
	if (uhmm_engine_is_changing(e))
		return -EAGAIN;
	err = uhmm_engine_unfence(e, r, PROT_WRITE);
	return err ? err : e->ops->let_read(e, r);
}

/* ---- pages that go and come ---- */

/* Bytes are read as from anywhere else. */
static int op_take(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	struct uhmm_engine *e = ctx;
	bool fenced = nruns &&
		      uhmm_engine_has_fences(e, uhmm_range_of(run[0].vpn, 1));
	int err;

	if (!fenced)
		return e->ops->take(e, run, nruns);
	err = uhmm_engine_op_take(e, run, nruns);
	for (unsigned int i = 0; i < nruns && !err; i++)
		if (run[i].done)
			err = uhmm_engine_guard(
				e, uhmm_range_of(run[i].vpn, run[i].done),
				true);
	return err;
}

/* Write @npages of the device to @vpn, whatever the protection. */
static int64_t put(struct uhmm_engine *e, const struct uhmm_run *run,
		   uint64_t npages)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(run->dpfn.val + run->done);
	uint64_t addr = uhmm_addr_of(run->vpn) + uhmm_bytes_of(run->done);
	const void *page = uhmm_devmem_span(e->env.devmem, dpfn, npages);
	int64_t n;

	assert(page);
	e->env.unlock(e->env.ctx);
	n = uhmm_procmem_write(e->fds.mem, addr, page, uhmm_bytes_of(npages));
	e->env.lock(e->env.ctx);
	return n < 0 ? n : n / (int64_t)uhmm_page_bytes();
}

/* The page could not be written. Where it cannot be read either the file has
 * become shorter: as the kernel would have, forget what is away. */
static int give_up(struct uhmm_engine *e, uhmm_vpn_t vpn)
{
	struct uhmm_range r = uhmm_range_of(vpn, 1);
	char byte;
	int64_t n = uhmm_procmem_read(e->fds.mem, uhmm_addr_of(vpn), &byte, 1);
	int err = n ? -EFAULT : uhmm_engine_open(e, r);

	if (err)
		return n < 0 ? (int)n : err;
	e->env.lost(e->env.ctx, r);
	return -ENOENT;
}

/* As much of @run as one fence holds. */
static int give_part(struct uhmm_engine *e, struct uhmm_run *run)
{
	uhmm_vpn_t at = UHMM_VPN(run->vpn.val + run->done);
	struct uhmm_range rest = uhmm_range_of(at, run->npages - run->done);
	struct uhmm_vma vma;
	int64_t n;
	int err = uhmm_engine_find_fenced(e, at, &vma);

	if (!err && (!uhmm_range_has(vma.range, at) || !vma.fenced))
		err = -ENOENT;
	if (err)
		return err;
	rest = uhmm_range_clip(rest, vma.range);
	err = uhmm_engine_guard(e, rest, false);
	if (err)
		return err;
	n = put(e, run, uhmm_range_npages(rest));
	if (n < 0)
		return (int)n;
	if (!n)
		return give_up(e, at);
	err = uhmm_engine_unfence(e, uhmm_range_of(at, (uint64_t)n),
				  run->flags & UHMM_RUN_WP ? PROT_WRITE : 0);
	/* too many mappings: it is there, and opened with all of the fence */
	if (err == -ENOMEM && !(run->flags & UHMM_RUN_WP))
		err = 0;
	if (!err)
		run->done += (uint64_t)n;
	return err;
}

static int give_fenced(struct uhmm_engine *e, struct uhmm_run *run)
{
	int err = 0;

	run->done = 0;
	while (!err && run->done < run->npages)
		err = give_part(e, run);
	run->error = err;
	e->stats.pages_given += run->done;
	/* what cannot be put together stays base pages */
	if (!err && (run->flags & UHMM_RUN_UNIT))
		err = uhmm_engine_collapse(e, uhmm_range_of(run->vpn,
							    run->npages));
	return err == -ESRCH ? err : 0;
}

/* The front of what is left of @run that is fenced, or is not, all of it. */
static struct uhmm_run next_part(const struct uhmm_engine *e,
				 const struct uhmm_run *run, bool *fenced)
{
	struct uhmm_run part = *run;
	struct uhmm_range rest;
	struct uhmm_fence f;

	part.vpn.val += run->done;
	part.dpfn.val += run->done;
	part.npages -= run->done;
	rest = uhmm_range_of(part.vpn, part.npages);
	*fenced = false;
	if (!uhmm_fences_next(&e->fences, rest, &f))
		return part;
	*fenced = f.range.start.val == part.vpn.val;
	part.npages = *fenced ? uhmm_range_npages(f.range) :
				f.range.start.val - part.vpn.val;
	if (part.npages != run->npages)
		part.flags &= ~(uint32_t)UHMM_RUN_UNIT;
	return part;
}

static int give_run(struct uhmm_engine *e, struct uhmm_run *run)
{
	int err = 0;

	run->done = 0;
	run->error = 0;
	while (!err && !run->error && run->done < run->npages) {
		bool fenced;
		struct uhmm_run part = next_part(e, run, &fenced);

		err = fenced ? give_fenced(e, &part) : e->ops->give(e, &part, 1);
		run->done += part.done;
		run->error = part.error;
	}
	return err;
}

static int op_give(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	struct uhmm_engine *e = ctx;
	int err = 0;

	if (!e->fences.n)
		return e->ops->give(e, run, nruns);
	for (unsigned int i = 0; i < nruns && !err; i++)
		err = give_run(e, &run[i]);
	return err;
}

static int op_give_zero(void *ctx, uhmm_vpn_t vpn, bool write)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_range r = uhmm_range_of(vpn, 1);

	if (!uhmm_engine_has_fences(e, r))
		return e->ops->give_zero(e, vpn, write);
	/* the kernel itself fills it when the CPU comes again */
	return uhmm_engine_is_changing(e) ? -EAGAIN : uhmm_engine_open(e, r);
}

static int op_split(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	struct uhmm_vma vma;
	int err = uhmm_engine_find_fenced(e, r.start, &vma);

	if (err || !uhmm_range_has(vma.range, r.start))
		return err == -ESRCH ? err : 0;
	return uhmm_engine_split(e, r, vma.by_fence);
}

static int op_wake(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;

	return e->ops->wake(e, r);
}

static int op_fault_in(void *ctx, struct uhmm_range r, bool write)
{
	struct uhmm_engine *e = ctx;

	if (uhmm_engine_has_fences(e, r)) {
		int err = uhmm_engine_is_changing(e) ?
				  -EAGAIN :
				  uhmm_engine_unfence(e, r, 0);

		/* others ran meanwhile: a page may have left again */
		return err ? err : -EAGAIN;
	}
	return e->ops->fault_in(e, r, write);
}

static int64_t op_read(void *ctx, uhmm_vpn_t vpn, uint64_t npages, void *buf)
{
	struct uhmm_engine *e = ctx;

	return e->ops->read(e, vpn, npages, buf);
}

static int64_t op_write(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			const void *buf)
{
	struct uhmm_engine *e = ctx;

	return e->ops->write(e, vpn, npages, buf);
}

const struct uhmm_mm_ops uhmm_engine_fence_ops = {
	.vma_find = op_vma_find,
	.mapping_end = op_mapping_end,
	.scan = op_scan,
	.skip_holes = op_skip_holes,
	.trap = op_trap,
	.untrap = op_untrap,
	.watch = op_watch,
	.look = op_look,
	.is_foreign = op_is_foreign,
	.is_watched = op_is_watched,
	.next_watched = op_next_watched,
	.is_forked = op_is_forked,
	.relax = op_relax,
	.protect = op_protect,
	.unprotect = op_unprotect,
	.take = op_take,
	.give = op_give,
	.give_zero = op_give_zero,
	.let_read = op_let_read,
	.split = op_split,
	.wake = op_wake,
	.fault_in = op_fault_in,
	.read = op_read,
	.write = op_write,
};
