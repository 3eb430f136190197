/* SPDX-License-Identifier: MIT */
/* devfd.h - is a descriptor a device, and which open of it
 *
 * A device descriptor is a connected socket whose other end, the daemon's, has
 * a name that says so (wire/fdpass.h). No table: dup, fork, exec, SCM_RIGHTS
 * and close need no help. Works also when the daemon is gone.
 */
#ifndef UHMM_PRELOAD_DEVFD_H
#define UHMM_PRELOAD_DEVFD_H

#include "preload.h"

/** uhmm_devfd_get() - true and *@token when @fd is one of ours */
bool uhmm_devfd_get(int fd, struct uhmm_wire_token *token);

/** uhmm_devfd_get_minor() - the same, and which device */
bool uhmm_devfd_get_minor(int fd, struct uhmm_wire_token *token,
			  uint32_t *minor);

/** Set for ever when this process or one it was forked from has had a device
 *  descriptor in its hands. Read it by uhmm_devfd_seen(). */
extern _Atomic bool uhmm_devfd_was_seen;

/** uhmm_devfd_seen() - may any descriptor be a device? All that a hook on a
 *  call of any descriptor costs a program that never opened one. */
static inline bool uhmm_devfd_seen(void)
{
	return __builtin_expect(atomic_load_explicit(&uhmm_devfd_was_seen,
						     memory_order_relaxed),
				false);
}

#endif
