/* SPDX-License-Identifier: MIT */
/* test_coherent.c - devices whose memory the CPU can reach (spec 2.9) */
#include <errno.h>

#include <uhmm/migrate.h>

#include "mm/coherent.h"
#include "trip.h"

#define NPAGES UINT64_C(16)

static void up(void)
{
	rig_up_coherent(NPAGES);
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
}

/* Eight written pages on device 0. */
static void to_dev(void)
{
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
}

static void release(void)
{
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_RELEASE, RIG_VPN, 1), 0);
}

/* A fork comes that nobody tells of: where they are they stay. */
START_TEST(test_coherent_leave)
{
	up();
	to_dev();
	uhmm_coherent_leave(rig.m->mm,
			    uhmm_range_of(UHMM_VPN(RIG_VPN + 2), 4));
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x42, 0x42, 2, 2, 2, 2, 0x42);
	ck_assert_uint_eq(rig_used(0), 4);
	fake_expect(rig.m, RIG_VPN, 8, 1);
	rig_down();
}
END_TEST

START_TEST(test_coherent_stays_with_the_cpu)
{
	up();
	to_dev();
	rig_buffer_is(8, 1);
	ck_assert_uint_eq(rig_used(0), 8);
	ck_assert_uint_eq(rig.f.calls[FAKE_TAKE], 0);
	ck_assert(!fake_is_trapped(rig.m, 0, FAKE_NPAGES));
	fake_put(rig.m, RIG_VPN, 8, 21);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x42);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	rig_buffer_is(8, 21);
	rig_fill_buffer(8, 31);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 8, 0);
	fake_expect(rig.m, RIG_VPN, 8, 31);
	rig_ok(rig.file, RIG_TO_SYS, RIG_VPN, 8, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x02);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_expect(rig.m, RIG_VPN, 8, 31);
	rig_down();
}
END_TEST

START_TEST(test_coherent_hole_and_zero_page)
{
	up();
	fake_expect(rig.m, RIG_VPN, 2, 0);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	rig_buffer_is(4, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x42);
	fake_map(rig.m, RIG_VPN, 4, &fake_ro);
	fake_expect(rig.m, RIG_VPN, 2, 0);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x41);
	rig_ok(rig.file, RIG_TO_SYS, RIG_VPN, 4, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x01);
	rig_down();
}
END_TEST

START_TEST(test_coherent_room_is_reused_and_clean)
{
	up();
	to_dev();
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN, 8, 0);
	fake_dontneed(rig.m, RIG_VPN, 8);
	ck_assert_uint_eq(rig_used(0), 0);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	rig_buffer_is(NPAGES, 0);
	fake_expect(rig.m, RIG_VPN, NPAGES, 0);
	rig_down();
}
END_TEST

START_TEST(test_coherent_is_full)
{
	up();
	fake_map(rig.m, RIG_VPN, 2 * NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, 2 * NPAGES, 1);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 2 * NPAGES, -ENOENT);
	ck_assert_uint_eq(rig_used(0), NPAGES);
	fake_put(rig.m, RIG_VPN, 2 * NPAGES, 5);
	release();
	ck_assert_uint_eq(rig_used(0), 0);
	rig_down();
}
END_TEST

START_TEST(test_coherent_of_another_device)
{
	struct uhmm_file *other;

	up();
	other = rig_open(1, rig.m);
	to_dev();
	RIG_SNAPSHOT_IS(other, RIG_VPN, 8, 0x52);
	rig_fails(other, RIG_TO_DEV, RIG_VPN, 8, -ENOENT);
	rig_ok(other, RIG_READ, RIG_VPN, 8, 1);
	rig_buffer_is(8, 1);
	rig_ok(other, RIG_TO_DEV, RIG_VPN, 8, 0);
	ck_assert_uint_eq(rig_used(1), 0);
	rig_close(other);
	ck_assert_uint_eq(rig_used(0), 8);
	rig_down();
}
END_TEST

