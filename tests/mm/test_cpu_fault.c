/* SPDX-License-Identifier: MIT */
/* test_cpu_fault.c - src/mm/cpu_fault.c: a CPU touches what is not there */
#include <uhmm/cpu_fault.h>

#include <errno.h>
#include <string.h>

#include <uhmm/range_fault.h>

#include "trip.h"

/* ---- what stands at a page, and what is there after a touch ---- */

static void be_present(void)
{
	fake_put(rig.m, RIG_VPN, 1, 7);
}

static void be_protected(void)
{
	struct trip t;

	be_present();
	trip_setup(&t, RIG_VPN, 1, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	fake_fail(&rig.f, FAKE_UNPROTECT, 1, 1, -ESRCH);
	trip_end(&t);
	rig_to_dev(0, rig.m, RIG_VPN + 1, 1);
	ck_assert(rig.m->pte[RIG_VPN].bits & UHMM_PTE_WP);
}

static void be_trapped_hole(void)
{
	rig_to_dev(0, rig.m, RIG_VPN, 2);
	fake_dontneed(rig.m, RIG_VPN, 1);
	ck_assert(fake_is_trapped(rig.m, RIG_VPN, 1));
}

static void be_on_device(void)
{
	be_present();
	rig_to_dev(0, rig.m, RIG_VPN, 1);
}

static void be_on_device_from_hole(void)
{
	rig_to_dev(0, rig.m, RIG_VPN, 1);
}

static void be_on_device_read_only(void)
{
	be_on_device();
	(void)fake_fork(rig.m);
}

static void be_on_device_1(void)
{
	be_present();
	rig_to_dev(1, rig.m, RIG_VPN, 1);
}

static void be_exclusive(void)
{
	be_present();
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN, 1, 0);
}

static void be_swapped(void)
{
	be_protected();
	fake_swap_out(rig.m, RIG_VPN, 1);
}

static const struct {
	const char *what;
	void (*be)(void);
	uint64_t value;
	bool stays_trapped;
} stands[] = {
	{ "present", be_present, 7, false },
	{ "protected", be_protected, 7, true },
	{ "trapped hole", be_trapped_hole, 0, true },
	{ "on the device", be_on_device, 7, false },
	{ "on the device, was a hole", be_on_device_from_hole, 0, false },
	{ "on the device, read-only", be_on_device_read_only, 7, true },
	{ "on the other device", be_on_device_1, 7, false },
	{ "exclusive", be_exclusive, 7, false },
	{ "swapped out and protected", be_swapped, 7, true },
};

START_TEST(test_cpu_fault_read)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	stands[_i].be();
	fake_expect(rig.m, RIG_VPN, 1, stands[_i].value);
	fake_check_idle(&rig.f);
	ck_assert_int_eq(fake_is_trapped(rig.m, RIG_VPN, 1),
			 stands[_i].stays_trapped);
}
END_TEST

START_TEST(test_cpu_fault_write)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	stands[_i].be();
	fake_put(rig.m, RIG_VPN, 1, 9);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, 1, 9);
	ck_assert(!(rig.m->pte[RIG_VPN].bits & UHMM_PTE_WP));
}
END_TEST

/* Whatever fails, the CPU comes through when it is over, and has its data. */
static const struct {
	enum fake_op op;
	int err;
} errors[] = {
	{ FAKE_SCAN, -ENOMEM },	       { FAKE_UNPROTECT, -EAGAIN },
	{ FAKE_GIVE_ZERO, -EAGAIN },   { FAKE_GIVE_ZERO, -ENOMEM },
	{ FAKE_GIVE_ZERO, -ENOENT },   { FAKE_GIVE, -ENOMEM },
	{ FAKE_GIVE_PAGE, -EAGAIN },   { FAKE_GIVE_PAGE, -ENOMEM },
	{ FAKE_GIVE_PAGE, -ENOENT },
};

