/* SPDX-License-Identifier: MIT */
/* orphan.c - make the memory of a program without daemon safe */
#include "orphan.h"

#include "env.h"
#include "smaps.h"
#include "uffd_abi.h"

#define UFFDS_MAX 8
#define PASSES_MAX 16

struct orphan {
	int uffd[UFFDS_MAX];	/* [0] ours, then those of children that were
				 * forked when nobody read: same layout */
	unsigned int n;
	unsigned long page_bytes;
	bool no_poison;
	bool told;
	struct uhmm_smaps smaps;
};

/* ---- the one line ---- */

/* The agent has no descriptor 2: borrow the program's. */
static long program_stderr(void)
{
	static const char path[] = "/proc/self/fd/2";
	long pidfd = uhmm_sys2(SYS_pidfd_open, uhmm_sys0(SYS_getpid), 0);
	long fd = -EBADF;

	if (pidfd >= 0) {
		fd = uhmm_sys3(SYS_pidfd_getfd, pidfd, STDERR_FILENO, 0);
		(void)uhmm_sys1(SYS_close, pidfd);
	}
	if (fd < 0)
		fd = uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
			       O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC, 0);
	return fd;
}

static void tell(struct orphan *o)
{
	long fd;

	if (o->told)
		return;
	o->told = true;
	fd = program_stderr();
	if (fd < 0)
		return;
	uhmm_env_write((int)fd,
		       o->no_poison ?
			       "uhmm: the daemon is gone: pages that were on "
			       "the device are lost; touching one raises "
			       "SIGSEGV\n" :
			       "uhmm: the daemon is gone: pages that were on "
			       "the device are lost; touching one raises "
			       "SIGBUS\n");
	(void)uhmm_sys1(SYS_close, fd);
}

/* ---- events ---- */

static void adopt_child(struct orphan *o, uint32_t fd)
{
	if (o->n < UFFDS_MAX)
		o->uffd[o->n++] = (int)fd;
	else
		(void)uhmm_sys1(SYS_close, fd);	/* that child reads zeros */
}

/* Read what there is: who unmaps or forks goes on. Faults: see poison(). */
static bool drain_one(struct orphan *o, int uffd)
{
	struct uffd_msg msg = { .event = 0 };
	bool any = false;

	while (uhmm_sys3(SYS_read, uffd, uhmm_ptr(&msg), sizeof(msg)) ==
	       sizeof(msg)) {
		any = true;
		if (msg.event == UFFD_EVENT_FORK)
			adopt_child(o, msg.arg.fork.ufd);
	}
	return any;
}

static void sleep_a_moment(void)
{
	const struct timespec ms = { 0, 1000000 };

	(void)uhmm_sys2(SYS_nanosleep, uhmm_ptr(&ms), 0);
}

/* The kernel says EAGAIN while an event is unread, and a moment longer. */
static void drain(struct orphan *o)
{
	bool any = false;

	for (unsigned int i = 0; i < o->n; i++)
		any |= drain_one(o, o->uffd[i]);
	if (!any)
		sleep_a_moment();
}

static long call(struct orphan *o, int uffd, unsigned long cmd, void *arg)
{
	long ret;

	while ((ret = uhmm_sys3(SYS_ioctl, uffd, (long)cmd, uhmm_ptr(arg))) ==
	       -EAGAIN)
		drain(o);
	return ret;
}

/* ---- one mapping ---- */

/* Is [@start, @end) registered with @uffd, and not with another? */
static bool is_with(struct orphan *o, int uffd, uint64_t start, uint64_t end)
{
	struct uffdio_register r = {
		.range = { start, end - start },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};

	return call(o, uffd, UFFDIO_REGISTER, &r) != -EBUSY;
}

/* Also turns the markers that stand for pages into plain holes. */
static void unprotect(struct orphan *o, int uffd, uint64_t start, uint64_t end)
{
	struct uffdio_writeprotect w = {
		.range = { start, end - start },
		.mode = UFFDIO_WRITEPROTECT_MODE_DONTWAKE,
	};

	(void)call(o, uffd, UFFDIO_WRITEPROTECT, &w);
}

/* Poison what is not there. Nobody is woken yet. Return: some was missing */
static bool poison(struct orphan *o, int uffd, uint64_t at, uint64_t end)
{
	bool any = false;

	while (at < end) {
		struct uhmm_uffdio_poison p = { { at, end - at }, 1, 0 };
		long ret = uhmm_sys3(SYS_ioctl, uffd, UHMM_UFFDIO_POISON,
				     uhmm_ptr(&p));

		if (p.updated > 0) {
			at += (uint64_t)p.updated;
			any = true;
		} else if (ret == -EEXIST) {
			at += o->page_bytes;
		} else if (ret == -EAGAIN) {
			drain(o);
		} else {
			if (ret == -EINVAL || ret == -ENOTTY)
				o->no_poison = true;
			break;	/* or the mapping went away */
		}
	}
	return any;
}

