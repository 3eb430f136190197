/* SPDX-License-Identifier: MIT */
/* request.h - ask the daemon something, on a channel of the session
 *
 * Any thread, any time, also from a signal handler: signals are blocked until
 * the reply is there.
 */
#ifndef UHMM_PRELOAD_REQUEST_H
#define UHMM_PRELOAD_REQUEST_H

#include "preload.h"

enum uhmm_request_when {
	UHMM_REQUEST_ATTACH,	/* make a session when there is none */
	UHMM_REQUEST_IF_ATTACHED,
};

/**
 * uhmm_request() - @msg to the daemon, and its reply
 * @msg: (in) made by uhmm_wire_init(), seq 0; (out) the reply
 * @fd:  (out) the descriptor of the reply, or -1; NULL when it has none
 * Return: 0; the -errno the daemon answers; -EIO it is gone or talks nonsense;
 * -ENODEV no session; -EMFILE and such
 */
UHMM_CHECKED int uhmm_request(struct uhmm_wire_msg *msg, int *fd,
			      enum uhmm_request_when when);

#endif
