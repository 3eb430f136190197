/* SPDX-License-Identifier: MIT */
/* engine_base.h - what all engines are made of; for engine*.c only
 *
 * Locks:  caller holds the core's lock, as for the operations themselves.
 * Errors: 0 or -errno; -EAGAIN never gets out, -ESRCH is an mm that is gone.
 */
#ifndef UHMM_SYS_ENGINE_BASE_H
#define UHMM_SYS_ENGINE_BASE_H

#include <uhmm/list.h>

#include "sys/engine.h"
#include "sys/fence.h"
#include "sys/maps.h"
#include "sys/memfs.h"
#include "sys/ptes.h"
#include "sys/trapset.h"
#include "sys/uffd.h"
#include "sys/window.h"

/** Mappings looked up in the turn that it is. */
#define UHMM_ENGINE_LOOKS_MAX 4
struct uhmm_engine_looks {
	uint64_t turn;
	unsigned int n, next;
	struct uhmm_vma vma[UHMM_ENGINE_LOOKS_MAX];
};

struct uhmm_engine {
	const char *name;
	const struct uhmm_mm_ops *ops;	/* for what is not fenced */
	struct uhmm_engine_fds fds;
	struct uhmm_engine_env env;
	struct uhmm_engine_stats stats;
	struct uhmm_ptes ptes;
	struct uhmm_maps maps;
	struct uhmm_engine_looks looks;
	/* Registered with fds.uffd by us: for missing pages and write
	 * protection, or for the second only. They do not overlap. */
	struct uhmm_trapset trapped;
	struct uhmm_trapset watched;
	/* what a fork leaves out, and what it wipes, in the child's child too */
	struct uhmm_trapset unforked, wiped;
	struct uhmm_fences fences;	/* engine_fence.c, as the next ones */
	struct uhmm_trapset fenceable;	/* what they trap and a device knows */
	struct uhmm_range changing;	/* hands are at it: either protection */
	bool changing_any;		/* the lock of all this */
	bool told;			/* UHMM_ENGINE_TELL was asked for */
	bool fences_all;		/* there is no userfaultfd */
	bool guards;			/* the kernel has markers for fences */
	bool shares;			/* the program has used a userfaultfd */
	struct uhmm_range keep_off;
	unsigned int kept;	/* nothing is unregistered now */
	struct uhmm_window window;	/* engine move: of this program */
	bool no_window;		/* ... it cannot have one */
	uhmm_vpn_t unshared;	/* ... the page that was written to be moved */
	unsigned int unshare_tries;	/* ... so often in a row */
	struct uhmm_list writes;	/* ... what hands write for that now */
	unsigned int refusals;	/* ... moves in a row that met an event */
	bool give_again;	/* the last give was to look again (engine_give.c) */
	bool keeps_tables;	/* the kernel does, of memory that is dropped */
	bool wp_unpopulated;	/* write protection leaves markers on holes */
	struct uhmm_memfs memfs;
	uint64_t memfd_device;	/* uhmm_memfs_kernels(), 0: not asked yet */
	bool populate;		/* the kernel has MADV_POPULATE_* */
	bool no_zero_page;	/* who reads an empty page gets one of his own */
	struct uhmm_range thp_asked;	/* ... a mapping, and may it have huge */
	bool thp;			/* pages? */
	unsigned int turning;	/* who makes such pages the zero page now */
	bool collapses;		/* and MADV_COLLAPSE */
	bool advise_by_hands;	/* it is not for us to ask for that */
};

/** uhmm_engine_create() - an engine without operations; find out what works */
UHMM_CHECKED int uhmm_engine_create(struct uhmm_engine **engine,
				    const struct uhmm_engine_fds *fds,
				    uint64_t uffd_features,
				    const struct uhmm_engine_env *env);

/** uhmm_engine_ask_hands() - env.hands, counted and traced */
UHMM_CHECKED int uhmm_engine_ask_hands(struct uhmm_engine *e, unsigned int op,
				       const struct uhmm_range *r,
				       unsigned int n);

/** uhmm_engine_widen() - @r and what is mapped by the same PMDs, as far as @vma
 *  goes. What is registered is a mapping of its own: one that ends within a huge
 *  page splits it. */
