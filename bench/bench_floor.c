/* SPDX-License-Identifier: MIT */
/* bench_floor.c - what the kernel alone costs: the floors of our figures
 *
 * Minimal handlers of page faults in another process, which do nothing but
 * answer, and the single steps a migration by copy is made of. Not run under
 * uhmm.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define NPAGES 4096
#define NPROCS_MAX 8

/* Any page of any content: what a handler answers with. */
static unsigned char *source;

/* ---- a userfaultfd and who serves it ---- */

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		fprintf(stderr, "bench: no floors: userfaultfd: %s\n",
			strerror(errno));
		exit(77);
	}
	if (ioctl(fd, UFFDIO_API, &api))
		bench_die("UFFDIO_API");
	return fd;
}

static void trap(int uffd, void *mem)
{
	struct uffdio_register r = {
		.range = { (uintptr_t)mem, NPAGES * bench_page() },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (ioctl(uffd, UFFDIO_REGISTER, &r))
		bench_die("UFFDIO_REGISTER");
}

static int64_t copy(int uffd, uint64_t to, const void *from, uint64_t npages)
{
	struct uffdio_copy c = { .dst = to, .src = (uintptr_t)from,
				 .len = npages * bench_page() };

	return ioctl(uffd, UFFDIO_COPY, &c) ? -errno : c.copy;
}

/* The whole of a handler: sleep, read, answer. */
static void serve(int uffd)
{
	struct pollfd p = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	for (;;) {
		ssize_t n = read(uffd, &msg, sizeof(msg));

		if (n == (ssize_t)sizeof(msg))
			copy(uffd, msg.arg.pagefault.address &
					   ~(uint64_t)(bench_page() - 1),
			     source, 1);
		else if (poll(&p, 1, -1) < 0)
			_exit(1);
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("sched_setaffinity");
}

static pid_t start_handler(int uffd)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_die("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	serve(uffd);
	_exit(0);
}

static void end_handler(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void touch_all(unsigned char *mem)
{
	for (size_t i = 0; i < NPAGES; i++)
		((volatile unsigned char *)mem)[i * bench_page()] = 1;
}

/* Faults served by another process. */
static void measure_faults(const char *name, bool same_cpu)
{
	struct bench b = { .name = name };
	unsigned char *mem = bench_map(NPAGES);
	cpu_set_t before;
	pid_t pid;
	int uffd;

	if (!bench_wants(name))
		return;
	sched_getaffinity(0, sizeof(before), &before);
	if (same_cpu)
		pin(sched_getcpu());
	uffd = open_uffd();
	trap(uffd, mem);
	pid = start_handler(uffd);
	bench_serves(pid);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		madvise(mem, NPAGES * bench_page(), MADV_DONTNEED);
		bench_yardstick(&b);
		from = bench_now_ns();
		touch_all(mem);
		bench_add(&b, from, NPAGES);
	}
	bench_serves(0);
	end_handler(pid);
	close(uffd);
	sched_setaffinity(0, sizeof(before), &before);
	munmap(mem, NPAGES * bench_page());
	bench_print(&b);
}

/* ---- programs at once, each bound to a CPU with a handler beside it ---- */

struct board {
	int go_fd[2], done_fd[2];
	uint64_t from_ns[NPROCS_MAX], to_ns[NPROCS_MAX];
};

static void fault_in_rounds(struct board *b, unsigned int me)
{
	unsigned char *mem = bench_map(NPAGES);
	char go;
	pid_t pid;
	int uffd;

	pin((int)(me % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN)));
	uffd = open_uffd();
	trap(uffd, mem);
	pid = start_handler(uffd);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		madvise(mem, NPAGES * bench_page(), MADV_DONTNEED);
		if (write(b->done_fd[1], "", 1) != 1 ||
		    read(b->go_fd[0], &go, 1) != 1)
			bench_die("pipe");
		b->from_ns[me] = bench_now_ns();
		touch_all(mem);
		b->to_ns[me] = bench_now_ns();
		if (write(b->done_fd[1], "", 1) != 1)
			bench_die("pipe");
	}
	end_handler(pid);
	_exit(0);
}

static void collect(const struct board *b, unsigned int n)
{
	char done;

	while (n--)
		if (read(b->done_fd[0], &done, 1) != 1)
			bench_die("pipe");
}

static double span_ns(const struct board *b, unsigned int n)
{
	uint64_t from = UINT64_MAX, to = 0;

	for (unsigned int i = 0; i < n; i++) {
		from = b->from_ns[i] < from ? b->from_ns[i] : from;
		to = b->to_ns[i] > to ? b->to_ns[i] : to;
	}
	return (double)(to - from);
}

