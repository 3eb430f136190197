/* SPDX-License-Identifier: MIT */
/* test_thp.c - PMD-sized units: src/mm/unit.c, migrate_unit.c and what the test
 * device makes of them (S3, spec 2.6, 2.8, 4.1, 4.4)
 */
#include <errno.h>
#include <string.h>

#include "mm/page.h"
#include "thp.h"

#define COMPOUND ((uint64_t)UHMM_MIGRATE_PFN_COMPOUND)
#define TO_DEVICE \
	(UHMM_MIGRATE_VMA_SELECT_SYSTEM | UHMM_MIGRATE_VMA_SELECT_COMPOUND)
#define TO_SYSTEM \
	(UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE | \
	 UHMM_MIGRATE_VMA_SELECT_COMPOUND)

/* ---- what is a unit ---- */

static void kind_huge(void)
{
	map_huge();
}

static void kind_huge_read_only(void)
{
	map_huge();
	fake_protect(rig.m, 0, 3 * N, &fake_ro);
}

static void kind_hole(void)
{
	map_all(&fake_rw);
}

static void kind_hole_read_only(void)
{
	map_all(&fake_ro);
}

static void kind_huge_zero(void)
{
	map_all(&fake_rw);
	fake_set_huge_zero(rig.m, HERE);
}

static void kind_forked(void)
{
	map_huge();
	fake_exit(fake_fork(rig.m));
}

static void kind_base(void)
{
	map_all(&fake_rw);
	fake_put(rig.m, HERE, N, 1);
}

static void kind_split(void)
{
	map_huge();
	fake_protect(rig.m, HERE + 5, 1, &fake_ro);
	fake_protect(rig.m, HERE + 5, 1, &fake_rw);
}

static void kind_one_page(void)
{
	map_all(&fake_rw);
	fake_put(rig.m, HERE + 7, 1, 8);
}

static void kind_base_zero(void)
{
	map_all(&fake_rw);
	fake_expect(rig.m, HERE, N, 0);
}

static void kind_one_on_device(void)
{
	map_all(&fake_rw);
	fake_put(rig.m, HERE, N, 1);
	rig_to_dev(0, rig.m, HERE + 9, 1);
}

static const struct {
	const char *what;
	void (*map)(void);
	bool unit;
	uint64_t src;	  /* of a unit, without COMPOUND */
	uint8_t snapshot; /* on the device */
} kinds[] = {
	{ "huge page", kind_huge, true, TRIP_GOES | TRIP_VALID | TRIP_WRITE,
	  0x26 },
	{ "read-only", kind_huge_read_only, true, TRIP_GOES | TRIP_VALID,
	  0x25 },
	{ "hole", kind_hole, true, TRIP_GOES | TRIP_WRITE, 0x26 },
	{ "read-only hole", kind_hole_read_only, true, TRIP_GOES, 0x25 },
	{ "huge zero page", kind_huge_zero, true, TRIP_GOES | TRIP_WRITE,
	  0x26 },
	{ "shared by fork", kind_forked, true, TRIP_GOES | TRIP_VALID, 0x25 },
	{ "base pages", kind_base, false, 0, 0x22 },
	{ "base pages of a huge page", kind_split, false, 0, 0x22 },
	{ "one page in a hole", kind_one_page, false, 0, 0x22 },
	{ "zero pages", kind_base_zero, false, 0, 0x22 },
	{ "a page on the device", kind_one_on_device, false, 0, 0x22 },
};

/* S3.1, S3.2 */
START_TEST(test_setup_tells_units)
{
	static struct trip t;

	kinds[_i].map();
	trip_setup(&t, HERE, N, TO_DEVICE);
	if (kinds[_i].unit) {
		ck_assert_uint_eq(t.src[0], kinds[_i].src | COMPOUND);
		for (uint64_t i = 1; i < N; i++)
			ck_assert_uint_eq(t.src[i] | t.dst[i], 0);
		ck_assert_uint_eq(t.args.cpages, 1);
	} else {
		ck_assert_uint_eq(t.src[0] & COMPOUND, 0);
		ck_assert_uint_ge(t.args.cpages, N - 1);
	}
	trip_end(&t);
	ck_assert(!is_unit(rig.m, HERE) && rig_used(0) <= 1);
}
END_TEST

