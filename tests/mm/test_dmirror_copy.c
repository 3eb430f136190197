/* SPDX-License-Identifier: MIT */
/* test_dmirror_copy.c - the caller copies between its buffer and pages
 * (dmirror_copy.c), and others run meanwhile
 */
#include <errno.h>
#include <string.h>

#include "trip.h"

#define NPAGES 100

/** What the caller does when it is asked. */
static struct {
	unsigned int asked;
	uint64_t most;		/* it stops there */
	void (*first)(void);	/* before it copies */
	bool late;		/* what it copies the first time is not there any
				 * more */
} caller;

static uint64_t begin(uint64_t npages)
{
	caller.asked++;
	if (caller.first)
		caller.first();
	return npages < caller.most ? npages : caller.most;
}

static uint64_t copy_pages(struct uhmm_user *user, uint64_t addr,
			   uhmm_vpn_t vpn, uint64_t npages, bool write)
{
	void *buf = fake_user_at(&rig.user, addr);

	ck_assert(!write);
	npages = begin(npages);
	ck_assert_int_eq(uhmm_mm_read(user->mm, vpn, npages, buf),
			 (int64_t)npages);
	return npages;
}

static uint64_t copy_device(struct uhmm_user *user, uint64_t addr,
			    uhmm_dpfn_t dpfn, uint64_t npages)
{
	void *buf = fake_user_at(&rig.user, addr);

	npages = begin(npages);
	if (caller.late && caller.asked == 1)
		memset(buf, 0x5a, npages * FAKE_PAGE_BYTES);
	else
		ck_assert_uint_eq(
			uhmm_device_private_read(uhmm_mm_core(user->mm), dpfn,
						 npages, buf),
			npages);
	return npages;
}

static void pages_and_caller(uint64_t npages)
{
	memset(&caller, 0, sizeof(caller));
	caller.most = UINT64_MAX;
	rig.user.user.mm = rig.m->mm;
	rig.user.user.copy_pages = copy_pages;
	rig.user.user.copy_device = copy_device;
	fake_map(rig.m, RIG_VPN, npages, &fake_rw);
	fake_put(rig.m, RIG_VPN, npages, 1);
}

START_TEST(test_caller_copies)
{
	pages_and_caller(NPAGES);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_buffer_is(NPAGES, 1);
	ck_assert_uint_eq(caller.asked, 1);
	rig_fill_buffer(NPAGES, 1000);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	rig_buffer_is(NPAGES, 1);
	ck_assert_uint_eq(caller.asked, 2);
	rig_fill_buffer(NPAGES, 1000);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 0);
	rig_buffer_is(NPAGES, 1);
	ck_assert_uint_eq(caller.asked, 3);
}
END_TEST

/* A message costs more than a few pages. */
START_TEST(test_caller_not_asked_for_few)
{
	pages_and_caller(8);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	rig_buffer_is(8, 1);
	ck_assert_uint_eq(caller.asked, 0);
}
END_TEST

/* Nor is one of another program for pages that are not its own. */
START_TEST(test_caller_of_another_mm)
{
	struct fake_mm *other = fake_fork(rig.m);

	pages_and_caller(NPAGES);
	rig.user.user.mm = other->mm;
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_buffer_is(NPAGES, 1);
	ck_assert_uint_eq(caller.asked, 0);
	fake_exit(other);
}
END_TEST

/* It stops where a page cannot be accessed; it is not asked again. */
START_TEST(test_caller_stops_midway)
{
	pages_and_caller(NPAGES);
	caller.most = (uint64_t)_i * 40;
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_buffer_is(NPAGES, 1);
	ck_assert_uint_eq(caller.asked, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	rig_buffer_is(NPAGES, 1);
	ck_assert_uint_eq(caller.asked, 2);
}
END_TEST

static void take_one_back(void)
{
	if (caller.asked == 1)
		rig_to_ram(rig.m, RIG_VPN + 50, 1);
}

/* What it copied was not the page any more. */
START_TEST(test_page_leaves_while_caller_copies)
{
	pages_and_caller(NPAGES);
	rig_to_dev(0, rig.m, RIG_VPN, NPAGES);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	caller.asked = 0;
	caller.first = take_one_back;
	caller.late = true;
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_buffer_is(NPAGES, 1);
}
END_TEST

/* The driver says so: the page is not there. */
START_TEST(test_page_leaves_while_handed_back)
{
	pages_and_caller(NPAGES);
	caller.first = take_one_back;
	caller.late = true;
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES),
			 -ENOENT);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

UNIT_RIG_MAIN("dmirror_copy", UNIT_TEST(test_caller_copies),
	      UNIT_TEST(test_caller_not_asked_for_few),
	      UNIT_TEST(test_caller_of_another_mm),
	      UNIT_LOOP(test_caller_stops_midway, 3),
	      UNIT_TEST(test_page_leaves_while_caller_copies),
	      UNIT_TEST(test_page_leaves_while_handed_back))
