/* SPDX-License-Identifier: MIT */
#include "sys/engine_base.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/log.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"
#include "sys/zeropage.h"

/* MADV_POPULATE_* since 5.14; the program runs on the same kernel. */
static bool kernel_has_populate(void)
{
	int saved = errno;
	size_t bytes = uhmm_page_bytes();
	char here;
	void *page = (void *)((uintptr_t)&here & ~(uintptr_t)(bytes - 1));
	bool has = madvise(page, bytes, UHMM_MADV_POPULATE_READ) == 0;

	errno = saved;
	return has;
}

int uhmm_engine_create(struct uhmm_engine **engine,
		       const struct uhmm_engine_fds *fds,
		       uint64_t uffd_features,
		       const struct uhmm_engine_env *env)
{
	int saved = errno;
	struct uhmm_engine *e = calloc(1, sizeof(*e));

	errno = saved;
	if (!e)
		return -ENOMEM;
	e->fds = *fds;
	e->env = *env;
	uhmm_list_init(&e->writes);
	e->wp_unpopulated = uffd_features & UHMM_UFFD_FEATURE_WP_UNPOPULATED;
	e->populate = kernel_has_populate();
	e->no_zero_page = !uhmm_kernel_maps_zero_page();
	e->collapses = uhmm_engine_kernel_collapses();
	e->guards = uhmm_engine_kernel_guards();
	uhmm_ptes_init(&e->ptes, fds->pagemap, fds->mem);
	uhmm_maps_init(&e->maps, fds->maps);
	*engine = e;
	return 0;
}

void uhmm_engine_destroy(struct uhmm_engine *engine)
{
	if (!engine)
		return;
	uhmm_window_fini(&engine->window);
	uhmm_trapset_fini(&engine->trapped);
	uhmm_trapset_fini(&engine->watched);
	uhmm_trapset_fini(&engine->unforked);
	uhmm_trapset_fini(&engine->wiped);
	uhmm_trapset_fini(&engine->fenceable);
	uhmm_fences_fini(&engine->fences);
	free(engine);
}

const struct uhmm_mm_ops *uhmm_engine_ops(const struct uhmm_engine *engine)
{
	(void)engine;
	return &uhmm_engine_fence_ops;
}

bool uhmm_engine_needs_uffd(const struct uhmm_engine *engine)
{
	return !engine->fences_all;
}

const char *uhmm_engine_name(const struct uhmm_engine *engine)
{
	return engine->name;
}

const struct uhmm_engine_stats *uhmm_engine_stats(
	const struct uhmm_engine *engine)
{
	return &engine->stats;
}

bool uhmm_engine_owns(const struct uhmm_engine *engine, struct uhmm_range r)
{
	return uhmm_window_exists(&engine->window) &&
	       uhmm_range_overlaps(r, uhmm_range_of(engine->window.base,
						    engine->window.npages));
}

bool uhmm_engine_trapped(const struct uhmm_engine *engine, uhmm_vpn_t vpn)
{
	return uhmm_trapset_has(&engine->trapped, vpn);
}

void uhmm_engine_note_unmap(struct uhmm_engine *engine, struct uhmm_range r)
{
	uhmm_engine_forget_looks(engine);
	uhmm_engine_lose_window(engine, r);
	uhmm_trapset_remove(&engine->trapped, r);
	uhmm_trapset_remove(&engine->watched, r);
	uhmm_trapset_remove(&engine->unforked, r);
	uhmm_trapset_remove(&engine->wiped, r);
	uhmm_fences_clear(&engine->fences, r);
}

/* What @set has of [@from, +@npages) it has at @to, too. */
static void copy_over(struct uhmm_trapset *set, uhmm_vpn_t from, uhmm_vpn_t to,
		      uint64_t npages)
{
	struct uhmm_range rest = uhmm_range_of(from, npages);
	struct uhmm_range piece;

	uhmm_trapset_remove(set, uhmm_range_of(to, npages));
	while (uhmm_trapset_next(set, rest, &piece)) {
		uint64_t offset = piece.start.val - from.val;

		if (uhmm_trapset_reserve(set) < 0)
			return;
		uhmm_trapset_add(set, uhmm_range_of(UHMM_VPN(to.val + offset),
						    uhmm_range_npages(piece)));
		rest.start = piece.end;
	}
}

