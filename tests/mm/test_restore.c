/* SPDX-License-Identifier: MIT */
/* test_restore.c - src/mm/restore.c, to_ram.c: pages on their way back, to one
 * and to many, and what may happen to them meanwhile
 */
#include "mm/restore.h"

#include <errno.h>

#include <uhmm/event.h>

#include "trip.h"

#define NPAGES 8

/* A page of the device and who maps it: rig.m, and @nchildren forked from it. */
static struct fake_mm *child[3];

static void share(unsigned int nchildren)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	rig_to_dev(0, rig.m, RIG_VPN, NPAGES);
	for (unsigned int i = 0; i < nchildren; i++)
		child[i] = fake_fork(rig.m);
	ck_assert_uint_eq(rig_used(0), NPAGES);
}

static uhmm_dpfn_t dpfn_of(uint64_t i)
{
	return uhmm_softleaf_to_dpfn(
		uhmm_mm_leaf(rig.m->mm, UHMM_VPN(RIG_VPN + i)));
}

static void expect_everyone_has(unsigned int nchildren, uint64_t value)
{
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, NPAGES, value);
	for (unsigned int i = 0; i < nchildren; i++)
		fake_expect(child[i], RIG_VPN, NPAGES, value);
}

/* Every one of them writes, and sees only its own. */
static void expect_apart(unsigned int nchildren)
{
	fake_put(rig.m, RIG_VPN, NPAGES, 100);
	for (unsigned int i = 0; i < nchildren; i++)
		fake_put(child[i], RIG_VPN, NPAGES, 1000ull * (i + 1));
	fake_expect(rig.m, RIG_VPN, NPAGES, 100);
	for (unsigned int i = 0; i < nchildren; i++)
		fake_expect(child[i], RIG_VPN, NPAGES, 1000ull * (i + 1));
	fake_check_idle(&rig.f);
}

START_TEST(test_restore_gives_to_all)
{
	unsigned int n = (unsigned int)_i;

	share(n);
	rig_to_ram(n ? child[n - 1] : rig.m, RIG_VPN, NPAGES);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig.f.calls[FAKE_GIVE], 1 + n);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_uint_eq(!!(rig.m->pte[RIG_VPN + i].bits &
				     UHMM_PTE_WP), n > 0);
	expect_everyone_has(n, 1);
	expect_apart(n);
}
END_TEST

START_TEST(test_restore_lock_twice_is_busy)
{
	struct uhmm_restore a = { 0 }, b = { 0 };

	share(1);
	ck_assert_int_eq(uhmm_restore_lock(&a, &rig.f.core, dpfn_of(0)), 0);
	ck_assert_int_eq(uhmm_restore_lock(&b, &rig.f.core,
					   a.leg[0].dpfn), -EBUSY);
	ck_assert_uint_eq(a.nlegs, 2);
	ck_assert_uint_eq(b.nlegs, 0);
	fake_check(&rig.f);
	ck_assert_uint_eq(uhmm_restore_finish(&a), 0);
	ck_assert_uint_eq(uhmm_restore_finish(&b), 0);
	ck_assert_uint_eq(rig_used(0), NPAGES);
	expect_everyone_has(1, 1);
}
END_TEST

START_TEST(test_restore_lock_of_nothing)
{
	struct uhmm_restore r = { 0 };
	uhmm_dpfn_t dpfn = uhmm_pagemap_first(&rig.dev[0].pgmap);

	ck_assert_int_eq(uhmm_restore_lock(&r, &rig.f.core, dpfn), -EBUSY);
	ck_assert_int_eq(uhmm_restore_lock(&r, &rig.f.core, UHMM_DPFN(0)),
			 -EBUSY);
	ck_assert_uint_eq(uhmm_restore_finish(&r), 0);
}
END_TEST

/* Unwanted pages stay, with the entries they had. */
START_TEST(test_restore_unwant)
{
	struct uhmm_restore r = { 0 };

	share(0);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(uhmm_restore_lock(&r, &rig.f.core,
						   dpfn_of(i)), 0);
	for (uint32_t i = 0; i < NPAGES; i += 2)
		uhmm_restore_unwant(&r, r.leg[i].dpfn);
	uhmm_restore_give(&r);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_int_eq(uhmm_restore_is_given(&r, rig.m->mm,
						       UHMM_VPN(RIG_VPN + i)),
				 i % 2);
	ck_assert(!uhmm_restore_is_given(&r, rig.m->mm, UHMM_VPN(RIG_VPN - 1)));
	ck_assert_uint_eq(uhmm_restore_finish(&r), NPAGES / 2);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x22, 2, 0x22, 2, 0x22, 2,
			0x22, 2);
	expect_everyone_has(0, 1);
}
END_TEST

/* ---- an engine that fails ---- */

