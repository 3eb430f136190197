/* SPDX-License-Identifier: MIT */
/* engine_protect.c - the engine for programs without any userfaultfd (engine.h)
 *
 * Theory of operation. All private memory is trapped by its protection, as that
 * of files is with every engine (engine_fence.c): this one has nothing of its
 * own, and here is what it says to the rest. Shared memory is neither trapped
 * nor watched. The kernel tells nothing at all; hooks do, and each look at a
 * fence finds out whether it is still there. System calls that meet a page
 * that is away fail with EFAULT, unless a hook brought it back first.
 */
#include <errno.h>

#include "sys/engine_base.h"

static int protect_trap(void *ctx, struct uhmm_range r)
{
	(void)ctx;
	(void)r;
	return -EINVAL;
}

/* For what is done nothing for. */
static int alive(void *ctx, struct uhmm_range r)
{
	const struct uhmm_engine *e = ctx;

	(void)r;
	return uhmm_ptes_alive(&e->ptes) ? 0 : -ESRCH;
}

static bool protect_is_foreign(void *ctx, struct uhmm_range r)
{
	(void)ctx;
	(void)r;
	return false;
}

static int protect_give(void *ctx, struct uhmm_run *run, unsigned int nruns)
{
	for (unsigned int i = 0; i < nruns; i++) {
		run[i].done = 0;
		run[i].error = -ENOENT;
	}
	return alive(ctx, (struct uhmm_range){ .start = { 0 } });
}

static int protect_give_zero(void *ctx, uhmm_vpn_t vpn, bool write)
{
	(void)write;
	return alive(ctx, uhmm_range_of(vpn, 1)) ? -ESRCH : -ENOENT;
}

static const struct uhmm_mm_ops protect_ops = {
	.vma_find = uhmm_engine_op_vma_find,
	.mapping_end = uhmm_engine_op_mapping_end,
	.scan = uhmm_engine_op_scan,
	.skip_holes = uhmm_engine_op_skip_holes,
	.trap = protect_trap,
	.untrap = alive,
	.watch = alive,
	.look = alive,
	.is_foreign = protect_is_foreign,
	.is_watched = uhmm_engine_op_is_watched,
	.next_watched = uhmm_engine_op_next_watched,
	.is_forked = uhmm_engine_op_is_forked,
	.relax = alive,
	.protect = alive,
	.unprotect = alive,
	.let_read = alive,
	.take = uhmm_engine_op_take,
	.give = protect_give,
	.give_zero = protect_give_zero,
	.wake = alive,
	.fault_in = uhmm_engine_op_fault_in,
	.read = uhmm_engine_op_read,
	.write = uhmm_engine_op_write,
};

int uhmm_engine_protect_create(struct uhmm_engine **engine,
			       const struct uhmm_engine_fds *fds,
			       const struct uhmm_engine_env *env)
{
	int err = uhmm_engine_create(engine, fds, 0, env);

	if (err)
		return err;
	(*engine)->name = "protect";
	(*engine)->ops = &protect_ops;
	(*engine)->fences_all = true;
	return 0;
}