/* S3.2 */
START_TEST(test_to_dev_of_each_kind)
{
	uint64_t word[N], before;

	kinds[_i].map();
	before = rig_used(0);
	for (uint64_t i = 0; i < N; i++)
		word[i] = fake_peek(rig.m, HERE + i);
	if (kinds[_i].map == kind_one_on_device)
		ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, HERE, N),
				 -ENOENT); /* not in this open's table */
	else
		to_dev();
	ck_assert_int_eq(is_unit(rig.m, HERE), kinds[_i].unit);
	ck_assert_uint_eq(rig_used(0), N);
	ck_assert_uint_eq(rig.dev[0].count.migrate_to_dev_pages, N - before);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, kinds[_i].snapshot);
	for (uint64_t i = 0; i < N; i++)
		ck_assert_uint_eq(fake_peek(rig.m, HERE + i), word[i]);
	rig_ok(rig.file, RIG_READ, HERE, N,
	       kinds[_i].map == kind_one_on_device);
	for (uint64_t i = 0; i < N; i++)
		ck_assert_uint_eq(rig_buffer(i), word[i]);
}
END_TEST

/* It is taken as one and given as one, and is a huge page then. S3.5 */
START_TEST(test_back_of_each_kind)
{
	uint64_t word[N];
	bool unit = kinds[_i].unit;

	kinds[_i].map();
	for (uint64_t i = 0; i < N; i++)
		word[i] = fake_peek(rig.m, HERE + i);
	(void)rig_ioctl(rig.file, RIG_TO_DEV, HERE, N);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, N), 0);
	ck_assert_uint_eq(rig.cmd.cpages, unit ? 1 : N);
	ck_assert_uint_eq(rig.dev[0].count.migrate_to_sys_pages, N);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), unit ? N : 0);
	ck_assert_uint_eq(rig_used(0), 0);
	for (uint64_t i = 0; i < N; i++)
		ck_assert_uint_eq(fake_get(rig.m, HERE + i), word[i]);
}
END_TEST

/* ---- only what is covered, aligned and asked for ---- */

static const struct {
	uint64_t vpn, npages;
	uint64_t unit; /* the unit in it, 0: none */
} parts[] = {
	{ HERE, N - 1, 0 },	   { HERE + 1, N - 1, 0 },
	{ HERE - 1, N, 0 },	   { HERE + 8, 1, 0 },
	{ HERE - 1, N + 2, 0 },	   { HERE, N + 1, HERE },
	{ HERE - N, 2 * N, HERE },
};

/* S3.2 */
START_TEST(test_to_dev_of_a_part)
{
	map_huge();
	rig_ok(rig.file, RIG_TO_DEV, parts[_i].vpn, parts[_i].npages, 0);
	ck_assert_int_eq(is_unit(rig.m, HERE), parts[_i].unit == HERE);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), 0);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* S3.1 */
