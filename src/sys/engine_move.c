/* SPDX-License-Identifier: MIT */
/* engine_move.c - the engine that moves (engine.h, mm_ops.h), and how it takes
 *
 * Theory of operation.
 *
 *   trap  as engine copy does.
 *   take  the program's hands move the pages, by UFFDIO_MOVE, from where they
 *         are to their places in the window (window.h). No byte is copied, and
 *         nothing can be lost: a write of the CPU comes before the move or
 *         waits. Holes have nothing to move; their device pages are zeros in
 *         the daemon's memory. The zero page is moved to get it out of the way.
 *   give  engine_give.c
 *
 * Why this takes what it was asked to take. The kernel refuses a move, with
 * EAGAIN, from the moment a mapping of the program begins to change until the
 * event that tells of it was read and its raiser went on; and no event is read
 * from the moment src/mm looked at its entries until the hands have answered
 * (uhmm_engine_env.move). So what moved is what src/mm saw, and a program that
 * unmaps and maps anew meanwhile makes it look again. For that, one call takes
 * one group of runs only: when the hands come back, what the caller knew is old.
 *
 * A unit is moved whole only to where no page table is, so what earlier pages
 * left of one in the window is dropped first.
 *
 * What cannot be moved is copied, as engine copy does it: pages that several
 * programs share, for each is to be given the bytes; others that a fork left
 * shared (EBUSY; the kernel also refuses such a page when the other is
 * gone, until it is written, so it is written), memory that is read-only,
 * executable or locked (EINVAL: the window is not), device pages without a
 * place in the window. A pinned page stays (EBUSY).
 */
#include <errno.h>

#include "sys/devmem.h"
#include "sys/engine_window.h"
#include "sys/pagesize.h"

/* Pages looked at at once. */
#define BATCH 512
/* Moves in a row that may meet an event before the pages stay. */
#define REFUSALS_MOST 32
/* Places between two runs that are opened together. */
#define GAP_MOST 512

static const uint8_t there = UHMM_PTE_PRESENT | UHMM_PTE_SWAP;

static void not_tried(struct uhmm_run *run, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		run[i].done = 0;
		run[i].error = -EAGAIN;
	}
}

/* ---- take: what the kernel refused ---- */

/* Pages that are exclusive, and protected, or not, as the first of @n is. */
static uint64_t alike(const uint8_t *pte, uint64_t n)
{
	uint64_t i = 1;

	while (i < n &&
	       !((pte[i] ^ pte[0]) & (UHMM_PTE_EXCLUSIVE | UHMM_PTE_WP)))
		i++;
	return i;
}

/* Copy @n pages behind those that are done. */
static int copy_part(struct uhmm_engine *e, struct uhmm_run *run, uint64_t n)
{
	struct uhmm_run part = { .vpn = uhmm_run_vpn(run, run->done),
				 .dpfn = uhmm_run_dpfn(run, run->done),
				 .npages = n, .flags = run->flags };
	int err = uhmm_engine_writeprotect(e, uhmm_range_of(part.vpn, n),
					   UFFDIO_WRITEPROTECT_MODE_WP);

	if (!err)
		err = uhmm_engine_op_take(e, &part, 1);
	if (err) {
		run->error = err;
		return err == -ESRCH ? err : 0;
	}
	run->done += part.done;
	run->error = part.done < n ? part.error :
		     run->done < run->npages ? -EAGAIN : 0;
	return 0;
}

/* The page behind those that are done is shared by fork, was, or is pinned. */
static int take_busy(struct uhmm_engine *e, struct uhmm_run *run)
{
	uint8_t pte[BATCH];
	uint64_t n = run->npages - run->done;
	int err;

	if (n > BATCH)
		n = BATCH;
	err = uhmm_ptes_scan(&e->ptes,
			     uhmm_range_of(uhmm_run_vpn(run, run->done), n),
			     pte);
	if (err)
		return err;
	run->error = -EBUSY;
	if (run->flags & UHMM_RUN_AT_ONCE)
		return 0;
	if (!(pte[0] & UHMM_PTE_EXCLUSIVE))
		return copy_part(e, run, alike(pte, n));
	return pte[0] & UHMM_PTE_WP ?
		       uhmm_engine_write_shared(e, run, alike(pte, n)) :
		       uhmm_engine_write_open(e, run, alike(pte, n));
}

