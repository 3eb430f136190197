/* SPDX-License-Identifier: MIT */
/* uaccess.h - buffers of the process that made a call
 *
 * As copy_from_user() and copy_to_user(): with the caller's permissions, page
 * by page as far as it goes, -EFAULT at the first page that is not accessible.
 * The descriptor we use (its /proc/PID/mem) ignores permissions, so mappings
 * are asked first; it does not wait for a page that is missing in trapped
 * memory, so such a page is brought back first, as its own touch would.
 */
#ifndef UHMMD_UACCESS_H
#define UHMMD_UACCESS_H

#include <uhmm/device.h>

struct session;

struct uaccess {
	struct uhmm_user user;	/* what the driver sees */
	struct session *s;	/* the caller's */
};

/** uaccess_init() - access to the memory of @s, which outlives it */
void uaccess_init(struct uaccess *ua, struct session *s);

#endif