static const struct {
	int err;
	bool goes;	/* its device page does, all the same */
} failures[] = {
	{ -EEXIST, true }, { -ENOENT, false }, { -ENOMEM, false },
	{ -EAGAIN, true }, { -EIO, false },
};

/* The _i-th page of any of three does not come back at the first try. */
START_TEST(test_restore_one_give_fails)
{
	size_t f = (size_t)_i % UNIT_COUNT(failures);
	unsigned int nth = (unsigned int)_i / UNIT_COUNT(failures);

	share(2);
	fake_fail_nth(&rig.f, FAKE_GIVE_PAGE, nth + 1, failures[f].err);
	rig_to_ram(rig.m, RIG_VPN, NPAGES);
	ck_assert_uint_eq(rig.f.failed, 1);
	fake_check_idle(&rig.f);
	ck_assert_uint_eq(rig_used(0), !failures[f].goes);
	/* -EEXIST was a lie here: that one has nothing now */
	if (failures[f].err == -EEXIST)
		return;
	expect_everyone_has(2, 1);
	ck_assert_uint_eq(rig_used(0), 0);
	expect_apart(2);
}
END_TEST

/* A page that is there already, by whatever accident, is what counts. */
START_TEST(test_restore_page_is_there_already)
{
	share(1);
	fake_hold(&rig.m->pte[RIG_VPN + 3], fake_page_new(NULL),
		  UHMM_PTE_PRESENT);
	fake_fill(rig.m->pte[RIG_VPN + 3].page->bytes, 55);
	ck_assert_int_eq(uhmm_migrate_to_ram(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 NULL),
			 2 * NPAGES - 1);
	fake_check_idle(&rig.f);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_expect(rig.m, RIG_VPN + 3, 1, 55);
	fake_expect(child[0], RIG_VPN, NPAGES, 1);
}
END_TEST

START_TEST(test_restore_engine_says_gone)
{
	share(1);
	fake_fail_nth(&rig.f, FAKE_GIVE, (unsigned int)_i + 1, -ESRCH);
	ck_assert_int_eq(uhmm_migrate_to_ram(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES),
				 NULL),
			 NPAGES);
	expect_everyone_has(1, 1);
}
END_TEST

/* An engine that never gets to the end because mappings move all the time. */
START_TEST(test_restore_always_again)
{
	share(0);
	fake_fail(&rig.f, FAKE_GIVE_PAGE, 1, UINT32_MAX, -EAGAIN);
	rig_to_ram(rig.m, RIG_VPN, NPAGES);
	ck_assert_uint_eq(rig_used(0), NPAGES);
	fake_heal(&rig.f);
	expect_everyone_has(0, 1);
}
END_TEST

/* ---- what happens meanwhile ---- */

static struct fake_mm *actor;	/* who does it */

static void do_unmap(void *arg)
{
	(void)arg;
	fake_unmap(actor, RIG_VPN + 2, 2);
}

static void do_dontneed(void *arg)
{
	(void)arg;
	fake_dontneed(actor, RIG_VPN + 2, 2);
}

static void do_map_over(void *arg)
{
	(void)arg;
	fake_map(actor, RIG_VPN + 2, 2, &fake_rw);
	fake_put(actor, RIG_VPN + 2, 2, 50);
}

static void do_remap(void *arg)
{
	(void)arg;
	fake_remap(actor, RIG_VPN + 2, RIG_VPN + 64, 2, false);
}

static void do_remap_dontunmap(void *arg)
{
	(void)arg;
	fake_remap(actor, RIG_VPN + 2, RIG_VPN + 64, 2, true);
}

/* Other pages, of the device themselves, are moved there. */
static void do_remap_onto(void *arg)
{
	(void)arg;
	fake_remap(actor, RIG_VPN + 5, RIG_VPN + 2, 2, false);
}

static void do_remap_and_back(void *arg)
{
	do_remap(arg);
	fake_remap(actor, RIG_VPN + 64, RIG_VPN + 2, 2, false);
}

static void do_remap_onto_and_take(void *arg)
{
	do_remap_onto(arg);
	/* device pages that became free are used again at once */
	fake_map(actor, RIG_VPN + 100, 4, &fake_rw);
	fake_put(actor, RIG_VPN + 100, 4, 70);
	rig_to_dev(0, actor, RIG_VPN + 100, 4);
	fake_remap(actor, RIG_VPN + 101, RIG_VPN + 3, 1, false);
}

static void do_protect(void *arg)
{
	(void)arg;
	fake_protect(actor, RIG_VPN + 2, 2, &fake_ro);
}

static void do_exit(void *arg)
{
	(void)arg;
	fake_exit(actor);
}

static void do_fork(void *arg)
{
	(void)arg;
	child[2] = fake_fork(actor);
}

