/* SPDX-License-Identifier: MIT */
/* test_gup.c - pages for somebody in the kernel, and its test file */
#include <uhmm/gup.h>

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "trip.h"

#define WRITE_LONG (UHMM_FOLL_WRITE | UHMM_FOLL_LONGTERM)

static int64_t get(uint64_t vpn, uint64_t npages, unsigned int flags)
{
	int64_t n = uhmm_get_user_pages(rig.file->mm, UHMM_VPN(vpn), npages,
					flags);

	fake_check(&rig.f);
	return n;
}

static void up(void)
{
	rig_up();
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
}

START_TEST(test_get_brings_private_pages_back)
{
	up();
	ck_assert_int_eq(get(RIG_VPN, 2, UHMM_FOLL_WRITE), 2);
	ck_assert_int_eq(get(RIG_VPN + 2, 1, 0), 1);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x02, 0x02, 0x02, 0x22);
	fake_expect(rig.m, RIG_VPN, 8, 1);
	rig_down();
}
END_TEST

/* S2.7 */
START_TEST(test_get_revokes_exclusive_pages)
{
	up();
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN, 8, 0);
	ck_assert_int_eq(get(RIG_VPN + 1, 1, 0), 1);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_CHECK, RIG_VPN + 1, 1), 0);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_CHECK, RIG_VPN, 1), -EPERM);
	rig_down();
}
END_TEST

START_TEST(test_get_coherent)
{
	rig_up_coherent(8);
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	ck_assert_int_eq(get(RIG_VPN, 2, UHMM_FOLL_WRITE), 2);
	ck_assert_int_eq(get(RIG_VPN + 2, 1, UHMM_FOLL_LONGTERM), 1);
	ck_assert_int_eq(get(RIG_VPN + 3, 1, WRITE_LONG), 1);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x42, 0x42, 0x02, 0x02, 0x42);
	ck_assert_uint_eq(rig_used(0), 6);
	fake_expect(rig.m, RIG_VPN, 8, 1);
	rig_down();
}
END_TEST

START_TEST(test_get_shared_by_fork)
{
	struct fake_mm *child;

	rig_up_coherent(8);
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	fake_put(rig.m, RIG_VPN, 2, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 2, 0);
	child = fake_fork(rig.m);
	/* the write makes a copy, which is no device's */
	ck_assert_int_eq(get(RIG_VPN, 1, WRITE_LONG), 1);
	ck_assert_int_eq(get(RIG_VPN + 1, 1, UHMM_FOLL_LONGTERM), 1);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 2, 0x02, 0x01);
	fake_expect(child, RIG_VPN, 2, 1);
	fake_expect(rig.m, RIG_VPN, 2, 1);
	rig_down();
}
END_TEST

START_TEST(test_get_refuses)
{
	up();
	ck_assert_int_eq(get(RIG_VPN + 8, 1, 0), -EFAULT);
	ck_assert_int_eq(get(RIG_VPN + 6, 4, 0), 2);
	fake_protect(rig.m, RIG_VPN, 8, &fake_ro);
	ck_assert_int_eq(get(RIG_VPN, 1, UHMM_FOLL_WRITE), -EFAULT);
	ck_assert_int_eq(get(RIG_VPN, 1, 0), 1);
	fake_protect(rig.m, RIG_VPN, 8, &fake_none);
	ck_assert_int_eq(get(RIG_VPN, 1, 0), -EFAULT);
	fake_fail(&rig.f, FAKE_FAULT_IN, 1, 1, -ENOMEM);
	fake_map(rig.m, RIG_VPN + 8, 1, &fake_rw);
	ck_assert_int_eq(get(RIG_VPN + 8, 1, 0), -ENOMEM);
	fake_exit(rig.m);
	ck_assert_int_eq(get(RIG_VPN, 1, 0), -ESRCH);
	rig_down();
}
END_TEST

static struct uhmm_pin *pin(uint64_t vpn, uint64_t npages)
{
	struct uhmm_pin *p;

	ck_assert_int_eq(uhmm_pin_user_pages(rig.m->mm, UHMM_VPN(vpn), npages,
					     WRITE_LONG, &p), 0);
	fake_check(&rig.f);
	return p;
}

START_TEST(test_pin_stays)
{
	struct uhmm_pin *p;

	up();
	p = pin(RIG_VPN + 2, 3);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 8, -ENOENT);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 0x22, 0x22, 0x02, 0x02, 0x02,
			0x22);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_EXCLUSIVE, RIG_VPN + 2, 1),
			 -EBUSY);
	uhmm_unpin_user_pages(p);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	rig_buffer_is(8, 1);
	rig_down();
}
END_TEST

