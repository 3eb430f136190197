/* SPDX-License-Identifier: MIT */
/* hands.c - madvise, mprotect and UFFDIO_MOVE on the daemon's word */
#include "hands.h"

#include "buffer.h"
#include "trap.h"
#include "uffd_abi.h"

/* The agent's: it sets, reads and releases it. */
static struct uhmm_wire_range window;

bool uhmm_hands_is_window(uint64_t start, uint64_t end)
{
	return start >= window.addr && end <= window.addr + window.bytes;
}

void uhmm_hands_forget(void)
{
	window = (struct uhmm_wire_range){ 0 };
}

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

/* Is the program's address space limited? Then none of it is for us. */
static bool is_limited(void)
{
	struct rlimit lim = { 0 };

	return uhmm_sys4(SYS_prlimit64, 0, RLIMIT_AS, 0, uhmm_ptr(&lim)) < 0 ||
	       lim.rlim_cur != RLIM_INFINITY;
}

/* Not for children, not for core dumps, no huge pages but those put there. */
static long make_private(const struct uhmm_wire_range *r)
{
	static const char name[] = "uhmm window";
	long ret = advise(r, MADV_DONTFORK);

	(void)advise(r, MADV_DONTDUMP);
	(void)advise(r, MADV_NOHUGEPAGE);
	(void)uhmm_sys5(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
			(long)r->addr, (long)r->bytes, uhmm_ptr(name));
	return ret;
}

static long reserve(const struct uhmm_wire_range *r)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			  MAP_FIXED_NOREPLACE;
	long ret;

	if (is_limited())
		return -ENOMEM;
	if (window.bytes)	/* of an earlier session, not registered now */
		(void)uhmm_sys2(SYS_munmap, (long)window.addr,
				(long)window.bytes);
	uhmm_hands_forget();
	ret = uhmm_sys6(SYS_mmap, (long)r->addr, (long)r->bytes, PROT_NONE,
			flags, -1, 0);
	if (uhmm_sys_failed(ret))
		return ret;
	ret = make_private(r);
	if (ret < 0)
		(void)uhmm_sys2(SYS_munmap, (long)r->addr, (long)r->bytes);
	else
		window = *r;
	return ret;
}

static long open_window(const struct uhmm_wire_range *r, int prot)
{
	return uhmm_sys3(SYS_mprotect, (long)r->addr, (long)r->bytes, prot);
}

static long move(int uffd, const struct uhmm_wire_range *from,
		 const struct uhmm_wire_range *to)
{
	struct uhmm_uffdio_move m = { .dst = to->addr, .src = from->addr,
				      .len = from->bytes };
	long ret = 0;

	uhmm_buffer_note(from->addr, from->bytes);
	do {
		m.dst += m.move > 0 ? (uint64_t)m.move : 0;
		m.src += m.move > 0 ? (uint64_t)m.move : 0;
		m.len -= m.move > 0 ? (uint64_t)m.move : 0;
		m.move = 0;
		ret = uhmm_sys3(SYS_ioctl, uffd, (long)UHMM_UFFDIO_MOVE,
				uhmm_ptr(&m));
	} while (ret < 0 && m.move > 0);	/* and why not the rest? */
	return ret;
}

/* Return: ranges done, the first one with the last of them */
static uint32_t move_all(int uffd, const struct uhmm_msg_hands *h, long *ret)
{
	uint32_t i = 1;

	*ret = uffd < 0 ? -ENOSYS :
			  open_window(&h->range[0], PROT_READ | PROT_WRITE);
	if (*ret < 0)
		return 0;
	while (i + 1 < h->nranges && *ret == 0) {
		*ret = move(uffd, &h->range[i], &h->range[i + 1]);
		if (*ret == 0)
			i += 2;
	}
	(void)open_window(&h->range[0], PROT_NONE);
	return i;
}

static long do_one(uint32_t op, const struct uhmm_wire_range *r)
{
	long ret;

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
	case UHMM_HANDS_TELL:
		uhmm_trap_set();
		return 0;
	case UHMM_HANDS_RESERVE:
		return reserve(r);
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

int uhmm_hands_serve(int sock, int uffd, struct uhmm_wire_msg *msg)
{
	const struct uhmm_msg_hands *h = &msg->body.hands;
	uint32_t done;
	long ret;

	done = h->op == UHMM_HANDS_MOVE ? move_all(uffd, h, &ret) :
					  do_all(h, &ret);
	uhmm_wire_init_reply(msg, &msg->header, (int)ret);
	msg->body.hands_reply.done = done;
	return uhmm_wire_send(sock, msg, NULL, 0);
}
