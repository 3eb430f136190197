/* SPDX-License-Identifier: MIT */
/* engine_window.c - make, empty and clean the window (engine_window.h, engine.h)
 *
 * Theory of operation. The window has a place for every device page there is,
 * so it is large and nearly all of it is never touched; it costs address space
 * and nothing else. It lies in the middle of the address space, which the
 * kernel reaches last when it looks for room from the top down: the addresses
 * the program gets from mmap() are those it would get without it. Exactly
 * there or not at all: what is there already stays. A program that limits its
 * address space gets none.
 * It is registered with the program's userfaultfd because UFFDIO_MOVE wants
 * that of a target; for write protection alone, so that a hole in it reads as
 * zeros. Children do not get it, nor core dumps; the kernel is asked to make no
 * huge pages in it by itself.
 */
#include <errno.h>

#include "base/log.h"
#include "sys/devmem.h"
#include "sys/engine_window.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

/* Where it may begin: below 47 bits, far from heap, libraries and stacks, from
 * where sanitizers keep their shadows, and from round numbers that a program
 * may choose for itself. */
static const uint64_t places[] = {
	UINT64_C(0x2a5000000000), UINT64_C(0x3a5000000000),
	UINT64_C(0x1a5000000000), UINT64_C(0x4a5000000000),
	UINT64_C(0x0a5000000000),
};

/* No larger than this: what a distance between two of these leaves. */
#define PAGES_MOST (UINT64_C(0x100000000000) / uhmm_page_bytes() - 1)
/* Pages copied at once while others wait. */
#define COPY_PAGES 64

/* Have it mapped. Return: where; 0 nowhere, with *@err */
static uint64_t reserve(struct uhmm_engine *e, uint64_t npages, int *err)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct uhmm_range r =
			uhmm_range_of(uhmm_vpn_of(places[i]), npages);

		*err = uhmm_engine_ask_hands(e, UHMM_ENGINE_RESERVE, &r, 1);
		if (!*err)
			return places[i];
		if (*err != -EEXIST)
			break;
	}
	return 0;
}

/* Can we read and write what the program cannot? Tried at @place, which is of
 * no device page. */
static bool can_reach(const struct uhmm_engine *e, uhmm_vpn_t place)
{
	uint64_t addr = uhmm_addr_of(place);
	char byte = 1;

	return uhmm_procmem_write(e->fds.mem, addr, &byte, 1) == 1 &&
	       uhmm_procmem_read(e->fds.mem, addr, &byte, 1) == 1 && byte == 1;
}

/* One place more than there are pages, to try it out. */
static int make_window(struct uhmm_engine *e)
{
	uint64_t npages = e->env.npages < PAGES_MOST ? e->env.npages :
						       PAGES_MOST;
	uint64_t base;
	int err = -EOPNOTSUPP;

	if (!npages)
		return err;
	base = reserve(e, npages + 1, &err);
	if (!base)
		return err;
	err = uhmm_uffd_register(e->fds.uffd,
				 uhmm_range_of(uhmm_vpn_of(base), npages + 1),
				 UFFDIO_REGISTER_MODE_WP, NULL);
	if (!err)
		err = uhmm_engine_note_unforked(
			e, uhmm_range_of(uhmm_vpn_of(base), npages + 1),
			UHMM_ENGINE_DONTFORK, true);
	if (!err && !can_reach(e, UHMM_VPN(uhmm_vpn_of(base).val + npages)))
		err = -EACCES;
	if (!err)
		err = uhmm_window_init(&e->window, uhmm_vpn_of(base),
				       e->env.first, npages, e->fds.mem);
	if (!err)
		uhmm_devmem_add_window(e->env.devmem, &e->window);
	return err;
}

int uhmm_engine_need_window(struct uhmm_engine *e)
{
	int err;

	if (uhmm_window_exists(&e->window))
		return 0;
	if (e->no_window || e->fds.mem < 0)
		return -EOPNOTSUPP;
	e->no_window = true;	/* also for who comes while it is made */
	err = make_window(e);
	if (err == -ESRCH)
		return err;
	if (err)
		uhmm_dbg_errno(UHMM_LOG_ENGINE, err,
			       "no window in the program: pages are copied");
	e->no_window = err && err != -ENOSYS && err != -EAGAIN;
	return -EAGAIN;
}

int uhmm_engine_do_moves(struct uhmm_engine *e, struct uhmm_range open,
			 const struct uhmm_engine_move *m, unsigned int n,
			 uint64_t *moved)
{
	int err;

	e->stats.hands_calls++;
	err = e->env.move(e->env.ctx, open, m, n, moved);
	uhmm_dbg(UHMM_LOG_ENGINE, "move lists=%u from=%#llx to=%#llx moved=%llu err=%d", n,
		 (unsigned long long)uhmm_addr_of(m[0].from),
		 (unsigned long long)uhmm_addr_of(m[0].to),
		 (unsigned long long)*moved, err);
	return err;
}

/* ---- out of the window ---- */

/* Up to @npages pages from @dpfn on, which @w holds, to the daemon's memory.
 * Return: how many; 0 the first is lost */
static uint64_t copy_out(struct uhmm_engine *e, const struct uhmm_window *w,
			 uhmm_dpfn_t dpfn, uint64_t npages)
{
	void *to = uhmm_devmem_span(e->env.devmem, dpfn, npages);
	int64_t done;

	if (!to) {		/* they are of two devices */
		npages = 1;
		to = uhmm_devmem_span(e->env.devmem, dpfn, npages);
	}
	done = to ? uhmm_window_read(w, dpfn, npages, to) : 0;
	npages = done > 0 ? (uint64_t)done : 0;
	uhmm_devmem_forget(e->env.devmem, dpfn, npages ? npages : 1);
	return npages;
}

