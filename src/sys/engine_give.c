/* SPDX-License-Identifier: MIT */
/* engine_give.c - how engine move gives (engine_base.h, mm_ops.h)
 *
 * Many pages: the hands move them back. Few: the daemon copies them, which wakes
 * nobody, and what stays in the window is swept later. What is not in the
 * window is given as engine copy does.
 */
#include <errno.h>

#include "sys/devmem.h"
#include "sys/engine_window.h"
#include "sys/pagesize.h"

/* Fewer are copied back: to wake the hands takes longer. */
#define MOVE_BACK_MIN 8
/* Bytes copied back at once; a job's stack has room for them. */
#define COPY_BYTES 65536
/* Pages looked at at once. */
#define BATCH 512

/* Copy pages of @part back. @done pages. */
static int copy_back(struct uhmm_engine *e, uhmm_dpfn_t dpfn,
		     struct uhmm_range part, uint64_t mode, uint64_t *done)
{
	_Alignas(16) unsigned char buf[COPY_BYTES];
	int64_t n;
	int err;

	*done = 0;
	e->env.unlock(e->env.ctx);
	n = uhmm_window_read(&e->window, dpfn, uhmm_range_npages(part), buf);
	if (n > 0) {
		part.end.val = part.start.val + (uint64_t)n;
		err = uhmm_uffd_copy(e->fds.uffd, part, buf, mode, done);
	} else {
		err = n < 0 ? (int)n : -EIO;
	}
	e->env.lock(e->env.ctx);
	return err;
}

/* Copy back the rest of @run up to page @end, which the window holds. */
static int give_by_copy(struct uhmm_engine *e, struct uhmm_run *run,
			uint64_t end)
{
	uint64_t mode = run->flags & UHMM_RUN_WP ? UFFDIO_COPY_MODE_WP : 0;
	uint64_t most = COPY_BYTES / uhmm_page_bytes();
	struct uhmm_range all = { uhmm_run_vpn(run, run->done),
				  uhmm_run_vpn(run, end) };
	struct uhmm_range part = { all.start, all.start };
	int err = 0;

	while (run->done < end && !err) {
		uint64_t done;

		if (part.start.val == part.end.val)
			part = uhmm_range_clip(uhmm_range_of(part.start, most),
					       all);
		err = copy_back(e, uhmm_run_dpfn(run, run->done), part, mode,
				&done);
		if (!done && err && err != -EEXIST && err != -EIO)
			err = uhmm_engine_fill_error(e, err, &part);
		else if (done)
			err = 0;
		uhmm_devmem_forget(e->env.devmem, uhmm_run_dpfn(run, run->done),
				   done);
		run->done += done;
		part.start.val += done;
		e->stats.pages_given += done;
	}
	return err;
}

/* The next @n pages of @run are back where they were. */
static void leave(struct uhmm_engine *e, struct uhmm_run *run, uint64_t n)
{
	if (!n)
		return;
	uhmm_devmem_forget(e->env.devmem, uhmm_run_dpfn(run, run->done), n);
	uhmm_window_emptied(&e->window, uhmm_run_dpfn(run, run->done), n);
	run->done += n;
	e->stats.pages_given += n;
	e->stats.pages_moved += n;
}

/* Move back the rest of @run up to page @end, which the window holds and one
 * mapping is for. Return: 0; -ESRCH; another: they are to be copied */
static int move_back(struct uhmm_engine *e, struct uhmm_run *run,
			uint64_t end)
{
	uint64_t n = end - run->done;
	struct uhmm_range places =
		uhmm_window_places(&e->window,
				   uhmm_run_dpfn(run, run->done), n);
	struct uhmm_engine_move m = { .from = places.start,
				      .to = uhmm_run_vpn(run, run->done),
				      .npages = n };
	/* The markers are in the way. What waits there waits for the pages. */
	int err = uhmm_uffd_writeprotect(e->fds.uffd, uhmm_range_of(m.to, n),
					 UFFDIO_WRITEPROTECT_MODE_DONTWAKE);

	if (err)
		return err;
	err = uhmm_engine_do_moves(e, places, &m, 1, &n);
	if (err != -ESRCH)
		leave(e, run, n);
	e->env.resume(e->env.ctx);
	return err;
}

/* The same for any number of mappings; nobody looks at them before it fails. */
static int give_by_move(struct uhmm_engine *e, struct uhmm_run *run,
			uint64_t end)
{
	struct uhmm_range r = { uhmm_run_vpn(run, run->done),
				uhmm_run_vpn(run, end) };
	int err = move_back(e, run, end);

	if (err == -EINVAL && !uhmm_engine_clip(e, &r) &&
	    r.end.val < uhmm_run_vpn(run, end).val)
		err = move_back(e, run, r.end.val - run->vpn.val);
	return err;
}

/* Is it worth the hands' while, and can they? A page that is to be read-only
 * is there and protected at once when it is copied. */
static bool is_to_move(const struct uhmm_run *run, uint64_t end)
{
	return end - run->done >= MOVE_BACK_MIN && !(run->flags & UHMM_RUN_WP);
}

