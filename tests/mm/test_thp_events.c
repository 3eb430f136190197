/* SPDX-License-Identifier: MIT */
/* test_thp_events.c - what a program does to PMD-sized units, on the device and
 * on their way (S3.4, S3.5, spec 4.4), and fork
 */
#include <errno.h>

#include "thp.h"

/* ---- what the program does to a unit ---- */

static void part_unmap(void)
{
	fake_unmap(rig.m, HERE + 100, 50);
}

static void part_unmap_front(void)
{
	fake_unmap(rig.m, 0, HERE + 150);
}

static void part_dontneed(void)
{
	fake_dontneed(rig.m, HERE + 100, 50);
}

static void part_map(void)
{
	fake_map(rig.m, HERE + 100, 50, &fake_rw);
}

static void part_protect(void)
{
	fake_protect(rig.m, HERE + 100, 50, &fake_ro);
}

static void part_remap(void)
{
	fake_remap(rig.m, HERE + 100, THERE + 100, 50, false);
}

static void part_remap_dontunmap(void)
{
	fake_remap(rig.m, HERE + 100, THERE + 7, 50, true);
}

static void part_remap_onto(void)
{
	fake_remap(rig.m, 0, HERE + 100, 50, false);
}

static void all_remap_unaligned(void)
{
	fake_remap(rig.m, HERE, THERE + 1, N, false);
}

static void all_remap_aligned(void)
{
	fake_remap(rig.m, HERE, THERE, N, false);
}

static void more_remap_aligned(void)
{
	fake_remap(rig.m, 100, THERE - N + 100, 2 * N, false);
}

static void all_protect(void)
{
	fake_protect(rig.m, 0, 3 * N, &fake_ro);
}

static void all_fork(void)
{
	(void)fake_fork(rig.m);
}

static void part_fork(void)
{
	fake_dontfork(rig.m, HERE + 100, 50);
	(void)fake_fork(rig.m);
}

static void part_mapping(void)
{
	/* mlock() of a part: nobody tells */
	for (uint64_t i = HERE + 100; i < HERE + 150; i++)
		rig.m->pte[i].mapping += 1000;
}

static void nothing(void)
{
}

static const struct {
	const char *what;
	void (*act)(void);
	uint64_t at;   /* where the unit is afterwards */
	uint8_t front; /* pages 0 - 99 of it in a snapshot */
	uint8_t part;  /* pages 100 - 149 */
	uint8_t rest;  /* and behind */
} acts[] = {
	{ "unmap a part", part_unmap, HERE, 0x22, 0xff, 0x22 },
	{ "unmap the front", part_unmap_front, HERE, 0xff, 0xff, 0x22 },
	{ "drop a part", part_dontneed, HERE, 0x22, 0x00, 0x22 },
	{ "map over a part", part_map, HERE, 0x22, 0x00, 0x22 },
	{ "protect a part", part_protect, HERE, 0x22, 0x21, 0x22 },
	{ "move a part", part_remap, HERE, 0x22, 0xff, 0x22 },
	{ "move a part, DONTUNMAP", part_remap_dontunmap, HERE, 0x22, 0x00,
	  0x22 },
	{ "move onto a part", part_remap_onto, HERE, 0x22, 0x00, 0x22 },
	{ "move it to an odd place", all_remap_unaligned, THERE + 1, 0x22, 0x22,
	  0x22 },
	{ "move it", all_remap_aligned, THERE, 0x26, 0x26, 0x26 },
	{ "move it and more", more_remap_aligned, THERE, 0x26, 0x26, 0x26 },
	{ "protect it", all_protect, HERE, 0x25, 0x25, 0x25 },
	{ "fork", all_fork, HERE, 0x25, 0x25, 0x25 },
	{ "fork but for a part", part_fork, HERE, 0x21, 0x22, 0x21 },
	{ "a part is another mapping", part_mapping, HERE, 0x22, 0x22, 0x22 },
	{ "nothing", nothing, HERE, 0x26, 0x26, 0x26 },
};

static void expect_unit(uint64_t at)
{
	for (uint64_t i = 0; i < N; i++)
		if (rig.m->pte[at + i].mapped && (i < 100 || i >= 150))
			ck_assert_uint_eq(fake_get(rig.m, at + i), i + 1);
}

