/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/devmem.h"
#include "sys/pagesize.h"

START_TEST(test_memfd_is_sparse)
{
	size_t bytes = (size_t)64 << 30;
	struct uhmm_memfd m;

	ck_assert_int_eq(uhmm_memfd_init(&m, "uhmm_test", bytes), 0);
	ck_assert_uint_eq(uhmm_memfd_resident_bytes(&m), 0);
	m.base[0] = 1;
	m.base[bytes - 1] = 2;
	ck_assert_uint_eq(uhmm_memfd_resident_bytes(&m),
			  2 * uhmm_page_bytes());
	ck_assert_int_eq(uhmm_memfd_discard(&m, 0, uhmm_page_bytes()), 0);
	ck_assert_uint_eq(m.base[0], 0);
	ck_assert_uint_eq(m.base[bytes - 1], 2);
	ck_assert_int_eq(uhmm_memfd_discard(&m, bytes, uhmm_page_bytes()),
			 -EINVAL);
	uhmm_memfd_fini(&m);
	uhmm_memfd_fini(&m);
}
END_TEST

/* Is the mapping that begins at @base part of a core dump? */
static bool is_dumped(const void *base)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	bool here = false, dumped = true;
	char line[512];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start == (uintptr_t)base;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			dumped = !strstr(line, " dd");
	}
	fclose(f);
	return dumped;
}

/* A core dump reads holes, which makes pages of them. */
START_TEST(test_memfd_is_not_dumped)
{
	struct uhmm_memfd m;

	ck_assert_int_eq(uhmm_memfd_init(&m, "uhmm_test", (size_t)64 << 30), 0);
	ck_assert(!is_dumped(m.base));
	uhmm_memfd_fini(&m);
}
END_TEST

START_TEST(test_memfd_refuses)
{
	struct uhmm_memfd m;

	ck_assert_int_eq(uhmm_memfd_init(&m, "uhmm_test", 0), -EINVAL);
	ck_assert_int_eq(uhmm_memfd_init(&m, "uhmm_test", 1), -EINVAL);
	errno = 0;
	ck_assert_int_eq(uhmm_memfd_attach(&m, -1), -EBADF);
	ck_assert_int_eq(errno, 0);
}
END_TEST

START_TEST(test_memfd_attach_sees_the_same)
{
	struct uhmm_memfd a;
	struct uhmm_memfd b;

	ck_assert_int_eq(uhmm_memfd_init(&a, "uhmm_test", 1 << 20), 0);
	ck_assert_int_eq(uhmm_memfd_attach(&b, fcntl(a.fd, F_DUPFD_CLOEXEC, 0)),
			 0);
	ck_assert_uint_eq(b.bytes, a.bytes);
	a.base[5] = 77;
	ck_assert_uint_eq(b.base[5], 77);
	uhmm_memfd_fini(&a);
	ck_assert_uint_eq(b.base[5], 77);
	uhmm_memfd_fini(&b);
}
END_TEST

START_TEST(test_add_refuses)
{
	struct uhmm_devmem dm;

	uhmm_devmem_init(&dm);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(0), 8), -EINVAL);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(8), 0), -EINVAL);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(UINT64_MAX), 2),
			 -EINVAL);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(8), UINT64_MAX),
			 -EINVAL);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(100), 100), 0);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(199), 1), -EEXIST);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(50), 51), -EEXIST);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(50), 50), 0);
	ck_assert_int_eq(uhmm_devmem_remove(&dm, UHMM_DPFN(51)), -ENOENT);
	uhmm_devmem_fini(&dm);
	uhmm_devmem_fini(&dm);
}
END_TEST