struct uhmm_range uhmm_engine_widen(struct uhmm_range r,
				    const struct uhmm_vma *vma);

/** uhmm_engine_turns_zeros() - does the kernel map no zero page, so that pages of
 *  zeros are made it (op_look)? The kernel's own accesses have to wait for us. */
static inline bool uhmm_engine_turns_zeros(const struct uhmm_engine *e)
{
	return e->no_zero_page && !e->env.user_mode_only;
}

/**
 * uhmm_engine_see_zeros() - where the kernel maps no zero page: UHMM_PTE_ZERO for
 * those pages of @r that are nothing but zeros, in memory that no device has
 * looked at
 * @pte: of each page, as scanned
 */
void uhmm_engine_see_zeros(struct uhmm_engine *e, struct uhmm_range r,
			   uint8_t *pte);

/** uhmm_engine_wait_zeros() - (yields) are pages of zeros made the zero page
 *  (op_look)? Then wait until that is over: one looks empty that is not, and who
 *  stopped to write one must not go on before */
bool uhmm_engine_wait_zeros(struct uhmm_engine *e);

/**
 * uhmm_engine_split_zeros() - (yields) the huge page @r has been split, which
 * others map, too: pages of zeros among its protected ones become the zero page,
 * as where the kernel splits one
 * Return: 0; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_split_zeros(struct uhmm_engine *e,
					 struct uhmm_range r);

/** uhmm_engine_kernel_collapses() - can pages be made one PMD-sized page? */
bool uhmm_engine_kernel_collapses(void);

/**
 * uhmm_engine_collapse() - (yields) the pages of the PMD-sized, aligned @r,
 * all there and none write-protected, are mapped by one PMD
 * Return: 0; -EOPNOTSUPP not this kernel; else what the kernel says, and they
 * are what they were
 */
int uhmm_engine_collapse(struct uhmm_engine *e, struct uhmm_range r);

/** uhmm_engine_split() - what mm_ops.split is to do; @fenced: in memory that
 *  fences trap */
int uhmm_engine_split(struct uhmm_engine *e, struct uhmm_range r, bool fenced);

/** uhmm_engine_forget_looks() - mappings are not what they were */
static inline void uhmm_engine_forget_looks(struct uhmm_engine *e)
{
	e->looks.n = e->looks.next = 0;
}

/** uhmm_engine_catch_up() - (yields) after -EAGAIN; 0 try again, or -ESRCH */
UHMM_CHECKED int uhmm_engine_catch_up(struct uhmm_engine *e);

/**
 * uhmm_engine_mm_error() - @err, or -ESRCH if that is what it really means
 * The kernel says ENOMEM or EINVAL to some calls on an mm that is gone.
 */
int uhmm_engine_mm_error(const struct uhmm_engine *e, int err);

/**
 * uhmm_engine_clip() - how much of @r lies in the mapping at its start
 * For kernels and calls that want one mapping at a time.
 * Return: 0 with @r->end moved down; -ENOENT no mapping there; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_clip(struct uhmm_engine *e, struct uhmm_range *r);

/**
 * uhmm_engine_fill_error() - (yields) what to do after COPY or ZEROPAGE failed
 * @err:  of it, with no page done, and not -EEXIST
 * @part: what it was asked to fill; may be shortened to one mapping
 * Return: 0 try again; -ENOENT not registered; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_fill_error(struct uhmm_engine *e, int err,
					struct uhmm_range *part);

/**
 * uhmm_engine_writeprotect() - (yields) write protection of @r, whatever
 * mappings it spans now
 * Return: 0; -ENOENT done, but for parts that are not registered; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_writeprotect(struct uhmm_engine *e,
					  struct uhmm_range r, uint64_t mode);

/**
 * uhmm_engine_register() - @r is trapped, and not only watched: registered for
 * missing pages and write protection. Room in e->trapped is reserved.
 * @ioctls: (out) that work there, or NULL
 * Return: 0; what the kernel says; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_register(struct uhmm_engine *e,
				      struct uhmm_range r, uint64_t *ioctls);

/**
 * uhmm_engine_unregister() - what @set, one of the two, has of @r is ordinary
 * memory and not in @set any more; who waits there wakes. Never yields.
 * Return: 0; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_unregister(struct uhmm_engine *e,
					struct uhmm_trapset *set,
					struct uhmm_range r);

/* ---- fences: engine_fence.c ---- */