START_TEST(test_coherent_follows_the_mappings)
{
	up();
	to_dev();
	fake_unmap(rig.m, RIG_VPN, 2);
	ck_assert_uint_eq(rig_used(0), 6);
	fake_dontneed(rig.m, RIG_VPN + 2, 1);
	ck_assert_uint_eq(rig_used(0), 5);
	fake_expect(rig.m, RIG_VPN + 2, 1, 0);
	fake_remap(rig.m, RIG_VPN + 3, 0x200, 3, false);
	RIG_SNAPSHOT_IS(rig.file, 0x200, 3, 0x42);
	fake_expect(rig.m, 0x200, 3, 4);
	fake_protect(rig.m, RIG_VPN + 6, 2, &fake_none);
	release();
	ck_assert_uint_eq(rig_used(0), 0);
	fake_protect(rig.m, RIG_VPN + 6, 2, &fake_rw);
	fake_expect(rig.m, RIG_VPN + 6, 2, 7);
	rig_down();
}
END_TEST

START_TEST(test_coherent_fork)
{
	struct fake_mm *child;
	struct uhmm_file *file;

	up();
	to_dev();
	child = fake_fork(rig.m);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x41);
	fake_put(child, RIG_VPN, 2, 91);	/* copies of its own */
	fake_put(rig.m, RIG_VPN + 2, 2, 81);
	file = rig_open(1, child);
	RIG_SNAPSHOT_IS(file, RIG_VPN, 8, 0x02, 0x02, 0x51);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x41, 0x41, 0x02, 0x02, 0x41);
	fake_put(rig.m, RIG_VPN, 2, 1);		/* alone by now */
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 3, 0x42, 0x42, 0x02);
	fake_expect(child, RIG_VPN, 2, 91);
	fake_expect(child, RIG_VPN + 2, 6, 3);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 8), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 6);
	rig_close(file);
	rig_down();
}
END_TEST

/* A page that a fork left shared becomes the device's for both. */
START_TEST(test_coherent_for_all_sharers)
{
	struct fake_mm *child;
	struct uhmm_file *file;

	up();
	fake_put(rig.m, RIG_VPN, 8, 1);
	child = fake_fork(rig.m);
	file = rig_open(0, child);
	rig_ok(file, RIG_TO_DEV, RIG_VPN, 8, 0);
	ck_assert_uint_eq(rig_used(0), 8);
	RIG_SNAPSHOT_IS(file, RIG_VPN, 8, 0x41);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x41);
	fake_put(rig.m, RIG_VPN, 2, 91);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 3, 0x02, 0x02, 0x41);
	RIG_SNAPSHOT_IS(file, RIG_VPN, 3, 0x41);
	fake_expect(child, RIG_VPN, 8, 1);
	fake_put(child, RIG_VPN, 1, 81);	/* alone by now */
	RIG_SNAPSHOT_IS(file, RIG_VPN, 2, 0x42, 0x41);
	rig_close(file);
	rig_down();
}
END_TEST

START_TEST(test_coherent_last_close_evicts)
{
	up();
	to_dev();
	(void)fake_fork(rig.m);
	rig_close(rig.file);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_expect(rig.m, RIG_VPN, 8, 1);
	rig_down();
}
END_TEST

START_TEST(test_coherent_exclusive)
{
	up();
	to_dev();
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN, 8, 0);
	rig_buffer_is(8, 1);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x00);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_CHECK, RIG_VPN, 8), -EPERM);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	fake_expect(rig.m, RIG_VPN, 4, 1);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x42, 0x42, 0x42, 0x42, 0x00);
	ck_assert_uint_eq(rig_used(0), 8);
	if (_i) {	/* RELEASE takes all; the kernel's never returns */
		release();
		ck_assert_uint_eq(rig_used(0), 0);
	} else {	/* as the kernel: these stay, read-only */
		rig_close(rig.file);
		ck_assert_uint_eq(rig_used(0), 4);
		fake_expect(rig.m, RIG_VPN, 8, 1);
		rig.file = rig_open(0, rig.m);
		RIG_SNAPSHOT_IS(rig.file, RIG_VPN + 4, 4, 0x41);
	}
	fake_expect(rig.m, RIG_VPN, 8, 1);
	rig_down();
}
END_TEST

