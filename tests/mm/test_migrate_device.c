/* SPDX-License-Identifier: MIT */
/* test_migrate_device.c - device pages chosen by number, from device to device,
 * and what happens when a device is full or goes: src/mm/migrate_device.c,
 * relocate.c, evict.c, pagemap.c
 */
#include <errno.h>

#include "mm/page.h"
#include "thp.h"

#define NPAGES 8
#define SYSTEM UHMM_MIGRATE_PFN_SYSTEM
#define COMPOUND ((uint64_t)UHMM_MIGRATE_PFN_COMPOUND)

static struct uhmm_migrate_device dev;
static uint64_t src[UHMM_MIGRATE_NPAGES_MAX], dst[UHMM_MIGRATE_NPAGES_MAX];

static uhmm_dpfn_t dpfn_at(uint64_t vpn)
{
	return uhmm_softleaf_to_dpfn(uhmm_mm_leaf(rig.m->mm, UHMM_VPN(vpn)));
}

static int range(uhmm_dpfn_t start, uint64_t npages)
{
	int err;

	dev = (struct uhmm_migrate_device){ .core = &rig.f.core, .start = start,
					    .npages = npages, .src = src,
					    .dst = dst };
	err = uhmm_migrate_device_range(&dev);
	fake_check(&rig.f);
	return err;
}

static void finish(void)
{
	uhmm_migrate_device_pages(&dev);
	fake_check(&rig.f);
	uhmm_migrate_device_finalize(&dev);
	fake_check_idle(&rig.f);
}

/* A free page of device @n, or 512 of them. */
static uint64_t page_of(unsigned int n, unsigned int order)
{
	uhmm_dpfn_t dpfn;

	unit_expect(!uhmm_pagemap_alloc(&rig.dev[n].pgmap, order, &dpfn));
	return uhmm_migrate_pfn(dpfn) | (order ? COMPOUND : 0);
}

static void map_on_device(uint64_t npages)
{
	fake_map(rig.m, RIG_VPN, npages, &fake_rw);
	fake_put(rig.m, RIG_VPN, npages, 1);
	rig_to_dev(0, rig.m, RIG_VPN, npages);
}

static bool is_on(unsigned int n, uint64_t vpn)
{
	return uhmm_pagemap_has(&rig.dev[n].pgmap,
				uhmm_mm_leaf(rig.m->mm, UHMM_VPN(vpn)));
}

/* ---- by number ---- */

/* Every other page; what is free or on its way is not there. */
START_TEST(test_migrate_device_range_some)
{
	struct fake_mm *child;
	uhmm_dpfn_t first;

	map_on_device(NPAGES);
	first = dpfn_at(RIG_VPN);
	child = fake_fork(rig.m);
	fake_put(rig.m, RIG_VPN + 3, 1, 4);
	fake_put(child, RIG_VPN + 3, 1, 4);
	ck_assert_int_eq(range(first, NPAGES + 4), 0);
	ck_assert_uint_eq(dev.cpages, NPAGES - 1);
	for (uint64_t i = 0; i < NPAGES + 4; i++) {
		bool there = i < NPAGES && i != 3;

		ck_assert_uint_eq(src[i],
				  there ? uhmm_migrate_pfn(UHMM_DPFN(
						  first.val + i)) | TRIP_GOES :
					  0);
		if (there && i % 2 == 0)
			dst[i] = SYSTEM;
	}
	finish();
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(!!(src[i] & TRIP_GOES), i % 2 == 0);
	ck_assert_uint_eq(rig_used(0), NPAGES / 2 - 1);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	fake_expect(child, RIG_VPN, NPAGES, 1);
}
END_TEST

START_TEST(test_migrate_device_range_refuses)
{
	uhmm_dpfn_t first = uhmm_pagemap_first(&rig.dev[0].pgmap);
	uint64_t end = uhmm_pagemap_end(&rig.dev[0].pgmap).val;

	ck_assert_int_eq(range(first, 0), -EINVAL);
	ck_assert_int_eq(range(first, UHMM_MIGRATE_NPAGES_MAX + 1), -EINVAL);
	ck_assert_int_eq(range(UHMM_DPFN(0), 1), -EINVAL);
	ck_assert_int_eq(range(UHMM_DPFN(end - 1), 2), -EINVAL);
	ck_assert_int_eq(range(UHMM_DPFN(end - 1), 1), 0);
	ck_assert_uint_eq(dev.cpages, 0);
	finish();
}
END_TEST