/** uhmm_engine_find_fenced() - vma_find() with the program's own protections */
int uhmm_engine_find_fenced(struct uhmm_engine *e, uhmm_vpn_t vpn,
			    struct uhmm_vma *vma);

/** uhmm_engine_can_fence() - is @vma of the kind that is trapped by fences? */
bool uhmm_engine_can_fence(const struct uhmm_engine *e,
			   const struct uhmm_vma *vma);

/** uhmm_engine_note_fenceable() - a device knows of @r, which is such memory.
 *  0; -ENOMEM */
UHMM_CHECKED int uhmm_engine_note_fenceable(struct uhmm_engine *e,
					    struct uhmm_range r);

/**
 * uhmm_engine_fence() - (yields) withhold @less (PROT_*, UHMM_FENCE_ALL) on @r
 * Parts that are not mapped, or cannot be fenced, are left out.
 * Return: 0; -errno, and a part may be fenced; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_fence(struct uhmm_engine *e, struct uhmm_range r,
				   uint8_t less);

/**
 * uhmm_engine_unfence() - (yields) of the fences in @r withhold @less only; 0:
 * they are none any more
 * Return: 0; -errno, and a part may be open; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_unfence(struct uhmm_engine *e,
				     struct uhmm_range r, uint8_t less);

/** uhmm_engine_kernel_guards() - guard markers, of files and to be seen (6.15) */
bool uhmm_engine_kernel_guards(void);

/**
 * uhmm_engine_guard() - (yields) a marker on each hole of @r, which is fenced,
 * or (off) none any more: what is away is neither a hole nor what the mapping
 * would be filled with, to readers of pagemap and of the program's memory. Where
 * that cannot be had nothing is done.
 * Return: 0; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_guard(struct uhmm_engine *e, struct uhmm_range r,
				   bool on);

/** uhmm_engine_is_changing() - (yields) is somebody changing fences? Then wait
 *  until that is over: what the caller knew must be looked up again. */
bool uhmm_engine_is_changing(struct uhmm_engine *e);

/** uhmm_engine_tell() - (yields) have the program tell (UHMM_ENGINE_TELL) */
UHMM_CHECKED int uhmm_engine_tell(struct uhmm_engine *e, struct uhmm_range r);

/** The operations of src/mm: fence_ops.c sends each part of a range to e->ops
 *  or to the fences. */
extern const struct uhmm_mm_ops uhmm_engine_fence_ops;

/** uhmm_engine_continues() - is @b, to the program, what follows @a in one
 *  mapping? */
bool uhmm_engine_continues(const struct uhmm_vma *a, const struct uhmm_vma *b);

/* ---- moving ---- */

/**
 * uhmm_engine_mark() - (yields) markers on the holes in @n ranges whose pages
 * were taken, where the kernel has them
 * Return: 0, also when some are not mapped any more; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_mark(struct uhmm_engine *e,
				  const struct uhmm_range *range,
				  unsigned int n);

/**
 * uhmm_engine_write_shared() - (yields) @n protected pages behind those of @run
 * that are done are written, for they are not shared any more
 * Return: 0 with @run->error: -EAGAIN move them now, -EBUSY they stay; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_write_shared(struct uhmm_engine *e,
					  struct uhmm_run *run, uint64_t n);

/** uhmm_engine_write() - (yields) the hands write pages of @r, each of which is
 *  there and may be written. 0; -errno of the hands; -ESRCH */
UHMM_CHECKED int uhmm_engine_write(struct uhmm_engine *e, struct uhmm_range r);

/** uhmm_engine_write_open() - the same for pages that are not protected, and the
 *  first pages of their folios */
UHMM_CHECKED int uhmm_engine_write_open(struct uhmm_engine *e,
					struct uhmm_run *run, uint64_t npages);

/** uhmm_engine_lose_window() - the program unmapped @r: should that be part of
 *  the window, there is none any more */
