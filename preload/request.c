/* SPDX-License-Identifier: MIT */
/* request.c - a request on a channel of the session */
#include "request.h"

#include "channel.h"
#include "converse.h"
#include "errand.h"
#include "session.h"

/* Where the daemon best is when it answers; -1: not known. */
static int this_cpu(void)
{
	unsigned int cpu = 0;

	return uhmm_sys3(SYS_getcpu, uhmm_ptr(&cpu), 0, 0) ? -1 : (int)cpu;
}

static int request_in(const struct uhmm_session_ref *ref,
		      struct uhmm_wire_msg *msg, int *fd)
{
	struct uhmm_channel *ch;
	struct uhmm_fds got;
	int err = uhmm_channel_get(ref, &ch);

	msg->header.cpu = 1 + this_cpu();
	if (!fd && (err == -EMFILE || err == -ENFILE))
		return uhmm_errand_run(ref, msg);
	if (err)
		return err;
	msg->header.seq = ++ch->seq;
	err = uhmm_converse(ch->own.fd, msg, NULL, &got);
	uhmm_channel_put(ch, err && err != -EMFILE);
	if (err)
		return err == -EMFILE ? err : -EIO;
	if (fd && got.n)
		*fd = got.fd[0];
	else
		uhmm_wire_close_fds(got.fd, &got.n);
	return msg->header.error;
}

int uhmm_request(struct uhmm_wire_msg *msg, int *fd,
		 enum uhmm_request_when when)
{
	struct uhmm_sigmask old = uhmm_signals_block();
	struct uhmm_session_ref ref;
	int err;

	if (fd)
		*fd = -1;
	err = when == UHMM_REQUEST_ATTACH ? uhmm_session_need(&ref) :
					    uhmm_session_have(&ref);
	if (!err)
		err = request_in(&ref, msg, fd);
	uhmm_signals_restore(old);
	return err;
}
