/* SPDX-License-Identifier: MIT */
/* bench_fresh.c - processes that have no device open when they begin
 *
 * So this runs before the program itself opens one: a child of fork has what
 * its parent has.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "area.h"
#include "bench_device.h"

#define NPROCS_MAX 8
#define FAULT_NPAGES 2048

/* What parent and children share. */
struct board {
	_Atomic unsigned int ready;	/* children so far */
	int go_fd[2], done_fd[2];	/* pipes: a byte for each child */
	uint64_t from_ns[NPROCS_MAX], to_ns[NPROCS_MAX];
	double ns;			/* of an attach */
};

static struct board *make_board(void)
{
	struct board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		bench_die("mmap");
	return b;
}

static pid_t child(void (*body)(struct board *b), struct board *b)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_die("fork");
	if (pid)
		return pid;
	body(b);
	_exit(0);
}

static void reap(unsigned int n)
{
	int status;

	for (unsigned int i = 0; i < n; i++)
		if (wait(&status) < 0 || status)
			bench_die("a process of mine");
}

static void attach(struct board *b)
{
	uint64_t from = bench_now_ns();
	int fd = area_open_device(0);

	b->ns = (double)(bench_now_ns() - from);
	close(fd);
}

static void measure_attach(void)
{
	struct bench b = { .name = "attach", .unit = "call" };
	struct board *board = make_board();

	if (bench_wants(b.name)) {
		for (unsigned int i = 0; i < bench_options.times; i++) {
			bench_yardstick(&b);
			child(attach, board);
			reap(1);
			bench_add_ns(&b, board->ns);
		}
	}
	bench_print(&b);
	munmap(board, sizeof(*board));
}

/* Once per round: pages to the device, then all of them are touched. Between
 * rounds one sleeps: nobody's waiting disturbs another's work. */
static void fault_in_rounds(struct board *b)
{
	unsigned int me = atomic_fetch_add(&b->ready, 1);
	struct area a;
	char go;

	area_init(&a, area_open_device(0), FAULT_NPAGES);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		area_command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, 0, FAULT_NPAGES);
		if (write(b->done_fd[1], "", 1) != 1 ||
		    read(b->go_fd[0], &go, 1) != 1)
			bench_die("pipe");
		b->from_ns[me] = bench_now_ns();
		area_touch(&a, 0, FAULT_NPAGES, true);
		b->to_ns[me] = bench_now_ns();
		if (write(b->done_fd[1], "", 1) != 1)
			bench_die("pipe");
	}
}

static void collect(const struct board *b, unsigned int n)
{
	char done;

	while (n--)
		if (read(b->done_fd[0], &done, 1) != 1)
			bench_die("pipe");
}

/* From the first one's begin to the last one's end. */
static uint64_t span_ns(const struct board *b, unsigned int n)
{
	uint64_t from = UINT64_MAX, to = 0;

	for (unsigned int i = 0; i < n; i++) {
		from = b->from_ns[i] < from ? b->from_ns[i] : from;
		to = b->to_ns[i] > to ? b->to_ns[i] : to;
	}
	return to - from;
}

static void run_rounds(struct bench *b, const struct board *board,
		       unsigned int n)
{
	static const char go[NPROCS_MAX];

	for (unsigned int i = 0; i < bench_options.times; i++) {
		collect(board, n);
		bench_yardstick(b);
		if (write(board->go_fd[1], go, n) != (ssize_t)n)
			bench_die("pipe");
		collect(board, n);
		bench_add_ns(b, (double)span_ns(board, n) /
					(n * (double)FAULT_NPAGES));
	}
}

/* Faults of all @n processes together; the unit is one fault. */
static void measure_scale(const char *name, unsigned int n)
{
	struct bench b = { .name = name, .unit = "fault" };
	double copy[BENCH_SAMPLES_MAX];
	struct board *board;
	char extra[64];

	if (!bench_wants(name))
		return;
	board = make_board();
	if (pipe2(board->go_fd, O_CLOEXEC) || pipe2(board->done_fd, O_CLOEXEC))
		bench_die("pipe");
	for (unsigned int i = 0; i < n; i++)
		child(fault_in_rounds, board);
	run_rounds(&b, board, n);
	reap(n);
	for (unsigned int i = 0; i < b.n; i++)
		copy[i] = b.ns[i];
	snprintf(extra, sizeof(extra), ", \"faults_per_s\": %.0f",
		 1e9 / bench_median(copy, b.n));
	b.extra = extra;
	bench_print(&b);
	for (int i = 0; i < 2; i++) {
		close(board->go_fd[i]);
		close(board->done_fd[i]);
	}
	munmap(board, sizeof(*board));
}

void bench_fresh(void)
{
	measure_attach();
	measure_scale("scale_procs_1", 1);
	measure_scale("scale_procs_2", 2);
	measure_scale("scale_procs_4", 4);
	measure_scale("scale_procs_8", NPROCS_MAX);
}