void uhmm_engine_lose_window(struct uhmm_engine *e, struct uhmm_range r);

/** uhmm_run_vpn(), uhmm_run_dpfn() - page @i of @run */
static inline uhmm_vpn_t uhmm_run_vpn(const struct uhmm_run *run, uint64_t i)
{
	return UHMM_VPN(run->vpn.val + i);
}

static inline uhmm_dpfn_t uhmm_run_dpfn(const struct uhmm_run *run, uint64_t i)
{
	return UHMM_DPFN(run->dpfn.val + i);
}

/* The second half of engine move; see mm_ops.h. */
int uhmm_engine_move_give(void *ctx, struct uhmm_run *run, unsigned int nruns);

/* What engine copy does, for engines that cannot do better; see mm_ops.h. */
int uhmm_engine_copy_trap(void *ctx, struct uhmm_range r);
int uhmm_engine_copy_give(void *ctx, struct uhmm_run *run, unsigned int nruns);

/* Operations that every engine does alike; see mm_ops.h. */
int uhmm_engine_op_vma_find(void *ctx, uhmm_vpn_t vpn, struct uhmm_vma *vma);
uhmm_vpn_t uhmm_engine_op_mapping_end(void *ctx, const struct uhmm_vma *vma,
				      uhmm_vpn_t until);
int uhmm_engine_op_scan(void *ctx, struct uhmm_range r, uint8_t *pte);
uhmm_vpn_t uhmm_engine_op_skip_holes(void *ctx, struct uhmm_range r);
int uhmm_engine_op_untrap(void *ctx, struct uhmm_range r);
int uhmm_engine_op_watch(void *ctx, struct uhmm_range r);
int uhmm_engine_op_look(void *ctx, struct uhmm_range r);
bool uhmm_engine_op_is_foreign(void *ctx, struct uhmm_range r);
bool uhmm_engine_op_is_watched(void *ctx, uhmm_vpn_t vpn);
bool uhmm_engine_op_next_watched(void *ctx, struct uhmm_range r,
				 struct uhmm_range *piece);
bool uhmm_engine_op_is_forked(void *ctx, uhmm_vpn_t vpn);
int uhmm_engine_op_relax(void *ctx, struct uhmm_range r);
int uhmm_engine_op_protect(void *ctx, struct uhmm_range r);
int uhmm_engine_op_unprotect(void *ctx, struct uhmm_range r);
int uhmm_engine_op_let_read(void *ctx, struct uhmm_range r);
int uhmm_engine_op_wake(void *ctx, struct uhmm_range r);
int uhmm_engine_op_take(void *ctx, struct uhmm_run *run, unsigned int nruns);
int uhmm_engine_op_give_zero(void *ctx, uhmm_vpn_t vpn, bool write);
int uhmm_engine_op_fault_in(void *ctx, struct uhmm_range r, bool write);
int64_t uhmm_engine_op_read(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			    void *buf);
int64_t uhmm_engine_op_write(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			     const void *buf);

/** What all of them put into their table. */
#define UHMM_ENGINE_COMMON_OPS \
	.vma_find = uhmm_engine_op_vma_find, \
	.mapping_end = uhmm_engine_op_mapping_end, \
	.scan = uhmm_engine_op_scan, \
	.skip_holes = uhmm_engine_op_skip_holes, \
	.untrap = uhmm_engine_op_untrap, \
	.watch = uhmm_engine_op_watch, \
	.look = uhmm_engine_op_look, \
	.is_foreign = uhmm_engine_op_is_foreign, \
	.is_watched = uhmm_engine_op_is_watched, \
	.next_watched = uhmm_engine_op_next_watched, \
	.is_forked = uhmm_engine_op_is_forked, \
	.relax = uhmm_engine_op_relax, \
	.protect = uhmm_engine_op_protect, \
	.unprotect = uhmm_engine_op_unprotect, \
	.give_zero = uhmm_engine_op_give_zero, \
	.let_read = uhmm_engine_op_let_read, \
	.wake = uhmm_engine_op_wake, \
	.fault_in = uhmm_engine_op_fault_in, \
	.read = uhmm_engine_op_read, \
	.write = uhmm_engine_op_write

#endif