/*
 * The rest of @run up to page @end is in the window. Where the hands were busy,
 * or the mappings changing, others have run: what the caller knew is old, a page
 * may have been dropped since. It looks again, and then the page is copied, which
 * waits for nobody.
 */
static int give_held(struct uhmm_engine *e, struct uhmm_run *run, uint64_t end)
{
	int err = -ENOSYS;

	if (is_to_move(run, end) && !e->give_again)
		err = give_by_move(e, run, end);
	e->give_again = err == -EAGAIN;
	if (!err || err == -ESRCH || err == -EAGAIN)
		return err;
	return give_by_copy(e, run, end);
}

/* The rest of @run up to page @end is in the daemon's memory. */
static int give_ours(struct uhmm_engine *e, struct uhmm_run *run, uint64_t end)
{
	struct uhmm_run part = { .vpn = uhmm_run_vpn(run, run->done),
				 .dpfn = uhmm_run_dpfn(run, run->done),
				 .npages = end - run->done,
				 .flags = run->flags & UHMM_RUN_WP };
	int err = uhmm_engine_copy_give(e, &part, 1);

	run->done += part.done;
	return err ? err : part.error;
}

/* What of @run is not done yet. */
static int give_rest(struct uhmm_engine *e, struct uhmm_run *run)
{
	int err = 0;

	while (run->done < run->npages && !err) {
		struct uhmm_window *w;
		uint64_t end = run->done +
			       uhmm_devmem_place(e->env.devmem,
						 uhmm_run_dpfn(run, run->done),
						 run->npages - run->done, &w);

		/* what fork shares has left every window; of a child that was
		 * forked in the middle of a migration it is not known yet that
		 * it has the page itself */
		if (w && w != &e->window)
			uhmm_engine_bring_out(e, w,
					      uhmm_run_dpfn(run, run->done),
					      end - run->done);
		err = w == &e->window ? give_held(e, run, end) :
					give_ours(e, run, end);
	}
	run->error = err;
	return err == -ESRCH ? err : 0;
}

static int give_run(struct uhmm_engine *e, struct uhmm_run *run)
{
	run->done = 0;
	return give_rest(e, run);
}

/* Is all of @run in the window? */
static bool is_held(const struct uhmm_engine *e, const struct uhmm_run *run)
{
	struct uhmm_window *w;

	return uhmm_devmem_place(e->env.devmem, run->dpfn, run->npages, &w) ==
		       run->npages &&
	       w == &e->window;
}

/* Is a page of @r, a unit, the zero page? */
static bool has_zeros(const struct uhmm_engine *e, struct uhmm_range r)
{
	uint8_t pte[BATCH];

	if (uhmm_range_npages(r) > BATCH || uhmm_ptes_scan(&e->ptes, r, pte))
		return false;
	for (uint64_t i = 0; i < uhmm_range_npages(r); i++)
		if (pte[i] & UHMM_PTE_ZERO)
			return true;
	return false;
}

/* What the kernel split, to move it, is put together. Where it had pages of
 * zeros it has the zero page since, which it does not take for a part of a huge
 * page in registered memory: they are written first. */
static int put_together(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = uhmm_engine_collapse(e, r);

	if (!err || err == -ESRCH || err == -EOPNOTSUPP || !has_zeros(e, r))
		return err;
	err = uhmm_engine_write(e, r);
	return err ? err : uhmm_engine_collapse(e, r);
}

/* Move @run, a unit, which the window holds. Return: as give_by_move() */
static int move_unit(struct uhmm_engine *e, struct uhmm_run *run)
{
	struct uhmm_range r = uhmm_range_of(run->vpn, run->npages);
	uint8_t pte = 0;
	int err = move_back(e, run, run->npages);

	uhmm_window_note_table(&e->window, run->dpfn, run->npages, true);
	if (err)
		return err;
	/* page tables that were there before make the kernel split it */
	err = uhmm_ptes_scan(&e->ptes, uhmm_range_of(r.start, 1), &pte);
	if (!err && !(pte & UHMM_PTE_HUGE))
		err = put_together(e, r);
	return err == -ESRCH ? err : 0;
}

/* A unit that cannot be moved is copied, from the daemon's memory. */
static int give_unit(struct uhmm_engine *e, struct uhmm_run *run)
{
	int err = -ENOSYS;

	run->done = 0;
	if (is_held(e, run) && !(run->flags & UHMM_RUN_WP) && !e->give_again)
		err = move_unit(e, run);
	e->give_again = err == -EAGAIN;
	run->error = err;
	if (!err || err == -ESRCH)
		return err;
	if (err == -EAGAIN && !run->done)
		return 0;
	if (run->done)	/* not one any more */
		return give_rest(e, run);
	uhmm_engine_bring_out(e, &e->window, run->dpfn, run->npages);
	return uhmm_engine_copy_give(e, run, 1);
}

int uhmm_engine_move_give(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	int err = 0;

	for (unsigned int i = 0; i < nruns && !err; i++)
		err = run[i].flags & UHMM_RUN_UNIT ? give_unit(ctx, &run[i]) :
						     give_run(ctx, &run[i]);
	return err;
}
