/* SPDX-License-Identifier: MIT */
/* engine_unit.c - PMD-sized units: what was mapped by one PMD is so again, the
 * same for every engine that fills pages one by one; or it is split
 * (engine_base.h)
 *
 * The kernel puts 512 pages together when asked (MADV_COLLAPSE, Linux 6.1),
 * also in memory that is registered with a userfaultfd, if all of them are
 * there and none is write-protected (tests/kernel/collapse_registered.c). The
 * daemon may ask for another process only with CAP_SYS_NICE; else the
 * program's hands do.
 * Nothing asks the kernel to split a huge page; advice to a part of one does
 * (MADV_COLD), if nobody else maps it. Else protecting a part makes it one that
 * PTEs map, and pages of zeros become the zero page, as those of one that is
 * really split.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/engine_base.h"
#include "sys/pagesize.h"
#include "sys/uapi.h"

bool uhmm_engine_kernel_collapses(void)
{
	int saved = errno;
	/* an advice that is not known is refused whatever it is for */
	bool does = madvise(NULL, 0, UHMM_MADV_COLLAPSE) == 0;

	errno = saved;
	return does;
}

/* Return: 0 or -errno; -EPERM also where there is no way to ask */
static int advise_from_here(const struct uhmm_engine *e, struct uhmm_range r,
			    int advice)
{
	struct iovec iov = { .iov_base = (void *)uhmm_addr_of(r.start),
			     .iov_len = uhmm_bytes_of(uhmm_range_npages(r)) };
	int saved = errno;
	long ret;

	if (e->fds.pidfd < 0)
		return -EPERM;
	ret = syscall(SYS_process_madvise, e->fds.pidfd, &iov, 1UL, advice, 0U);
	ret = ret < 0 ? -errno : 0;
	errno = saved;
	return (int)ret;
}

/* @advice to @r, or @hands to do the same. */
static int advise(struct uhmm_engine *e, struct uhmm_range r, int advice,
		  enum uhmm_engine_hands hands)
{
	int err = -EPERM;

	if (!e->advise_by_hands) {
		e->env.unlock(e->env.ctx);
		err = advise_from_here(e, r, advice);
		e->env.lock(e->env.ctx);
		e->advise_by_hands = err == -EPERM || err == -ENOSYS;
	}
	if (e->advise_by_hands)
		err = uhmm_engine_ask_hands(e, hands, &r, 1);
	return err;
}

int uhmm_engine_collapse(struct uhmm_engine *e, struct uhmm_range r)
{
	int err;

	if (!e->collapses)
		return -EOPNOTSUPP;
	err = advise(e, r, UHMM_MADV_COLLAPSE, UHMM_ENGINE_COLLAPSE);
	if (!err)
		e->stats.collapses++;
	return err;
}

/* ---- and the other way ---- */

/* Does a PMD map @r? @wp: may it not be written? */
static int is_huge(struct uhmm_engine *e, struct uhmm_range r, bool *wp)
{
	uint8_t pte = 0;
	int err = uhmm_engine_fence_ops.scan(e, uhmm_range_of(r.start, 1),
					     &pte);

	*wp = pte & UHMM_PTE_WP;
	return err ? err : (pte & UHMM_PTE_HUGE) != 0;
}

/* Protection that a page of it is given, or given again, splits a PMD. */
static int split_by_protection(struct uhmm_engine *e, struct uhmm_range r,
			       bool wp)
{
	int err = e->ops->watch(e, r);

	if (!err)
		err = e->ops->protect(e, r);
	return err || wp ? err : e->ops->unprotect(e, r);
}

static int split_by_fence(struct uhmm_engine *e, struct uhmm_range r, bool wp)
{
	int err = uhmm_engine_fence(e, r, UHMM_FENCE_ALL);

	return err ? err : uhmm_engine_unfence(e, r, wp ? PROT_WRITE : 0);
}

/* The huge page that @r is a part of. */
static struct uhmm_range unit_of(struct uhmm_range r)
{
	uint64_t n = uhmm_pmd_npages();

	return uhmm_range_of(UHMM_VPN(r.start.val & -n), n);
}

int uhmm_engine_split(struct uhmm_engine *e, struct uhmm_range r, bool fenced)
{
	struct uhmm_range unit = unit_of(r);
	bool wp;
	int err = advise(e, r, MADV_COLD, UHMM_ENGINE_COLD);

	if (err != -ESRCH)
		err = is_huge(e, r, &wp);
	if (err <= 0)
		return err;
	r = uhmm_range_of(r.start, 1);
	err = fenced ? split_by_fence(e, r, wp) : split_by_protection(e, r, wp);
	if (!err && wp && !fenced)
		err = uhmm_engine_split_zeros(e, unit);
	return err == -ESRCH ? err : 0;
}
