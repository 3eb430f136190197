/* SPDX-License-Identifier: MIT */
/* engine_copy.c - the engine that copies (engine.h, mm_ops.h)
 *
 * Theory of operation.
 *
 *   trap  register with the userfaultfd for missing pages and write
 *         protection, then write-protect. The kernel refuses the second while
 *         an event is outstanding, so its success is the fence that trap()
 *         promises. A CPU write now waits; a CPU read still passes.
 *   take  read the pages through the program's mem descriptor straight into
 *         device memory, then have the program's hands zap them: nothing can
 *         have changed them in between. Where the kernel can, the holes are
 *         write-protected again: the markers make them look like what they
 *         are (neither present nor empty) to readers of pagemap.
 *   give  UFFDIO_COPY from device memory. The pages of a unit are then put
 *         together; those that ask for them wait until that is done.
 *
 * A gap this engine leaves (engine_move.c does not): a program that unmaps
 * pages while they are being taken, and maps something else there before its
 * hands zap, loses what it wrote there in between.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "sys/devmem.h"
#include "sys/engine_base.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

/* Pages per UFFDIO_COPY: it holds the program's mmap lock all the time. */
#define COPY_CHUNK 512
#define TRAP_TRIES 8
/* Compared at once; pages are a multiple of it. */
#define COMPARE_BYTES 4096

static int register_range(struct uhmm_engine *e, struct uhmm_range r)
{
	uint64_t ioctls;
	int err = uhmm_engine_register(e, r, &ioctls);

	if (err)
		return err;
	if (ioctls & (UINT64_C(1) << _UFFDIO_WRITEPROTECT))
		return 0;
	err = uhmm_engine_op_untrap(e, r);
	return err ? err : -EINVAL;
}

int uhmm_engine_copy_trap(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	int tries = 0;
	int err = 0;

	e->stats.traps++;
	if (uhmm_engine_turns_zeros(e))
		err = uhmm_engine_op_look(e, r);
	if (err)
		return err;
	/* -ENOENT: while we caught up with events the mapping was replaced */
	do {
		err = uhmm_trapset_reserve(&e->trapped);
		if (!err)
			err = register_range(e, r);
		if (err)
			return err;
		err = uhmm_engine_writeprotect(e, r,
					       UFFDIO_WRITEPROTECT_MODE_WP);
	} while (err == -ENOENT && ++tries < TRAP_TRIES);
	return err == -ENOENT ? -EINVAL : err;
}

/* How many bytes of the run are what is in @page already; or -errno. */
static int64_t compare(const struct uhmm_engine *e, const struct uhmm_run *run,
		       const unsigned char *page)
{
	uint64_t addr = uhmm_addr_of(run->vpn), at = 0;
	unsigned char here[COMPARE_BYTES];

	while (at < uhmm_bytes_of(run->npages)) {
		int64_t n = uhmm_procmem_read(e->fds.mem, addr + at, here,
					      sizeof(here));

		if (n < 0)
			return n;
		if (n < (int64_t)sizeof(here) ||
		    memcmp(here, page + at, sizeof(here)) != 0)
			break;
		at += sizeof(here);
	}
	return (int64_t)at;
}

/* Bytes of one run to its device pages, without the lock. */
static int fetch(struct uhmm_engine *e, struct uhmm_run *run)
{
	void *page = run->flags & UHMM_RUN_SAME ?
			     uhmm_devmem_span(e->env.devmem, run->dpfn,
					      run->npages) :
			     uhmm_devmem_fill(e->env.devmem, run->dpfn,
					      run->npages);
	size_t bytes = uhmm_bytes_of(run->npages);
	int64_t n = (int64_t)bytes;

	assert(page);
	if (run->flags & UHMM_RUN_AT_ONCE) {
		run->error = -EOPNOTSUPP;
		return 0;
	}
	e->env.unlock(e->env.ctx);
	if (run->flags & UHMM_RUN_ZERO)
		memset(page, 0, bytes);
	else if (run->flags & UHMM_RUN_SAME)
		n = compare(e, run, page);
	else
		n = uhmm_procmem_read(e->fds.mem, uhmm_addr_of(run->vpn), page,
				      bytes);
	e->env.lock(e->env.ctx);
	if (n < 0)
		return (int)n;
	run->done = (uint64_t)n / uhmm_page_bytes();
	run->error = run->done == run->npages ? 0 :
		     run->flags & UHMM_RUN_SAME ? -EILSEQ :
						    -EFAULT;
	return 0;
}

static struct uhmm_range done_range(const struct uhmm_run *run)
{
	return uhmm_range_of(run->vpn, run->done);
}

/*
 * Zap the done part of @n runs that have it in @range already.
 * A hole in them is fine: what was mapped of it is zapped all the same.
 */
static int zap_each(struct uhmm_engine *e, struct uhmm_run *run, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct uhmm_range r = done_range(&run[i]);
		int err = 0;

		if (run[i].done)
			err = uhmm_engine_ask_hands(e, UHMM_ENGINE_ZAP, &r, 1);
		if (err == -ESRCH)
			return err;
		if (err && err != -ENOMEM) {
			run[i].done = 0;
			run[i].error = err;
		}
	}
	return 0;
}

/* Collect the done parts of runs until @range is full; runs collected. */
static unsigned int collect(const struct uhmm_run *run, unsigned int nruns,
			    struct uhmm_range *range, unsigned int *n)
{
	unsigned int i;

