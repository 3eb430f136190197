/* SPDX-License-Identifier: MIT */
/* uffd.h - the operations of a userfaultfd, one function each
 *
 * Theory of operation. The descriptor belongs to the program; these calls act
 * on its mm from any process (UFFDIO_MOVE alone does not, so it is not here).
 * While an event (unmap, remap, removal, fork) has not been read, or the
 * thread that raised it has not gone on yet, all of copy, zeropage,
 * writeprotect and poison answer -EAGAIN: read the events and try again. So a
 * writeprotect that succeeds proves that no event is outstanding.
 * register, unregister and wake are never refused that way.
 *
 * Units:  ranges in pages of the program; "done" in pages.
 * Locks:  none; each is one system call.
 * Errors: 0 or -errno, to be judged by uhmm_uffd_classify(). The caller's
 *         errno is left as it was.
 */
#ifndef UHMM_SYS_UFFD_H
#define UHMM_SYS_UFFD_H

#include <uhmm/types.h>

#include "sys/uapi.h"

/** What an error of these functions means for the caller. */
enum uhmm_uffd_verdict {
	UHMM_UFFD_RETRY,	/* EAGAIN: read the events, try again */
	UHMM_UFFD_PAGE_THERE,	/* EEXIST: there is a page already */
	UHMM_UFFD_MAPPING_GONE,	/* ENOENT: not registered (any more),
				 * or no mapping at all */
	UHMM_UFFD_MM_GONE,	/* ESRCH */
	UHMM_UFFD_NOMEM,	/* ENOMEM, ENOSPC. Register and unregister also
				 * say it when the mm is gone: look there too */
	UHMM_UFFD_REFUSED,	/* EINVAL, EBUSY, EPERM: this mapping cannot be
				 * registered, or is another's */
	UHMM_UFFD_BUG,		/* anything else */
};

/**
 * uhmm_uffd_classify() - the one place that judges a userfaultfd error
 * @err: what a function below returned, < 0
 */
enum uhmm_uffd_verdict uhmm_uffd_classify(int err);

/** uhmm_uffd_verdict_name() - "retry" of UHMM_UFFD_RETRY, for messages */
const char *uhmm_uffd_verdict_name(enum uhmm_uffd_verdict verdict);

/**
 * uhmm_uffd_register() - trap @r
 * @mode:   UFFDIO_REGISTER_MODE_*
 * @ioctls: (out) 1 << _UFFDIO_* that work there; NULL not wanted
 * Return: 0; -EINVAL a mapping that cannot be; -EBUSY another's; -ENOMEM also
 * when the mm is gone
 */
UHMM_CHECKED int uhmm_uffd_register(int uffd, struct uhmm_range r,
				    uint64_t mode, uint64_t *ioctls);

/** uhmm_uffd_is_changing() - is an event outstanding, or about to be raised? If
 *  not, all that the program did to its mappings before has been read. */
bool uhmm_uffd_is_changing(int uffd);

/** uhmm_uffd_unregister() - @r is ordinary again, who waits there wakes */
UHMM_CHECKED int uhmm_uffd_unregister(int uffd, struct uhmm_range r);

/**
 * uhmm_uffd_writeprotect() - set or clear write protection of @r
 * @mode: UFFDIO_WRITEPROTECT_MODE_*; without _WP it clears and, unless
 *        _DONTWAKE, wakes
 * Return: 0; -EAGAIN; -ENOENT (what came before the gap is done); -ESRCH
 */
UHMM_CHECKED int uhmm_uffd_writeprotect(int uffd, struct uhmm_range r,
					uint64_t mode);

/**
 * uhmm_uffd_copy() - fill the empty pages @r from @src and wake
 * @mode: UFFDIO_COPY_MODE_*
 * @done: (out) pages filled, from the start of @r, also on error
 * Return: 0 all; -EAGAIN (perhaps some were done; a present page in the middle
 * says so, too, and -EEXIST when one begins there); -EEXIST; -ENOENT @r is not
 * inside one registered mapping; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_uffd_copy(int uffd, struct uhmm_range r, const void *src,
				uint64_t mode, uint64_t *done);

/**
 * uhmm_uffd_zeropage() - map the zero page at the empty pages @r and wake
 * A write-protect marker counts as a page here (-EEXIST), not for copy.
 * Return: as uhmm_uffd_copy()
 */
UHMM_CHECKED int uhmm_uffd_zeropage(int uffd, struct uhmm_range r,
				    uint64_t mode, uint64_t *done);

/** uhmm_uffd_poison() - the empty pages @r give SIGBUS (6.6); as copy */
UHMM_CHECKED int uhmm_uffd_poison(int uffd, struct uhmm_range r, uint64_t mode,
				  uint64_t *done);

/** uhmm_uffd_wake() - who waits in @r looks again. 0 even for a dead mm. */
UHMM_CHECKED int uhmm_uffd_wake(int uffd, struct uhmm_range r);

/**
 * uhmm_uffd_read() - up to @n messages, without waiting
 * The descriptor must be non-blocking. Page faults come before events that
 * were raised earlier; events among themselves are in order.
 * Return: messages read; 0 there are none; -errno
 */
UHMM_CHECKED int uhmm_uffd_read(int uffd, struct uffd_msg *msg, unsigned int n);

#endif