START_TEST(test_pin_of_what_is_dropped)
{
	struct uhmm_pin *p;

	up();
	p = pin(RIG_VPN, 8);
	fake_dontneed(rig.m, RIG_VPN + 1, 1);
	fake_unmap(rig.m, RIG_VPN + 3, 2);
	ck_assert(uhmm_pin_has(p, UHMM_VPN(RIG_VPN)));
	ck_assert(!uhmm_pin_has(p, UHMM_VPN(RIG_VPN + 1)));
	ck_assert(uhmm_pin_has(p, UHMM_VPN(RIG_VPN + 2)));
	ck_assert(!uhmm_pin_has(p, UHMM_VPN(RIG_VPN + 4)));
	ck_assert(!uhmm_pin_has(p, UHMM_VPN(RIG_VPN + 8)));
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN + 1, 1, 0);
	fake_exit(rig.m);
	ck_assert(!uhmm_pin_has(p, UHMM_VPN(RIG_VPN)));
	uhmm_unpin_user_pages(p);
	rig_down();
}
END_TEST

START_TEST(test_pin_fails_whole)
{
	struct uhmm_pin *p = NULL;

	up();
	ck_assert_int_eq(uhmm_pin_user_pages(rig.m->mm, UHMM_VPN(RIG_VPN + 6),
					     4, WRITE_LONG, &p), -EFAULT);
	ck_assert_ptr_null(p);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	rig_down();
}
END_TEST

/* ---- the file ---- */

struct gup_test {
	uint64_t get_usec, put_usec, addr, size;
	uint32_t per_call, gup_flags, test_flags, which[8];
};

struct pin_test {
	uint64_t addr, size;
	uint32_t flags;
};

#define GUP_FAST _IOWR('g', 1, struct gup_test)
#define PIN_LONG _IOWR('g', 3, struct gup_test)
#define GUP_BASIC _IOWR('g', 4, struct gup_test)
#define GUP_DUMP _IOWR('g', 6, struct gup_test)
#define PIN_START _IOW('g', 7, struct pin_test)
#define PIN_STOP _IO('g', 8)
#define PIN_READ _IOW('g', 9, uint64_t)

static struct uhmm_device gup_device;
static struct uhmm_file gup_file;

static void up_file(void)
{
	up();
	gup_device = (struct uhmm_device){ .core = &rig.f.core,
					   .ops = &uhmm_gup_test_ops };
	unit_expect(gup_device.ops->start(&gup_device) == 0);
	gup_file = (struct uhmm_file){ .dev = &gup_device, .mm = rig.m->mm };
	unit_expect(gup_device.ops->open(&gup_file) == 0);
	rig.user.user.mm = rig.m->mm;
}

static void down_file(void)
{
	gup_device.ops->release(&gup_file);
	gup_device.ops->stop(&gup_device);
	rig_down();
}

static int call(uint64_t cmd, void *arg, size_t bytes)
{
	int64_t ret;

	if (bytes)
		memcpy(fake_user_at(&rig.user, RIG_CMD), arg, bytes);
	ret = gup_device.ops->ioctl(&gup_file, &rig.user.user, cmd, RIG_CMD);
	if (bytes)
		memcpy(arg, fake_user_at(&rig.user, RIG_CMD), bytes);
	fake_check(&rig.f);
	return (int)ret;
}

/* Pages the call came over, of @npages from RIG_VPN + @at on. */
static uint64_t test_of(uint64_t cmd, uint64_t at, uint64_t npages,
			uint32_t per_call, uint32_t flags)
{
	struct gup_test g = {
		.get_usec = 99,
		.put_usec = 99,
		.addr = (RIG_VPN + at) * FAKE_PAGE_BYTES,
		.size = npages * FAKE_PAGE_BYTES,
		.per_call = per_call,
		.gup_flags = flags,
	};

	ck_assert_int_eq(call(cmd, &g, sizeof(g)), 0);
	ck_assert_uint_ne(g.get_usec, 99);
	ck_assert_uint_eq(g.put_usec, 0);
	ck_assert_uint_eq(g.size % FAKE_PAGE_BYTES, 0);
	return g.size / FAKE_PAGE_BYTES;
}

START_TEST(test_file_sizes)
{
	up_file();
	ck_assert_uint_eq(test_of(GUP_BASIC, 0, 8, 3, UHMM_FOLL_WRITE), 8);
	ck_assert_uint_eq(test_of(GUP_FAST, 0, 8, 8, 0), 8);
	ck_assert_uint_eq(test_of(PIN_LONG, 2, 0, 1, 0), 0);
	/* it stops at the call that gets none, or fewer than it asked for */
	ck_assert_uint_eq(test_of(GUP_BASIC, 6, 4, 1, 0), 2);
	ck_assert_uint_eq(test_of(GUP_BASIC, 5, 8, 2, 0), 4);
	ck_assert_uint_eq(test_of(GUP_BASIC, 0, 8, 0, 0), 0);
	/* flags that do not go with the call */
	ck_assert_uint_eq(test_of(GUP_BASIC, 0, 8, 1, UHMM_FOLL_LONGTERM), 0);
	ck_assert_uint_eq(test_of(PIN_LONG, 0, 8, 1, 1 << 1), 0);
	ck_assert_uint_eq(test_of(PIN_LONG, 0, 8, 1, 1 << 10), 0);
	ck_assert_uint_eq(test_of(GUP_BASIC, 0, 8, 1, 1 << 19), 0);
	ck_assert_uint_eq(test_of(GUP_FAST, 0, 8, 1, 1 << 4), 0);
	ck_assert_uint_eq(test_of(GUP_BASIC, 0, 8, 1, 1 << 4), 8);
	down_file();
}
END_TEST

