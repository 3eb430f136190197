/* SPDX-License-Identifier: MIT */
#include "window.h"

#include "uffd_abi.h"

/* A PMD-sized page fits, and is moved whole when it is aligned. */
#define BIN_BYTES (1ul << 21)
#define AGAIN_TRIES 100

static struct {
	struct uhmm_wire_range range;	/* empty: there is none */
	struct uhmm_wire_range bin;	/* right behind it */
	int uffd;			/* that the bin is registered with: of
					 * the agent's table, gone with it */
} window;

/* Held while the agent has a part of the window open, and while anybody changes
 * its protection: who closes what another has just opened breaks a move. Never
 * held across what waits for the daemon, and its holders have their signals
 * blocked. */
static atomic_flag changing = ATOMIC_FLAG_INIT;

static void lock(void)
{
	while (atomic_flag_test_and_set_explicit(&changing,
						 memory_order_acquire))
		(void)uhmm_sys0(SYS_sched_yield);
}

static void unlock(void)
{
	atomic_flag_clear_explicit(&changing, memory_order_release);
}

static bool is_in(const struct uhmm_wire_range *r, uint64_t start, uint64_t end)
{
	return start >= r->addr && end <= r->addr + r->bytes;
}

bool uhmm_window_has(uint64_t start, uint64_t end)
{
	return is_in(&window.range, start, end) ||
	       is_in(&window.bin, start, end);
}

static void clear(void)
{
	window.range = window.bin = (struct uhmm_wire_range){ 0 };
}

void uhmm_window_forget(void)
{
	clear();
	unlock();	/* it may have been another thread's at the fork */
}

/* ---- make it ---- */

/* Is the program's address space limited? Then none of it is for us. */
static bool is_limited(void)
{
	struct rlimit lim = { 0 };

	return uhmm_sys4(SYS_prlimit64, 0, RLIMIT_AS, 0, uhmm_ptr(&lim)) < 0 ||
	       lim.rlim_cur != RLIM_INFINITY;
}

static void unmap(const struct uhmm_wire_range *r)
{
	if (r->bytes)
		(void)uhmm_sys2(SYS_munmap, (long)r->addr, (long)r->bytes);
}

static long advise(const struct uhmm_wire_range *r, int advice)
{
	return uhmm_sys3(SYS_madvise, (long)r->addr, (long)r->bytes, advice);
}

/* Mapped, exactly there; not for children, not for core dumps. */
static long map(const struct uhmm_wire_range *r, int prot, const char *name)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			  MAP_FIXED_NOREPLACE;
	long ret = uhmm_sys6(SYS_mmap, (long)r->addr, (long)r->bytes, prot,
			     flags, -1, 0);

	if (uhmm_sys_failed(ret))
		return ret;
	ret = advise(r, MADV_DONTFORK);
	if (ret < 0) {
		unmap(r);
		return ret;
	}
	(void)advise(r, MADV_DONTDUMP);
	(void)uhmm_sys5(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
			(long)r->addr, (long)r->bytes, uhmm_ptr(name));
	return 0;
}

