/* SPDX-License-Identifier: MIT */
/* test_split.c - huge pages in part: migrations that meet one (split.h), and
 * writes of a device (range_fault.h) */
#include <errno.h>

#include <uhmm/gup.h>

#include "thp.h"

static bool is_huge(const struct fake_mm *m, uint64_t vpn)
{
	return fake_pte_bits(m, vpn) & UHMM_PTE_HUGE;
}

/* Does the mirror know page @vpn? */
static bool is_known(struct uhmm_file *file, uint64_t vpn)
{
	ck_assert_int_eq(rig_ioctl(file, RIG_READ, vpn, 1), 0);
	return rig.cmd.faults == 0;
}

static const struct {
	uint64_t vpn, npages;
	bool split;
} parts[] = {
	{ HERE, 1, true },
	{ HERE + 9, 3, true },
	{ HERE + N - 1, 1, true },
	{ HERE - 4, 8, true },
	{ HERE + N - 4, 8, true },
	{ HERE, N, false },
	{ HERE - 4, 4, false },
	{ HERE + N, 4, false },
};

/* Whether anything migrates or not. */
START_TEST(test_to_sys_splits)
{
	map_huge();
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, parts[_i].vpn,
				   parts[_i].npages),
			 0);
	ck_assert_uint_eq(rig.cmd.cpages, 0);
	ck_assert_uint_eq(fake_count_huge(rig.m, HERE, N),
			  parts[_i].split ? 0 : N);
	ck_assert_uint_eq(rig.f.calls[FAKE_SPLIT], parts[_i].split);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

START_TEST(test_to_dev_splits)
{
	map_huge();
	rig_ok(rig.file, RIG_TO_DEV, parts[_i].vpn, parts[_i].npages, 0);
	ck_assert_uint_eq(rig_used(0), parts[_i].npages);
	ck_assert_uint_eq(rig.f.calls[FAKE_SPLIT], parts[_i].split);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* All of the huge page is forgotten; also where it stays one. */
START_TEST(test_mirrors_forget_all)
{
	bool met = parts[_i].split || parts[_i].npages == N;

	map_huge();
	fake_put(rig.m, HERE + N, 1, 77);
	rig_ok(rig.file, RIG_READ, HERE, N + 1, 1);
	rig_ok(rig.file, RIG_READ, HERE, N + 1, 0);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, parts[_i].vpn,
				   parts[_i].npages),
			 0);
	ck_assert_int_eq(is_known(rig.file, HERE), !met);
	ck_assert_int_eq(is_known(rig.file, HERE + N / 2), !met);
	ck_assert_int_eq(is_known(rig.file, HERE + N - 1), !met);
	ck_assert(is_known(rig.file, HERE + N));
}
END_TEST

/* A part that is split already is nothing to tell of. */
START_TEST(test_mirrors_forget_once)
{
	map_huge();
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE, 1), 0);
	rig_ok(rig.file, RIG_READ, HERE, N, 1);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, HERE + 7, 1), 0);
	rig_ok(rig.file, RIG_READ, HERE, N, 0);
}
END_TEST

/* ---- who shares it ---- */

START_TEST(test_splits_for_all)
{
	struct fake_mm *child;
	struct uhmm_file *its;

	map_huge();
	child = fake_fork(rig.m);
	its = rig_open(0, child);
	rig_ok(rig.file, RIG_READ, HERE, N, 1);
	RIG_SNAPSHOT_IS(its, HERE, N, 0x05);
	ck_assert_int_eq(rig_ioctl(its, RIG_TO_SYS, HERE + 3, 1), 0);
	RIG_SNAPSHOT_IS(its, HERE, N, 0x01);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x01);
	rig_ok(rig.file, RIG_READ, HERE, N, 1);
	rig_close(its);
}
END_TEST