START_TEST(test_file_errors)
{
	struct gup_test g = { .size = UINT64_MAX / 2 };

	up_file();
	ck_assert_int_eq(call(GUP_BASIC, &g, sizeof(g)), -ENOMEM);
	ck_assert_int_eq(call(_IO('g', 10), NULL, 0), -EINVAL);
	rig.user.bad = RIG_CMD;
	rig.user.bad_end = RIG_CMD + 1;
	ck_assert_int_eq(call(GUP_BASIC, NULL, 0), -EFAULT);
	ck_assert_int_eq(call(PIN_START, NULL, 0), -EFAULT);
	ck_assert_int_eq(call(PIN_READ, NULL, 0), -EINVAL);
	down_file();
}
END_TEST

START_TEST(test_file_dump)
{
	struct gup_test g = { .addr = RIG_VPN * FAKE_PAGE_BYTES,
			      .size = 2 * FAKE_PAGE_BYTES,
			      .per_call = 2,
			      .which = { 1, 2, 3, 0, 9 } };

	up_file();
	ck_assert_int_eq(call(GUP_DUMP, &g, sizeof(g)), 0);
	ck_assert_uint_eq(g.which[0], 1);
	ck_assert_uint_eq(g.which[1], 2);
	ck_assert_uint_eq(g.which[2], 0);
	ck_assert_uint_eq(g.which[4], 0);
	down_file();
}
END_TEST

START_TEST(test_file_pins)
{
	struct pin_test t = { .addr = RIG_VPN * FAKE_PAGE_BYTES,
			      .size = 4 * FAKE_PAGE_BYTES, .flags = 1 };
	struct pin_test odd = t;
	uint64_t to = RIG_PTR;

	up_file();
	odd.flags = 4;
	ck_assert_int_eq(call(PIN_START, &odd, sizeof(odd)), -EINVAL);
	odd = (struct pin_test){ .addr = t.addr + 1, .size = t.size };
	ck_assert_int_eq(call(PIN_START, &odd, sizeof(odd)), -EINVAL);
	odd = (struct pin_test){ .addr = t.addr };
	ck_assert_int_eq(call(PIN_START, &odd, sizeof(odd)), -EINVAL);
	odd = (struct pin_test){ .addr = t.addr, .size = 9 * FAKE_PAGE_BYTES };
	ck_assert_int_eq(call(PIN_START, &odd, sizeof(odd)), -EFAULT);

	ck_assert_int_eq(call(PIN_START, &t, sizeof(t)), 0);
	ck_assert_int_eq(call(PIN_START, &t, sizeof(t)), -EINVAL);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 8, -ENOENT);
	rig_fill_buffer(5, 70);
	ck_assert_int_eq(call(PIN_READ, &to, sizeof(to)), 0);
	rig_buffer_is(4, 1);
	ck_assert_uint_eq(rig_buffer(4), 74);
	fake_dontneed(rig.m, RIG_VPN + 1, 1);
	ck_assert_int_eq(call(PIN_READ, &to, sizeof(to)), -EFAULT);
	ck_assert_int_eq(call(PIN_STOP, NULL, 0), 0);
	ck_assert_int_eq(call(PIN_STOP, NULL, 0), 0);
	ck_assert_int_eq(call(PIN_READ, &to, sizeof(to)), -EINVAL);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	ck_assert_int_eq(call(PIN_START, &t, sizeof(t)), 0);
	down_file();
}
END_TEST

UNIT_MAIN("gup",
	UNIT_TEST(test_get_brings_private_pages_back),
	UNIT_TEST(test_get_revokes_exclusive_pages),
	UNIT_TEST(test_get_coherent),
	UNIT_TEST(test_get_shared_by_fork),
	UNIT_TEST(test_get_refuses),
	UNIT_TEST(test_pin_stays),
	UNIT_TEST(test_pin_of_what_is_dropped),
	UNIT_TEST(test_pin_fails_whole),
	UNIT_TEST(test_file_sizes),
	UNIT_TEST(test_file_errors),
	UNIT_TEST(test_file_dump),
	UNIT_TEST(test_file_pins))