static bool is_missing(long pagemap, uint64_t addr, unsigned long page_bytes)
{
	const uint64_t there = 3ull << 62;	/* present or swapped */
	uint64_t entry = there;

	(void)uhmm_sys4(SYS_pread64, pagemap, uhmm_ptr(&entry), sizeof(entry),
			(long)(addr / page_bytes * sizeof(entry)));
	return !(entry & there);
}

/* The same without poison, in our own memory only. */
static bool fence(struct orphan *o, uint64_t at, uint64_t end)
{
	static const char path[] = "/proc/thread-self/pagemap";
	long pagemap = uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
				 O_RDONLY | O_CLOEXEC, 0);
	bool any = false;

	for (; pagemap >= 0 && at < end; at += o->page_bytes) {
		if (!is_missing(pagemap, at, o->page_bytes))
			continue;
		(void)uhmm_sys3(SYS_mprotect, (long)at, (long)o->page_bytes,
				PROT_NONE);
		any = true;
	}
	if (pagemap >= 0)
		(void)uhmm_sys1(SYS_close, pagemap);
	return any;
}

static void bury(struct orphan *o, unsigned int i, uint64_t start, uint64_t end)
{
	struct uffdio_range range = { start, end - start };
	int uffd = o->uffd[i];
	bool lost = false;

	if (!is_with(o, uffd, start, end))
		return;
	unprotect(o, uffd, start, end);
	if (!o->no_poison)
		lost = poison(o, uffd, start, end);
	if (o->no_poison && i == 0)
		lost = fence(o, start, end);
	if (lost)
		tell(o);
	(void)call(o, uffd, UFFDIO_UNREGISTER, &range);
}

/* One walk over all mappings. Return: how many were registered; -errno */
static int pass(struct orphan *o)
{
	uint64_t start, end;
	int found = 0;
	int err = uhmm_smaps_init(&o->smaps);

	if (err)
		return err;
	while (uhmm_smaps_next(&o->smaps, &start, &end)) {
		found++;
		/* ours first: a child may turn up while it is done */
		for (unsigned int i = 0; i < o->n; i++)
			bury(o, i, start, end);
	}
	uhmm_smaps_fini(&o->smaps);
	return found;
}

/* ---- without /proc ---- */

static void answer(struct orphan *o, const struct uffd_msg *msg)
{
	uint64_t at = msg->arg.pagefault.address & ~(o->page_bytes - 1);
	struct uffdio_range page = { at, o->page_bytes };

	unprotect(o, o->uffd[0], at, at + o->page_bytes);
	if (!(msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)) {
		if (!o->no_poison)
			(void)poison(o, o->uffd[0], at, at + o->page_bytes);
		tell(o);
		if (o->no_poison)
			(void)uhmm_sys3(SYS_mprotect, (long)at,
					(long)o->page_bytes, PROT_NONE);
	}
	(void)call(o, o->uffd[0], UFFDIO_WAKE, &page);
}

static void answer_for_ever(struct orphan *o)
{
	for (;;) {
		struct pollfd p = { o->uffd[0], POLLIN, 0 };
		struct uffd_msg msg = { .event = 0 };

		(void)uhmm_sys5(SYS_ppoll, uhmm_ptr(&p), 1, 0, 0, 0);
		if (uhmm_sys3(SYS_read, o->uffd[0], uhmm_ptr(&msg),
			      sizeof(msg)) != sizeof(msg))
			continue;
		if (msg.event == UFFD_EVENT_PAGEFAULT)
			answer(o, &msg);
		else if (msg.event == UFFD_EVENT_FORK)
			adopt_child(o, msg.arg.fork.ufd);
	}
}

void uhmm_orphan_run(int uffd, unsigned long page_bytes)
{
	struct orphan o;
	int found = 1;

	o.uffd[0] = uffd;
	o.n = 1;
	o.page_bytes = page_bytes;
	o.no_poison = false;
	o.told = false;
	/* Again while something was found: it may have moved behind us. */
	for (int i = 0; i < PASSES_MAX && found > 0; i++)
		found = pass(&o);
	if (found < 0)
		answer_for_ever(&o);
	while (o.n)
		(void)uhmm_sys1(SYS_close, o.uffd[--o.n]);
}
