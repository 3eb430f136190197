/* SPDX-License-Identifier: MIT */
/* test_dmirror_read.c - READ: what comes back from the device with a page that
 * is faulted in, and pages of files (dmirror_look.c)
 */
#include <errno.h>

#include "trip.h"

static const struct fake_kind private_file = { .read = true, .write = true,
					       .file = true };

static void fork_and_exit(void)
{
	fake_exit(fake_fork(rig.m));
}

/* ---- behind a hole ---- */

/* A page that is not there has the driver fault in all behind it: to the end of
 * 64 pages, of the page table, of the mapping. */
static const struct {
	uint64_t start;		/* of the READ, which is to page 140 */
	uint64_t missing;	/* a page that is not there */
	uint64_t border;	/* a mapping begins here */
	uint64_t first, end;	/* pages that come back from the device */
	uint64_t nmissing;	/* pages from that one on */
} sweeps[] = {
	{ 0, 0, 0, 1, 64, 1 }, { 0, 63, 0, 0, 0, 1 }, { 0, 64, 0, 65, 128, 1 },
	{ 10, 70, 0, 71, 74, 1 }, { 0, 20, 40, 21, 40, 1 }, { 0, 139, 0, 0, 0, 1 },
	{ 130, 131, 0, 132, 140, 1 }, { 0, 5, 0, 67, 128, 62 },
	{ 0, 0, 0, 0, 140, 139 },
};

START_TEST(test_read_brings_back_what_is_behind_a_hole)
{
	uint64_t start = RIG_VPN + sweeps[_i].start;
	uint64_t missing = sweeps[_i].missing;
	uint64_t n = sweeps[_i].nmissing;

	fake_map(rig.m, RIG_VPN, 140, &fake_rw);
	fake_put(rig.m, RIG_VPN, 140, 1);
	rig_to_dev(0, rig.m, RIG_VPN, 140);
	fake_dontneed(rig.m, RIG_VPN + missing, n);
	/* the mirror forgets what it could read without a fault */
	fake_protect(rig.m, RIG_VPN, 140, &fake_ro);
	if (sweeps[_i].border)
		fake_protect(rig.m, RIG_VPN, sweeps[_i].border, &fake_rw);
	rig_ok(rig.file, RIG_READ, start, RIG_VPN + 140 - start, 1);
	for (uint64_t i = 0; i < 140; i++) {
		bool back = (i >= sweeps[_i].first && i < sweeps[_i].end) ||
			    (i >= missing && i < missing + n);

		ck_assert_msg(uhmm_softleaf_is_none(uhmm_mm_leaf(
				      rig.m->mm, UHMM_VPN(RIG_VPN + i))) ==
				      back,
			      "page %d", (int)i);
	}
}
END_TEST

START_TEST(test_read_sweeps_within_a_page_table)
{
	uint64_t at = FAKE_PMD_NPAGES * 2;

	fake_map(rig.m, at - 8, 16, &fake_rw);
	fake_put(rig.m, at - 8, 16, 1);
	rig_to_dev(0, rig.m, at - 8, 16);
	fake_dontneed(rig.m, at - 8, 1);
	rig_ok(rig.file, RIG_READ, at - 8, 16, 1);
	ck_assert_uint_eq(rig_used(0), 8);
}
END_TEST

/* Read-only pages of the caller's device are no error of a write, and where
 * another page is one nothing happens to them. */
START_TEST(test_write_passes_its_own_read_only_pages)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_to_dev(0, rig.m, RIG_VPN, 4);
	fake_protect(rig.m, RIG_VPN, 4, &fake_ro);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, 4, -EPERM);
	fake_unmap(rig.m, RIG_VPN + 3, 1);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, 4, -EFAULT);
	fake_protect(rig.m, RIG_VPN, 3, &fake_rw);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, 4, -EFAULT);
	ck_assert_uint_eq(rig_used(0), 3);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 3, 1);
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

/* ---- files ---- */

/* Files are not watched: what the mirror knows of them is looked at again. */
START_TEST(test_read_of_private_file)
{
	fake_map(rig.m, RIG_VPN, 8, &private_file);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	/* the program gets a copy of one page */
	fake_put(rig.m, RIG_VPN + 3, 1, 7);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 3, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	ck_assert_uint_eq(rig_buffer(3), 7);
	fake_put(rig.m, RIG_VPN + 3, 1, 8);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	ck_assert_uint_eq(rig_buffer(3), 8);
	rig_fill_buffer(8, 20);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN + 3, 1, 0);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 8, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	/* dropped, it is the file's again */
	fake_dontneed(rig.m, RIG_VPN + 5, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 5, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	fork_and_exit();
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
}
END_TEST

START_TEST(test_read_of_shared_file)
{
	static const struct fake_kind shared_file = {
		.read = true, .write = true, .shared = true, .file = true,
	};

	fake_map(rig.m, RIG_VPN, 8, &shared_file);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	fake_put(rig.m, RIG_VPN, 8, 7);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	rig_buffer_is(8, 7);
	fake_protect(rig.m, RIG_VPN, 8, &fake_ro);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	fake_unmap(rig.m, RIG_VPN + 2, 6);
	fake_map(rig.m, RIG_VPN + 2, 6, &shared_file);
	(void)fake_touch(rig.m, RIG_VPN + 2, false);
	rig_ok(rig.file, RIG_READ, RIG_VPN + 2, 1, 1);
	fake_unmap(rig.m, RIG_VPN + 2, 6);
	rig_fails(rig.file, RIG_READ, RIG_VPN, 8, -EFAULT);
	fake_map(rig.m, RIG_VPN + 2, 6, &fake_rw);
	rig_ok(rig.file, RIG_READ, RIG_VPN + 2, 6, 1);
}
END_TEST

UNIT_RIG_MAIN("dmirror_read",
	      UNIT_TABLE(test_read_brings_back_what_is_behind_a_hole, sweeps),
	      UNIT_TEST(test_read_sweeps_within_a_page_table),
	      UNIT_TEST(test_write_passes_its_own_read_only_pages),
	      UNIT_TEST(test_read_of_private_file),
	      UNIT_TEST(test_read_of_shared_file))
