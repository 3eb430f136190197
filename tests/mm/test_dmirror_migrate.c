/* SPDX-License-Identifier: MIT */
/* test_dmirror_migrate.c - the test device: MIGRATE_TO_DEV, MIGRATE_TO_SYS,
 * RELEASE, FAIL_ALLOC, opens and devices (spec 1.5, 2.3, 2.5, 2.6, 2.8)
 */
#include <errno.h>
#include <string.h>

#include "trip.h"

static const struct fake_kind shared = { .read = true, .write = true,
					 .shared = true };
static const struct fake_kind private_file = { .read = true, .write = true,
					       .file = true };

/* ---- to the device ---- */

START_TEST(test_to_dev_of_each_kind)
{
	fake_map(rig.m, RIG_VPN, 1030, &fake_rw);
	fake_expect(rig.m, RIG_VPN + 1, 1, 0);
	fake_put(rig.m, RIG_VPN + 2, 1028, 3);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 1030, 0);
	ck_assert_uint_eq(rig_used(0), 1030);
	ck_assert_uint_eq(rig.dev[0].count.migrate_to_dev_pages, 1030);
	ck_assert_uint_eq(rig_buffer(0), 0);
	ck_assert_uint_eq(rig_buffer(1), 0);
	for (uint64_t i = 2; i < 1030; i++)
		ck_assert_uint_eq(rig_buffer(i), i + 1);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 1030, 0x22);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 1030, 0);
	ck_assert_uint_eq(rig.dev[0].count.migrate_to_dev_pages, 1030);
	fake_expect(rig.m, RIG_VPN + 2, 1028, 3);
	ck_assert(!fake_is_trapped(rig.m, 0, FAKE_NPAGES) ||
		  rig_used(0) == 2);
}
END_TEST

static const struct {
	const char *what;
	struct fake_kind kind;	/* of pages 2 and 3 of 8 */
	int err;
	uint64_t moved;		/* pages on the device afterwards */
} stops[] = {
	{ "hole", { .read = false }, -EINVAL, 2 },
	{ "PROT_NONE", { .exec = true }, -EINVAL, 2 },
	{ "PROT_WRITE only", { .write = true }, -EINVAL, 2 },
	{ "hugetlb", { .read = true, .hugetlb = true }, -EINVAL, 2 },
	{ "special", { .read = true, .special = true }, -EINVAL, 2 },
	{ "shared", { .read = true, .write = true, .shared = true }, -ENOENT,
	  6 },
	{ "file", { .read = true, .write = true, .file = true }, -ENOENT, 6 },
	{ "another's userfaultfd", { .read = true, .trap_error = -EBUSY },
	  -ENOENT, 6 },
	{ "no memory to trap", { .read = true, .trap_error = -ENOMEM },
	  -ENOENT, 6 },
	{ "read-only", { .read = true }, 0, 8 },
};

START_TEST(test_to_dev_stops)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	if (_i == 0)
		fake_unmap(rig.m, RIG_VPN + 2, 2);
	else
		fake_map(rig.m, RIG_VPN + 2, 2, &stops[_i].kind);
	if (stops[_i].err)
		rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 8, stops[_i].err);
	else
		rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	ck_assert_uint_eq(rig_used(0), stops[_i].moved);
	fake_expect(rig.m, RIG_VPN, 2, 1);
	fake_expect(rig.m, RIG_VPN + 4, 4, 5);
}
END_TEST

/* ENOENT is decided when all is done, so EINVAL wins. */
START_TEST(test_to_dev_einval_before_enoent)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_map(rig.m, RIG_VPN + 8, 7, &shared);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 16, -EINVAL);
	ck_assert_uint_eq(rig_used(0), 8);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 15, -ENOENT);
}
END_TEST

static void be_on_other_device(void)
{
	rig_to_dev(1, rig.m, RIG_VPN + 1, 1);
}

static void be_on_this_device(void)
{
	rig_to_dev(0, rig.m, RIG_VPN + 1, 1);
}

static void be_swapped(void)
{
	fake_swap_out(rig.m, RIG_VPN + 1, 1);
}

static void be_remapped(void)
{
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	fake_map(rig.m, RIG_VPN + 100, 4, &fake_rw);
	fake_remap(rig.m, RIG_VPN, RIG_VPN + 100, 4, false);
	fake_remap(rig.m, RIG_VPN + 100, RIG_VPN, 4, false);
}

static void be_protected(void)
{
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	fake_protect(rig.m, RIG_VPN + 1, 1, &fake_ro);
}

static void be_forked(void)
{
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	(void)fake_fork(rig.m);
}

static void (*const not_in_table[])(void) = {
	be_on_other_device, be_on_this_device, be_swapped, be_remapped,
	be_protected, be_forked,
};

/* What does not move and is not in this open's table is ENOENT. */
START_TEST(test_to_dev_not_in_table)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	not_in_table[_i]();
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, RIG_VPN, 4), -ENOENT);
	ck_assert_uint_eq(rig.cmd.cpages, 77);
	fake_expect(rig.m, RIG_VPN, 4, 1);
}
END_TEST