/* What was written since is another's. */
START_TEST(test_splits_for_itself)
{
	struct fake_mm *child;
	struct uhmm_file *its;

	map_huge();
	child = fake_fork(rig.m);
	its = rig_open(0, child);
	fake_put(child, HERE, N, 9);
	fake_set_huge(child, HERE, N, false);
	ck_assert_int_eq(rig_ioctl(its, RIG_TO_SYS, HERE + 3, 1), 0);
	ck_assert(!is_huge(child, HERE));
	ck_assert(is_huge(rig.m, HERE));
	rig_close(its);
}
END_TEST

START_TEST(test_splits_where_it_moved_to)
{
	struct fake_mm *child;
	struct uhmm_file *its;

	map_huge();
	child = fake_fork(rig.m);
	its = rig_open(0, child);
	fake_remap(rig.m, HERE, THERE, N, false);
	fake_set_huge(rig.m, THERE, N, false);
	rig_ok(rig.file, RIG_READ, THERE, N, 1);
	ck_assert_int_eq(rig_ioctl(its, RIG_TO_SYS, HERE + 3, 1), 0);
	ck_assert(!is_huge(rig.m, THERE));
	rig_ok(rig.file, RIG_READ, THERE, N, 1);
	rig_close(its);
}
END_TEST

/* ---- when it cannot be split ---- */

START_TEST(test_mm_goes_meanwhile)
{
	map_huge();
	fake_fail(&rig.f, FAKE_SPLIT, 1, 1, -ESRCH);
	rig_fails(rig.file, RIG_TO_SYS, HERE, 1, -EINVAL);
	ck_assert_uint_eq(rig.f.failed, 1);
}
END_TEST

static void unmap_all(void *arg)
{
	(void)arg;
	fake_unmap(rig.m, HERE, N);
}

START_TEST(test_mapping_goes_meanwhile)
{
	map_huge();
	fake_before(&rig.f, FAKE_SPLIT, 1, unmap_all, NULL);
	rig_fails(rig.file, RIG_TO_SYS, HERE, 1, -EINVAL);
}
END_TEST

/* Then the other pages stay what they are. */
START_TEST(test_exclusive_splits_no_page)
{
	map_huge();
	rig_ok(rig.file, RIG_READ, HERE, N, 1);
	rig_ok(rig.file, RIG_EXCLUSIVE, HERE + 5, 1, 0);
	ck_assert_uint_eq(rig.f.calls[FAKE_SPLIT], 0);
	ck_assert(!is_huge(rig.m, HERE));
	rig_ok(rig.file, RIG_READ, HERE + 9, 1, 1);
	fake_expect(rig.m, HERE, N, 1);
}
END_TEST

/* ---- a device writes ---- */

/* All of a huge page that is nobody else's, though protected, may be written. */
START_TEST(test_write_leaves_it_whole)
{
	map_huge();
	fake_exit(fake_fork(rig.m));
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x05);
	rig_fill_buffer(1, 99);
	rig_ok(rig.file, RIG_WRITE, HERE + 7, 1, 1);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x06);
	ck_assert_uint_eq(fake_get(rig.m, HERE + 7), 99);
}
END_TEST

START_TEST(test_write_splits_what_is_shared)
{
	struct fake_mm *child;

	map_huge();
	child = fake_fork(rig.m);
	rig_fill_buffer(1, 99);
	rig_ok(rig.file, RIG_WRITE, HERE + 1, 1, 1);
	RIG_SNAPSHOT_IS(rig.file, HERE, 3, 0x01, 0x02, 0x01);
	ck_assert(is_huge(child, HERE));
	fake_expect(child, HERE, N, 1);
}
END_TEST

START_TEST(test_write_splits_zeros)
{
	map_all(&fake_rw);
	fake_set_huge_zero(rig.m, HERE);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x05);
	rig_fill_buffer(1, 99);
	rig_ok(rig.file, RIG_WRITE, HERE + 1, 1, 1);
	RIG_SNAPSHOT_IS(rig.file, HERE, 3, 0x11, 0x02, 0x11);
}
END_TEST