START_TEST(test_ptr_over_many_ranges)
{
	struct uhmm_devmem dm;
	uint64_t n = 40;

	uhmm_devmem_init(&dm);
	/* in an order that is neither up nor down */
	for (uint64_t i = 0; i < n; i++)
		ck_assert_int_eq(uhmm_devmem_add(
			&dm, UHMM_DPFN(1000 * (i * 7 % n + 1)), 512), 0);
	for (uint64_t i = 1; i <= n; i++)
		*(uint64_t *)uhmm_devmem_ptr(&dm, UHMM_DPFN(1000 * i + 511)) =
			i;
	for (uint64_t i = 1; i <= n; i++) {
		uhmm_dpfn_t last = UHMM_DPFN(1000 * i + 511);

		ck_assert_uint_eq(*(uint64_t *)uhmm_devmem_ptr(&dm, last), i);
		ck_assert_ptr_null(uhmm_devmem_ptr(&dm,
						   UHMM_DPFN(last.val + 1)));
		ck_assert_ptr_null(uhmm_devmem_ptr(&dm,
						   UHMM_DPFN(1000 * i - 1)));
		ck_assert_ptr_null(uhmm_devmem_span(&dm, last, 2));
		ck_assert_ptr_nonnull(uhmm_devmem_span(
			&dm, UHMM_DPFN(1000 * i), 512));
	}
	ck_assert_uint_eq(uhmm_devmem_resident_bytes(&dm),
			  n * uhmm_page_bytes());
	ck_assert_int_eq(uhmm_devmem_remove(&dm, UHMM_DPFN(3000)), 0);
	ck_assert_ptr_null(uhmm_devmem_ptr(&dm, UHMM_DPFN(3000)));
	ck_assert_ptr_nonnull(uhmm_devmem_ptr(&dm, UHMM_DPFN(4000)));
	uhmm_devmem_fini(&dm);
}
END_TEST

START_TEST(test_discard_zeroes)
{
	struct uhmm_devmem dm;
	unsigned char *p;

	uhmm_devmem_init(&dm);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(8), 8), 0);
	p = uhmm_devmem_ptr(&dm, UHMM_DPFN(8));
	memset(p, 7, uhmm_bytes_of(8));
	ck_assert_int_eq(uhmm_devmem_discard(&dm, UHMM_DPFN(9), 2), 0);
	/* before the look: reading a hole takes memory again */
	ck_assert_uint_eq(uhmm_devmem_resident_bytes(&dm), uhmm_bytes_of(6));
	ck_assert_uint_eq(p[0], 7);
	ck_assert_uint_eq(p[uhmm_page_bytes()], 0);
	ck_assert_uint_eq(p[uhmm_bytes_of(3) - 1], 0);
	ck_assert_uint_eq(p[uhmm_bytes_of(3)], 7);
	ck_assert_int_eq(uhmm_devmem_discard(&dm, UHMM_DPFN(15), 2), -ENOENT);
	uhmm_devmem_fini(&dm);
}
END_TEST

START_TEST(test_attach_wants_the_size)
{
	struct uhmm_devmem dm;
	struct uhmm_memfd m;
	int fd;

	uhmm_devmem_init(&dm);
	ck_assert_int_eq(uhmm_memfd_init(&m, "uhmm_test", uhmm_bytes_of(4)),
			 0);
	m.base[0] = 9;
	fd = fcntl(m.fd, F_DUPFD_CLOEXEC, 0);
	ck_assert_int_eq(uhmm_devmem_attach(&dm, UHMM_DPFN(8), 5, fd),
			 -EINVAL);
	ck_assert_int_eq(uhmm_devmem_attach(&dm, UHMM_DPFN(8), 4, fd), 0);
	uhmm_memfd_fini(&m);
	ck_assert_uint_eq(*(unsigned char *)uhmm_devmem_ptr(&dm, UHMM_DPFN(8)),
			  9);
	uhmm_devmem_fini(&dm);
}
END_TEST

/* ---- who has the bytes ---- */

#define NWINDOWS 3
#define FIRST 900
#define END 3000

static int owner[END];		/* of each page: a window, or -1 */
static struct uhmm_window windows[NWINDOWS];