/* Who changes the mappings must run on. A program that does nothing else may
 * always be at it again by the time its hands have woken up: then the pages
 * stay. To copy them is not for such a program (engine_copy.c). */
static int take_in_a_storm(struct uhmm_engine *e, struct uhmm_run *run)
{
	int err;

	run->error = -EAGAIN;
	if (++e->refusals > REFUSALS_MOST) {
		e->refusals = 0;
		run->error = -EBUSY;
	}
	err = uhmm_engine_catch_up(e);
	return err == -ESRCH ? err : 0;
}

/* What else to do with the page that could not be moved. */
static int take_refused(struct uhmm_engine *e, struct uhmm_run *run, int error)
{
	switch (error) {
	case -EAGAIN:
		return take_in_a_storm(e, run);
	case -EBUSY:
		return take_busy(e, run);
	case -ENOENT:
	case -EFAULT:	/* there is none, or it is being swapped */
		run->error = -EFAULT;
		return 0;
	default:
		return copy_part(e, run, run->npages - run->done);
	}
}

/* ---- take ---- */

/* The first @n pages of @run are in the window. */
static void arrive(struct uhmm_engine *e, struct uhmm_run *run, uint64_t n)
{
	run->done = n;
	run->error = 0;
	if (!n)
		return;
	e->refusals = 0;
	e->unshare_tries = 0;
	uhmm_devmem_hold(e->env.devmem, &e->window, run->dpfn, n);
	if (!(run->flags & UHMM_RUN_UNIT))
		uhmm_window_note_table(&e->window, run->dpfn, n, true);
	e->stats.pages_taken += n;
	e->stats.pages_moved += n;
}

/* The hands moved @moved pages of these and failed at the next, if one is left.
 * Return: the run that is in, or @nruns */
static unsigned int sort_out(struct uhmm_engine *e, struct uhmm_run *run,
			     unsigned int nruns, uint64_t moved)
{
	unsigned int i;

	not_tried(run, nruns);
	for (i = 0; i < nruns && moved >= run[i].npages; i++) {
		moved -= run[i].npages;
		arrive(e, &run[i], run[i].npages);
	}
	if (i < nruns)
		arrive(e, &run[i], moved);
	return i;
}

/* What became of these, of which the hands moved @moved pages and said @error.
 * Nobody may ask for their bytes before that is known. Return: 0; -ESRCH */
static int account(struct uhmm_engine *e, struct uhmm_run *run,
		   unsigned int nruns, uint64_t moved, int error)
{
	unsigned int refused = nruns;

	if (error != -ESRCH)
		refused = sort_out(e, run, nruns, moved);
	e->env.resume(e->env.ctx);
	if (error == -ESRCH)
		return error;
	return refused < nruns ? take_refused(e, &run[refused], error) : 0;
}

/* The places of all these runs, and what is between. */
static struct uhmm_range places_of(const struct uhmm_engine *e,
				   const struct uhmm_run *run,
				   unsigned int nruns)
{
	const struct uhmm_run *last = &run[nruns - 1];

	return uhmm_window_places(&e->window, run->dpfn,
				  last->dpfn.val + last->npages -
					  run->dpfn.val);
}

/* Does @b, with @a before it, go the same way at the same time? */
static bool goes_with(const struct uhmm_engine *e, const struct uhmm_run *a,
		      const struct uhmm_run *b)
{
	return !(b->flags & (UHMM_RUN_ZERO | UHMM_RUN_SHARED)) &&
	       uhmm_window_covers(&e->window, b->dpfn, b->npages) &&
	       b->dpfn.val >= a->dpfn.val + a->npages &&
	       b->dpfn.val - a->dpfn.val - a->npages <= GAP_MOST;
}

/* Runs from the first on, which has its places in the window, that are moved
 * by one request. */
static unsigned int group_of(const struct uhmm_engine *e,
			     const struct uhmm_run *run, unsigned int nruns)
{
	unsigned int n = 1;

	while (n < nruns && n < UHMM_ENGINE_MOVES_MAX &&
	       goes_with(e, &run[n - 1], &run[n]))
		n++;
	return n;
}

/* Marks where pages were. */
static int mark_taken(struct uhmm_engine *e, const struct uhmm_run *run,
		      unsigned int nruns)
{
	struct uhmm_range r[UHMM_ENGINE_MOVES_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < nruns; i++)
		if (run[i].done)
			r[n++] = uhmm_range_of(run[i].vpn, run[i].done);
	return uhmm_engine_mark(e, r, n);
}

