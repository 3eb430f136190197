/* SPDX-License-Identifier: MIT */
/* orphan.c - make the memory of a program without daemon safe */
#include "orphan.h"

#include "env.h"
#include "smaps.h"
#include "uffd_abi.h"
#include "window.h"

#define UFFDS_MAX 8
#define PASSES_MAX 64
#define ENTRIES 64	/* of pagemap, read at once */
#define DROPS_MAX 32

struct orphan {
	int uffd[UFFDS_MAX];	/* [0] ours, then those of children that were
				 * forked when nobody read: same layout */
	unsigned int n;
	unsigned long page_bytes;
	bool no_poison;
	bool told;
	bool dirty;		/* this pass changed, or saw change */
	struct drop {
		uint64_t start, end;
	} drop[DROPS_MAX];	/* dropped by the program just now: what is not
				 * there is zeros, rightly */
	unsigned int ndrops;
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

/* One too many is forgotten: that may be poisoned. */
static void note_drop(struct orphan *o, uint64_t start, uint64_t end)
{
	if (o->ndrops < DROPS_MAX)
		o->drop[o->ndrops++] = (struct drop){ start, end };
}

/* The first part of [*@at, @end) that was not dropped: *@at is its start.
 * Return: its end; @end and *@at is @end too: none */
static uint64_t undropped(const struct orphan *o, uint64_t *at, uint64_t end)
{
	uint64_t stop = end;

	for (unsigned int i = 0; i < o->ndrops; i++) {
		if (*at < o->drop[i].start || *at >= o->drop[i].end)
			continue;
		*at = o->drop[i].end < end ? o->drop[i].end : end;
		i = ~0u;	/* from the beginning: they may overlap */
	}
	for (unsigned int i = 0; i < o->ndrops; i++) {
		if (o->drop[i].start >= *at && o->drop[i].start < stop)
			stop = o->drop[i].start;
	}
	return stop;
}

/* Read what there is: who unmaps, moves, drops or forks goes on. Who waits in a
 * fault does so until its page is dealt with. */
static bool drain_one(struct orphan *o, int uffd)
{
	struct uffd_msg msg = { .event = 0 };
	bool any = false;

	while (uhmm_sys3(SYS_read, uffd, uhmm_ptr(&msg), sizeof(msg)) ==
	       sizeof(msg)) {
		any = true;
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			o->dirty = true;
		if (msg.event == UFFD_EVENT_FORK)
			adopt_child(o, msg.arg.fork.ufd);
		if (msg.event == UFFD_EVENT_REMOVE)
			note_drop(o, msg.arg.remove.start, msg.arg.remove.end);
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

/* Is our memory changing right now? That is looked at before the address. */
static bool is_changing(const struct orphan *o)
{
	struct uffdio_zeropage z = { .range = { 0, 0 } };

	return uhmm_sys3(SYS_ioctl, o->uffd[0], (long)UFFDIO_ZEROPAGE,
			 uhmm_ptr(&z)) == -EAGAIN;
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

/* Is [@start, @end) registered with another userfaultfd, the program's? */
static bool is_strangers(struct orphan *o, uint64_t start, uint64_t end)
{
	struct uffdio_register r = {
		.range = { start, end - start },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};

	return call(o, o->uffd[0], UFFDIO_REGISTER, &r) == -EBUSY;
}

/* Also turns the markers that stand for pages into plain holes. */
static void unprotect(struct orphan *o, int uffd, uint64_t start, uint64_t end)
{
	struct uffdio_writeprotect w = { .range = { start, end - start } };

	(void)call(o, uffd, UFFDIO_WRITEPROTECT, &w);
}

/* First page of [@at, @end) that is neither there nor swapped; @end none. */
static uint64_t find_in_pagemap(const struct orphan *o, int pagemap,
				uint64_t at, uint64_t end)
{
	uint64_t entry[ENTRIES] = { 0 };

	while (at < end) {
		uint64_t n = (end - at) / o->page_bytes;
		long bytes;

		n = n < ENTRIES ? n : ENTRIES;
		bytes = (long)(n * sizeof(entry[0]));
		if (uhmm_sys4(SYS_pread64, pagemap, uhmm_ptr(entry), bytes,
			      (long)(at / o->page_bytes * sizeof(entry[0]))) !=
		    bytes)
			return at;	/* not to be known */
		for (uint64_t i = 0; i < n; i++, at += o->page_bytes) {
			if (entry[i] >> 62 == 0)
				return at;
		}
	}
	return end;
}

/* First page of [@at, @end) that is lost; @end none. */
static uint64_t find_lost(const struct orphan *o, int pagemap, uint64_t at,
			  uint64_t end)
{
	while (at < end) {
		uint64_t stop = undropped(o, &at, end);
		uint64_t found = find_in_pagemap(o, pagemap, at, stop);

		if (found < stop)
			return found;
		at = stop;
	}
	return end;
}

static int open_pagemap(void)
{
	static const char path[] = "/proc/thread-self/pagemap";

	return (int)uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
			      O_RDONLY | O_CLOEXEC, 0);
}

/* A kernel that knows it looks at the argument, and finds it is no address. */
static bool has_poison(int uffd)
{
	return uhmm_sys3(SYS_ioctl, uffd, UHMM_UFFDIO_POISON, 0) != -EINVAL;
}

/* Poison what is not there; who waits for it wakes. */
static void poison(struct orphan *o, int uffd, uint64_t at, uint64_t end)
{
	while (at < end) {
		uint64_t stop = undropped(o, &at, end);
		struct uhmm_uffdio_poison p = { { at, stop - at }, 0, 0 };
		long ret;

		if (at == stop)
			continue;
		ret = uhmm_sys3(SYS_ioctl, uffd, UHMM_UFFDIO_POISON,
				uhmm_ptr(&p));
		if (p.updated > 0) {
			at += (uint64_t)p.updated;
			o->dirty = true;
		} else if (ret == -EEXIST) {
			at += o->page_bytes;
		} else if (ret == -EAGAIN) {
			drain(o);
		} else {
			/* it went away; a child's may */
			o->dirty |= uffd == o->uffd[0];
			return;
		}
	}
}

/* The same without poison, in our own memory only. */
static void fence(struct orphan *o, int pagemap, uint64_t start, uint64_t end)
{
	struct uffdio_range range = { start, end - start };
	uint64_t at = find_lost(o, pagemap, start, end);

	while (at < end) {
		(void)uhmm_sys3(SYS_mprotect, (long)at, (long)o->page_bytes,
				PROT_NONE);
		o->dirty = true;
		at = find_lost(o, pagemap, at + o->page_bytes, end);
	}
	(void)call(o, o->uffd[0], UFFDIO_WAKE, &range);
}

/* Deal with [@start, @end), and the same in children. */
static void bury(struct orphan *o, uint64_t start, uint64_t end, bool fenced)
{
	int pagemap;

	if (is_strangers(o, start, end))
		return;
	unprotect(o, o->uffd[0], start, end);
	pagemap = open_pagemap();
	/* said first: who touches it dies at once */
	if (find_lost(o, pagemap, start, end) < end && !fenced)
		tell(o);
	/* ours first: a child may turn up while it is done */
	for (unsigned int i = 0; i < o->n && !o->no_poison; i++) {
		if (i > 0)
			unprotect(o, o->uffd[i], start, end);
		poison(o, o->uffd[i], start, end);
	}
	if (o->no_poison && !fenced && pagemap >= 0)
		fence(o, pagemap, start, end);
	if (pagemap >= 0)
		(void)uhmm_sys1(SYS_close, pagemap);
}

/* One walk over all mappings. Clean: all is dealt with, and nothing changed
 * meanwhile. Return: 0 clean; 1 not; -errno */
static int pass(struct orphan *o)
{
	uint64_t start, end;
	int err;

	while (is_changing(o))
		drain(o);
	err = uhmm_smaps_init(&o->smaps);
	if (err)
		return err;
	o->dirty = false;
	/* shared memory is watched at most: what is not there is in its file */
	while (uhmm_smaps_next(&o->smaps, &start, &end))
		if (!o->smaps.shared && !uhmm_window_has(start, end))
			bury(o, start, end,
			     o->no_poison && !o->smaps.accessible);
	uhmm_smaps_fini(&o->smaps);
	return is_changing(o) || o->dirty;
}

/* ---- one fault at a time ---- */

static void answer_lost(struct orphan *o, int uffd, uint64_t at)
{
	tell(o);
	if (!o->no_poison)
		poison(o, uffd, at, at + o->page_bytes);
	else if (uffd == o->uffd[0])
		(void)uhmm_sys3(SYS_mprotect, (long)at, (long)o->page_bytes,
				PROT_NONE);
}

static void answer(struct orphan *o, int uffd, const struct uffd_msg *msg)
{
	uint64_t at = msg->arg.pagefault.address & ~(o->page_bytes - 1);
	uint64_t end = at + o->page_bytes, lost = at;
	struct uffdio_range page = { at, o->page_bytes };
	struct uffdio_zeropage zero = { .range = page };

	unprotect(o, uffd, at, end);
	(void)undropped(o, &lost, end);
	if (lost == end)
		(void)call(o, uffd, UFFDIO_ZEROPAGE, &zero);
	else if (!(msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP))
		answer_lost(o, uffd, at);
	(void)call(o, uffd, UFFDIO_WAKE, &page);
}

static void answer_one(struct orphan *o, int uffd)
{
	struct uffd_msg msg = { .event = 0 };

	if (uhmm_sys3(SYS_read, uffd, uhmm_ptr(&msg), sizeof(msg)) !=
	    sizeof(msg))
		return;
	if (msg.event == UFFD_EVENT_PAGEFAULT)
		answer(o, uffd, &msg);
	else if (msg.event == UFFD_EVENT_FORK)
		adopt_child(o, msg.arg.fork.ufd);
	else if (msg.event == UFFD_EVENT_REMOVE)
		note_drop(o, msg.arg.remove.start, msg.arg.remove.end);
}

/* Whose fault was read before, by the daemon, looks again and is answered. */
static void wake_all(struct orphan *o)
{
	struct uffdio_range all = { o->page_bytes, 0 };
	unsigned int bits = 57;

	/* the end of an address space is not the same everywhere */
	do
		all.len = (1ull << --bits) - 2 * o->page_bytes;
	while (bits > 32 && call(o, o->uffd[0], UFFDIO_WAKE, &all) < 0);
}

static void answer_for_ever(struct orphan *o)
{
	struct pollfd p[UFFDS_MAX];

	wake_all(o);
	for (;;) {
		unsigned int n = o->n;

		for (unsigned int i = 0; i < n; i++)
			p[i] = (struct pollfd){ o->uffd[i], POLLIN, 0 };
		(void)uhmm_sys5(SYS_ppoll, uhmm_ptr(p), n, 0, 0, 0);
		for (unsigned int i = 0; i < n; i++) {
			if (p[i].revents)
				answer_one(o, p[i].fd);
		}
	}
}

void uhmm_orphan_run(int uffd, unsigned long page_bytes, void (*for_ever)(void))
{
	struct orphan o = { .uffd = { uffd }, .n = 1,
			    .page_bytes = page_bytes };
	int ret = 1;

	o.no_poison = !has_poison(uffd);
	for (int i = 0; i < PASSES_MAX && ret > 0; i++)
		ret = pass(&o);
	if (ret) {
		for_ever();
		answer_for_ever(&o);
	}
	while (o.n)
		(void)uhmm_sys1(SYS_close, o.uffd[--o.n]);
}