	*n = 0;
	for (i = 0; i < nruns; i++) {
		if (!run[i].done)
			continue;
		if (*n && range[*n - 1].end.val == run[i].vpn.val) {
			range[*n - 1].end.val += run[i].done;
			continue;
		}
		if (*n == UHMM_ENGINE_HANDS_MAX)
			break;
		range[(*n)++] = done_range(&run[i]);
	}
	return i;
}

int uhmm_engine_mark(struct uhmm_engine *e, const struct uhmm_range *range,
		     unsigned int n)
{
	int err = 0;

	for (unsigned int i = 0; i < n && e->wp_unpopulated && !err; i++) {
		err = uhmm_engine_writeprotect(e, range[i],
					       UFFDIO_WRITEPROTECT_MODE_WP);
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

static int zap(struct uhmm_engine *e, struct uhmm_run *run, unsigned int nruns)
{
	struct uhmm_range range[UHMM_ENGINE_HANDS_MAX];
	unsigned int step;
	unsigned int n;

	for (; nruns; run += step, nruns -= step) {
		int err = 0;

		step = collect(run, nruns, range, &n);
		if (n)
			err = uhmm_engine_ask_hands(e, UHMM_ENGINE_ZAP, range,
						    n);
		if (err && err != -ESRCH)
			err = zap_each(e, run, step);
		if (!err)
			err = uhmm_engine_mark(e, range, n);
		if (err)
			return err;
	}
	return 0;
}

int uhmm_engine_op_take(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	struct uhmm_engine *e = ctx;
	int err = 0;

	for (unsigned int i = 0; i < nruns; i++)
		run[i].done = 0;
	for (unsigned int i = 0; i < nruns && !err; i++)
		err = fetch(e, &run[i]);
	if (!err)
		err = zap(e, run, nruns);
	for (unsigned int i = 0; i < nruns && !err; i++)
		e->stats.pages_taken += run[i].done;
	return err;
}

/* Install the pages @part of @run; @done pages. */
static int install(struct uhmm_engine *e, const struct uhmm_run *run,
		   struct uhmm_range part, uint64_t *done)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(run->dpfn.val + part.start.val -
				     run->vpn.val);
	const void *page = uhmm_devmem_span(e->env.devmem, dpfn,
					    uhmm_range_npages(part));
	uint64_t mode = 0;
	int err;

	assert(page);
	if (run->flags & UHMM_RUN_UNIT)
		mode = UFFDIO_COPY_MODE_DONTWAKE;
	else if (run->flags & UHMM_RUN_WP)
		mode = UFFDIO_COPY_MODE_WP;
	e->env.unlock(e->env.ctx);
	err = uhmm_uffd_copy(e->fds.uffd, part, page, mode, done);
	e->env.lock(e->env.ctx);
	return err;
}

/* One run; only -ESRCH is the caller's matter. */
static int give_run(struct uhmm_engine *e, struct uhmm_run *run)
{
	struct uhmm_range all = uhmm_range_of(run->vpn, run->npages);
	struct uhmm_range part = { run->vpn, run->vpn };
	int err = 0;

	run->done = 0;
	while (run->done < run->npages && !err) {
		uint64_t done;

		if (part.start.val == part.end.val)
			part = uhmm_range_clip(uhmm_range_of(part.start,
							     COPY_CHUNK), all);
		err = install(e, run, part, &done);
		run->done += done;
		part.start.val += done;
		if (done)
			err = 0;
		else if (err && err != -EEXIST)
			err = uhmm_engine_fill_error(e, err, &part);
	}
	run->error = err;
	e->stats.pages_given += run->done;
	return err == -ESRCH ? err : 0;
}

/*
 * A run that is a unit. Pages that are protected cannot be put together, so
 * they are protected afterwards: a write in between, by a thread that did not
 * wait for the page, is not told. No device can have looked at the page yet.
 */
static int give_unit(struct uhmm_engine *e, struct uhmm_run *run)
{
	struct uhmm_range r = uhmm_range_of(run->vpn, run->npages);
	int err = give_run(e, run);

	if (err || !run->done)
		return err;
	if (run->done == run->npages)
		err = uhmm_engine_collapse(e, r);
	if (err != -ESRCH && (run->flags & UHMM_RUN_WP))
		err = uhmm_engine_op_protect(e, done_range(run));
	return err == -ESRCH ? err : uhmm_engine_op_wake(e, done_range(run));
}

int uhmm_engine_copy_give(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	int err = 0;

	for (unsigned int i = 0; i < nruns && !err; i++)
		err = run[i].flags & UHMM_RUN_UNIT ? give_unit(ctx, &run[i]) :
						     give_run(ctx, &run[i]);
	return err;
}

static const struct uhmm_mm_ops copy_ops = {
	UHMM_ENGINE_COMMON_OPS,
	.trap = uhmm_engine_copy_trap,
	.take = uhmm_engine_op_take,
	.give = uhmm_engine_copy_give,
};

int uhmm_engine_copy_create(struct uhmm_engine **engine,
			    const struct uhmm_engine_fds *fds,
			    uint64_t uffd_features,
			    const struct uhmm_engine_env *env)
{
	int err;

	if (!(uffd_features & UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		return -EOPNOTSUPP;
	err = uhmm_engine_create(engine, fds, uffd_features, env);
	if (err)
		return err;
	(*engine)->name = "copy";
	(*engine)->ops = &copy_ops;
	return 0;
}
