/* SPDX-License-Identifier: MIT */
/* hands.c - madvise and mprotect on the daemon's word */
#include "hands.h"

#include "trap.h"
#include "uffd_abi.h"

static long advise(const struct uhmm_wire_range *r, int advice)
{
	long ret;

	do
		ret = uhmm_sys3(SYS_madvise, (long)r->addr, (long)r->bytes,
				advice);
	while (ret == -EINTR);
	return ret;
}

/* Who is stopped by it must find the handler. */
static long protect(const struct uhmm_wire_range *r, long prot)
{
	uhmm_trap_set();
	return uhmm_sys3(SYS_mprotect, (long)r->addr, (long)r->bytes, prot);
}

static long do_one(uint32_t op, const struct uhmm_wire_range *r)
{
	long ret;

	if (op >= UHMM_HANDS_PROTECT)
		return protect(r, (long)op - UHMM_HANDS_PROTECT);

	switch (op) {
	case UHMM_HANDS_POPULATE_READ:
		return advise(r, MADV_POPULATE_READ);
	case UHMM_HANDS_POPULATE_WRITE:
		return advise(r, MADV_POPULATE_WRITE);
	case UHMM_HANDS_COLLAPSE:
		return advise(r, MADV_COLLAPSE);
	case UHMM_HANDS_TELL:
		uhmm_trap_set();
		return 0;
	default:
		/* Locked pages go, too. Not tried second: a range that is
		 * locked in part would be dropped in part first, and tell of
		 * that twice. */
		ret = advise(r, MADV_DONTNEED_LOCKED);
		return ret == -EINVAL ? advise(r, MADV_DONTNEED) : ret;
	}
}

int uhmm_hands_serve(int sock, struct uhmm_wire_msg *msg)
{
	const struct uhmm_msg_hands *h = &msg->body.hands;
	uint32_t done = 0;
	long ret = 0;

	while (done < h->nranges && ret == 0) {
		ret = do_one(h->op, &h->range[done]);
		if (ret == 0)
			done++;
	}
	uhmm_wire_init_reply(msg, &msg->header, (int)ret);
	msg->body.hands_reply.done = done;
	return uhmm_wire_send(sock, msg, NULL, 0);
}