/* A give that fails leaves the page where it is, and says so. */
START_TEST(test_migrate_device_range_give_fails)
{
	map_on_device(NPAGES);
	ck_assert_int_eq(range(dpfn_at(RIG_VPN), NPAGES), 0);
	for (uint64_t i = 0; i < NPAGES; i++)
		dst[i] = SYSTEM;
	fake_fail_nth(&rig.f, FAKE_GIVE_PAGE, 3, -ENOMEM);
	finish();
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(!!(src[i] & TRIP_GOES), i != 2);
	ck_assert_uint_eq(rig_used(0), 1);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* ---- from device to device ---- */

static void (*meanwhile)(void);

static void nothing(void)
{
}

static void drop_two(void)
{
	fake_dontneed(rig.m, RIG_VPN, 2);
}

static void move_away(void)
{
	fake_remap(rig.m, RIG_VPN, RIG_VPN + 64, NPAGES, false);
	fake_remap(rig.m, RIG_VPN + 64, RIG_VPN, NPAGES, false);
}

static void fork_one(void)
{
	(void)fake_fork(rig.m);
}

static void unmap_all(void)
{
	fake_unmap(rig.m, RIG_VPN, NPAGES);
}

/* What the program does between two phases, and what it is left with. */
static const struct {
	void (*act)(void);
	uint64_t first;		/* page that still has its bytes */
} acts[] = {
	{ nothing, 0 }, { drop_two, 2 }, { move_away, 0 }, { fork_one, 0 },
	{ unmap_all, NPAGES },
};

/* All pages of the range to device 1, by place; @late: what happens meanwhile
 * happens before the last phase, not the second. */
static void to_other(bool late)
{
	static struct trip t;

	trip_init(&t, rig.m, RIG_VPN, NPAGES,
		  UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
	t.args.pgmap = NULL;
	ck_assert_int_eq(uhmm_migrate_vma_setup(&t.args), 0);
	ck_assert_uint_eq(t.args.cpages, NPAGES);
	for (uint64_t i = 0; i < NPAGES; i++)
		t.dst[i] = page_of(1, 0);
	if (!late)
		meanwhile();
	uhmm_migrate_vma_pages(&t.args);
	fake_check(&rig.f);
	if (late)
		meanwhile();
	uhmm_migrate_vma_finalize(&t.args);
	fake_check_idle(&rig.f);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(!!(t.src[i] & TRIP_GOES),
				 is_on(1, RIG_VPN + i));
}

START_TEST(test_device_to_device)
{
	size_t act = (size_t)_i / 2;

	map_on_device(NPAGES);
	meanwhile = acts[act].act;
	to_other(_i % 2);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig_used(1), NPAGES - acts[act].first);
	for (uint64_t i = acts[act].first; i < NPAGES; i++) {
		ck_assert(is_on(1, RIG_VPN + i));
		ck_assert_uint_eq(fake_get(rig.m, RIG_VPN + i), i + 1);
	}
}
END_TEST

/* Everybody who has the page follows it. */
START_TEST(test_device_to_device_of_shared_pages)
{
	struct fake_mm *child;

	map_on_device(NPAGES);
	child = fake_fork(rig.m);
	meanwhile = nothing;
	to_other(false);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig_used(1), NPAGES);
	fake_put(child, RIG_VPN, 1, 77);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	fake_expect(child, RIG_VPN + 1, NPAGES - 1, 2);
}
END_TEST