START_TEST(test_setup_without_compound_selected)
{
	static struct trip t;

	map_huge();
	trip_setup(&t, HERE, N, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	ck_assert_uint_eq(t.src[0] & COMPOUND, 0);
	ck_assert_uint_eq(t.args.cpages, N);
	trip_alloc_all(&t);
	trip_end(&t);
	ck_assert(!is_unit(rig.m, HERE));
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* S3.4 */
START_TEST(test_to_sys_of_a_part)
{
	uint64_t first = parts[_i].vpn, last = first + parts[_i].npages - 1;
	uint64_t n = 0;

	map_away();
	for (uint64_t i = first; i <= last; i++)
		n += i >= HERE && i < HERE + N;
	ck_assert_int_eq(
		rig_ioctl(rig.file, RIG_TO_SYS, first, parts[_i].npages), 0);
	ck_assert_uint_eq(rig.cmd.cpages, parts[_i].unit ? 1 : n);
	ck_assert_uint_eq(rig_used(0), N - n);
	ck_assert(!is_unit(rig.m, HERE));
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_to_sys_without_compound_selected)
{
	static struct trip t;

	map_away();
	trip_setup(&t, HERE, N, UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
	ck_assert_uint_eq(t.args.cpages, N);
	trip_end(&t);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x22);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* ---- destinations ---- */

/* S3.3 */
START_TEST(test_to_dev_falls_back_to_base_pages)
{
	map_huge();
	fail_alloc();
	to_dev();
	rig_buffer_is(N, 1);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x22);
	/* the flag is used up */
	fake_put(rig.m, 0, N, 1);
	fake_set_huge(rig.m, 0, N, false);
	rig_ok(rig.file, RIG_TO_DEV, 0, N, 0);
	ck_assert(is_unit(rig.m, 0));
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* Pages of a device; one is used, so none has a free unit. */
static const uint64_t sizes[] = { N + 100, N + 1, N, 101, 2, 1 };

/* S3.3 */
START_TEST(test_to_dev_without_a_free_unit)
{
	uint64_t n = sizes[_i] - 1 < N ? sizes[_i] - 1 : N;

	rig_down();
	rig_up_with(sizes[_i], NULL);
	map_huge();
	fake_put(rig.m, 0, 1, 7);
	rig_to_dev(0, rig.m, 0, 1);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, HERE, N),
			 n == N ? 0 : -ENOENT);
	ck_assert_uint_eq(rig_used(0), 1 + n);
	ck_assert(!is_unit(rig.m, HERE));
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), n ? 0 : N);
	fake_expect(rig.m, HERE, N, 1);
	fake_expect(rig.m, 0, 1, 7);
}
END_TEST

static uint64_t alloc_unit(void)
{
	uhmm_dpfn_t dpfn;

	ck_assert_int_eq(
		uhmm_pagemap_alloc(&rig.dev[0].pgmap, UHMM_UNIT_ORDER, &dpfn),
		0);
	return uhmm_migrate_pfn(dpfn) | COMPOUND;
}

START_TEST(test_unit_for_a_base_page_is_refused)
{
	static struct trip t;

	map_huge();
	trip_setup(&t, HERE + 4, 4, TO_DEVICE);
	for (uint64_t i = 0; i < 4; i++)
		trip_alloc(&t, i);
	uhmm_page_free(&rig.f.core.store, uhmm_migrate_pfn_to_dpfn(t.dst[1]));
	t.dst[1] = alloc_unit();
	trip_end(&t);
	ck_assert_uint_eq(t.src[1] & TRIP_GOES, 0);
	ck_assert_uint_eq(rig_used(0), 3);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_huge_page_for_a_base_page_is_refused)
{
	static struct trip t;

	map_away();
	trip_setup(&t, HERE + 4, 2, TO_SYSTEM);
	t.dst[0] = UHMM_MIGRATE_PFN_SYSTEM;
	t.dst[1] = UHMM_MIGRATE_PFN_SYSTEM | COMPOUND;
	trip_end(&t);
	ck_assert_uint_eq(t.src[1] & TRIP_GOES, 0);
	ck_assert_uint_eq(rig_used(0), N - 1);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* Without a destination a unit stays what it is, here and there. */
START_TEST(test_no_destination)
{
	static struct trip t;

	map_huge();
	trip_setup(&t, HERE, N, TO_DEVICE);
	trip_end(&t);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), N);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 6);
	to_dev();
	trip_setup(&t, HERE, N, TO_SYSTEM);
	ck_assert_uint_eq(t.args.cpages, 1);
	trip_end(&t);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x26);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* The 512 words are the driver's when there is no unit. S3.1 */
