/* SPDX-License-Identifier: MIT */
/* bench_steps.c - floors: a call, a copy of bytes, a look at pages (bench_floor.h) */
#include "bench_floor.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Pages at once by way of a buffer. */
#define PIECE_NPAGES 128
/* Pages of one look, or copied by one call. */
#define CALL_NPAGES 1024
#define NCALLS 1000
/* Bytes of a message there and back, as ours. */
#define REQUEST_BYTES 48
#define REPLY_BYTES 24

/* ---- a request and its reply, on one CPU ---- */

static void answer(int sock)
{
	char msg[REQUEST_BYTES];

	while (recv(sock, msg, sizeof(msg), 0) > 0)
		if (send(sock, msg, REPLY_BYTES, MSG_NOSIGNAL) < 0)
			break;
	_exit(0);
}

static void call_often(int sock)
{
	char msg[REQUEST_BYTES] = "";

	for (int i = 0; i < NCALLS; i++)
		if (send(sock, msg, sizeof(msg), MSG_NOSIGNAL) < 0 ||
		    recv(sock, msg, sizeof(msg), 0) != REPLY_BYTES)
			bench_die("bare_call");
}

static void measure_call(void)
{
	struct bench b = { .name = "bare_call", .unit = "call" };
	cpu_set_t before;
	int sock[2];
	pid_t pid;

	if (!bench_wants(b.name))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		bench_die("socketpair");
	sched_getaffinity(0, sizeof(before), &before);
	floor_pin(sched_getcpu());
	pid = floor_fork();
	if (!pid)
		answer(sock[1]);
	bench_serves(pid);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		call_often(sock[0]);
		bench_add(&b, from, NCALLS);
	}
	bench_serves(0);
	floor_end(pid);
	sched_setaffinity(0, sizeof(before), &before);
	close(sock[0]);
	close(sock[1]);
	bench_print(&b);
}

/* ---- bytes ---- */

/* The steps of a migration by copy. */
static void measure_copies(void)
{
	struct bench in = { .name = "bare_copy_bulk" };
	struct bench drop = { .name = "bare_drop_bulk" };
	struct bench out = { .name = "bare_memread_bulk" };
	struct bench back = { .name = "bare_memwrite_bulk" };
	size_t bytes = FLOOR_NPAGES * bench_page();
	unsigned char *mem = bench_map(FLOOR_NPAGES);
	unsigned char *to = bench_map(FLOOR_NPAGES);
	int uffd, memfd;

	if (!bench_wants(in.name) && !bench_wants(drop.name) &&
	    !bench_wants(out.name) && !bench_wants(back.name))
		return;
	memfd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uffd = floor_uffd(0);
	floor_trap(uffd, mem, FLOOR_NPAGES, UFFDIO_REGISTER_MODE_MISSING);
	memset(to, 1, bytes);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&in);
		from = bench_now_ns();
		if (floor_copy(uffd, (uintptr_t)mem, to, FLOOR_NPAGES) < 0)
			bench_die("UFFDIO_COPY");
		bench_add(&in, from, FLOOR_NPAGES);
		bench_yardstick(&out);
		from = bench_now_ns();
		if (pread(memfd, to, bytes, (off_t)(uintptr_t)mem) < 0)
			bench_die("/proc/self/mem");
		bench_add(&out, from, FLOOR_NPAGES);
		bench_yardstick(&back);
		from = bench_now_ns();
		if (pwrite(memfd, to, bytes, (off_t)(uintptr_t)mem) < 0)
			bench_die("/proc/self/mem");
		bench_add(&back, from, FLOOR_NPAGES);
		bench_yardstick(&drop);
		from = bench_now_ns();
		madvise(mem, bytes, MADV_DONTNEED);
		bench_add(&drop, from, FLOOR_NPAGES);
	}
	close(uffd);
	close(memfd);
	bench_print(&in);
	bench_print(&out);
	bench_print(&back);
	bench_print(&drop);
}