START_TEST(test_to_dev_private_file)
{
	fake_map(rig.m, RIG_VPN, 4, &private_file);
	fake_put(rig.m, RIG_VPN, 2, 1);
	/* the file's own page is no copy, what was never touched no hole */
	(void)fake_get(rig.m, RIG_VPN + 2);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 4, -ENOENT);
	ck_assert_uint_eq(rig_used(0), 2);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x22, 0x22, 0x01, 0x00);
	fake_expect(rig.m, RIG_VPN, 2, 1);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	rig_ok(rig.file, RIG_TO_SYS, RIG_VPN, 4, 0);
	fake_expect(rig.m, RIG_VPN, 4, 1);
}
END_TEST

/* What fits goes. (Its own rig: a device of few pages.) */
START_TEST(test_to_dev_device_full)
{
	rig_down();
	rig_up_with(5, NULL);
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 8, -ENOENT);
	ck_assert_uint_eq(rig_used(0), 5);
	ck_assert_uint_eq(rig.dev[0].count.refused_nomem, 3);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x22, 0x22, 0x22, 0x22, 0x22, 2);
	fake_expect(rig.m, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 5, 0);
}
END_TEST

/* Too little memory for the core's own tables: nothing is lost either. */
static const enum uhmm_slab scarce[] = { UHMM_SLAB_NODE, UHMM_SLAB_FLIGHT };

START_TEST(test_to_dev_store_full)
{
	struct uhmm_store_limits limits = {
		.dpfns = FAKE_DPFNS,
		.objects = { 8, 8, 4, 4, 4 },
	};
	uint32_t taken[8];
	unsigned int n = 0;

	rig_down();
	rig_up_with(RIG_NPAGES, &limits);
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	while (uhmm_slab_room(&rig.f.core.store, scarce[_i]))
		taken[n++] = uhmm_slab_alloc(&rig.f.core.store, scarce[_i]);
	ck_assert_int_eq(rig.dev[0].ops->ioctl(
				 rig.file, &rig.user.user, RIG_TO_DEV,
				 (memcpy(fake_user_at(&rig.user, RIG_CMD),
					 &(struct uhmm_dmirror_cmd){
						 .addr = RIG_VPN *
							 FAKE_PAGE_BYTES,
						 .ptr = RIG_PTR,
						 .npages = 4 },
					 40),
				  RIG_CMD)),
			 -ENOENT);
	while (n)
		uhmm_slab_free(&rig.f.core.store, scarce[_i], taken[--n]);
	fake_expect(rig.m, RIG_VPN, 4, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
}
END_TEST

/* ---- what the program does while its pages are being taken ---- */

static void drop_page_3(void *arg)
{
	(void)arg;
	fake_dontneed(rig.m, RIG_VPN + 3, 1);
}

static void unmap_page_3(void *arg)
{
	(void)arg;
	fake_unmap(rig.m, RIG_VPN + 3, 1);
}

static void move_page_3(void *arg)
{
	(void)arg;
	fake_remap(rig.m, RIG_VPN + 3, RIG_VPN + 64, 1, false);
}

static void move_page_3_away(void *arg)
{
	(void)arg;
	fake_remap(rig.m, RIG_VPN + 3, RIG_VPN + 64, 1, true);
}

static const struct {
	void (*event)(void *arg);
	bool is_moved, is_mapped;
} events[] = {
	{ drop_page_3, false, true },
	{ unmap_page_3, false, false },
	{ move_page_3, true, false },
	{ move_page_3_away, true, true },
};

static const struct {
	enum fake_op op;
	bool after, careless;
} moments[] = {
	{ FAKE_TRAP, true, false },	 { FAKE_TAKE, false, false },
	{ FAKE_TAKE_PAGE, false, false }, { FAKE_ZAP, false, false },
	{ FAKE_TAKE, true, false },	 { FAKE_TAKE, false, true },
	{ FAKE_TAKE_PAGE, false, true }, { FAKE_ZAP, false, true },
};

START_TEST(test_to_dev_page_changes_meanwhile)
{
	size_t e = (size_t)_i % UNIT_COUNT(events);
	size_t w = (size_t)_i / UNIT_COUNT(events);

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig.f.careless = moments[w].careless;
	if (moments[w].after)
		fake_after(&rig.f, moments[w].op, 1, events[e].event, NULL);
	else
		fake_before(&rig.f, moments[w].op, 1, events[e].event, NULL);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 8, -ENOENT);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, 3, 1);
	fake_expect(rig.m, RIG_VPN + 4, 4, 5);
	if (events[e].is_moved)
		fake_expect(rig.m, RIG_VPN + 64, 1, 4);
	if (events[e].is_mapped)
		fake_expect(rig.m, RIG_VPN + 3, 1, 0);
	fake_map(rig.m, RIG_VPN + 3, 1, &fake_rw);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	ck_assert_uint_eq(rig_buffer(3), 0);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
}
END_TEST

