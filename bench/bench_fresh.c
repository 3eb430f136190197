/* SPDX-License-Identifier: MIT */
/* bench_fresh.c - processes that have no device open when they begin
 *
 * So this runs before the program itself opens one: a child of fork has what
 * its parent has.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "area.h"
#include "bench_device.h"

#define NPROCS_MAX 8
#define FAULT_NPAGES 2048

/* What parent and children share. */
struct board {
	_Atomic unsigned int ready, done;
	_Atomic unsigned int round;	/* children go when it changes */
	double ns;
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

static void wait_for(const _Atomic unsigned int *what, unsigned int n)
{
	while (atomic_load(what) < n)
		usleep(100);
}

/* Once per round: pages to the device, then all of them are touched. */
static void fault_in_rounds(struct board *b)
{
	struct area a;

	area_init(&a, area_open_device(0), FAULT_NPAGES);
	for (unsigned int i = 1; i <= bench_options.times; i++) {
		area_command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, 0, FAULT_NPAGES);
		atomic_fetch_add(&b->ready, 1);
		wait_for(&b->round, i);
		area_touch(&a, 0, FAULT_NPAGES, true);
		atomic_fetch_add(&b->done, 1);
	}
}

static void run_rounds(struct bench *b, struct board *board, unsigned int n)
{
	for (unsigned int i = 1; i <= bench_options.times; i++) {
		uint64_t from;

		wait_for(&board->ready, i * n);
		bench_yardstick(b);
		from = bench_now_ns();
		atomic_store(&board->round, i);
		while (atomic_load(&board->done) < i * n)
			usleep(50);
		bench_add(b, from, (uint64_t)n * FAULT_NPAGES);
	}
}

/* Faults of all @n processes together; the unit is one fault. */
static void measure_scale(const char *name, unsigned int n)
{
	struct bench b = { .name = name, .unit = "fault" };
	struct board *board = make_board();
	double copy[BENCH_SAMPLES_MAX];
	char extra[64];

	if (!bench_wants(name))
		return;
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