/* From a program's memory to its buffer: */
enum how {
	BY_DAEMON,	/* through one of the daemon's, by the mem descriptor */
	BY_ITSELF,
};

static void hand_over(enum how how, int memfd, unsigned char *from,
		      unsigned char *to, void *buf)
{
	const size_t npages = how == BY_DAEMON ? PIECE_NPAGES : CALL_NPAGES;
	const size_t bytes = npages * bench_page();

	for (size_t at = 0; at < FLOOR_NPAGES * bench_page(); at += bytes) {
		const struct iovec remote = { from + at, bytes };
		const struct iovec local = { to + at, bytes };

		if (how == BY_ITSELF &&
		    process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0)
			bench_die("process_vm_readv");
		if (how == BY_DAEMON &&
		    (pread(memfd, buf, bytes, (off_t)(uintptr_t)(from + at)) <
			     0 ||
		     pwrite(memfd, buf, bytes, (off_t)(uintptr_t)(to + at)) <
			     0))
			bench_die("/proc/self/mem");
	}
}

static void measure_hand_over(const char *name, enum how how)
{
	struct bench b = { .name = name };
	unsigned char *mem, *to, *buf;
	int memfd;

	if (!bench_wants(b.name))
		return;
	mem = bench_map(FLOOR_NPAGES);
	to = bench_map(FLOOR_NPAGES);
	buf = bench_map(PIECE_NPAGES);
	memset(mem, 1, FLOOR_NPAGES * bench_page());
	memset(to, 1, FLOOR_NPAGES * bench_page());
	memfd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		hand_over(how, memfd, mem, to, buf);
		bench_add(&b, from, FLOOR_NPAGES);
	}
	close(memfd);
	bench_print(&b);
}

/* ---- looks ---- */

/* What a snapshot needs of the kernel: which pages are shared, which are the
 * zero page or part of a huge one. */
static void look(int pagemap, unsigned char *mem)
{
	static uint64_t word[CALL_NPAGES];
	static struct uhmm_page_region region[CALL_NPAGES];
	const size_t page = bench_page();
	struct uhmm_pm_scan_arg scan = {
		.size = sizeof(scan),
		.start = (uintptr_t)mem,
		.end = (uintptr_t)mem + CALL_NPAGES * page,
		.vec = (uintptr_t)region,
		.vec_len = CALL_NPAGES,
		.category_anyof_mask = UHMM_PAGE_IS_PFNZERO | UHMM_PAGE_IS_HUGE,
		.return_mask = UHMM_PAGE_IS_PFNZERO | UHMM_PAGE_IS_HUGE,
	};

	if (pread(pagemap, word, sizeof(word),
		  (off_t)((uintptr_t)mem / page * sizeof(word[0]))) < 0)
		bench_die("/proc/self/pagemap");
	if (ioctl(pagemap, UHMM_PAGEMAP_SCAN, &scan) < 0)
		bench_die("PAGEMAP_SCAN");
}

static void measure_look(void)
{
	struct bench b = { .name = "bare_look_1024p" };
	unsigned char *mem = bench_map(FLOOR_NPAGES);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct uhmm_pm_scan_arg none = { .size = sizeof(none) };

	if (!bench_wants(b.name) ||
	    ioctl(pagemap, UHMM_PAGEMAP_SCAN, &none) < 0) {
		close(pagemap);	/* before 6.7 there is none */
		return;
	}
	memset(mem, 1, FLOOR_NPAGES * bench_page());
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		for (size_t at = 0; at < FLOOR_NPAGES; at += CALL_NPAGES)
			look(pagemap, mem + at * bench_page());
		bench_add(&b, from, FLOOR_NPAGES);
	}
	close(pagemap);
	bench_print(&b);
}

void bench_steps(void)
{
	measure_call();
	measure_copies();
	measure_hand_over("bare_memcopy_128p", BY_DAEMON);
	measure_hand_over("bare_selfcopy_1024p", BY_ITSELF);
	measure_look();
}