START_TEST(test_cpu_fault_fails_for_a_while)
{
	size_t s = (size_t)_i % UNIT_COUNT(stands);
	size_t e = (size_t)_i / UNIT_COUNT(stands) % UNIT_COUNT(errors);
	bool for_long = (size_t)_i / UNIT_COUNT(stands) / UNIT_COUNT(errors);

	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	stands[s].be();
	fake_heal(&rig.f);
	fake_fail(&rig.f, errors[e].op, 1, for_long ? 200 : 1, errors[e].err);
	fake_expect(rig.m, RIG_VPN, 1, stands[s].value);
	fake_put(rig.m, RIG_VPN, 1, 9);
	fake_heal(&rig.f);
	fake_expect(rig.m, RIG_VPN, 1, 9);
	fake_check_idle(&rig.f);
}
END_TEST

/* A failure is told to the CPU, which asks again, and to nobody else. */
START_TEST(test_cpu_fault_of_memory_that_cannot_be_had)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_trapped_hole();
	fake_fail(&rig.f, FAKE_GIVE_ZERO, 1, UINT32_MAX, -ENOMEM);
	ck_assert_int_eq(uhmm_cpu_fault(rig.m->mm, UHMM_VPN(RIG_VPN), true), 0);
	ck_assert_uint_eq(rig.f.calls[FAKE_GIVE_ZERO], 1);
	ck_assert_uint_eq(rig.f.calls[FAKE_WAKE], 1);
}
END_TEST

START_TEST(test_cpu_fault_where_nothing_is)
{
	ck_assert_int_eq(uhmm_cpu_fault(rig.m->mm, UHMM_VPN(RIG_VPN), false),
			 0);
	ck_assert_uint_eq(rig.f.calls[FAKE_WAKE], 1);
}
END_TEST

START_TEST(test_cpu_fault_of_a_dead_mm)
{
	struct uhmm_mm *mm = rig.m->mm;

	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_on_device();
	uhmm_mm_get(mm);
	fake_exit(rig.m);
	ck_assert_int_eq(uhmm_cpu_fault(mm, UHMM_VPN(RIG_VPN), true), -ESRCH);
	ck_assert_int_eq(uhmm_cpu_fault_range(mm, uhmm_range_of(
							  UHMM_VPN(RIG_VPN),
							  1)),
			 -ESRCH);
	uhmm_mm_put(mm);
}
END_TEST

START_TEST(test_cpu_fault_range_brings_all_back)
{
	fake_map(rig.m, RIG_VPN, 1200, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1200, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 1100, 0);
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN + 1100, 50, 0);
	ck_assert_int_eq(uhmm_cpu_fault_range(
				 rig.m->mm, uhmm_range_of(UHMM_VPN(0),
							  FAKE_NPAGES)), 0);
	ck_assert_uint_eq(rig_used(0), 0);
	for (uint64_t i = 0; i < 1150; i++)
		ck_assert(fake_pte_bits(rig.m, RIG_VPN + i) & UHMM_PTE_PRESENT);
	fake_expect(rig.m, RIG_VPN, 1200, 1);
}
END_TEST

/* ---- who waits ---- */

static uint64_t got[2];
static int results[2];

static void read_it(void *arg)
{
	(void)arg;
	results[0] = fake_cpu_read(rig.m, RIG_VPN, &got[0]);
}

static void write_it(void *arg)
{
	(void)arg;
	results[1] = fake_cpu_write(rig.m, RIG_VPN, 9);
}

static void start_both(void *arg)
{
	(void)arg;
	fake_task_start(&rig.f.tasks, read_it, NULL);
	fake_task_start(&rig.f.tasks, write_it, NULL);
	results[0] = results[1] = -1;
}

static void expect_both_through(void)
{
	ck_assert_int_eq(results[0], -1);
	ck_assert_int_eq(results[1], -1);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert_int_eq(results[0], 0);
	ck_assert_int_eq(results[1], 0);
	ck_assert(got[0] == 7 || got[0] == 9);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, 1, 9);
}

