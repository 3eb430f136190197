/* SPDX-License-Identifier: MIT */
/* hands.c - madvise, mprotect and moves on the daemon's word */
#include "hands.h"

#include "buffer.h"
#include "trap.h"
#include "uffd_abi.h"
#include "window.h"

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

/* The window is the agent's. */
static bool is_agents(uint32_t op)
{
	return op == UHMM_HANDS_RESERVE || op == UHMM_HANDS_SWEEP ||
	       op == UHMM_HANDS_MOVE;
}

static long do_one(uint32_t op, const struct uhmm_wire_range *r)
{
	long ret;

	if (!is_agents(op))
		uhmm_buffer_note(r->addr, r->bytes);
	if (op >= UHMM_HANDS_PROTECT)
		return protect(r, (long)op - UHMM_HANDS_PROTECT);

	switch (op) {
	case UHMM_HANDS_POPULATE_READ:
		return advise(r, MADV_POPULATE_READ);
	case UHMM_HANDS_POPULATE_WRITE:
		return advise(r, MADV_POPULATE_WRITE);
	case UHMM_HANDS_COLLAPSE:
		return advise(r, MADV_COLLAPSE);
	case UHMM_HANDS_GUARD:
		return advise(r, UHMM_MADV_GUARD_INSTALL);
	case UHMM_HANDS_UNGUARD:
		return advise(r, UHMM_MADV_GUARD_REMOVE);
	case UHMM_HANDS_COLD:
		return advise(r, MADV_COLD);
	case UHMM_HANDS_TELL:
		uhmm_trap_set();
		return 0;
	case UHMM_HANDS_RESERVE:
		return uhmm_window_reserve(r);
	case UHMM_HANDS_SWEEP:
		return uhmm_window_sweep(r);
	default:
		/* Locked pages go, too. Not tried second: a range that is
		 * locked in part would be dropped in part first, and tell of
		 * that twice. */
		ret = advise(r, MADV_DONTNEED_LOCKED);
		return ret == -EINVAL ? advise(r, MADV_DONTNEED) : ret;
	}
}

static uint32_t do_all(const struct uhmm_msg_hands *h, long *ret)
{
	uint32_t done = 0;

	*ret = 0;
	while (done < h->nranges && *ret == 0) {
		*ret = do_one(h->op, &h->range[done]);
		if (*ret == 0)
			done++;
	}
	return done;
}

/* What goes into the window is away. */
static void note_moves(const struct uhmm_msg_hands *h)
{
	for (uint32_t i = 1; i + 1 < h->nranges; i += 2) {
		const struct uhmm_wire_range *from = &h->range[i];

		if (!uhmm_window_has(from->addr, from->addr + from->bytes))
			uhmm_buffer_note(from->addr, from->bytes);
	}
}

static long copy(const struct uhmm_msg_hands *h,
		 struct uhmm_msg_hands_reply *reply)
{
	const uint64_t page_bytes = getauxval(AT_PAGESZ);

	reply->done = 2;
	reply->moved = (uint32_t)(uhmm_window_copy(&h->range[0], &h->range[1]) /
				  page_bytes);
	return 0;
}

int uhmm_hands_serve(int sock, int uffd, struct uhmm_wire_msg *msg)
{
	const struct uhmm_msg_hands *h = &msg->body.hands;
	struct uhmm_msg_hands_reply reply = { .done = 0 };
	long ret = -ENOSYS;

	if (h->op == UHMM_HANDS_MOVE && uffd >= 0) {
		note_moves(h);
		ret = uhmm_window_move(uffd, h, &reply);
	} else if (h->op == UHMM_HANDS_COPY) {
		ret = uffd < 0 ? copy(h, &reply) : -ENOSYS;
	} else if (uffd >= 0 || !is_agents(h->op)) {
		reply.done = do_all(h, &ret);
	}
	uhmm_wire_init_reply(msg, &msg->header, (int)ret);
	msg->body.hands_reply = reply;
	return uhmm_wire_send(sock, msg, NULL, 0);
}
