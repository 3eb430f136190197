/* SPDX-License-Identifier: MIT */
/* test_inject.c - what goes wrong on purpose, and that nothing is lost by it:
 * src/mm/inject.c
 */
#include <errno.h>

#include <uhmm/exclusive.h>
#include <uhmm/inject.h>

#include "thp.h"

#define NPAGES 8

static struct uhmm_inject *inject;

static void arm(const char *word)
{
	inject = uhmm_core_inject(&rig.f.core);
	ck_assert_int_eq(uhmm_inject_parse(inject, word), 0);
}

static uint64_t hits(enum uhmm_inject_point point)
{
	return inject->point[point].hit;
}

static void map_ram(void)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
}

static bool is_here(uint64_t i)
{
	return uhmm_softleaf_is_none(
		uhmm_mm_leaf(rig.m->mm, UHMM_VPN(RIG_VPN + i)));
}

/* ---- words ---- */

static const struct {
	const char *word;
	int err;
	uint64_t hits;		/* of ten passes */
} words[] = {
	{ "alloc=1", 0, 1 },	{ "alloc=10", 0, 1 },  { "alloc=11", 0, 0 },
	{ "alloc=1+", 0, 10 },	{ "alloc=8+", 0, 3 },  { "alloc=0", -EINVAL, 0 },
	{ "alloc", -EINVAL, 0 }, { "alloc=", -EINVAL, 0 },
	{ "alloc=x", -EINVAL, 0 }, { "alloc=-1", -EINVAL, 0 },
	{ "alloc=1++", -EINVAL, 0 }, { "alloc=1 ", -EINVAL, 0 },
	{ "all=1", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "=1", -EINVAL, 0 },
};

START_TEST(test_parse_and_pass)
{
	struct uhmm_inject in = { 0 };
	uint64_t n = 0;

	ck_assert_int_eq(uhmm_inject_parse(&in, words[_i].word), words[_i].err);
	for (int i = 0; i < 10; i++)
		n += uhmm_inject_pass(&in, UHMM_INJECT_ALLOC);
	ck_assert_uint_eq(n, words[_i].hits);
	ck_assert_uint_eq(in.point[UHMM_INJECT_ALLOC].hit, n);
	ck_assert_uint_eq(in.point[UHMM_INJECT_ALLOC].passed, 10);
}
END_TEST

START_TEST(test_each_point_has_a_name)
{
	struct uhmm_inject in = { 0 };
	char word[32];

	for (int i = 0; i < UHMM_INJECT_NR; i++) {
		snprintf(word, sizeof(word), "%s=3",
			 uhmm_inject_name((enum uhmm_inject_point)i));
		ck_assert_int_eq(uhmm_inject_parse(&in, word), 0);
		ck_assert_uint_eq(in.point[i].first, 3);
	}
}
END_TEST

/* ---- alloc ---- */

START_TEST(test_alloc_of_one_page)
{
	map_ram();
	arm("alloc=3");
	ck_assert_int_eq(uhmm_migrate_to_dev(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 &rig.dev[0].pgmap, 0), NPAGES - 1);
	ck_assert_uint_eq(hits(UHMM_INJECT_ALLOC), 1);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(is_here(i), i == 2);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* A unit for which there is no room goes as base pages. */
START_TEST(test_alloc_of_a_unit)
{
	map_huge();
	arm("alloc=1");
	to_dev();
	ck_assert_uint_eq(hits(UHMM_INJECT_ALLOC), 1);
	ck_assert(!is_unit(rig.m, HERE));
	ck_assert_uint_eq(rig_used(0), N);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_alloc_of_an_exclusive_page)
{
	uint64_t done;

	map_ram();
	arm("alloc=1+");
	ck_assert_int_eq(uhmm_make_device_exclusive(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 &done), -EBUSY);
	ck_assert_uint_eq(done, 0);
	ck_assert_uint_gt(hits(UHMM_INJECT_ALLOC), 1);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* ---- lock ---- */

START_TEST(test_lock_of_a_page_that_goes)
{
	map_ram();
	arm("lock=3");
	ck_assert_int_eq(uhmm_migrate_to_dev(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 &rig.dev[0].pgmap, 0), NPAGES - 1);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(is_here(i), i == 2);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* Of a unit one page is not to be had: wherever it is, nothing is torn. */
START_TEST(test_lock_of_a_unit)
{
	static const char *const at[] = { "lock=1", "lock=2", "lock=512" };

	map_huge();
	arm(at[_i]);
	(void)rig_ioctl(rig.file, RIG_TO_DEV, HERE, N);
	ck_assert_uint_eq(hits(UHMM_INJECT_LOCK), 1);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, HERE, N, 1);
	rig_ioctl(rig.file, RIG_TO_DEV, HERE, N);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_lock_of_a_page_that_comes)
{
	map_ram();
	rig_to_dev(0, rig.m, RIG_VPN, NPAGES);
	arm("lock=3");
	ck_assert_int_eq(uhmm_migrate_to_ram(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 NULL), NPAGES - 1);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(is_here(i), i != 2);
	/* a CPU looks again until it has it */
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* S2.2 */
START_TEST(test_lock_of_an_exclusive_page)
{
	uint64_t done;

	map_ram();
	arm("lock=1+");
	ck_assert_int_eq(uhmm_make_device_exclusive(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 &done), -EBUSY);
	ck_assert_uint_eq(done, 0);
	inject->point[UHMM_INJECT_LOCK].first = 0;
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* ---- slow ---- */

static bool is_through;

static void go(void *arg)
{
	(void)arg;
	is_through = false;
	ck_assert_int_ge(uhmm_migrate_to_dev(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 &rig.dev[0].pgmap, 0), NPAGES - 2);
	is_through = true;
}

static void come(void *arg)
{
	(void)arg;
	is_through = false;
	ck_assert_int_ge(uhmm_migrate_to_ram(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 NULL), NPAGES - 2);
	is_through = true;
}

/* What the program does meanwhile. */
START_TEST(test_slow)
{
	map_ram();
	if (_i)
		rig_to_dev(0, rig.m, RIG_VPN, NPAGES);
	arm("slow=1");
	fake_task_start(&rig.f.tasks, _i ? come : go, NULL);
	ck_assert(!is_through);
	ck_assert(!is_here(0));
	fake_dontneed(rig.m, RIG_VPN, 1);
	fake_remap(rig.m, RIG_VPN + 1, RIG_VPN + 64, 1, false);
	fake_check(&rig.f);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert(is_through);
	ck_assert_uint_eq(hits(UHMM_INJECT_SLOW), 1);
	fake_expect(rig.m, RIG_VPN, 1, 0);
	fake_expect(rig.m, RIG_VPN + 64, 1, 2);
	fake_expect(rig.m, RIG_VPN + 2, NPAGES - 2, 3);
}
END_TEST

UNIT_RIG_MAIN("inject", UNIT_TABLE(test_parse_and_pass, words),
	      UNIT_TEST(test_each_point_has_a_name),
	      UNIT_TEST(test_alloc_of_one_page),
	      UNIT_TEST(test_alloc_of_a_unit),
	      UNIT_TEST(test_alloc_of_an_exclusive_page),
	      UNIT_TEST(test_lock_of_a_page_that_goes),
	      UNIT_LOOP(test_lock_of_a_unit, 3),
	      UNIT_TEST(test_lock_of_a_page_that_comes),
	      UNIT_TEST(test_lock_of_an_exclusive_page),
	      UNIT_LOOP(test_slow, 2))