static int move_group(struct uhmm_engine *e, struct uhmm_run *run,
		      unsigned int nruns)
{
	struct uhmm_engine_move m[UHMM_ENGINE_MOVES_MAX];
	uint64_t moved;
	int err;

	for (unsigned int i = 0; i < nruns; i++)
		m[i] = (struct uhmm_engine_move){
			.from = run[i].vpn,
			.to = uhmm_window_places(&e->window, run[i].dpfn,
						 run[i].npages)
				      .start,
			.npages = run[i].npages,
		};
	err = uhmm_engine_do_moves(e, places_of(e, run, nruns), m, nruns,
				   &moved);
	err = account(e, run, nruns, moved, err);
	return err ? err : mark_taken(e, run, nruns);
}

/* What these places held was of an earlier life of the device pages. */
static void forget_old(struct uhmm_engine *e, const struct uhmm_run *run,
		       unsigned int nruns)
{
	for (unsigned int i = 0; i < nruns; i++)
		uhmm_devmem_forget(e->env.devmem, run[i].dpfn, run[i].npages);
}

/* ---- take: a unit ---- */

/* Is @run one that cannot come whole to where a page table is? */
static bool meets_table(const struct uhmm_engine *e, const struct uhmm_run *run)
{
	return (run->flags & UHMM_RUN_UNIT) && !e->keeps_tables &&
	       uhmm_window_has_table(&e->window, run->dpfn, run->npages);
}

/* Nothing that anybody needs is there. An empty page table goes with what is
 * dropped (Linux 6.14); meanwhile others run, so it is tried again then. */
static int drop_table(struct uhmm_engine *e, struct uhmm_run *run)
{
	struct uhmm_range r =
		uhmm_window_places(&e->window, run->dpfn, run->npages);
	int err = uhmm_engine_ask_hands(e, UHMM_ENGINE_ZAP_BY_AGENT, &r, 1);

	e->keeps_tables = err;
	if (!err)
		uhmm_window_emptied(&e->window, run->dpfn, run->npages);
	uhmm_window_note_table(&e->window, run->dpfn, run->npages, false);
	run->error = -EAGAIN;
	return err == -ESRCH ? err : 0;
}

/* @run, a unit, is in the window now, and if it is not whole there was a table
 * all the same. */
static void look_at_unit(struct uhmm_engine *e, const struct uhmm_run *run)
{
	struct uhmm_range r =
		uhmm_window_places(&e->window, run->dpfn, run->npages);
	uint8_t pte = 0;

	if (e->keeps_tables || run->done < run->npages ||
	    uhmm_ptes_scan(&e->ptes, uhmm_range_of(r.start, 1), &pte))
		return;
	e->keeps_tables = !(pte & UHMM_PTE_HUGE);
}

/* ---- take: nothing ---- */

/* The zero pages among the first BATCH pages of @run, as moves. */
static int find_zero_pages(struct uhmm_engine *e, const struct uhmm_run *run,
			   uint64_t npages, struct uhmm_engine_move *m,
			   unsigned int *n)
{
	uint8_t pte[BATCH];
	uint64_t i = 0, first;
	int err = uhmm_ptes_scan(&e->ptes, uhmm_range_of(run->vpn, npages),
				 pte);

	*n = 0;
	while (!err && i < npages && *n < UHMM_ENGINE_MOVES_MAX) {
		first = i;
		while (i < npages && (pte[i] & there))
			i++;
		if (i == first) {
			i++;
			continue;
		}
		m[(*n)++] = (struct uhmm_engine_move){
			.from = uhmm_run_vpn(run, first),
			.to = uhmm_window_places(&e->window,
						 uhmm_run_dpfn(run, first),
						 i - first)
				      .start,
			.npages = i - first,
		};
	}
	return err;
}

/* Get what zero pages there are in @run out of the way. Return: 0 there are
 * none; -EAGAIN look again; -errno it does not work */
static int move_zero_pages(struct uhmm_engine *e, const struct uhmm_run *run,
			   uint64_t npages)
{
	struct uhmm_engine_move m[UHMM_ENGINE_MOVES_MAX];
	uint64_t moved;
	unsigned int n;
	int err = find_zero_pages(e, run, npages, m, &n);

	if (err || !n)
		return err;
	forget_old(e, run, 1);
	err = uhmm_engine_do_moves(e, uhmm_window_places(&e->window, run->dpfn,
							 run->npages),
				   m, n, &moved);
	for (unsigned int i = 0; i < n && !err; i++)
		uhmm_window_litter(&e->window,
				   uhmm_run_dpfn(run, m[i].from.val -
							      run->vpn.val),
				   m[i].npages);
	e->env.resume(e->env.ctx);
	return err ? err : -EAGAIN;
}

