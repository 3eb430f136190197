/* SPDX-License-Identifier: MIT */
/* channel.h - the sockets requests travel on
 *
 * Theory of operation. A channel carries one request at a time. A thread takes
 * an idle one, or opens one in an empty slot (connect, join), or sleeps until
 * one is put back. Slots are a fixed array and change hands by one atomic
 * exchange, so a signal handler or a fork in the middle finds no lock:
 *
 *   EMPTY -> BUSY -> IDLE -> BUSY -> ... -> EMPTY (broken)
 *
 * Only who made a slot BUSY touches the rest of it. A channel belongs to one
 * session; an idle one of an earlier session is dropped when it is met.
 */
#ifndef UHMM_PRELOAD_CHANNEL_H
#define UHMM_PRELOAD_CHANNEL_H

#include "ownfd.h"

/** Which session a channel is to belong to. */
struct uhmm_session_ref {
	struct uhmm_wire_token token;
	uint32_t generation;	/* counts this process' attaches */
};

struct uhmm_channel {
	_Atomic uint32_t state;	/* enum state of channel.c */
	uint32_t generation;
	uint32_t seq;		/* of the last request */
	struct uhmm_ownfd own;
};

/**
 * uhmm_channel_join() - a new socket, joined to the session @token as @role
 * Return: 0; -EMFILE and such; -ENODEV no daemon; -EIO it does not want us
 */
UHMM_CHECKED int uhmm_channel_join(struct uhmm_ownfd *own,
				   struct uhmm_wire_token token,
				   enum uhmm_role role);

/**
 * uhmm_channel_get() - a channel of session @ref for this thread alone
 * Return: 0 and *@ch; as uhmm_channel_join()
 */
UHMM_CHECKED int uhmm_channel_get(const struct uhmm_session_ref *ref,
				  struct uhmm_channel **ch);

/** uhmm_channel_put() - done with it; a @broken one is closed */
void uhmm_channel_put(struct uhmm_channel *ch, bool broken);

/** uhmm_channel_adopt() - make @own, which said hello, an idle channel */
void uhmm_channel_adopt(struct uhmm_ownfd *own, uint32_t generation);

/** uhmm_channel_owns() - is @fd, as the program knows it, one of ours? */
bool uhmm_channel_owns(int fd);

/** uhmm_channel_close_idle() - those nobody uses now: their descriptors are not
 *  for the program to find */
void uhmm_channel_close_idle(void);

/** uhmm_channel_forget() - in a new process: close all, whoever used them */
void uhmm_channel_forget(void);

#endif
