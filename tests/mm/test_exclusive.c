/* SPDX-License-Identifier: MIT */
/* test_exclusive.c - one takes pages for itself while others migrate them and
 * the program writes
 */
#include <errno.h>

#include <uhmm/exclusive.h>

#include "trip.h"

#define NPAGES 6
#define ROUNDS 30

static uint64_t expected[NPAGES];

static struct uhmm_range all_pages(void)
{
	return uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES);
}

/* And give them back, or the others would find nothing. */
static void make_exclusive(void *arg)
{
	uint64_t done;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int err = uhmm_make_device_exclusive(rig.m->mm, all_pages(),
						     &done);

		ck_assert(!err || err == -EBUSY);
		ck_assert_int_ge(uhmm_migrate_to_ram(rig.m->mm, all_pages(),
						     NULL), 0);
		fake_task_pause(&rig.f.tasks);
	}
}

static void migrate(void *arg)
{
	struct trip t;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t first = unit_below(&rig.f.random, NPAGES);

		trip_init(&t, rig.m, RIG_VPN + first,
			  1 + unit_below(&rig.f.random, NPAGES - first),
			  UHMM_MIGRATE_VMA_SELECT_SYSTEM);
		if (uhmm_migrate_vma_setup(&t.args))
			continue;
		/* or they stay where they are, and were on their way only */
		if (unit_below(&rig.f.random, 2))
			trip_alloc_all(&t);
		trip_end(&t);
	}
}

static void write_all(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < ROUNDS * NPAGES; i++) {
		uint64_t page = i % NPAGES, value;

		ck_assert_int_eq(fake_cpu_read(rig.m, RIG_VPN + page, &value),
				 0);
		ck_assert_uint_eq(value, expected[page]);
		expected[page] = i + 100;
		ck_assert_int_eq(fake_cpu_write(rig.m, RIG_VPN + page, i + 100),
				 0);
	}
}

/* S2.2, S2.7 */
START_TEST(test_exclusive_while_others_migrate)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	for (uint64_t i = 0; i < NPAGES; i++)
		expected[i] = 1 + i;
	rig.f.random = unit_random((uint64_t)_i + 1);
	rig.f.pause_one_in = 2 + (unsigned int)_i % 3;
	fake_task_start(&rig.f.tasks, write_all, NULL);
	fake_task_start(&rig.f.tasks, migrate, NULL);
	fake_task_start(&rig.f.tasks, make_exclusive, NULL);
	fake_task_start(&rig.f.tasks, migrate, NULL);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	rig.f.pause_one_in = 0;
	for (uint64_t i = 0; i < NPAGES; i++) {
		uint64_t value;

		ck_assert_int_eq(fake_cpu_read(rig.m, RIG_VPN + i, &value), 0);
		ck_assert_uint_eq(value, expected[i]);
	}
	fake_check_idle(&rig.f);
}
END_TEST

UNIT_RIG_MAIN("exclusive", UNIT_LOOP(test_exclusive_while_others_migrate, 60))