START_TEST(test_base_destinations_for_some)
{
	static struct trip t;

	map_huge();
	trip_setup(&t, HERE, N, TO_DEVICE);
	for (uint64_t i = 0; i < N; i += 2)
		trip_alloc(&t, i);
	trip_end(&t);
	ck_assert_uint_eq(rig_used(0), N / 2);
	for (uint64_t i = 0; i < N; i++)
		ck_assert_int_eq((t.src[i] & TRIP_GOES) != 0, i % 2 == 0);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* ---- a unit that stops midway ---- */

static const unsigned int stops[] = { 1, 2, 300, N };

/* S3.3 */
START_TEST(test_take_stops_midway)
{
	map_huge();
	fake_fail_nth(&rig.f, FAKE_TAKE_PAGE, stops[_i], -EFAULT);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, HERE, N), -ENOENT);
	ck_assert(!is_unit(rig.m, HERE));
	ck_assert_uint_eq(rig_used(0), N - 1);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_take_is_tried_again_whole)
{
	map_huge();
	fake_fail_nth(&rig.f, FAKE_ZAP, 1, -EAGAIN);
	to_dev();
	ck_assert(is_unit(rig.m, HERE));
}
END_TEST

/* S3.3 */
START_TEST(test_give_stops_midway)
{
	uint64_t n = stops[_i] - 1;

	map_away();
	fake_fail_nth(&rig.f, FAKE_GIVE_PAGE, stops[_i], -ENOMEM);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, N), 0);
	ck_assert_uint_eq(rig.cmd.cpages, N - 1);
	ck_assert(!is_unit(rig.m, HERE));
	ck_assert_uint_eq(rig_used(0), 1);
	ck_assert_uint_eq(fake_peek(rig.m, HERE + n), n + 1);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_give_is_tried_again_whole)
{
	map_away();
	fake_fail_nth(&rig.f, FAKE_GIVE_PAGE, 1, -EAGAIN);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, N), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 1);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), N);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* No huge page can be had, though nobody asked for that. */
START_TEST(test_give_without_huge_pages)
{
	map_away();
	rig.f.no_huge = true;
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, N), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 1);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 2);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* ---- back ---- */

/* S3.3 */
START_TEST(test_to_sys_falls_back_to_base_pages)
{
	map_away();
	fail_alloc();
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, N), 0);
	ck_assert_uint_eq(rig.cmd.cpages, N);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 2);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

static const uint64_t touched[] = { 0, 1, 255, N - 1 };

/* The first access brings all of it. S3.5 */
START_TEST(test_cpu_fault_brings_the_unit)
{
	map_away();
	ck_assert_uint_eq(fake_get(rig.m, HERE + touched[_i]), touched[_i] + 1);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig.dev[0].count.cpu_faults, 1);
	ck_assert_uint_eq(rig.dev[0].count.cpu_fault_pages, N);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 6);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* S3.3 */
START_TEST(test_cpu_fault_falls_back_to_base_pages)
{
	map_away();
	fail_alloc();
	fake_put(rig.m, HERE + touched[_i], 1, 99);
	ck_assert_uint_eq(rig_used(0), 0);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 2);
	ck_assert_uint_eq(fake_get(rig.m, HERE + touched[_i]), 99);
	to_dev();
	rig_ok(rig.file, RIG_TO_DEV, HERE, N, 0);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x22);
}
END_TEST

START_TEST(test_eviction_brings_units)
{
	map_away();
	fake_put(rig.m, 0, 7, 1);
	rig_ok(rig.file, RIG_TO_DEV, 0, 7, 0);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_RELEASE, 0, 1), 0);
	ck_assert_uint_eq(rig_used(0), 0);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 6);
	RIG_SNAPSHOT_IS(rig.file, 0, 7, 2);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* What one device has for itself is base pages; the unit came back for it.
 * S2.4 */
