/* SPDX-License-Identifier: MIT */
/* bench_commands.c - READ, WRITE, SNAPSHOT, EXCLUSIVE, opening */
#include <sys/mman.h>
#include <unistd.h>

#include "area.h"
#include "bench_device.h"

#define NPAGES 1024

/* Where the pages are that a command works on. */
enum where { NOWHERE, IN_SYSTEM, ON_DEVICE };

struct command {
	const char *name;
	unsigned long nr;
	enum where where;
};

static void measure(int fd, const struct command *c)
{
	struct bench b = { .name = c->name };
	struct area a;
	uint64_t from;

	if (!bench_wants(c->name))
		return;
	area_init(&a, fd, NPAGES);
	if (c->where == NOWHERE)
		madvise(a.mem, NPAGES * bench_page(), MADV_DONTNEED);
	if (c->where == ON_DEVICE)
		area_command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, 0, NPAGES);
	for (unsigned int i = 0; i < bench_options.times * 3; i++) {
		bench_yardstick(&b);
		from = bench_now_ns();
		area_command(&a, c->nr, 0, NPAGES);
		bench_add(&b, from, NPAGES);
	}
	area_fini(&a);
	bench_print(&b);
}

/** Pages taken for the device alone, then touched by the CPU. */
struct exclusive {
	const char *take, *revoke;	/* figures; NULL: not one */
	uint64_t npages, step;
	bool write;
};

static void measure_exclusive(int fd, const struct exclusive *e)
{
	struct bench out = { .name = e->take }, back = { .name = e->revoke };
	struct area a;
	uint64_t from;

	if (!bench_wants(e->take) && !bench_wants(e->revoke))
		return;
	area_init(&a, fd, e->npages);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		bench_yardstick(&out);
		from = bench_now_ns();
		area_in_steps(&a, UHMM_DMIRROR_EXCLUSIVE, e->step);
		bench_add(&out, from, a.npages);
		bench_yardstick(&back);
		from = bench_now_ns();
		area_touch(&a, 0, a.npages, e->write);
		bench_add(&back, from, a.npages);
	}
	area_fini(&a);
	bench_print(&out);
	bench_print(&back);
}

static void measure_open(void)
{
	struct bench b = { .name = "open_close", .unit = "call" };

	if (!bench_wants(b.name))
		return;
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t from;

		bench_yardstick(&b);
		from = bench_now_ns();
		for (int k = 0; k < 100; k++)
			close(area_open_device(1));
		bench_add(&b, from, 100);
	}
	bench_print(&b);
}

void bench_commands(int fd)
{
	static const struct command commands[] = {
		{ "read_sys_1024p", UHMM_DMIRROR_READ, IN_SYSTEM },
		{ "read_dev_1024p", UHMM_DMIRROR_READ, ON_DEVICE },
		{ "write_sys_1024p", UHMM_DMIRROR_WRITE, IN_SYSTEM },
		{ "write_dev_1024p", UHMM_DMIRROR_WRITE, ON_DEVICE },
		{ "snapshot_none", UHMM_DMIRROR_SNAPSHOT, NOWHERE },
		{ "snapshot_sys", UHMM_DMIRROR_SNAPSHOT, IN_SYSTEM },
		{ "snapshot_dev", UHMM_DMIRROR_SNAPSHOT, ON_DEVICE },
	};
	static const struct exclusive sets[] = {
		{ "exclusive_1024p", "revoke_read", NPAGES, NPAGES, false },
		{ NULL, "revoke_write", NPAGES, NPAGES, true },
		{ "exclusive_1p", NULL, 256, 1, false },
	};

	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]);
	     i++)
		measure(fd, &commands[i]);
	for (unsigned int i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		measure_exclusive(fd, &sets[i]);
	measure_open();
}