static void do_raw_fork(void *arg)
{
	(void)arg;
	child[2] = fake_raw_fork(actor);
}

static void do_fork_and_unmap(void *arg)
{
	do_fork(arg);
	fake_unmap(child[2], RIG_VPN + 2, 2);
}

static void do_fork_and_remap(void *arg)
{
	do_fork(arg);
	fake_remap(child[2], RIG_VPN + 2, RIG_VPN + 64, 2, true);
}

static void do_fork_and_exit(void *arg)
{
	do_fork(arg);
	fake_exit(child[2]);
	child[2] = NULL;
}

static void do_fork_twice(void *arg)
{
	do_fork(arg);
	(void)fake_fork(child[2]);
}

/* What @event makes of pages 2 and 3: where they are now and what is in
 * their place. 0: they hold what they held; UNMAPPED: nothing is mapped. */
#define UNMAPPED UINT64_MAX
#define ZEROS (UINT64_MAX - 1)

static const struct event {
	const char *what;
	void (*event)(void *arg);
	uint64_t place;		/* value in their place */
	uint64_t moved;		/* value at RIG_VPN + 64 */
	uint64_t five;		/* value at RIG_VPN + 5 */
	struct {
		bool is;
		uint64_t place, moved;
	} forked;
} events[] = {
	{ "unmap", do_unmap, UNMAPPED, UNMAPPED, 6, { 0 } },
	{ "dontneed", do_dontneed, ZEROS, UNMAPPED, 6, { 0 } },
	{ "map over", do_map_over, 50, UNMAPPED, 6, { 0 } },
	{ "remap", do_remap, UNMAPPED, 3, 6, { 0 } },
	{ "remap and leave", do_remap_dontunmap, ZEROS, 3, 6, { 0 } },
	{ "remap onto", do_remap_onto, 6, UNMAPPED, UNMAPPED, { 0 } },
	{ "remap and back", do_remap_and_back, 3, UNMAPPED, 6, { 0 } },
	{ "protect", do_protect, 3, UNMAPPED, 6, { 0 } },
	{ "exit", do_exit, UNMAPPED, UNMAPPED, UNMAPPED, { 0 } },
	{ "fork", do_fork, 3, UNMAPPED, 6, { true, 3, UNMAPPED } },
	{ "raw fork", do_raw_fork, 3, UNMAPPED, 6, { true, 3, UNMAPPED } },
	{ "fork, unmap", do_fork_and_unmap, 3, UNMAPPED, 6,
	  { true, UNMAPPED, UNMAPPED } },
	{ "fork, remap", do_fork_and_remap, 3, UNMAPPED, 6,
	  { true, ZEROS, 3 } },
	{ "fork, exit", do_fork_and_exit, 3, UNMAPPED, 6, { 0 } },
	{ "fork twice", do_fork_twice, 3, UNMAPPED, 6, { true, 3, UNMAPPED } },
};

static void expect_at(struct fake_mm *m, uint64_t vpn, uint64_t npages,
		      uint64_t value)
{
	uint64_t got;

	if (value == UNMAPPED)
		ck_assert_int_lt(fake_cpu_read(m, vpn, &got), 0);
	else
		fake_expect(m, vpn, npages, value == ZEROS ? 0 : value);
}

/* When it happens: before which give, or page, or behind. */
static const struct {
	enum fake_op op;
	unsigned int nth;
	bool after;
} moments[] = {
	{ FAKE_GIVE, 1, false },      { FAKE_GIVE, 2, false },
	{ FAKE_GIVE, 3, false },      { FAKE_GIVE, 1, true },
	{ FAKE_GIVE, 2, true },	      { FAKE_GIVE, 3, true },
	{ FAKE_GIVE_PAGE, 3, false }, { FAKE_GIVE_PAGE, 4, false },
	{ FAKE_GIVE_PAGE, 11, false }, { FAKE_GIVE_PAGE, 12, false },
};

#define NACTORS 3

static void expect_after(const struct event *e)
{
	if (e->event != do_exit) {
		expect_at(actor, RIG_VPN, 2, 1);
		expect_at(actor, RIG_VPN + 2, 2, e->place);
		expect_at(actor, RIG_VPN + 64, 2, e->moved);
		expect_at(actor, RIG_VPN + 5, 2, e->five);
	}
	if (e->forked.is) {
		expect_at(child[2], RIG_VPN + 2, 2, e->forked.place);
		expect_at(child[2], RIG_VPN + 64, 2, e->forked.moved);
		expect_at(child[2], RIG_VPN + 4, 4, 5);
	}
	for (int i = 0; i < NACTORS; i++) {
		struct fake_mm *m = i ? child[i - 1] : rig.m;

		if (m != actor)
			fake_expect(m, RIG_VPN, NPAGES, 1);
	}
	fake_check_idle(&rig.f);
}

