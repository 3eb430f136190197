/* SPDX-License-Identifier: MIT */
/* request.h - what a program or the command asks, and the answer
 *
 * A message that came in is checked whole (wire.h) before anything is done,
 * then handled in a job, then answered on the channel it came on. One request
 * per channel at a time; which kind of channel may ask what is one table in
 * request.c. Handlers return 0 or -errno, which is what the program gets.
 */
#ifndef UHMMD_REQUEST_H
#define UHMMD_REQUEST_H

#include "wire/wire.h"

struct channel;

struct request {
	struct channel *ch;
	bool busy;			/* this one is under way */
	struct uhmm_wire_msg msg;	/* (in) */
	int fds[UHMM_WIRE_FDS_MAX];	/* (in) closed at the end unless -1 */
	unsigned int nfds;
	struct uhmm_wire_msg reply;	/* (out) */
	int reply_fd;			/* (out) closed after the answer; -1 */
	bool then_close;		/* (out) this was the last word */
};

/**
 * request_start() - begin to handle @msg
 * @fds: owned from now on when true is returned
 * Return: false: this channel may not ask that, or not now
 */
bool request_start(struct channel *ch, const struct uhmm_wire_msg *msg,
		   const int *fds, unsigned int nfds);

/** request_refuse() - answer @msg with @err and do nothing */
void request_refuse(struct channel *ch, const struct uhmm_wire_msg *msg,
		    int err);

#endif