/* A write waits until the page is on the device, then brings it back. A read
 * of a page that is still there need not wait. S1.9 */
START_TEST(test_cpu_fault_waits_for_a_page_on_its_way_out)
{
	static const enum fake_op at[] = { FAKE_TAKE, FAKE_TAKE_PAGE, FAKE_ZAP };
	struct trip t;

	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_present();
	fake_before(&rig.f, at[_i], 1, start_both, NULL);
	trip_setup(&t, RIG_VPN, 2, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	trip_alloc_all(&t);
	trip_end(&t);
	ck_assert_uint_eq(got[0], 7);
	results[0] = -1;
	fake_task_start(&rig.f.tasks, read_it, NULL);
	ck_assert_int_eq(results[0], 0);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert_int_eq(results[1], 0);
	fake_expect(rig.m, RIG_VPN, 1, 9);
	fake_check_idle(&rig.f);
}
END_TEST

/* S1.9 */
START_TEST(test_cpu_fault_waits_for_a_page_taken_and_not_landed)
{
	struct trip t;

	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_present();
	fake_after(&rig.f, FAKE_TAKE, 1, start_both, NULL);
	trip_setup(&t, RIG_VPN, 2, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	trip_alloc_all(&t);
	trip_end(&t);
	expect_both_through();
}
END_TEST

/* S1.9 */
START_TEST(test_cpu_fault_waits_for_a_page_on_its_way_back)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_on_device();
	fake_before(&rig.f, FAKE_GIVE_PAGE, 1, start_both, NULL);
	if (_i)
		fake_fail_nth(&rig.f, FAKE_GIVE_PAGE, 1, -ENOMEM);
	rig_to_ram(rig.m, RIG_VPN, 1);
	expect_both_through();
}
END_TEST

/* ---- so does a device that looks ---- */

static struct {
	struct uhmm_notifier notifier;
	uint64_t pfns[2];
	int result;		/* 1: not through */
	unsigned int tries;
} device;

static void forget(struct uhmm_notifier *n, struct uhmm_range r,
		   enum uhmm_notify_event event, const void *owner)
{
	(void)n;
	(void)r;
	(void)event;
	(void)owner;
}

static void look(void *arg)
{
	struct uhmm_range_fault range = {
		.notifier = &device.notifier,
		.range = device.notifier.range,
		.hmm_pfns = device.pfns,
		.default_flags = UHMM_HMM_PFN_REQ_FAULT,
	};

	(void)arg;
	do {
		device.tries++;
		range.notifier_seq =
			uhmm_notifier_read_begin(&device.notifier);
		device.result = uhmm_range_fault(&range);
	} while (device.result == -EBUSY);
}

static void start_looking(void *arg)
{
	device.result = 1;
	fake_task_start(&rig.f.tasks, look, arg);
}

/* Whichever way it goes: it waits, and finds the page. One that left and came
 * back meanwhile it has to look at again. S1.9 */
START_TEST(test_range_fault_waits_for_a_page_on_its_way)
{
	struct trip t;

	memset(&device, 0, sizeof(device));
	device.notifier.invalidate = forget;
	uhmm_notifier_insert(&device.notifier, rig.m->mm,
			     uhmm_range_of(UHMM_VPN(RIG_VPN), 2));
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_present();
	if (_i) {
		be_on_device();
		fake_before(&rig.f, FAKE_GIVE_PAGE, 1, start_looking, NULL);
		rig_to_ram(rig.m, RIG_VPN, 1);
	} else {
		fake_before(&rig.f, FAKE_TAKE, 1, start_looking, NULL);
		trip_setup(&t, RIG_VPN, 2, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
		trip_alloc_all(&t);
		trip_end(&t);
	}
	ck_assert_int_eq(device.result, 1);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert_int_eq(device.result, 0);
	ck_assert_uint_gt(device.tries, _i ? 0 : 1);
	ck_assert(device.pfns[0] & UHMM_HMM_PFN_VALID);
	ck_assert_uint_eq(rig_used(0), 0);
	uhmm_notifier_remove(&device.notifier);
	fake_expect(rig.m, RIG_VPN, 1, 7);
}
END_TEST

/* Who waits when the mm dies does not wait any more. */
static void die(void *arg)
{
	start_both(arg);
	fake_exit(rig.m);
}

START_TEST(test_cpu_fault_waiter_of_an_mm_that_dies)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_on_device();
	fake_before(&rig.f, FAKE_GIVE, 1, die, NULL);
	ck_assert_int_ge(uhmm_migrate_to_ram(
				 rig.file->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), 1), NULL),
			 0);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert_int_eq(results[0], -ESRCH);
	ck_assert_int_eq(results[1], -ESRCH);
}
END_TEST