START_TEST(test_restore_meanwhile)
{
	size_t e = (size_t)_i % UNIT_COUNT(events);
	size_t w = (size_t)_i / UNIT_COUNT(events) % UNIT_COUNT(moments);
	size_t a = (size_t)_i / UNIT_COUNT(events) / UNIT_COUNT(moments);

	share(2);
	actor = a ? child[a - 1] : rig.m;
	if (moments[w].after)
		fake_after(&rig.f, moments[w].op, moments[w].nth,
			   events[e].event, NULL);
	else
		fake_before(&rig.f, moments[w].op, moments[w].nth,
			    events[e].event, NULL);
	uhmm_migrate_evict(&rig.dev[0].pgmap);
	ck_assert_uint_eq(rig.f.hook[0].countdown, 0);
	expect_after(&events[e]);
}
END_TEST

/* The page came free while it was on its way, and is somebody else's. */
START_TEST(test_restore_page_is_used_again)
{
	share(0);
	actor = rig.m;
	fake_before(&rig.f, FAKE_GIVE, 1, do_remap_onto_and_take, NULL);
	rig_to_ram(rig.m, RIG_VPN, 4);
	fake_check_idle(&rig.f);
	expect_at(rig.m, RIG_VPN, 2, 1);
	expect_at(rig.m, RIG_VPN + 2, 1, 6);
	expect_at(rig.m, RIG_VPN + 3, 1, 71);
	expect_at(rig.m, RIG_VPN + 100, 1, 70);
	expect_at(rig.m, RIG_VPN + 102, 2, 72);
}
END_TEST

/* A child that nobody tells wakes all the same. */
static uint64_t seen;

static void read_in_child(void *arg)
{
	(void)arg;
	seen = fake_get(child[2], RIG_VPN + 2);
}

static void fork_and_touch(void *arg)
{
	do_fork(arg);
	fake_task_start(&rig.f.tasks, read_in_child, NULL);
}

START_TEST(test_restore_child_of_the_middle_waits)
{
	share(0);
	seen = 0;
	actor = rig.m;
	fake_before(&rig.f, FAKE_GIVE, 1, fork_and_touch, NULL);
	rig_to_ram(rig.m, RIG_VPN, NPAGES);
	ck_assert(fake_tasks_run(&rig.f.tasks));
	ck_assert_uint_eq(seen, 3);
	fake_expect(child[2], RIG_VPN, NPAGES, 1);
}
END_TEST

/* ---- batches, eviction ---- */

START_TEST(test_migrate_to_ram_many)
{
	struct fake_mm *other;

	fake_map(rig.m, RIG_VPN, 1300, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1300, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 1300, 0);
	other = fake_fork(rig.m);
	rig_to_ram(rig.m, RIG_VPN + 100, 1100);
	ck_assert_uint_eq(rig_used(0), 200);
	fake_expect(rig.m, RIG_VPN, 1300, 1);
	fake_expect(other, RIG_VPN, 1300, 1);
}
END_TEST

/* Only pages of the pagemap that is asked for. */
START_TEST(test_migrate_to_ram_of_one_pagemap)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_to_dev(0, rig.m, RIG_VPN, 4);
	rig_to_dev(1, rig.m, RIG_VPN + 4, 4);
	ck_assert_int_eq(uhmm_migrate_to_ram(
				 rig.m->mm, uhmm_range_of(UHMM_VPN(RIG_VPN), 8),
				 &rig.dev[1].pgmap),
			 4);
	ck_assert_uint_eq(rig_used(0), 4);
	ck_assert_uint_eq(uhmm_migrate_evict(&rig.dev[1].pgmap), 0);
	ck_assert_uint_eq(uhmm_migrate_evict(&rig.dev[0].pgmap), 4);
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

UNIT_RIG_MAIN("restore", UNIT_LOOP(test_restore_gives_to_all, 4),
	      UNIT_TEST(test_restore_lock_twice_is_busy),
	      UNIT_TEST(test_restore_lock_of_nothing),
	      UNIT_TEST(test_restore_unwant),
	      UNIT_LOOP(test_restore_one_give_fails,
			(int)(3ul * NPAGES * UNIT_COUNT(failures))),
	      UNIT_TEST(test_restore_page_is_there_already),
	      UNIT_LOOP(test_restore_engine_says_gone, 2),
	      UNIT_TEST(test_restore_always_again),
	      UNIT_LOOP(test_restore_meanwhile,
			(int)(NACTORS * UNIT_COUNT(events) *
			      UNIT_COUNT(moments))),
	      UNIT_TEST(test_restore_page_is_used_again),
	      UNIT_TEST(test_restore_child_of_the_middle_waits),
	      UNIT_TEST(test_migrate_to_ram_many),
	      UNIT_TEST(test_migrate_to_ram_of_one_pagemap))
