/* SPDX-License-Identifier: MIT */
/* listener.h - the door: who may connect, and who is let in
 *
 * A SEQPACKET socket of mode 0600. An old socket that nobody serves is
 * replaced; one that somebody serves is left alone, and so is anything that is
 * no socket. Whoever connects must be of our own user (SO_PEERCRED); what he
 * then says is the channel's business.
 * When descriptors run out a spare one is given up to take the connection and
 * close it, so that the program gets an error and does not wait.
 */
#ifndef UHMMD_LISTENER_H
#define UHMMD_LISTENER_H

#include "conf.h"
#include "event.h"

struct daemon;

struct listener {
	struct daemon *d;
	int fd;
	int spare_fd;
	union uhmm_ev ev;
	const char *path;	/* to be removed; NULL: not ours */
};

/**
 * listener_open() - listen where @conf says
 * Return: 0; -EADDRINUSE somebody serves there; -errno; said why
 */
UHMM_CHECKED int listener_open(struct listener *l, struct daemon *d,
			       const struct conf *conf);

/** listener_close() - nobody comes in any more. Accepts a zeroed one. */
void listener_close(struct listener *l);

/** listener_ready() - (EV_LISTEN) take everybody who waits */
void listener_ready(struct listener *l);

/**
 * listener_bind() - a socket that listens at @path
 * Return: descriptor; -errno, said why
 */
UHMM_CHECKED int listener_bind(const char *path);

/** listener_may_enter() - is the peer of @sock of user @uid? */
bool listener_may_enter(int sock, unsigned int uid);

#endif
