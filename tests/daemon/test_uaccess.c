/* SPDX-License-Identifier: MIT */
/* test_uaccess.c - a driver reaches a caller's memory as the caller could */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"
#include "suite.h"
#include "sys/pagesize.h"

#define NPAGES 8

static struct rig rig;
static struct rig_program p;
static unsigned char *mem;
static size_t page;

static void setup(void)
{
	page = uhmm_page_bytes();
	rig_start(&rig, 1);
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	mem = mmap(NULL, NPAGES * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(mem, MAP_FAILED);
}

static void teardown(void)
{
	rig_drop(&p);
	rig_serves(&rig);
	rig_await_empty(&rig);
	rig_stop(&rig);
}

static int copy(uint64_t cmd, const void *addr, uint64_t bytes)
{
	struct rig_copy c = { (uintptr_t)addr, bytes };

	return rig_ioctl(&p, p.sock, cmd, &c);
}

static size_t count_filled(const unsigned char *from, size_t bytes)
{
	size_t n = 0;

	while (n < bytes && from[n] == RIG_BYTE)
		n++;
	return n;
}

START_TEST(test_uaccess_plain)
{
	ck_assert_int_eq(copy(RIG_COPY_TO, mem + 100, 3 * page), 0);
	ck_assert_uint_eq(count_filled(mem + 100, 8 * page - 100), 3 * page);
	ck_assert_int_eq(mem[99], 0);
	ck_assert_int_eq(copy(RIG_COPY_FROM, mem, NPAGES * page), 0);
	ck_assert_int_eq(copy(RIG_COPY_TO, mem, 0), 0);
}
END_TEST

/* /proc/PID/mem would let it; the caller's own permissions do not. */
START_TEST(test_uaccess_permissions)
{
	memset(mem, 1, NPAGES * page);
	mprotect(mem + 2 * page, page, PROT_READ);
	mprotect(mem + 5 * page, page, PROT_NONE);
	ck_assert_int_eq(copy(RIG_COPY_TO, mem + 2 * page, 1), -EFAULT);
	ck_assert_int_eq(mem[2 * page], 1);
	ck_assert_int_eq(copy(RIG_COPY_FROM, mem + 2 * page, page), 0);
	ck_assert_int_eq(copy(RIG_COPY_FROM, mem + 5 * page, 1), -EFAULT);
	ck_assert_int_eq(copy(RIG_COPY_TO, mem + 5 * page, 1), -EFAULT);
}
END_TEST

/* As far as it goes, to the byte. */
START_TEST(test_uaccess_partial)
{
	memset(mem, 1, NPAGES * page);
	mprotect(mem + 2 * page, page, PROT_READ);
	ck_assert_int_eq(copy(RIG_COPY_TO, mem + 10, 4 * page), -EFAULT);
	ck_assert_uint_eq(count_filled(mem + 10, 4 * page), 2 * page - 10);
	munmap(mem + 6 * page, page);
	ck_assert_int_eq(copy(RIG_COPY_TO, mem + 3 * page, 4 * page),
			 -EFAULT);
	ck_assert_uint_eq(count_filled(mem + 3 * page, 3 * page), 3 * page);
	ck_assert_int_eq(copy(RIG_COPY_FROM, mem + 3 * page, 4 * page),
			 -EFAULT);
}
END_TEST

/** Places where nothing is. */
static const struct rig_copy nowhere[] = {
	{ 0, 1 },
	{ 0, 1 << 20 },
	{ UINT64_MAX, 1 },
	{ UINT64_MAX, 2 },
	{ UINT64_MAX - 4095, 8192 },
	{ UINT64_C(0xffff800000000000), 8 },
	{ UINT64_C(1) << 47, 8 },
	{ (UINT64_C(1) << 47) - 4096, 8192 },
	{ 8, UINT64_MAX },
};

START_TEST(test_uaccess_nowhere)
{
	const struct rig_copy *c = &nowhere[_i];

	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_COPY_TO, c), -EFAULT);
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_COPY_FROM, c), -EFAULT);
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_COPY_TO,
				   (void *)(uintptr_t)c->addr), -EINVAL);
}
END_TEST

static void trap(unsigned char *at, size_t npages)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)at, npages * page },
		.mode = UFFDIO_REGISTER_MODE_MISSING |
			UFFDIO_REGISTER_MODE_WP,
	};

	ck_assert_int_eq(ioctl(p.uffd, UFFDIO_REGISTER, &reg), 0);
}

/* Memory that the daemon itself must fault in: it asks, it does not wait. */
START_TEST(test_uaccess_trapped_hole)
{
	trap(mem, NPAGES);
	ck_assert_int_eq(copy(RIG_COPY_TO, mem + page - 8, 2 * page), 0);
	ck_assert_uint_eq(count_filled(mem + page - 8, 3 * page), 2 * page);
	ck_assert_int_eq(copy(RIG_COPY_FROM, mem, NPAGES * page), 0);
}
END_TEST

START_TEST(test_uaccess_write_protected)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)mem, NPAGES * page },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	memset(mem, 1, NPAGES * page);
	trap(mem, NPAGES);
	ck_assert_int_eq(ioctl(p.uffd, UFFDIO_WRITEPROTECT, &wp), 0);
	ck_assert_int_eq(copy(RIG_COPY_FROM, mem, NPAGES * page), 0);
	ck_assert_int_eq(copy(RIG_COPY_TO, mem + 1, 2 * page), 0);
	ck_assert_uint_eq(count_filled(mem + 1, 3 * page), 2 * page);
}
END_TEST

START_TEST(test_uaccess_file)
{
	FILE *f = tmpfile();
	unsigned char *map;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(ftruncate(fileno(f), (off_t)(2 * page)), 0);
	map = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED,
		   fileno(f), 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(copy(RIG_COPY_TO, map, 2 * page), 0);
	ck_assert_uint_eq(count_filled(map, 2 * page), 2 * page);
	/* beyond the end of the file it would be SIGBUS */
	ck_assert_int_eq(copy(RIG_COPY_TO, map, 3 * page), -EFAULT);
	munmap(map, 4 * page);
	fclose(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("uaccess");
	TCase *tc = tcase_create("uaccess");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!rig_is_possible())
		return 77;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, test_uaccess_plain);
	tcase_add_test(tc, test_uaccess_permissions);
	tcase_add_test(tc, test_uaccess_partial);
	tcase_add_loop_test(tc, test_uaccess_nowhere, 0, SUITE_COUNT(nowhere));
	tcase_add_test(tc, test_uaccess_trapped_hole);
	tcase_add_test(tc, test_uaccess_write_protected);
	tcase_add_test(tc, test_uaccess_file);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
