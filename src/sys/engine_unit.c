/* SPDX-License-Identifier: MIT */
/* engine_unit.c - PMD-sized units: what was mapped by one PMD is so again, the
 * same for every engine that fills pages one by one (engine_base.h)
 *
 * The kernel puts 512 pages together when asked (MADV_COLLAPSE, Linux 6.1),
 * also in memory that is registered with a userfaultfd, if all of them are
 * there and none is write-protected (tests/kernel/collapse_registered.c). The
 * daemon may ask for another process only with CAP_SYS_NICE; else the
 * program's hands do.
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
static int collapse_from_here(const struct uhmm_engine *e, struct uhmm_range r)
{
	struct iovec iov = { .iov_base = (void *)uhmm_addr_of(r.start),
			     .iov_len = uhmm_bytes_of(uhmm_range_npages(r)) };
	int saved = errno;
	long ret;

	if (e->fds.pidfd < 0)
		return -EPERM;
	ret = syscall(SYS_process_madvise, e->fds.pidfd, &iov, 1UL,
		      UHMM_MADV_COLLAPSE, 0U);
	ret = ret < 0 ? -errno : 0;
	errno = saved;
	return (int)ret;
}

int uhmm_engine_collapse(struct uhmm_engine *e, struct uhmm_range r)
{
	int err = -EPERM;

	if (!e->collapses)
		return -EOPNOTSUPP;
	if (!e->collapse_by_hands) {
		e->env.unlock(e->env.ctx);
		err = collapse_from_here(e, r);
		e->env.lock(e->env.ctx);
		e->collapse_by_hands = err == -EPERM || err == -ENOSYS;
	}
	if (e->collapse_by_hands)
		err = uhmm_engine_ask_hands(e, UHMM_ENGINE_COLLAPSE, &r, 1);
	if (!err)
		e->stats.collapses++;
	return err;
}