void uhmm_engine_note_remap(struct uhmm_engine *engine, uhmm_vpn_t from,
			    uhmm_vpn_t to, uint64_t npages)
{
	uhmm_engine_forget_looks(engine);
	copy_over(&engine->trapped, from, to, npages);
	copy_over(&engine->watched, from, to, npages);
	copy_over(&engine->unforked, from, to, npages);
	copy_over(&engine->wiped, from, to, npages);
}

int uhmm_engine_ask_hands(struct uhmm_engine *e, unsigned int op,
			  const struct uhmm_range *r, unsigned int n)
{
	int err;

	e->stats.hands_calls++;
	err = e->env.hands(e->env.ctx, op, r, n);
	uhmm_dbg(UHMM_LOG_ENGINE, "hands op=%u ranges=%u first=%#llx err=%d",
		 op, n, (unsigned long long)uhmm_addr_of(r[0].start), err);
	return err;
}

int uhmm_engine_catch_up(struct uhmm_engine *e)
{
	e->stats.retries++;
	uhmm_engine_forget_looks(e);
	return e->env.drain(e->env.ctx);
}

int uhmm_engine_mm_error(const struct uhmm_engine *e, int err)
{
	return err && !uhmm_ptes_alive(&e->ptes) ? -ESRCH : err;
}

int uhmm_engine_clip(struct uhmm_engine *e, struct uhmm_range *r)
{
	struct uhmm_vma vma;
	int err = uhmm_maps_find(&e->maps, r->start, &vma);

	uhmm_engine_forget_looks(e);
	if (err)
		return err;
	if (!uhmm_range_has(vma.range, r->start))
		return -ENOENT;
	*r = uhmm_range_clip(*r, vma.range);
	return 0;
}

/*
 * One call, repeated until the kernel takes it. Against a program that raises
 * events without pause there is only the moment between the end of one and
 * the next (struct uhmm_engine_env.drain). To lift a protection is not repeated:
 * others ran, and may count on it by now.
 */
static int protect_once(struct uhmm_engine *e, struct uhmm_range r,
			uint64_t mode)
{
	for (;;) {
		int err = uhmm_uffd_writeprotect(e->fds.uffd, r, mode);

		if (uhmm_uffd_classify(err) != UHMM_UFFD_RETRY)
			return err;
		err = uhmm_engine_catch_up(e);
		if (!(mode & UFFDIO_WRITEPROTECT_MODE_WP))
			return err ? err : -EAGAIN;
		/* to set it again does no harm, whoever ran meanwhile */
		if (err && err != -EAGAIN)
			return err;
	}
}

int uhmm_engine_writeprotect(struct uhmm_engine *e, struct uhmm_range r,
			     uint64_t mode)
{
	int result = protect_once(e, r, mode);
	struct uhmm_range rest = r;

	if (result != -ENOENT)
		return uhmm_engine_mm_error(e, result);
	while (rest.start.val < rest.end.val) {
		struct uhmm_range part = rest;
		struct uhmm_vma vma;
		int err = uhmm_maps_find(&e->maps, rest.start, &vma);

		if (err == -ENOENT)
			break;
		if (!err) {
			part = uhmm_range_clip(rest, vma.range);
			rest.start = part.end;
		}
		if (!err && uhmm_range_npages(part))
			err = protect_once(e, part, mode);
		if (err && err != -ENOENT)
			return err;
	}
	return result;
}

int uhmm_engine_fill_error(struct uhmm_engine *e, int err,
			   struct uhmm_range *part)
{
	uint64_t end = part->end.val;

	switch (uhmm_uffd_classify(err)) {
	case UHMM_UFFD_RETRY:
		return uhmm_engine_catch_up(e);
	case UHMM_UFFD_MAPPING_GONE:
		err = uhmm_engine_clip(e, part);
		if (err)
			return err;
		return part->end.val < end ? 0 : -ENOENT;
	default:
		return uhmm_engine_mm_error(e, err);
	}
}

int uhmm_engine_op_wake(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	int err = uhmm_uffd_wake(e->fds.uffd, r);

	/* the kernel wakes nobody in a dead mm without a word */
	return err || uhmm_ptes_alive(&e->ptes) ? err : -ESRCH;
}

/* A userfaultfd stops nobody who reads a page that is there. */
int uhmm_engine_op_let_read(void *ctx, struct uhmm_range r)
{
	return uhmm_engine_op_wake(ctx, r);
}