START_TEST(test_exclusive_of_a_part)
{
	map_away();
	rig_ok(rig.file, RIG_EXCLUSIVE, HERE + 3, 2, 0);
	ck_assert_uint_eq(rig_used(0), 0);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 2, 2, 2, 0, 0, 2);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_other_device_reads)
{
	struct uhmm_file *other = rig_open(1, rig.m);

	map_away();
	rig_ok(other, RIG_READ, HERE + 9, 1, 1);
	ck_assert_uint_eq(rig_buffer(0), 10);
	ck_assert_uint_eq(rig_used(0), 0);
	RIG_SNAPSHOT_IS(other, HERE, N, 6);
	rig_close(other);
}
END_TEST

/* Also for a write of this device to a unit that may only be read. */
START_TEST(test_device_writes_read_only_unit)
{
	map_away();
	fake_protect(rig.m, 0, 3 * N, &fake_ro);
	fake_protect(rig.m, 0, 3 * N, &fake_rw);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x25);
	rig_fill_buffer(1, 99);
	rig_ok(rig.file, RIG_WRITE, HERE, 1, 1);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(fake_get(rig.m, HERE), 99);
	fake_expect(rig.m, HERE + 1, N - 1, 2);
}
END_TEST

/* ---- coherent devices ---- */

START_TEST(test_coherent_has_base_pages)
{
	rig_down();
	rig_up_coherent(RIG_NPAGES);
	kinds[_i].map();
	if (kinds[_i].map == kind_one_on_device)
		return;
	to_dev();
	ck_assert(!is_unit(rig.m, HERE));
	ck_assert_uint_eq(rig_used(0), N);
	RIG_SNAPSHOT_IS(rig.file, HERE, N,
			kinds[_i].snapshot & 2 ? 0x42 : 0x41);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, N), 0);
	ck_assert_uint_eq(rig.cmd.cpages, N);
}
END_TEST

UNIT_RIG_MAIN("thp", UNIT_TABLE(test_setup_tells_units, kinds),
	      UNIT_TABLE(test_to_dev_of_each_kind, kinds),
	      UNIT_TABLE(test_back_of_each_kind, kinds),
	      UNIT_TABLE(test_to_dev_of_a_part, parts),
	      UNIT_TEST(test_setup_without_compound_selected),
	      UNIT_TABLE(test_to_sys_of_a_part, parts),
	      UNIT_TEST(test_to_sys_without_compound_selected),
	      UNIT_TEST(test_to_dev_falls_back_to_base_pages),
	      UNIT_TABLE(test_to_dev_without_a_free_unit, sizes),
	      UNIT_TEST(test_unit_for_a_base_page_is_refused),
	      UNIT_TEST(test_huge_page_for_a_base_page_is_refused),
	      UNIT_TEST(test_no_destination),
	      UNIT_TEST(test_base_destinations_for_some),
	      UNIT_TABLE(test_take_stops_midway, stops),
	      UNIT_TEST(test_take_is_tried_again_whole),
	      UNIT_TABLE(test_give_stops_midway, stops),
	      UNIT_TEST(test_give_is_tried_again_whole),
	      UNIT_TEST(test_give_without_huge_pages),
	      UNIT_TEST(test_to_sys_falls_back_to_base_pages),
	      UNIT_TABLE(test_cpu_fault_brings_the_unit, touched),
	      UNIT_TABLE(test_cpu_fault_falls_back_to_base_pages, touched),
	      UNIT_TEST(test_eviction_brings_units),
	      UNIT_TEST(test_exclusive_of_a_part),
	      UNIT_TEST(test_other_device_reads),
	      UNIT_TEST(test_device_writes_read_only_unit),
	      UNIT_TABLE(test_coherent_has_base_pages, kinds))