/* Its mirror does not know them any more, the other one's may use them. */
START_TEST(test_device_to_device_is_told)
{
	struct uhmm_file *other = rig_open(1, rig.m);

	map_on_device(NPAGES);
	meanwhile = nothing;
	to_other(false);
	RIG_SNAPSHOT_IS(other, RIG_VPN, NPAGES, 0x22);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0);
	rig_fill_buffer(NPAGES, 100);
	rig_ok(other, RIG_WRITE, RIG_VPN, NPAGES, 1);
	ck_assert_uint_eq(rig_used(1), NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 100);
	rig_close(other);
}
END_TEST

/* Where it cannot go it stays, and what it was to go to is free. */
START_TEST(test_device_to_device_refused)
{
	uhmm_dpfn_t there;

	map_on_device(1);
	ck_assert_int_eq(range(dpfn_at(RIG_VPN), 1), 0);
	ck_assert_int_eq(uhmm_pagemap_alloc(&rig.exclusive, 0, &there), 0);
	dst[0] = uhmm_migrate_pfn(there);
	finish();
	ck_assert_uint_eq(src[0] & TRIP_GOES, 0);
	ck_assert_uint_eq(uhmm_pagemap_used(&rig.exclusive), 0);
	ck_assert(is_on(0, RIG_VPN));
	fake_expect(rig.m, RIG_VPN, 1, 1);
}
END_TEST

/* A unit as one, as base pages, or as a base page's destination of its size. */
START_TEST(test_device_to_device_of_a_unit)
{
	unsigned int order = _i ? 0 : UHMM_UNIT_ORDER;

	map_away();
	ck_assert_int_eq(range(dpfn_at(HERE), N), 0);
	ck_assert_uint_eq(src[0] & COMPOUND, COMPOUND);
	ck_assert_uint_eq(src[1], 0);
	ck_assert_uint_eq(dev.cpages, N);
	for (uint64_t i = 0; i < (order ? 1 : N); i++)
		dst[i] = page_of(1, order);
	finish();
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig_used(1), N);
	ck_assert_int_eq(is_unit(rig.m, HERE), order == UHMM_UNIT_ORDER);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_device_to_device_of_a_unit_by_place)
{
	static struct trip t;

	map_away();
	trip_init(&t, rig.m, HERE, N,
		  UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			  UHMM_MIGRATE_VMA_SELECT_COMPOUND);
	t.args.pgmap = NULL;
	ck_assert_int_eq(uhmm_migrate_vma_setup(&t.args), 0);
	t.dst[0] = page_of(1, UHMM_UNIT_ORDER);
	trip_end(&t);
	ck_assert(is_unit(rig.m, HERE));
	ck_assert_uint_eq(rig_used(1), N);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_migrate_device_range_unit_for_a_base_page)
{
	map_on_device(1);
	ck_assert_int_eq(range(dpfn_at(RIG_VPN), 1), 0);
	dst[0] = page_of(1, UHMM_UNIT_ORDER);
	finish();
	ck_assert_uint_eq(rig_used(1), 0);
	ck_assert(is_on(0, RIG_VPN));
}
END_TEST

/* ---- a device that is full ---- */