/* Device pages of holes: zeros, which take no memory. */
static int take_zeros(struct uhmm_engine *e, struct uhmm_run *run)
{
	struct uhmm_range r;
	int err = 0;

	for (uint64_t i = 0; i < run->npages && !err; i += BATCH) {
		struct uhmm_run part = *run;
		uint64_t n = run->npages - i < BATCH ? run->npages - i : BATCH;

		part.vpn = uhmm_run_vpn(run, i);
		part.dpfn = uhmm_run_dpfn(run, i);
		part.npages = n;
		err = move_zero_pages(e, &part, n);
	}
	if (err && err != -EAGAIN)
		return err == -ESRCH ? err : copy_part(e, run, run->npages);
	run->error = err;
	if (err)
		return 0;
	err = uhmm_devmem_discard(e->env.devmem, run->dpfn, run->npages);
	if (err)
		return copy_part(e, run, run->npages);
	run->done = run->npages;
	e->stats.pages_taken += run->npages;
	r = uhmm_range_of(run->vpn, run->npages);
	return uhmm_engine_mark(e, &r, 1);
}

/* The first runs, as many as go together. Return: 0; -ESRCH */
static int take_group(struct uhmm_engine *e, struct uhmm_run *run,
		      unsigned int nruns)
{
	unsigned int n;
	int err;

	if (!uhmm_window_covers(&e->window, run->dpfn, run->npages) ||
	    (run->flags & (UHMM_RUN_SHARED | UHMM_RUN_SAME))) {
		err = copy_part(e, run, run->npages);
	} else if (run->flags & UHMM_RUN_ZERO) {
		err = take_zeros(e, run);
	} else {
		n = group_of(e, run, nruns);
		forget_old(e, run, n);
		if (meets_table(e, run))
			return drop_table(e, run);
		err = move_group(e, run, n);
		if (run->flags & UHMM_RUN_UNIT)
			look_at_unit(e, run);
	}
	return err;
}

static int move_take(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	struct uhmm_engine *e = ctx;
	int err = uhmm_engine_need_window(e);

	if (err == -EOPNOTSUPP)
		return uhmm_engine_op_take(e, run, nruns);
	not_tried(run, nruns);
	if (err)
		return err == -EAGAIN ? 0 : err;
	return nruns ? take_group(e, run, nruns) : 0;
}

/* ---- the engine ---- */

static const struct uhmm_mm_ops move_ops = {
	UHMM_ENGINE_COMMON_OPS,
	.trap = uhmm_engine_copy_trap,
	.take = move_take,
	.give = uhmm_engine_move_give,
};

int uhmm_engine_move_create(struct uhmm_engine **engine,
			    const struct uhmm_engine_fds *fds,
			    uint64_t uffd_features,
			    const struct uhmm_engine_env *env)
{
	const uint64_t need = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			      UHMM_UFFD_FEATURE_MOVE;
	int err;

	if ((uffd_features & need) != need || !env->move)
		return -EOPNOTSUPP;
	err = uhmm_engine_create(engine, fds, uffd_features, env);
	if (err)
		return err;
	(*engine)->name = "move";
	(*engine)->ops = &move_ops;
	return 0;
}

int uhmm_engine_any_create(struct uhmm_engine **engine,
			   enum uhmm_engine_kind kind,
			   const struct uhmm_engine_fds *fds,
			   uint64_t uffd_features,
			   const struct uhmm_engine_env *env)
{
	const bool any = kind == UHMM_ENGINE_AUTO;
	int err = -EOPNOTSUPP;

	if (any || kind == UHMM_ENGINE_MOVE)
		err = uhmm_engine_move_create(engine, fds, uffd_features, env);
	if (err == -EOPNOTSUPP && (any || kind == UHMM_ENGINE_COPY))
		err = uhmm_engine_copy_create(engine, fds, uffd_features, env);
	if (err == -EOPNOTSUPP && (any || kind == UHMM_ENGINE_PROTECT))
		err = uhmm_engine_protect_create(engine, fds, env);
	return err;
}
