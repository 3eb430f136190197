/* SPDX-License-Identifier: MIT */
/* ownfd.h - a socket of ours among the program's descriptors
 *
 * It is moved to a high number, out of the way of programs that count on the
 * lowest free one. A program may still close or replace it without passing a
 * hook (close_range, dup2), so each use asks the kernel whether the number
 * still means our socket: nothing is ever sent to, or closed of, a stranger.
 */
#ifndef UHMM_PRELOAD_OWNFD_H
#define UHMM_PRELOAD_OWNFD_H

#include "preload.h"

struct uhmm_ownfd {
	int fd;			/* -1 none */
	int low;		/* the number it had first, while it moves; -1 */
	uint64_t cookie;	/* the kernel's unique number of it; 0 none */
};

#define UHMM_OWNFD_NONE { -1, -1, 0 }

/**
 * uhmm_ownfd_connect() - a new socket, connected to the daemon
 * Return: 0; -EMFILE, -ENFILE, -ENOMEM; -ENODEV no daemon
 */
UHMM_CHECKED int uhmm_ownfd_connect(struct uhmm_ownfd *own);

/** uhmm_ownfd_is_ours() - does the number still mean our socket? */
bool uhmm_ownfd_is_ours(const struct uhmm_ownfd *own);

/** uhmm_ownfd_has() - is @fd, as the program knows it, this socket? */
bool uhmm_ownfd_has(const struct uhmm_ownfd *own, int fd);

/** uhmm_ownfd_close() - close it if it is still ours; then there is none */
void uhmm_ownfd_close(struct uhmm_ownfd *own);

#endif
