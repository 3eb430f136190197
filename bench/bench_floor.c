/* SPDX-License-Identifier: MIT */
/* bench_floor.c - what the kernel alone costs: the floors of our figures
 *
 * Minimal handlers of page faults in another process, which do nothing but
 * answer; the steps of everything else are in bench_steps.c and bench_moves.c.
 * Not run under uhmm.
 */
#include "bench_floor.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NPROCS_MAX 8

/* Any page of any content: what a handler answers with. */
static unsigned char *source;

/* ---- who serves a userfaultfd ---- */

/* The whole of a handler: sleep, read, answer. */
static void serve(int uffd)
{
	struct pollfd p = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;

	for (;;) {
		ssize_t n = read(uffd, &msg, sizeof(msg));

		if (n == (ssize_t)sizeof(msg))
			floor_copy(uffd, msg.arg.pagefault.address &
					   ~(uint64_t)(bench_page() - 1),
			     source, 1);
		else if (poll(&p, 1, -1) < 0)
			_exit(1);
	}
}

static pid_t start_handler(int uffd)
{
	pid_t pid = floor_fork();

	if (!pid)
		serve(uffd);
	return pid;
}

static void touch_all(unsigned char *mem)
{
	for (size_t i = 0; i < FLOOR_NPAGES; i++)
		((volatile unsigned char *)mem)[i * bench_page()] = 1;
}

/* Faults served by another process. */
static void measure_faults(const char *name, bool same_cpu)
{
	struct bench b = { .name = name };
	unsigned char *mem = bench_map(FLOOR_NPAGES);
	cpu_set_t before;
	pid_t pid;
	int uffd;

	if (!bench_wants(name))
		return;
	sched_getaffinity(0, sizeof(before), &before);
	if (same_cpu)
		floor_pin(sched_getcpu());
	uffd = floor_uffd(0);
	floor_trap(uffd, mem, FLOOR_NPAGES,
		   UFFDIO_REGISTER_MODE_MISSING);
	pid = start_handler(uffd);
	bench_serves(pid);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		madvise(mem, FLOOR_NPAGES * bench_page(), MADV_DONTNEED);
		bench_yardstick(&b);
		from = bench_now_ns();
		touch_all(mem);
		bench_add(&b, from, FLOOR_NPAGES);
	}
	bench_serves(0);
	floor_end(pid);
	close(uffd);
	sched_setaffinity(0, sizeof(before), &before);
	munmap(mem, FLOOR_NPAGES * bench_page());
	bench_print(&b);
}

/* ---- programs at once, each bound to a CPU with a handler beside it ---- */

struct board {
	int go_fd[2], done_fd[2];
	uint64_t from_ns[NPROCS_MAX], to_ns[NPROCS_MAX];
};

static void fault_in_rounds(struct board *b, unsigned int me)
{
	unsigned char *mem = bench_map(FLOOR_NPAGES);
	char go;
	pid_t pid;
	int uffd;

	floor_pin((int)(me % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN)));
	uffd = floor_uffd(0);
	floor_trap(uffd, mem, FLOOR_NPAGES,
		   UFFDIO_REGISTER_MODE_MISSING);
	pid = start_handler(uffd);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		madvise(mem, FLOOR_NPAGES * bench_page(), MADV_DONTNEED);
		if (write(b->done_fd[1], "", 1) != 1 ||
		    read(b->go_fd[0], &go, 1) != 1)
			bench_die("pipe");
		b->from_ns[me] = bench_now_ns();
		touch_all(mem);
		b->to_ns[me] = bench_now_ns();
		if (write(b->done_fd[1], "", 1) != 1)
			bench_die("pipe");
	}
	floor_end(pid);
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
		bench_add_ns(&b, span_ns(board, n) / (n * (double)FLOOR_NPAGES));
	}
	while (wait(NULL) > 0)
		;
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
	bench_steps();
	bench_moves();
	return 0;
}