/* What is new or was used is not the coldest. */
START_TEST(test_make_room_coldest_first)
{
	rig_down();
	rig_up_with(NPAGES, NULL);
	map_on_device(NPAGES);
	ck_assert_uint_eq(uhmm_pagemap_make_room(&rig.dev[0].pgmap, 2), 2);
	ck_assert(!is_on(0, RIG_VPN) && !is_on(0, RIG_VPN + 1));
	uhmm_device_private_mark_accessed(&rig.f.core, dpfn_at(RIG_VPN + 3));
	ck_assert_uint_eq(uhmm_pagemap_make_room(&rig.dev[0].pgmap, 4), 2);
	ck_assert(!is_on(0, RIG_VPN + 2) && !is_on(0, RIG_VPN + 4));
	ck_assert(is_on(0, RIG_VPN + 3));
	ck_assert_uint_eq(uhmm_pagemap_make_room(&rig.dev[0].pgmap, 4), 0);
	ck_assert_uint_eq(uhmm_pagemap_make_room(&rig.dev[0].pgmap, 100), 4);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* More than fits, and all of it goes; somebody touches what is on its way. */
static uint64_t seen;

static void touch(void *arg)
{
	(void)arg;
	ck_assert_int_eq(fake_cpu_read(rig.m, RIG_VPN, &seen), 0);
}

static void touch_meanwhile(void *arg)
{
	(void)arg;
	ck_assert(fake_task_start(&rig.f.tasks, touch, NULL));
}

START_TEST(test_make_room_and_a_fault)
{
	uint64_t all = 3 * NPAGES;
	int64_t moved = 0;

	rig_down();
	rig_up_with(NPAGES, NULL);
	fake_map(rig.m, RIG_VPN, all, &fake_rw);
	fake_put(rig.m, RIG_VPN, all, 1);
	fake_before(&rig.f, FAKE_GIVE, 1, touch_meanwhile, NULL);
	for (uint64_t i = 0; i < all; i += NPAGES / 2)
		moved += uhmm_migrate_to_dev(
			rig.m->mm,
			uhmm_range_of(UHMM_VPN(RIG_VPN + i), NPAGES / 2),
			&rig.dev[0].pgmap, UHMM_MIGRATE_VMA_MAKE_ROOM);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert_int_eq(moved, (int64_t)all);
	ck_assert_uint_eq(seen, 1);
	ck_assert_uint_eq(rig_used(0), NPAGES);
	ck_assert(is_on(0, RIG_VPN + all - 1));
	fake_expect(rig.m, RIG_VPN, all, 1);
}
END_TEST

/* What cannot be given back stays, and so does who wanted its place. */
START_TEST(test_make_room_give_fails)
{
	rig_down();
	rig_up_with(NPAGES, NULL);
	map_on_device(NPAGES);
	fake_map(rig.m, RIG_VPN + 64, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN + 64, NPAGES, 100);
	fake_fail(&rig.f, FAKE_GIVE, 1, 1000, -ENOMEM);
	ck_assert_int_eq(uhmm_migrate_to_dev(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN + 64), NPAGES),
				 &rig.dev[0].pgmap, UHMM_MIGRATE_VMA_MAKE_ROOM),
			 0);
	ck_assert_uint_eq(rig_used(0), NPAGES);
	fake_heal(&rig.f);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	fake_expect(rig.m, RIG_VPN + 64, NPAGES, 100);
}
END_TEST

START_TEST(test_make_room_takes_units_whole)
{
	map_away();
	ck_assert_uint_eq(uhmm_pagemap_make_room(&rig.dev[0].pgmap,
						 RIG_NPAGES - N + 1),
			  N);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), N);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* ---- a device that goes ---- */

/* All who have pages on it have them back; its numbers are nobody's. S1.2 */
START_TEST(test_memunmap_brings_all_back)
{
	struct uhmm_device_page page;
	struct fake_mm *child, *other = fake_start(&rig.f);
	uhmm_dpfn_t was;

	map_on_device(NPAGES);
	child = fake_fork(rig.m);
	fake_map(other, RIG_VPN, NPAGES, &fake_rw);
	fake_put(other, RIG_VPN, NPAGES, 50);
	rig_to_dev(0, other, RIG_VPN, NPAGES);
	was = dpfn_at(RIG_VPN);
	rig_close(rig.file);
	rig_to_dev(0, other, RIG_VPN, NPAGES);
	fake_fail(&rig.f, FAKE_GIVE, 1, 2, -ENOMEM);
	rig.dev[0].ops->stop(&rig.dev[0]);
	fake_check_idle(&rig.f);
	ck_assert_int_eq(uhmm_device_private_offset_to_page(&rig.f.core,
							    was.val, &page),
			 -ENXIO);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	fake_expect(other, RIG_VPN, NPAGES, 50);
	ck_assert_int_eq(rig.dev[0].ops->start(&rig.dev[0]), 0);
	rig.file = rig_open(0, rig.m);
}
END_TEST

/* ---- a device that is pulled out ---- */

static bool is_out;

static void unplug(void *arg)
{
	(void)arg;
	uhmm_pagemap_unplug(&rig.dev[0].pgmap);
	is_out = true;
}

static void start_unplugging(void *arg)
{
	is_out = false;
	ck_assert(fake_task_start(&rig.f.tasks, unplug, arg));
}