/* A userfaultfd that tells nothing, for the bin. */
static long register_bin(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UHMM_UFFD_MOVE };
	struct uffdio_register reg = {
		.range = { window.bin.addr, window.bin.bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	long fd = uhmm_sys1(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	long ret = fd;

	if (fd >= 0)
		ret = uhmm_sys3(SYS_ioctl, fd, (long)UFFDIO_API,
				uhmm_ptr(&api));
	if (ret >= 0)
		ret = uhmm_sys3(SYS_ioctl, fd, (long)UFFDIO_REGISTER,
				uhmm_ptr(&reg));
	if (ret >= 0)
		window.uffd = (int)fd;
	else if (fd >= 0)
		(void)uhmm_sys1(SYS_close, fd);
	return ret;
}

static long make_bin(uint64_t from)
{
	long ret;

	window.bin.addr = (from + BIN_BYTES - 1) & ~(BIN_BYTES - 1);
	window.bin.bytes = BIN_BYTES;
	ret = map(&window.bin, PROT_READ | PROT_WRITE, "uhmm bin");
	if (ret < 0)
		return ret;
	ret = register_bin();
	if (ret < 0)
		unmap(&window.bin);
	return ret;
}

long uhmm_window_reserve(const struct uhmm_wire_range *r)
{
	long ret;

	if (is_limited())
		return -ENOMEM;
	/* those of an earlier session are not registered now */
	unmap(&window.range);
	unmap(&window.bin);
	clear();
	ret = map(r, PROT_NONE, "uhmm window");
	if (ret < 0)
		return ret;
	/* the kernel makes no huge pages of what is there by itself */
	(void)advise(r, MADV_NOHUGEPAGE);
	ret = make_bin(r->addr + r->bytes);
	if (ret < 0) {
		unmap(r);
		clear();
		return ret;
	}
	window.range = *r;
	return 0;
}

/* ---- use it ---- */

static long protect(const struct uhmm_wire_range *r, int prot)
{
	return uhmm_sys3(SYS_mprotect, (long)r->addr, (long)r->bytes, prot);
}

static long move_once(long uffd, struct uhmm_uffdio_move *m)
{
	long ret;

	m->move = 0;
	ret = uhmm_sys3(SYS_ioctl, uffd, (long)UHMM_UFFDIO_MOVE, uhmm_ptr(m));
	if (m->move > 0) {
		m->dst += (uint64_t)m->move;
		m->src += (uint64_t)m->move;
		m->len -= (uint64_t)m->move;
	}
	return ret;
}

/* A thread whose event was read is about to go on; then there is a moment until
 * it raises the next one, which nobody reads before we are through. */
static long move_soon(long uffd, struct uhmm_uffdio_move *m)
{
	long ret = move_once(uffd, m);

	for (int i = 0; i < AGAIN_TRIES && ret == -EAGAIN && m->move <= 0;
	     i++) {
		(void)uhmm_sys0(SYS_sched_yield);
		ret = move_once(uffd, m);
	}
	return ret;
}

/* Return: 0 all; -errno, and *@m is what is left */
static long move(long uffd, struct uhmm_uffdio_move *m)
{
	long ret;

	do {
		ret = move_soon(uffd, m);
	} while (ret < 0 && m->move > 0);	/* and why not the rest? */
	return ret;
}

/* What is in [@addr, +@bytes), which is open, goes to the bin. */
static long sweep(uint64_t addr, uint64_t bytes)
{
	long ret = 0;

	while (bytes && ret == 0) {
		uint64_t n = bytes < BIN_BYTES ? bytes : BIN_BYTES;
		struct uhmm_uffdio_move m = {
			.dst = window.bin.addr,
			.src = addr,
			.len = n,
			.mode = UHMM_UFFD_MOVE_HOLES,
		};

		ret = move(window.uffd, &m);
		(void)advise(&window.bin, MADV_DONTNEED);
		addr += n;
		bytes -= n;
	}
	return ret;
}

/* A part of the window is this thread's, to read and write. Return: -errno */
static long open_window(const struct uhmm_wire_range *r)
{
	long ret;

	lock();
	ret = protect(r, PROT_READ | PROT_WRITE);
	if (ret < 0)
		unlock();
	return ret;
}

static void close_window(const struct uhmm_wire_range *r)
{
	(void)protect(r, PROT_NONE);
	unlock();
}

long uhmm_window_sweep(const struct uhmm_wire_range *r)
{
	long ret = open_window(r);

	if (ret < 0)
		return ret;
	ret = sweep(r->addr, r->bytes);
	close_window(r);
	return ret;
}

/* One pair. What is in the way in the window is swept. Bytes moved: *@bytes */
static long move_pair(int uffd, const struct uhmm_wire_range *from,
		      const struct uhmm_wire_range *to, uint64_t *bytes)
{
	struct uhmm_uffdio_move m = { .dst = to->addr, .src = from->addr,
				      .len = from->bytes };
	long ret = move(uffd, &m);

	if (ret == -EEXIST && is_in(&window.range, m.dst, m.dst + m.len) &&
	    sweep(m.dst, m.len) == 0)
		ret = move(uffd, &m);
	*bytes = m.dst - to->addr;
	return ret;
}

long uhmm_window_move(int uffd, const struct uhmm_msg_hands *h,
		      struct uhmm_msg_hands_reply *reply)
{
	const uint64_t page_bytes = getauxval(AT_PAGESZ);
	uint32_t i = 1, moved = 0;
	long ret = open_window(&h->range[0]);

	if (ret < 0)
		return ret;
	while (i + 1 < h->nranges && ret == 0) {
		uint64_t bytes;

		ret = move_pair(uffd, &h->range[i], &h->range[i + 1], &bytes);
		moved += (uint32_t)(bytes / page_bytes);
		if (ret == 0)
			i += 2;
	}
	close_window(&h->range[0]);
	reply->done = i;
	reply->moved = moved;
	return ret;
}

/* ---- read it ---- */

/* While it is read the agent may open and close it: then the copy ends there. */
static void let_read(const struct uhmm_wire_range *r, int prot)
{
	lock();
	(void)protect(r, prot);
	unlock();
}

/* Bytes copied from the start of @from on. */
static uint64_t copy(const struct uhmm_wire_range *from,
		     const struct uhmm_wire_range *to)
{
	const struct iovec remote = { (void *)from->addr, from->bytes };
	const struct iovec local = { (void *)to->addr, to->bytes };
	long ret = uhmm_read_own(&local, &remote, 1);

	return ret > 0 ? (uint64_t)ret : 0;
}

uint64_t uhmm_window_copy(const struct uhmm_wire_range *from,
			  const struct uhmm_wire_range *to)
{
	bool inside = uhmm_window_has(from->addr, from->addr + from->bytes);
	uint64_t bytes;

	if (inside)
		let_read(from, PROT_READ);
	bytes = copy(from, to);
	if (inside)
		let_read(from, PROT_NONE);
	return bytes;
}