/* While zeros are on their way into a hole it becomes something else. */
static void take_the_hole(void *arg)
{
	(void)arg;
	rig_to_dev(0, rig.m, RIG_VPN, 1);
}

static void map_over(void *arg)
{
	(void)arg;
	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1, 5);
}

static const struct {
	void (*event)(void *arg);
	uint64_t value;
} hole_events[] = {
	{ take_the_hole, 0 },
	{ map_over, 5 },
};

START_TEST(test_cpu_fault_hole_changes_meanwhile)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_trapped_hole();
	fake_before(&rig.f, FAKE_GIVE_ZERO, 1, hole_events[_i].event, NULL);
	fake_expect(rig.m, RIG_VPN, 1, hole_events[_i].value);
	fake_put(rig.m, RIG_VPN, 1, 6);
	fake_expect(rig.m, RIG_VPN, 1, 6);
	fake_check_idle(&rig.f);
}
END_TEST

/* A reader that waited finds a page that a fork protected while it did. */
START_TEST(test_cpu_fault_read_leaves_the_page_protected)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	be_present();
	(void)fake_fork(rig.m);
	ck_assert_int_eq(uhmm_cpu_fault(rig.m->mm, UHMM_VPN(RIG_VPN), false),
			 0);
	ck_assert(rig.m->pte[RIG_VPN].bits & UHMM_PTE_WP);
	ck_assert_int_eq(uhmm_cpu_fault(rig.m->mm, UHMM_VPN(RIG_VPN), true),
			 0);
	ck_assert(!(rig.m->pte[RIG_VPN].bits & UHMM_PTE_WP));
}
END_TEST

UNIT_RIG_MAIN("cpu_fault", UNIT_TABLE(test_cpu_fault_read, stands),
	      UNIT_TABLE(test_cpu_fault_write, stands),
	      UNIT_LOOP(test_cpu_fault_fails_for_a_while,
			(int)(2 * UNIT_COUNT(stands) * UNIT_COUNT(errors))),
	      UNIT_TEST(test_cpu_fault_of_memory_that_cannot_be_had),
	      UNIT_TEST(test_cpu_fault_where_nothing_is),
	      UNIT_TEST(test_cpu_fault_of_a_dead_mm),
	      UNIT_TEST(test_cpu_fault_range_brings_all_back),
	      UNIT_LOOP(test_cpu_fault_waits_for_a_page_on_its_way_out, 3),
	      UNIT_TEST(test_cpu_fault_waits_for_a_page_taken_and_not_landed),
	      UNIT_LOOP(test_cpu_fault_waits_for_a_page_on_its_way_back, 2),
	      UNIT_LOOP(test_range_fault_waits_for_a_page_on_its_way, 2),
	      UNIT_TEST(test_cpu_fault_waiter_of_an_mm_that_dies),
	      UNIT_TABLE(test_cpu_fault_hole_changes_meanwhile, hole_events),
	      UNIT_TEST(test_cpu_fault_read_leaves_the_page_protected))
