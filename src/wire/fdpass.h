/* SPDX-License-Identifier: MIT */
/* fdpass.h - send and receive one message with descriptors
 *
 * Raw system calls only, returning -errno and leaving errno alone: the preload
 * library uses it too, without TLS.
 */
#ifndef UHMM_WIRE_FDPASS_H
#define UHMM_WIRE_FDPASS_H

#include "wire/wire.h"

/**
 * uhmm_wire_send() - send @msg with @nfds descriptors @fds, all of it
 * Return: 0; -EPIPE or -ECONNRESET peer gone; -EAGAIN socket full and
 * non-blocking; never SIGPIPE. Retries EINTR.
 */
UHMM_CHECKED int uhmm_wire_send(int sock, const struct uhmm_wire_msg *msg,
				const int *fds, unsigned int nfds);

/**
 * uhmm_wire_recv() - receive one message and check it
 * @fds: room for UHMM_WIRE_FDS_MAX; close-on-exec; *@nfds says how many came.
 * On failure descriptors that came are closed.
 * Return: 0; -EPIPE end of stream; -EAGAIN nothing there (non-blocking);
 * -EPROTO malformed or truncated; -EMFILE well, but the caller's table of
 * descriptors was full: the message is there, its descriptors are lost.
 * Retries EINTR.
 */
UHMM_CHECKED int uhmm_wire_recv(int sock, struct uhmm_wire_msg *msg, int *fds,
				unsigned int *nfds);

/** uhmm_wire_close_fds() - close what uhmm_wire_recv() gave; sets *@nfds 0 */
void uhmm_wire_close_fds(const int *fds, unsigned int *nfds);

/**
 * The abstract name the daemon's end of a device fd is bound to, which the
 * other end, the device fd, reads with getpeername: that tells "ours" from any
 * other descriptor and which open it is, in one call without side effects.
 * "uhmm-dev/" device number, '/', 32 hex digits of the token, no final 0.
 */
#define UHMM_DEVFD_NAME_BYTES 48
#define UHMM_DEVFD_MINOR_MAX 9999u

/**
 * uhmm_devfd_name() - the name, with a leading 0 byte
 * Return: its length; 0 @minor too large
 */
unsigned int uhmm_devfd_name(char name[UHMM_DEVFD_NAME_BYTES], uint32_t minor,
			     struct uhmm_wire_token token);

/**
 * uhmm_devfd_parse() - undo uhmm_devfd_name()
 * Return: true and *@minor, *@token; false not one of ours
 */
bool uhmm_devfd_parse(const char *name, unsigned int bytes, uint32_t *minor,
		      struct uhmm_wire_token *token);

#endif