/* Whatever fails, once: no byte is lost and nothing is left behind. */
static const enum fake_op failing[] = {
	FAKE_SCAN, FAKE_TRAP, FAKE_WATCH, FAKE_PROTECT, FAKE_UNPROTECT,
	FAKE_TAKE, FAKE_TAKE_PAGE, FAKE_ZAP, FAKE_GIVE, FAKE_GIVE_PAGE,
};

START_TEST(test_coherent_one_failure)
{
	static const int errors[] = { -ENOMEM, -EAGAIN };
	enum fake_op op = failing[_i / 4];
	int err = errors[_i % 2];

	up();
	fake_put(rig.m, RIG_VPN, 4, 1);
	fake_expect(rig.m, RIG_VPN + 4, 2, 0);
	fake_fail_nth(&rig.f, op, _i / 2 % 2 + 1, err);
	(void)rig_ioctl(rig.file, RIG_TO_DEV, RIG_VPN, 8);
	fake_check_idle(&rig.f);
	(void)rig_ioctl(rig.file, RIG_EXCLUSIVE, RIG_VPN, 8);
	fake_check_idle(&rig.f);
	fake_expect(rig.m, RIG_VPN, 4, 1);
	fake_expect(rig.m, RIG_VPN + 4, 4, 0);
	(void)rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 8);
	fake_heal(&rig.f);
	fake_put(rig.m, RIG_VPN, 8, 11);
	fake_expect(rig.m, RIG_VPN, 8, 11);
	rig_down();
}
END_TEST

/* While pages are being taken for the device alone. */
static void unmap_some(void *arg)
{
	(void)arg;
	fake_unmap(rig.m, RIG_VPN, 2);
}

static void remap_some(void *arg)
{
	(void)arg;
	fake_remap(rig.m, RIG_VPN, 0x200, 2, false);
}

static void fork_now(void *arg)
{
	(void)arg;
	(void)fake_raw_fork(rig.m);
}

static void (*const events[])(void *) = { unmap_some, remap_some, fork_now };
static const enum fake_op moments[] = { FAKE_TRAP, FAKE_TAKE, FAKE_ZAP };

START_TEST(test_coherent_exclusive_meanwhile)
{
	enum fake_op op = moments[_i / UNIT_COUNT(events)];

	up();
	to_dev();
	fake_before(&rig.f, op, 1, events[_i % UNIT_COUNT(events)], NULL);
	(void)rig_ioctl(rig.file, RIG_EXCLUSIVE, RIG_VPN, 8);
	fake_check_idle(&rig.f);
	if (events[_i % UNIT_COUNT(events)] == remap_some)
		fake_expect(rig.m, 0x200, 2, 1);
	fake_expect(rig.m, RIG_VPN + 2, 6, 3);
	fake_check_idle(&rig.f);
	rig_down();
}
END_TEST

UNIT_MAIN("coherent", UNIT_TEST(test_coherent_stays_with_the_cpu),
	  UNIT_TEST(test_coherent_hole_and_zero_page),
	  UNIT_TEST(test_coherent_room_is_reused_and_clean),
	  UNIT_TEST(test_coherent_is_full),
	  UNIT_TEST(test_coherent_of_another_device),
	  UNIT_TEST(test_coherent_follows_the_mappings),
	  UNIT_TEST(test_coherent_leave),
	  UNIT_TEST(test_coherent_fork),
	  UNIT_TEST(test_coherent_for_all_sharers),
	  UNIT_TEST(test_coherent_last_close_evicts),
	  { test_coherent_exclusive, 2, false },
	  { test_coherent_one_failure, 4 * UNIT_COUNT(failing), false },
	  { test_coherent_exclusive_meanwhile,
	    UNIT_COUNT(moments) * UNIT_COUNT(events), false })