int uhmm_engine_op_unprotect(void *ctx, struct uhmm_range r)
{
	int err;

	if (uhmm_engine_wait_zeros(ctx))
		return -EAGAIN;
	err = uhmm_engine_writeprotect(ctx, r, 0);
	return err == -ENOENT ? 0 : err;
}

int uhmm_engine_register(struct uhmm_engine *e, struct uhmm_range r,
			 uint64_t *ioctls)
{
	int err = uhmm_uffd_register(e->fds.uffd, r,
				     UFFDIO_REGISTER_MODE_MISSING |
					     UFFDIO_REGISTER_MODE_WP,
				     ioctls);

	if (err)
		return uhmm_engine_mm_error(e, err);
	uhmm_trapset_add(&e->trapped, r);
	uhmm_trapset_remove(&e->watched, r);
	return 0;
}

/* The kernel wakes who waits for a missing page, but not who waits to write a
 * protected one. */
static int unregister_piece(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = uhmm_uffd_unregister(e->fds.uffd, r);

	return err ? err : uhmm_uffd_wake(e->fds.uffd, r);
}

/*
 * Unregister what is registered of @r, mapping by mapping: it may hold gaps,
 * or something the kernel does not want to hear of.
 */
static int unregister_parts(struct uhmm_engine *e, struct uhmm_range r)
{
	while (r.start.val < r.end.val) {
		struct uhmm_range part;
		struct uhmm_vma vma;
		int err = uhmm_maps_find(&e->maps, r.start, &vma);

		if (err)
			return err == -ENOENT ? 0 : err;
		part = uhmm_range_clip(r, vma.range);
		if (uhmm_range_npages(part))
			err = unregister_piece(e, part);
		if (err)
			uhmm_dbg_errno(UHMM_LOG_ENGINE, err,
				       "unregister addr=%#llx",
				       (unsigned long long)uhmm_addr_of(
					       part.start));
		r.start = vma.range.end;
	}
	return 0;
}

int uhmm_engine_unregister(struct uhmm_engine *e, struct uhmm_trapset *set,
			   struct uhmm_range r)
{
	struct uhmm_range rest = r;
	struct uhmm_range piece;

	while (uhmm_trapset_next(set, rest, &piece)) {
		int err = unregister_piece(e, piece);

		e->stats.untraps++;
		if (err)
			err = uhmm_engine_mm_error(e, err);
		if (err == -ESRCH)
			return err;
		if (err && unregister_parts(e, piece) == -ESRCH)
			return -ESRCH;
		rest.start = piece.end;
	}
	uhmm_trapset_remove(set, r);
	return uhmm_ptes_alive(&e->ptes) ? 0 : -ESRCH;
}

void uhmm_engine_keep(struct uhmm_engine *engine, bool keep)
{
	if (keep)
		engine->kept++;
	else if (engine->kept)
		engine->kept--;
}

/* Who waits in what is registered of @r looks again. */
static int wake_registered(struct uhmm_engine *e, struct uhmm_range r)
{
	struct uhmm_range piece;

	while (uhmm_engine_next_trapped(e, r, &piece)) {
		if (uhmm_uffd_wake(e->fds.uffd, piece) == -ESRCH)
			return -ESRCH;
		r.start = piece.end;
	}
	return 0;
}

int uhmm_engine_op_untrap(void *ctx, struct uhmm_range r)
{
	struct uhmm_engine *e = ctx;
	int err;

	if (e->kept)
		return wake_registered(e, r);
	err = uhmm_engine_unregister(e, &e->watched, r);

	return err ? err : uhmm_engine_unregister(e, &e->trapped, r);
}

int64_t uhmm_engine_op_read(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			    void *buf)
{
	struct uhmm_engine *e = ctx;
	int64_t n = uhmm_procmem_read(e->fds.mem, uhmm_addr_of(vpn), buf,
				      uhmm_bytes_of(npages));

	return n < 0 ? n : n / (int64_t)uhmm_page_bytes();
}

int64_t uhmm_engine_op_write(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			     const void *buf)
{
	struct uhmm_engine *e = ctx;
	int64_t n = uhmm_procmem_write(e->fds.mem, uhmm_addr_of(vpn), buf,
				       uhmm_bytes_of(npages));

	return n < 0 ? n : n / (int64_t)uhmm_page_bytes();
}