/* Opens stay, and their requests say what they say where there is no memory. */
START_TEST(test_unplug_brings_all_back)
{
	struct fake_mm *child;
	uhmm_dpfn_t dpfn, was;

	map_on_device(NPAGES);
	child = fake_fork(rig.m);
	was = dpfn_at(RIG_VPN);
	fake_fail(&rig.f, FAKE_GIVE, 1, 2, -ENOMEM);
	unplug(NULL);
	fake_check_idle(&rig.f);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_int_eq(uhmm_pagemap_alloc(&rig.dev[0].pgmap, 0, &dpfn),
			 -ENODEV);
	ck_assert_ptr_eq(uhmm_pagemap_of(&rig.f.core, was),
			 &rig.dev[0].pgmap);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES),
			 -ENOENT);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	unplug(NULL);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	/* and it is plugged in again */
	rig_close(rig.file);
	rig.dev[0].ops->stop(&rig.dev[0]);
	ck_assert_int_eq(rig.dev[0].ops->start(&rig.dev[0]), 0);
	rig.file = rig_open(0, rig.m);
	ck_assert_int_eq(uhmm_pagemap_alloc(&rig.dev[0].pgmap, 0, &dpfn), 0);
	uhmm_page_free(&rig.f.core.store, dpfn);
}
END_TEST

START_TEST(test_unplug_brings_units_back)
{
	map_away();
	unplug(NULL);
	fake_check_idle(&rig.f);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), N);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* Who has a page for it already is waited for, whatever it comes from. */
static const enum fake_op unplug_at[] = { FAKE_TAKE, FAKE_TAKE_PAGE, FAKE_ZAP };

START_TEST(test_unplug_while_pages_come)
{
	static struct trip t;

	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	fake_before(&rig.f, unplug_at[_i], 1, start_unplugging, NULL);
	trip_setup(&t, RIG_VPN, NPAGES, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	trip_alloc_all(&t);
	uhmm_migrate_vma_pages(&t.args);
	ck_assert(!is_out);
	uhmm_migrate_vma_finalize(&t.args);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert(is_out);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

START_TEST(test_unplug_while_pages_come_from_a_device)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	rig_to_dev(1, rig.m, RIG_VPN, NPAGES);
	ck_assert_int_eq(range(dpfn_at(RIG_VPN), NPAGES), 0);
	for (uint64_t i = 0; i < NPAGES; i++)
		dst[i] = page_of(0, 0);
	uhmm_migrate_device_pages(&dev);
	start_unplugging(NULL);
	ck_assert(!is_out);
	uhmm_migrate_device_finalize(&dev);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert(is_out);
	ck_assert_uint_eq(rig_used(0) + rig_used(1), 0);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

UNIT_RIG_MAIN("migrate_device", UNIT_TEST(test_migrate_device_range_some),
	      UNIT_TEST(test_migrate_device_range_refuses),
	      UNIT_TEST(test_migrate_device_range_give_fails),
	      UNIT_LOOP(test_device_to_device, 2 * (int)UNIT_COUNT(acts)),
	      UNIT_TEST(test_device_to_device_of_shared_pages),
	      UNIT_TEST(test_device_to_device_is_told),
	      UNIT_TEST(test_device_to_device_refused),
	      UNIT_LOOP(test_device_to_device_of_a_unit, 2),
	      UNIT_TEST(test_device_to_device_of_a_unit_by_place),
	      UNIT_TEST(test_migrate_device_range_unit_for_a_base_page),
	      UNIT_TEST(test_make_room_coldest_first),
	      UNIT_TEST(test_make_room_and_a_fault),
	      UNIT_TEST(test_make_room_give_fails),
	      UNIT_TEST(test_make_room_takes_units_whole),
	      UNIT_TEST(test_memunmap_brings_all_back),
	      UNIT_TEST(test_unplug_brings_all_back),
	      UNIT_TEST(test_unplug_brings_units_back),
	      UNIT_TABLE(test_unplug_while_pages_come, unplug_at),
	      UNIT_TEST(test_unplug_while_pages_come_from_a_device))
