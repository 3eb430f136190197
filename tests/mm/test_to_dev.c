/* SPDX-License-Identifier: MIT */
/* test_to_dev.c - pages to a device without a driver's choice */
#include <errno.h>

#include "trip.h"

static int64_t to_dev(uint64_t vpn, uint64_t npages)
{
	int64_t n = uhmm_migrate_to_dev(rig.file->mm,
					uhmm_range_of(UHMM_VPN(vpn), npages),
					&rig.dev[0].pgmap, 0);

	fake_check(&rig.f);
	return n;
}

START_TEST(test_all_go)
{
	fake_map(rig.m, RIG_VPN, 1200, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1200, 1);
	ck_assert_int_eq(to_dev(RIG_VPN, 1200), 1200);
	ck_assert_uint_eq(rig_used(0), 1200);
	ck_assert_int_eq(to_dev(RIG_VPN, 1200), 0);
	fake_expect(rig.m, RIG_VPN, 1200, 1);
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

START_TEST(test_some_go)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	ck_assert_int_eq(to_dev(RIG_VPN + 2, 3), 3);
	ck_assert_int_eq(to_dev(RIG_VPN, 8), 5);
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

START_TEST(test_refused)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	ck_assert_int_eq(to_dev(RIG_VPN, 8), -EINVAL);
	ck_assert_int_eq(to_dev(0x300, 1), -EINVAL);
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

START_TEST(test_full)
{
	rig_down();
	rig_up_with(4, NULL);
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	ck_assert_int_eq(to_dev(RIG_VPN, 8), 4);
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

START_TEST(test_gone)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_exit(rig.m);
	ck_assert_int_eq(to_dev(RIG_VPN, 8), -ESRCH);
}
END_TEST

UNIT_RIG_MAIN("to_dev", UNIT_TEST(test_all_go), UNIT_TEST(test_some_go),
	      UNIT_TEST(test_refused), UNIT_TEST(test_full),
	      UNIT_TEST(test_gone))
