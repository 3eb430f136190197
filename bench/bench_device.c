/* SPDX-License-Identifier: MIT */
/* bench_device.c - what the device's commands and CPU faults cost
 *
 * An ordinary program: run it under `uhmm run`, or on a kernel that has the
 * device. Figures and their names: README, "bench".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uhmm/hmm_ioctl.h>

#include "bench.h"

static size_t page;
static unsigned int times = 7;
static uint64_t all_npages = 16384;	/* 64 MiB */

/* The range that is measured, and the buffer of the commands. */
struct area {
	int fd;
	unsigned char *mem, *buf;
	uint64_t npages;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned char *map(uint64_t npages)
{
	unsigned char *p = mmap(NULL, npages * page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("bench: mmap");
	madvise(p, npages * page, MADV_NOHUGEPAGE);
	return p;
}

static void fill(const struct area *a)
{
	for (uint64_t i = 0; i < a->npages; i++)
		a->mem[i * page] = (unsigned char)i;
}

static void area_init(struct area *a, int fd, uint64_t npages)
{
	a->fd = fd;
	a->npages = npages;
	a->mem = map(npages);
	a->buf = map(npages);
	memset(a->buf, 1, npages * page);
	fill(a);
}

static void area_fini(struct area *a)
{
	munmap(a->mem, a->npages * page);
	munmap(a->buf, a->npages * page);
}

/* @npages pages of @a from page @at on. */
static void command(const struct area *a, unsigned long nr, uint64_t at,
		    uint64_t npages)
{
	struct uhmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)a->mem + at * page,
		.ptr = (uintptr_t)a->buf,
		.npages = npages,
	};

	if (ioctl(a->fd, nr, &cmd))
		die("bench: ioctl");
}

/* The whole area in calls of @step pages. */
static void in_steps(const struct area *a, unsigned long nr, uint64_t step)
{
	for (uint64_t at = 0; at < a->npages; at += step)
		command(a, nr, at, step);
}

/* To the device and back, in calls of @step pages. */
static void bench_migrate(int fd, uint64_t npages, uint64_t step,
			  const char *to_dev, const char *to_sys)
{
	struct bench out = { .name = to_dev }, back = { .name = to_sys };
	struct area a;
	uint64_t from;

	area_init(&a, fd, npages);
	for (unsigned int i = 0; i < times; i++) {
		from = bench_now_ns();
		in_steps(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, step);
		bench_add(&out, from, npages);
		from = bench_now_ns();
		in_steps(&a, UHMM_DMIRROR_MIGRATE_TO_SYS, step);
		bench_add(&back, from, npages);
	}
	area_fini(&a);
	bench_print(&out);
	if (to_sys)
		bench_print(&back);
}

static void bench_fault(int fd, const char *name, int write)
{
	struct bench b = { .name = name };
	struct area a;
	uint64_t from;

	area_init(&a, fd, 4096);
	for (unsigned int i = 0; i < times; i++) {
		command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, 0, a.npages);
		from = bench_now_ns();
		for (uint64_t k = 0; k < a.npages; k++) {
			volatile unsigned char *p = &a.mem[k * page];

			if (write)
				*p = 1;
			else
				(void)*p;
		}
		bench_add(&b, from, a.npages);
	}
	area_fini(&a);
	bench_print(&b);
}

/* One command on 1024 pages that are in system memory or on the device. */
static void bench_command(int fd, const char *name, unsigned long nr,
			  int on_device)
{
	struct bench b = { .name = name };
	struct area a;
	uint64_t from;

	area_init(&a, fd, 1024);
	if (on_device)
		command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, 0, a.npages);
	for (unsigned int i = 0; i < times * 3; i++) {
		from = bench_now_ns();
		command(&a, nr, 0, a.npages);
		bench_add(&b, from, a.npages);
	}
	area_fini(&a);
	bench_print(&b);
}

static void bench_memcpy(void)
{
	struct bench b = { .name = "memcpy" };
	unsigned char *from_mem = map(all_npages), *to = map(all_npages);
	uint64_t from;

	memset(from_mem, 1, all_npages * page);
	memset(to, 2, all_npages * page);
	for (unsigned int i = 0; i < times; i++) {
		from = bench_now_ns();
		memcpy(to, from_mem, all_npages * page);
		bench_add(&b, from, all_npages);
	}
	munmap(from_mem, all_npages * page);
	munmap(to, all_npages * page);
	bench_print(&b);
}

static void bench_open_close(void)
{
	struct bench b = { .name = "open_close", .unit = "call" };

	for (unsigned int i = 0; i < times; i++) {
		uint64_t from = bench_now_ns();

		for (int k = 0; k < 100; k++)
			close(open("/dev/hmm_dmirror1", O_RDWR));
		bench_add(&b, from, 100);
	}
	bench_print(&b);
}

static int attach(void)
{
	struct bench b = { .name = "attach", .unit = "call" };
	uint64_t from = bench_now_ns();
	int fd = open("/dev/hmm_dmirror0", O_RDWR);

	if (fd < 0)
		die("bench: /dev/hmm_dmirror0 (run me under uhmm run)");
	bench_add(&b, from, 1);
	bench_print(&b);
	return fd;
}

static void print_first_touch(void)
{
	struct bench b = { .name = "first_touch", .n = 1 };

	b.ns[0] = bench_first_touch_ns();
	bench_print(&b);
}

int main(int argc, char **argv)
{
	int fd;

	page = (size_t)sysconf(_SC_PAGESIZE);
	if (argc > 1 && !strcmp(argv[1], "--quick"))
		times = 3;
	fd = attach();
	print_first_touch();
	bench_memcpy();
	bench_migrate(fd, all_npages, all_npages, "to_dev_all", "to_sys_all");
	bench_migrate(fd, 1024, 1024, "to_dev_1024p", NULL);
	bench_migrate(fd, 1024, 64, "to_dev_64p", "to_sys_64p");
	bench_migrate(fd, 128, 1, "to_dev_1p", "to_sys_1p");
	bench_fault(fd, "fault_back_read", 0);
	bench_fault(fd, "fault_back_write", 1);
	bench_command(fd, "read_sys_1024p", UHMM_DMIRROR_READ, 0);
	bench_command(fd, "read_dev_1024p", UHMM_DMIRROR_READ, 1);
	bench_command(fd, "write_sys_1024p", UHMM_DMIRROR_WRITE, 0);
	bench_command(fd, "write_dev_1024p", UHMM_DMIRROR_WRITE, 1);
	bench_command(fd, "snapshot_sys", UHMM_DMIRROR_SNAPSHOT, 0);
	bench_command(fd, "snapshot_dev", UHMM_DMIRROR_SNAPSHOT, 1);
	bench_open_close();
	close(fd);
	return 0;
}