/* ---- to the system ---- */

START_TEST(test_to_sys_counts_what_came_back)
{
	fake_map(rig.m, RIG_VPN, 1100, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1100, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 1000, 0);
	rig_to_dev(1, rig.m, RIG_VPN + 1000, 10);
	fake_expect(rig.m, RIG_VPN + 20, 5, 21);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 1100), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 995);
	ck_assert_uint_eq(rig.cmd.faults, 0);
	ck_assert_uint_eq(rig.dev[0].count.migrate_to_sys_pages, 995);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig_used(1), 10);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN + 999, 12, 2, 0, 0, 0, 0, 0, 0, 0, 0,
			0, 0, 2);
	fake_expect(rig.m, RIG_VPN, 1100, 1);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 1100), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 0);
}
END_TEST

/* Pages that were holes come back as pages, not as the zero page. */
START_TEST(test_to_sys_of_holes)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_map(rig.m, RIG_VPN + 4, 4, &fake_ro);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x22, 0x22, 0x22, 0x22, 0x21);
	fake_expect(rig.m, RIG_VPN + 4, 1, 0);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 8), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 7);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 2);
	fake_expect(rig.m, RIG_VPN, 8, 0);
}
END_TEST

START_TEST(test_to_sys_stops)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	fake_protect(rig.m, RIG_VPN + 4, 1, &fake_none);
	rig_fails(rig.file, RIG_TO_SYS, RIG_VPN, 8, -EINVAL);
	ck_assert_uint_eq(rig_used(0), 4);
	/* RELEASE does not care */
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_RELEASE, 0, 1), 0);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_protect(rig.m, RIG_VPN + 4, 1, &fake_rw);
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

/* A page that cannot be given stays, and is not counted. */
START_TEST(test_to_sys_page_not_given)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	fake_fail_nth(&rig.f, FAKE_GIVE_PAGE, 3, -ENOMEM);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 8), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 7);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 2, 2, 0x22, 2);
	rig_ok(rig.file, RIG_READ, RIG_VPN + 2, 1, 0);
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

/* ---- FAIL_ALLOC ---- */

static void fail_alloc(void)
{
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_FLAGS, 0, 1), 0);
}

START_TEST(test_fail_alloc_to_dev)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	fail_alloc();
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 4, -ENOENT);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 2, 0x22);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	fake_expect(rig.m, RIG_VPN, 4, 1);
}
END_TEST

START_TEST(test_fail_alloc_to_sys)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	fail_alloc();
	rig_fails(rig.file, RIG_TO_SYS, RIG_VPN, 4, -ENOMEM);
	ck_assert_uint_eq(rig_used(0), 4);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 0);
	rig_ok(rig.file, RIG_TO_SYS, RIG_VPN, 4, 0);
	fake_expect(rig.m, RIG_VPN, 4, 1);
}
END_TEST

START_TEST(test_fail_alloc_cpu_fault_uses_it_up)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	fail_alloc();
	fake_expect(rig.m, RIG_VPN, 1, 1);
	ck_assert_uint_eq(rig.dev[0].count.cpu_faults, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
}
END_TEST

/* Only an allocation uses it up, and only one by the same open. */
START_TEST(test_fail_alloc_stays_until_used)
{
	struct uhmm_file *other = rig_open(0, rig.m);

	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fail_alloc();
	rig_fails(rig.file, RIG_TO_DEV, 0, 1, -EINVAL);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 4), 0);
	rig_ok(other, RIG_READ, RIG_VPN, 4, 1);
	rig_ok(other, RIG_TO_DEV, RIG_VPN, 2, 0);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN + 2, 2, -ENOENT);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN + 2, 2, 0);
	rig_close(other);
}
END_TEST

UNIT_RIG_MAIN("dmirror_migrate", UNIT_TEST(test_to_dev_of_each_kind),
	      UNIT_TABLE(test_to_dev_stops, stops),
	      UNIT_TEST(test_to_dev_einval_before_enoent),
	      UNIT_TABLE(test_to_dev_not_in_table, not_in_table),
	      UNIT_TEST(test_to_dev_private_file),
	      UNIT_TEST(test_to_dev_device_full),
	      UNIT_TABLE(test_to_dev_store_full, scarce),
	      UNIT_LOOP(test_to_dev_page_changes_meanwhile,
			(int)(UNIT_COUNT(events) * UNIT_COUNT(moments))),
	      UNIT_TEST(test_to_sys_counts_what_came_back),
	      UNIT_TEST(test_to_sys_of_holes), UNIT_TEST(test_to_sys_stops),
	      UNIT_TEST(test_to_sys_page_not_given),
	      UNIT_TEST(test_fail_alloc_to_dev),
	      UNIT_TEST(test_fail_alloc_to_sys),
	      UNIT_TEST(test_fail_alloc_cpu_fault_uses_it_up),
	      UNIT_TEST(test_fail_alloc_stays_until_used))