int uhmm_engine_bring_out(struct uhmm_engine *e, const struct uhmm_window *w,
			  uhmm_dpfn_t dpfn, uint64_t npages)
{
	uint64_t end = dpfn.val + npages;
	int err = 0;

	while (uhmm_window_next_held(w, &dpfn) && dpfn.val < end) {
		bool held;
		uint64_t n = uhmm_window_run(w, dpfn, end - dpfn.val, &held);

		if (!copy_out(e, w, dpfn, n))
			err = -EIO;
	}
	return err;
}

int uhmm_engine_evacuate(struct uhmm_engine *e, bool patient)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(0);
	int err = 0;

	while (uhmm_window_next_held(&e->window, &dpfn)) {
		bool held;
		uint64_t n = uhmm_window_run(&e->window, dpfn, COPY_PAGES,
					     &held);

		if (!copy_out(e, &e->window, dpfn, n))
			err = -EIO;
		if (patient) {
			e->env.unlock(e->env.ctx);
			e->env.lock(e->env.ctx);
		}
	}
	return err;
}

void uhmm_engine_lose_window(struct uhmm_engine *e, struct uhmm_range r)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(0);
	uint64_t lost = 0;

	if (!uhmm_window_exists(&e->window) ||
	    !uhmm_range_overlaps(r, uhmm_range_of(e->window.base,
						  e->window.npages + 1)))
		return;
	for (; uhmm_window_next_held(&e->window, &dpfn); dpfn.val++)
		if (!copy_out(e, &e->window, dpfn, 1) &&
		    !uhmm_devmem_discard(e->env.devmem, dpfn, 1))
			lost++;
	uhmm_err("a program unmapped memory it does not know of: %llu pages on "
		 "devices are zeros now", (unsigned long long)lost);
	uhmm_window_fini(&e->window);
	e->no_window = true;
}

void uhmm_engine_close(struct uhmm_engine *e)
{
	const struct uhmm_range all = { UHMM_VPN(0), UHMM_VPN(UINT64_MAX) };
	int err = uhmm_engine_unregister(e, &e->watched, all);

	if (!err)
		err = uhmm_engine_unregister(e, &e->trapped, all);
	if (err || !uhmm_window_exists(&e->window))
		return;
	err = uhmm_uffd_unregister(e->fds.uffd,
				   uhmm_range_of(e->window.base,
						 e->window.npages + 1));
	if (err)
		uhmm_dbg_errno(UHMM_LOG_ENGINE, err, "unregister the window");
}

uint64_t uhmm_engine_in_window(const struct uhmm_engine *engine,
			       uhmm_dpfn_t dpfn, uint64_t npages,
			       uhmm_vpn_t *place)
{
	struct uhmm_window *w;
	uint64_t n = uhmm_devmem_place(engine->env.devmem, dpfn, npages, &w);

	if (w != &engine->window)
		return 0;
	*place = uhmm_window_places(w, dpfn, n).start;
	return n;
}

/* ---- clean ---- */

uint64_t uhmm_engine_litter(const struct uhmm_engine *e)
{
	return e->window.nstale;
}

uint64_t uhmm_engine_held(const struct uhmm_engine *e)
{
	return e->window.nheld;
}

/* Free device pages need no bytes. */
static void forget_free(struct uhmm_engine *e,
			bool (*lives)(void *ctx, uhmm_dpfn_t dpfn), void *ctx)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(0);

	for (; uhmm_window_next_held(&e->window, &dpfn); dpfn.val++)
		if (!lives(ctx, dpfn))
			uhmm_devmem_forget(e->env.devmem, dpfn, 1);
}

/* Up to @most stale stretches. Return: how many */
static unsigned int find_stale(const struct uhmm_engine *e,
			       struct uhmm_range *r, unsigned int most)
{
	struct uhmm_range rest =
		uhmm_range_of(e->window.base, e->window.npages);
	unsigned int n = 0;

	for (; n < most && uhmm_trapset_next(&e->window.stale, rest, &r[n]);
	     n++)
		rest.start = r[n].end;
	return n;
}

int uhmm_engine_clean(struct uhmm_engine *e,
		      bool (*lives)(void *ctx, uhmm_dpfn_t dpfn), void *ctx)
{
	struct uhmm_range r[UHMM_ENGINE_HANDS_MAX];
	uint64_t left;
	unsigned int n;
	int err;

	if (!uhmm_window_exists(&e->window))
		return 0;
	forget_free(e, lives, ctx);
	/* as many as there are now: what faults leave meanwhile, one by one,
	 * is not worth a call each */
	left = e->window.nstale;
	while (left && (n = find_stale(e, r, UHMM_ENGINE_HANDS_MAX))) {
		err = uhmm_engine_ask_hands(e, UHMM_ENGINE_SWEEP, r, n);
		if (err == -EAGAIN)
			continue;	/* they may not be stale any more */
		if (err)
			return err;
		for (unsigned int i = 0; i < n; i++) {
			uint64_t npages = uhmm_range_npages(r[i]);

			uhmm_window_emptied(
				&e->window,
				UHMM_DPFN(e->window.first.val +
					  r[i].start.val - e->window.base.val),
				npages);
			left -= npages < left ? npages : left;
		}
	}
	return 0;
}