/* Pages of both ranges, and of none; whatever is asked, in runs. */
static void check_places(const struct uhmm_devmem *dm)
{
	unsigned int wrong = 0;

	for (uint64_t at = FIRST; at < END;) {
		struct uhmm_window *w;
		uint64_t n = uhmm_devmem_place(dm, UHMM_DPFN(at), END - at, &w);

		ck_assert(n >= 1 && n <= END - at);
		for (; n; n--, at++)
			wrong += w != (owner[at] < 0 ? NULL :
						       &windows[owner[at]]);
	}
	ck_assert_uint_eq(wrong, 0);
}

static void own(uint64_t at, uint64_t n, int who)
{
	while (n--)
		owner[at++] = who;
}

/* What window @who holds of these is moved away by its program. */
static void empty(uint64_t at, uint64_t n, int who)
{
	for (; n; n--, at++)
		if (owner[at] == who) {
			uhmm_window_emptied(&windows[who], UHMM_DPFN(at), 1);
			owner[at] = -1;
		}
}

static void step(struct uhmm_devmem *dm, unsigned int r)
{
	int who = (int)(r % NWINDOWS);
	uint64_t n = 1 + r / 4 % 600;
	/* in one of the ranges */
	uint64_t at = (r & 1024 ? 1000 : 2000) + r / 2048 % (700 - n);

	switch (r / 16 % 8) {
	case 0:
		uhmm_devmem_forget(dm, UHMM_DPFN(at), n);
		own(at, n, -1);
		break;
	case 1:
	case 2:
		empty(at, n, who);
		break;
	case 3:
		ck_assert_ptr_nonnull(uhmm_devmem_fill(dm, UHMM_DPFN(at), n));
		own(at, n, -1);
		break;
	default:
		uhmm_devmem_hold(dm, &windows[who], UHMM_DPFN(at), n);
		own(at, n, who);
	}
}

START_TEST(test_place_of_pages_that_go_about)
{
	struct uhmm_devmem dm;
	uint32_t chance = 1;

	uhmm_devmem_init(&dm);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(1000), 700), 0);
	ck_assert_int_eq(uhmm_devmem_add(&dm, UHMM_DPFN(2000), 700), 0);
	own(0, END, -1);
	check_places(&dm);
	for (int i = 0; i < NWINDOWS; i++) {
		ck_assert_int_eq(uhmm_window_init(&windows[i], UHMM_VPN(4096),
						  UHMM_DPFN(1), 4000, -1), 0);
		uhmm_devmem_add_window(&dm, &windows[i]);
	}
	for (int i = 0; i < 500; i++) {
		chance = chance * 1664525 + 1013904223;
		step(&dm, chance >> 8);
		check_places(&dm);
	}
	for (int i = 0; i < NWINDOWS; i++) {
		for (uint64_t at = FIRST; at < END; at++)
			owner[at] = owner[at] == i ? -1 : owner[at];
		uhmm_window_fini(&windows[i]);
		/* its memory may be another's now */
		for (int h = 0; h < UHMM_DEVMEM_HINTS; h++)
			ck_assert_ptr_ne(dm.hint[h], &windows[i]);
		check_places(&dm);
	}
	uhmm_devmem_fini(&dm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devmem");
	TCase *tcase = tcase_create("devmem");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, test_memfd_is_sparse);
	tcase_add_test(tcase, test_memfd_is_not_dumped);
	tcase_add_test(tcase, test_memfd_refuses);
	tcase_add_test(tcase, test_memfd_attach_sees_the_same);
	tcase_add_test(tcase, test_add_refuses);
	tcase_add_test(tcase, test_ptr_over_many_ranges);
	tcase_add_test(tcase, test_discard_zeroes);
	tcase_add_test(tcase, test_attach_wants_the_size);
	tcase_add_test(tcase, test_place_of_pages_that_go_about);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
