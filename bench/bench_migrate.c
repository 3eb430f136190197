/* SPDX-License-Identifier: MIT */
/* bench_migrate.c - pages and units to the device and back */
#include "area.h"
#include "bench_device.h"

/* 64 MiB, the range of a "whole" call. */
#define ALL_NPAGES 16384
#define UNIT_NPAGES 512
#define NUNITS 16

/** To the device and back in calls of some size. */
struct trip {
	const char *to_dev, *to_sys;
	uint64_t npages, step;
};

static void measure_trip(int fd, const struct trip *t)
{
	struct bench out = { .name = t->to_dev }, back = { .name = t->to_sys };
	struct area a;
	uint64_t from;

	if (!bench_wants(t->to_dev) && !bench_wants(t->to_sys))
		return;
	area_init(&a, fd, t->npages);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		bench_yardstick(&out);
		from = bench_now_ns();
		area_in_steps(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, t->step);
		bench_add(&out, from, t->npages);
		bench_yardstick(&back);
		from = bench_now_ns();
		area_in_steps(&a, UHMM_DMIRROR_MIGRATE_TO_SYS, t->step);
		bench_add(&back, from, t->npages);
	}
	area_fini(&a);
	bench_print(&out);
	bench_print(&back);
}

static void measure_fault(int fd, const char *name, bool write)
{
	struct bench b = { .name = name };
	struct area a;
	uint64_t from;

	if (!bench_wants(name))
		return;
	area_init(&a, fd, 4096);
	for (unsigned int i = 0; i < bench_options.times; i++) {
		area_command(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, 0, a.npages);
		bench_yardstick(&b);
		from = bench_now_ns();
		area_touch(&a, 0, a.npages, write);
		bench_add(&b, from, a.npages);
	}
	area_fini(&a);
	bench_print(&b);
}

/* One CPU fault for a whole unit, or as many as it takes: every page is
 * touched. */
static void measure_unit_faults(int fd)
{
	struct bench b = { .name = "thp_fault_back", .unit = "unit" };
	struct area a;
	uint64_t from;

	if (!bench_wants(b.name))
		return;
	for (unsigned int i = 0; i < bench_options.times; i++) {
		area_init_huge(&a, fd, NUNITS, UNIT_NPAGES);
		area_in_steps(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, UNIT_NPAGES);
		bench_yardstick(&b);
		from = bench_now_ns();
		area_touch(&a, 0, a.npages, false);
		bench_add(&b, from, NUNITS);
		area_fini(&a);
	}
	bench_print(&b);
}

static void measure_units(int fd)
{
	struct bench out = { .name = "thp_to_dev", .unit = "unit" };
	struct bench back = { .name = "thp_to_sys", .unit = "unit" };
	struct area a;
	uint64_t from;

	if (!bench_wants(out.name) && !bench_wants(back.name))
		return;
	for (unsigned int i = 0; i < bench_options.times; i++) {
		area_init_huge(&a, fd, NUNITS, UNIT_NPAGES);
		bench_yardstick(&out);
		from = bench_now_ns();
		area_in_steps(&a, UHMM_DMIRROR_MIGRATE_TO_DEV, UNIT_NPAGES);
		bench_add(&out, from, NUNITS);
		bench_yardstick(&back);
		from = bench_now_ns();
		area_in_steps(&a, UHMM_DMIRROR_MIGRATE_TO_SYS, UNIT_NPAGES);
		bench_add(&back, from, NUNITS);
		area_fini(&a);
	}
	bench_print(&out);
	bench_print(&back);
}

void bench_migrate(int fd)
{
	static const struct trip trips[] = {
		{ "to_dev_all", "to_sys_all", ALL_NPAGES, ALL_NPAGES },
		{ "to_dev_1024p", "to_sys_1024p", 4096, 1024 },
		{ "to_dev_64p", "to_sys_64p", 1024, 64 },
		{ "to_dev_1p", "to_sys_1p", 256, 1 },
	};

	for (unsigned int i = 0; i < sizeof(trips) / sizeof(trips[0]); i++)
		measure_trip(fd, &trips[i]);
	measure_fault(fd, "fault_back_read", false);
	measure_fault(fd, "fault_back_write", true);
	measure_units(fd);
	measure_unit_faults(fd);
}