/* S3.4 */
START_TEST(test_what_the_program_does)
{
	uint8_t want[N];

	map_away();
	acts[_i].act();
	for (uint64_t i = 0; i < N; i++)
		want[i] = i < 100   ? acts[_i].front
			  : i < 150 ? acts[_i].part
				    : acts[_i].rest;
	rig_snapshot_is(rig.file, acts[_i].at, N, want, N);
	expect_unit(acts[_i].at);
	if (acts[_i].act == part_remap)
		fake_expect(rig.m, THERE + 100, 50, 101);
	if (acts[_i].act == part_remap_dontunmap)
		fake_expect(rig.m, THERE + 7, 50, 101);
}
END_TEST

static void act(void *arg)
{
	acts[*(int *)arg].act();
}

/* The same while the unit is on its way to the device. S3.4 */
START_TEST(test_what_the_program_does_during_take)
{
	static const enum fake_op op[] = { FAKE_TRAP, FAKE_TAKE, FAKE_ZAP };
	int i = _i % (int)UNIT_COUNT(acts);
	int where = _i / (int)UNIT_COUNT(acts);

	map_huge();
	if (where < 3)
		fake_before(&rig.f, op[where], 1, act, &i);
	else
		fake_after(&rig.f, FAKE_TAKE, 1, act, &i);
	(void)rig_ioctl(rig.file, RIG_TO_DEV, HERE, N);
	ck_assert(is_unit(rig.m, acts[i].at) ==
			  (acts[i].front == 0x26 || acts[i].front == 0x25) ||
		  where < 3 || acts[i].act == part_mapping ||
		  acts[i].act == all_fork);
	fake_check_idle(&rig.f);
	expect_unit(acts[i].at);
}
END_TEST

/* And while it is on its way back. S3.4 */
START_TEST(test_what_the_program_does_during_give)
{
	int i = _i % (int)UNIT_COUNT(acts);
	int where = _i / (int)UNIT_COUNT(acts);

	map_away();
	if (where == 0)
		fake_before(&rig.f, FAKE_GIVE, 1, act, &i);
	else if (where == 1)
		fake_before(&rig.f, FAKE_GIVE_PAGE, 300, act, &i);
	else
		fake_after(&rig.f, FAKE_GIVE, 1, act, &i);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, N), 0);
	fake_check_idle(&rig.f);
	expect_unit(acts[i].at);
}
END_TEST

/* ---- what a device knows of a huge page ---- */

static void part_write(void)
{
	struct fake_mm *child = fake_fork(rig.m);

	fake_put(rig.m, HERE + 120, 1, 121);
	fake_exit(child);
}

static void part_to_dev(void)
{
	struct uhmm_file *other = rig_open(1, rig.m);

	rig_ok(other, RIG_TO_DEV, HERE + 120, 1, 0);
	rig_close(other);
}

static const struct {
	const char *what;
	void (*act)(void);
	bool cuts;	/* the mapping */
} splits[] = {
	{ "unmap", part_unmap, true }, { "drop", part_dontneed, false },
	{ "map over", part_map, true }, { "protect", part_protect, true },
	{ "move", part_remap, true }, { "copy on write", part_write, false },
	{ "to another device", part_to_dev, false },
};

/* What is done to a part splits it: all of it is looked at anew, and nothing
 * else. */
START_TEST(test_a_part_is_news_of_all)
{
	map_huge();
	fake_put(rig.m, 2 * N, N, 1);
	fake_set_huge(rig.m, 2 * N, N, false);
	rig_ok(rig.file, RIG_READ, HERE, 2 * N, 1);
	rig_ok(rig.file, RIG_READ, HERE, 2 * N, 0);
	splits[_i].act();
	if (splits[_i].act != part_write)
		rig_ok(rig.file, RIG_READ, 2 * N, N, 0);
	rig_ok(rig.file, RIG_READ, HERE + 3, 1, 1);
	rig_ok(rig.file, RIG_READ, HERE + N - 1, 1, 1);
}
END_TEST