/* It is tried once. */
START_TEST(test_write_goes_on_without_a_split)
{
	map_all(&fake_rw);
	fake_set_huge_zero(rig.m, HERE);
	fake_fail(&rig.f, FAKE_SPLIT, 1, UINT32_MAX, -EINVAL);
	rig_fill_buffer(2, 99);
	rig_ok(rig.file, RIG_WRITE, HERE + 1, 2, 1);
	ck_assert_uint_eq(rig.f.calls[FAKE_SPLIT], 1);
	fake_expect(rig.m, HERE + 1, 2, 99);
}
END_TEST

/* ---- mappings are cut ---- */

static void cut_unmap(uint64_t vpn, uint64_t npages)
{
	fake_unmap(rig.m, vpn, npages);
}

static void cut_protect(uint64_t vpn, uint64_t npages)
{
	fake_protect(rig.m, vpn, npages, &fake_ro);
}

static const struct {
	void (*cut)(uint64_t vpn, uint64_t npages);
	uint64_t vpn, npages;
	bool before, behind;	/* is HERE, the last of it told of? */
} cuts[] = {
	{ cut_unmap, HERE + 9, 3, true, true },
	{ cut_protect, HERE + 9, 3, true, true },
	{ cut_unmap, HERE - N, N + 9, false, true },
	{ cut_protect, HERE - N, N + 9, false, true },
	{ cut_unmap, HERE + 9, 2 * N - 9, true, false },
	{ cut_protect, HERE + 9, 2 * N - 9, true, false },
	/* on a border of PMDs, and in other ones */
	{ cut_unmap, HERE - N, N, false, false },
	{ cut_unmap, HERE + N, 9, false, false },
	{ cut_protect, HERE - 9, 3, false, false },
};

/* All of the PMD is forgotten where a mapping is cut, though base pages are
 * mapped there. */
START_TEST(test_cut_mapping)
{
	map_all(&fake_rw);
	fake_put(rig.m, HERE, N, 1);
	rig_ok(rig.file, RIG_READ, HERE, N, 1);
	cuts[_i].cut(cuts[_i].vpn, cuts[_i].npages);
	if (cuts[_i].before || cuts[_i].vpn + cuts[_i].npages <= HERE ||
	    cuts[_i].vpn >= HERE + N)
		ck_assert_int_eq(is_known(rig.file, HERE), !cuts[_i].before);
	if (cuts[_i].behind || cuts[_i].vpn >= HERE + N ||
	    cuts[_i].vpn + cuts[_i].npages <= HERE)
		ck_assert_int_eq(is_known(rig.file, HERE + N - 1),
				 !cuts[_i].behind);
}
END_TEST

/* A mapping without all of the PMD is not. */
START_TEST(test_cut_smaller_mapping)
{
	fake_map(rig.m, HERE + 1, 2 * N, &fake_rw);
	fake_put(rig.m, HERE + 1, N - 1, 1);
	rig_ok(rig.file, RIG_READ, HERE + 1, N - 1, 1);
	fake_unmap(rig.m, HERE + 9, 3);
	ck_assert(is_known(rig.file, HERE + 1));
	fake_protect(rig.m, HERE + 20, 3, &fake_ro);
	ck_assert(is_known(rig.file, HERE + N - 1));
}
END_TEST

UNIT_RIG_MAIN("split", UNIT_TABLE(test_to_sys_splits, parts),
	      UNIT_TABLE(test_to_dev_splits, parts),
	      UNIT_TABLE(test_mirrors_forget_all, parts),
	      UNIT_TEST(test_mirrors_forget_once),
	      UNIT_TEST(test_splits_for_all),
	      UNIT_TEST(test_splits_for_itself),
	      UNIT_TEST(test_splits_where_it_moved_to),
	      UNIT_TEST(test_mm_goes_meanwhile),
	      UNIT_TEST(test_mapping_goes_meanwhile),
	      UNIT_TEST(test_exclusive_splits_no_page),
	      UNIT_TEST(test_write_leaves_it_whole),
	      UNIT_TEST(test_write_splits_what_is_shared),
	      UNIT_TEST(test_write_splits_zeros),
	      UNIT_TEST(test_write_goes_on_without_a_split),
	      UNIT_TABLE(test_cut_mapping, cuts),
	      UNIT_TEST(test_cut_smaller_mapping))