static void measure_scale(const char *name, unsigned int n)
{
	static const char go[NPROCS_MAX];
	struct bench b = { .name = name, .unit = "fault" };
	struct board *board = mmap(NULL, sizeof(*board),
				   PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (!bench_wants(name) || board == MAP_FAILED)
		return;
	if (pipe2(board->go_fd, O_CLOEXEC) || pipe2(board->done_fd, O_CLOEXEC))
		bench_die("pipe");
	for (unsigned int i = 0; i < n; i++)
		if (fork() == 0)
			fault_in_rounds(board, i);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		collect(board, n);
		bench_yardstick(&b);
		if (write(board->go_fd[1], go, n) != (ssize_t)n)
			bench_die("pipe");
		collect(board, n);
		bench_add_ns(&b, span_ns(board, n) / (n * (double)NPAGES));
	}
	while (wait(NULL) > 0)
		;
	bench_print(&b);
}

/* ---- the steps of a migration by copy ---- */

static void measure_steps(void)
{
	struct bench in = { .name = "bare_copy_bulk" };
	struct bench drop = { .name = "bare_drop_bulk" };
	struct bench out = { .name = "bare_memread_bulk" };
	struct bench back = { .name = "bare_memwrite_bulk" };
	unsigned char *mem = bench_map(NPAGES), *to = bench_map(NPAGES);
	int uffd, memfd;

	if (!bench_wants(in.name) && !bench_wants(drop.name) &&
	    !bench_wants(out.name) && !bench_wants(back.name))
		return;
	memfd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uffd = open_uffd();
	trap(uffd, mem);
	memset(to, 1, NPAGES * bench_page());
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&in);
		from = bench_now_ns();
		if (copy(uffd, (uintptr_t)mem, to, NPAGES) < 0)
			bench_die("UFFDIO_COPY");
		bench_add(&in, from, NPAGES);
		bench_yardstick(&out);
		from = bench_now_ns();
		if (pread(memfd, to, NPAGES * bench_page(),
			  (off_t)(uintptr_t)mem) < 0)
			bench_die("/proc/self/mem");
		bench_add(&out, from, NPAGES);
		bench_yardstick(&back);
		from = bench_now_ns();
		if (pwrite(memfd, to, NPAGES * bench_page(),
			   (off_t)(uintptr_t)mem) < 0)
			bench_die("/proc/self/mem");
		bench_add(&back, from, NPAGES);
		bench_yardstick(&drop);
		from = bench_now_ns();
		madvise(mem, NPAGES * bench_page(), MADV_DONTNEED);
		bench_add(&drop, from, NPAGES);
	}
	close(uffd);
	close(memfd);
	bench_print(&in);
	bench_print(&out);
	bench_print(&back);
	bench_print(&drop);
}

/* ---- data handed over: from a program's memory to its buffer ---- */

#define PIECE_NPAGES 128

static void hand_over(int memfd, const unsigned char *from,
		      const unsigned char *to, void *buf)
{
	size_t bytes = PIECE_NPAGES * bench_page();

	for (size_t at = 0; at < NPAGES * bench_page(); at += bytes)
		if (pread(memfd, buf, bytes, (off_t)(uintptr_t)(from + at)) <
			    0 ||
		    pwrite(memfd, buf, bytes, (off_t)(uintptr_t)(to + at)) < 0)
			bench_die("/proc/self/mem");
}

/* As the daemon does it, by the program's mem descriptor. */
static void measure_hand_over(void)
{
	struct bench b = { .name = "bare_memcopy_128p" };
	unsigned char *mem, *to, *buf;
	int memfd;

	if (!bench_wants(b.name))
		return;
	mem = bench_map(NPAGES);
	to = bench_map(NPAGES);
	buf = bench_map(PIECE_NPAGES);
	memset(mem, 1, NPAGES * bench_page());
	memset(to, 1, NPAGES * bench_page());
	memfd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		hand_over(memfd, mem, to, buf);
		bench_add(&b, from, NPAGES);
	}
	close(memfd);
	bench_print(&b);
}

/* ---- plain memory ---- */

static void measure_touch(void)
{
	struct bench b = { .name = "first_touch" };

	for (unsigned int i = 0; i < bench_options.times * 3; i++) {
		bench_yardstick(&b);
		bench_add_ns(&b, b.touch_ns[b.n]);
	}
	bench_print(&b);
}

static void measure_memcpy(void)
{
	struct bench b = { .name = "memcpy" };
	size_t bytes = (size_t)16384 * bench_page();
	unsigned char *from_mem = bench_map(16384), *to = bench_map(16384);

	if (!bench_wants(b.name))
		return;
	memset(from_mem, 1, bytes);
	memset(to, 2, bytes);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		memcpy(to, from_mem, bytes);
		bench_add(&b, from, 16384);
	}
	bench_print(&b);
}

int main(int argc, char **argv)
{
	if (bench_parse(argc, argv) != argc)
		return 2;
	source = bench_map(1);
	memset(source, 1, bench_page());
	measure_touch();
	measure_memcpy();
	measure_faults("bare_uffd_poll", false);
	measure_faults("bare_uffd_samecpu", true);
	measure_scale("bare_scale_1", 1);
	measure_scale("bare_scale_2", 2);
	measure_steps();
	measure_hand_over();
	return 0;
}