/* Base pages are looked at one by one, but where the mapping is cut. */
START_TEST(test_a_part_is_news_of_base_pages)
{
	map_all(&fake_rw);
	fake_put(rig.m, HERE, N, 1);
	rig_ok(rig.file, RIG_READ, HERE, N, 1);
	splits[_i].act();
	if (splits[_i].act != part_write)
		rig_ok(rig.file, RIG_READ, HERE + 3, 1, splits[_i].cuts);
}
END_TEST

/* A huge page that may only be read is protected whole, or it would be split:
 * so is the huge zero page, of which a write must be told. */
START_TEST(test_reading_leaves_it_huge)
{
	map_all(&fake_rw);
	fake_set_huge_zero(rig.m, HERE);
	rig_ok(rig.file, RIG_READ, HERE + 7, 2, 1);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 5);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), N);
}
END_TEST

/* A READ or WRITE that fails has faulted in, 64 pages at a time, what is in
 * front; so far the table goes. */
START_TEST(test_failed_read_keeps_what_is_in_front)
{
	fake_map(rig.m, HERE, 300, &fake_rw);
	fake_put(rig.m, HERE, 300, 1);
	rig_fails(rig.file, RIG_READ, HERE, N, -EFAULT);
	rig_ok(rig.file, RIG_READ, HERE, 256, 0);
	rig_ok(rig.file, RIG_READ, HERE + 256, 1, 1);
}
END_TEST

/* ---- fork ---- */

START_TEST(test_fork_shares_a_unit)
{
	struct fake_mm *child;

	map_away();
	child = fake_fork(rig.m);
	ck_assert(is_unit(rig.m, HERE) && is_unit(child, HERE));
	ck_assert_uint_eq(rig_used(0), N);
	ck_assert_uint_eq(fake_get(child, HERE + 5), 6);
	ck_assert_uint_eq(rig_used(0), 0);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 1);
	ck_assert_uint_eq(fake_count_huge(child, HERE, N), 0);
	fake_put(child, HERE + 5, 1, 99);
	fake_expect(rig.m, HERE, N, 1);
	fake_exit(child);
}
END_TEST

/* Each has its own PMD, but a page goes back to both. */
START_TEST(test_fork_one_splits)
{
	struct fake_mm *child;

	map_away();
	child = fake_fork(rig.m);
	fake_unmap(child, HERE + 100, 50);
	ck_assert(is_unit(rig.m, HERE) && !is_unit(child, HERE));
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x25);
	ck_assert_uint_eq(fake_get(child, HERE + 5), 6);
	ck_assert_uint_eq(rig_used(0), N - 1);
	RIG_SNAPSHOT_IS(rig.file, HERE, 7, 0x21, 0x21, 0x21, 0x21, 0x21, 1,
			0x21);
	fake_expect(rig.m, HERE, N, 1);
	fake_exit(child);
}
END_TEST

START_TEST(test_fork_whole_goes_back_to_one_that_split)
{
	struct fake_mm *child;

	map_away();
	child = fake_fork(rig.m);
	fake_unmap(child, HERE + 100, 50);
	ck_assert_uint_eq(fake_get(rig.m, HERE + 5), 6);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N), 0);
	ck_assert_uint_eq(fake_count_huge(child, HERE, N), 0);
	fake_expect(child, HERE, 100, 1);
	fake_expect(child, HERE + 150, N - 150, 151);
	fake_exit(child);
}
END_TEST

UNIT_RIG_MAIN("thp_events", UNIT_TABLE(test_what_the_program_does, acts),
	      UNIT_LOOP(test_what_the_program_does_during_take,
			4 * (int)UNIT_COUNT(acts)),
	      UNIT_LOOP(test_what_the_program_does_during_give,
			3 * (int)UNIT_COUNT(acts)),
	      UNIT_TABLE(test_a_part_is_news_of_all, splits),
	      UNIT_TABLE(test_a_part_is_news_of_base_pages, splits),
	      UNIT_TEST(test_reading_leaves_it_huge),
	      UNIT_TEST(test_failed_read_keeps_what_is_in_front),
	      UNIT_TEST(test_fork_shares_a_unit),
	      UNIT_TEST(test_fork_one_splits),
	      UNIT_TEST(test_fork_whole_goes_back_to_one_that_split))
