/* SPDX-License-Identifier: MIT */
/* engine_base.h - what all engines are made of; for engine*.c only
 *
 * Locks:  caller holds the core's lock, as for the operations themselves.
 * Errors: 0 or -errno; -EAGAIN never gets out, -ESRCH is an mm that is gone.
 */
#ifndef UHMM_SYS_ENGINE_BASE_H
#define UHMM_SYS_ENGINE_BASE_H

#include "sys/engine.h"
#include "sys/maps.h"
#include "sys/memfs.h"
#include "sys/ptes.h"
#include "sys/trapset.h"
#include "sys/uffd.h"

struct uhmm_engine {
	const char *name;
	const struct uhmm_mm_ops *ops;
	struct uhmm_engine_fds fds;
	struct uhmm_engine_env env;
	struct uhmm_engine_stats stats;
	struct uhmm_ptes ptes;
	struct uhmm_maps maps;
	/* Registered with fds.uffd by us: for missing pages and write
	 * protection, or for the second only. They do not overlap. */
	struct uhmm_trapset trapped;
	struct uhmm_trapset watched;
	struct uhmm_trapset unforked;	/* what a fork leaves out */
	bool wp_unpopulated;	/* write protection leaves markers on holes */
	struct uhmm_memfs memfs;
	bool populate;		/* the kernel has MADV_POPULATE_* */
	bool collapses;		/* and MADV_COLLAPSE */
	bool collapse_by_hands;	/* it is not for us to ask for that */
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

/** uhmm_engine_kernel_collapses() - can pages be made one PMD-sized page? */
bool uhmm_engine_kernel_collapses(void);

/**
 * uhmm_engine_collapse() - (yields) the pages of the PMD-sized, aligned @r,
 * all there and none write-protected, are mapped by one PMD
 * Return: 0; -EOPNOTSUPP not this kernel; else what the kernel says, and they
 * are what they were
 */
int uhmm_engine_collapse(struct uhmm_engine *e, struct uhmm_range r);

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
UHMM_CHECKED int uhmm_engine_clip(const struct uhmm_engine *e,
				  struct uhmm_range *r);

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
 * uhmm_engine_unregister() - what @set, one of the two, has of @r is ordinary
 * memory and not in @set any more; who waits there wakes. Never yields.
 * Return: 0; -ESRCH
 */
UHMM_CHECKED int uhmm_engine_unregister(struct uhmm_engine *e,
					struct uhmm_trapset *set,
					struct uhmm_range r);

/* Operations that every engine does alike; see mm_ops.h. */
int uhmm_engine_op_vma_find(void *ctx, uhmm_vpn_t vpn, struct uhmm_vma *vma);
uhmm_vpn_t uhmm_engine_op_mapping_end(void *ctx, const struct uhmm_vma *vma);
int uhmm_engine_op_scan(void *ctx, struct uhmm_range r, uint8_t *pte);
int uhmm_engine_op_untrap(void *ctx, struct uhmm_range r);
int uhmm_engine_op_watch(void *ctx, struct uhmm_range r);
bool uhmm_engine_op_is_foreign(void *ctx, struct uhmm_range r);
bool uhmm_engine_op_is_watched(void *ctx, uhmm_vpn_t vpn);
bool uhmm_engine_op_is_forked(void *ctx, uhmm_vpn_t vpn);
int uhmm_engine_op_relax(void *ctx, struct uhmm_range r);
int uhmm_engine_op_protect(void *ctx, struct uhmm_range r);
int uhmm_engine_op_unprotect(void *ctx, struct uhmm_range r);
int uhmm_engine_op_wake(void *ctx, struct uhmm_range r);
int uhmm_engine_op_give_zero(void *ctx, uhmm_vpn_t vpn, bool write);
int uhmm_engine_op_fault_in(void *ctx, struct uhmm_range r, bool write);
int64_t uhmm_engine_op_read(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			    void *buf);
int64_t uhmm_engine_op_write(void *ctx, uhmm_vpn_t vpn, uint64_t npages,
			     const void *buf);

#endif
