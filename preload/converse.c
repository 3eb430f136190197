/* SPDX-License-Identifier: MIT */
/* converse.c - one request, one reply, hands in between */
#include "converse.h"

#include "hands.h"

static bool is_hands(const struct uhmm_wire_header *h)
{
	return h->id == UHMM_WIRE_hands && !(h->flags & UHMM_WIRE_REPLY);
}

static bool answers(const struct uhmm_wire_header *h,
		    const struct uhmm_wire_header *request)
{
	return (h->flags & UHMM_WIRE_REPLY) && h->id == request->id &&
	       h->seq == request->seq;
}

int uhmm_converse(int sock, struct uhmm_wire_msg *msg,
		  const struct uhmm_fds *with, struct uhmm_fds *got)
{
	const struct uhmm_wire_header request = msg->header;
	int err = uhmm_wire_send(sock, msg, with ? with->fd : NULL,
				 with ? with->n : 0);

	got->n = 0;
	while (!err) {
		err = uhmm_wire_recv(sock, msg, got->fd, &got->n);
		if (err && err != -EMFILE)
			return err;
		if (!err && is_hands(&msg->header))
			err = uhmm_hands_serve(sock, -1, msg);
		else if (answers(&msg->header, &request))
			return err;
		else
			err = -EPROTO;
	}
	uhmm_wire_close_fds(got->fd, &got->n);
	return err;
}
