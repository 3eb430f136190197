/* SPDX-License-Identifier: MIT */
/* converse.h - one request and its reply on one socket
 *
 * Until the reply comes the daemon may ask for hands on the same socket; they
 * are lent. Signals are blocked by the caller (rule 6).
 */
#ifndef UHMM_PRELOAD_CONVERSE_H
#define UHMM_PRELOAD_CONVERSE_H

#include "preload.h"

/** Descriptors that go with a request or came with a reply. */
struct uhmm_fds {
	int fd[UHMM_WIRE_FDS_MAX];
	unsigned int n;
};

/**
 * uhmm_converse() - send @msg and @with, wait for the reply
 * @msg:  (in) the request, header included; (out) the reply
 * @with: descriptors of the request; NULL none
 * @got:  (out) descriptors of the reply, the caller's now
 * Return: 0, and the outcome is in @msg->header.error; -EMFILE the reply is
 * there, its descriptors are lost, the socket is fine; other -errno: the socket
 * is of no use any more
 */
UHMM_CHECKED int uhmm_converse(int sock, struct uhmm_wire_msg *msg,
			       const struct uhmm_fds *with,
			       struct uhmm_fds *got);

#endif
