/* SPDX-License-Identifier: MIT */
/* test_share.c - pages that forks share, and their migration (share.h, kin.h,
 * cow.h, file_rmap.h) */
#include <errno.h>

#include <uhmm/migrate.h>
#include <uhmm/share.h>

#include "mm/cow.h"
#include "mm/flight.h"
#include "thp.h"

#define NPAGES UINT64_C(8)

/* A child, with an open of device 0, of eight written pages. */
static struct fake_mm *child;
static struct uhmm_file *its;

static void forked(void)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	child = fake_fork(rig.m);
	its = rig_open(0, child);
}

static void done(void)
{
	rig_close(its);
}

/* ---- for all sharers at once ---- */

START_TEST(test_migrates_for_both)
{
	forked();
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x01);
	rig_ok(its, RIG_TO_DEV, RIG_VPN + 2, 4, 0);
	rig_buffer_is(4, 3);
	ck_assert_uint_eq(rig_used(0), 4);
	RIG_SNAPSHOT_IS(its, RIG_VPN, 3, 0x01, 0x01, 0x21);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x01, 0x01, 0x21, 0x21, 0x21,
			0x21, 0x01, 0x01);
	/* and back for both */
	fake_expect(rig.m, RIG_VPN + 2, 1, 3);
	ck_assert_uint_eq(rig_used(0), 3);
	RIG_SNAPSHOT_IS(its, RIG_VPN + 2, 2, 0x01, 0x21);
	fake_put(rig.m, RIG_VPN, NPAGES, 41);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	fake_expect(rig.m, RIG_VPN, NPAGES, 41);
	done();
}
END_TEST

/* What came back is one page still, though each has its own bytes. */
START_TEST(test_migrates_again_for_both)
{
	forked();
	for (int i = 0; i < 3; i++) {
		rig_ok(i % 2 ? rig.file : its, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
		ck_assert_uint_eq(rig_used(0), NPAGES);
		RIG_SNAPSHOT_IS(i % 2 ? its : rig.file, RIG_VPN, NPAGES, 0x21);
		fake_expect(i % 2 ? child : rig.m, RIG_VPN, NPAGES, 1);
		ck_assert_uint_eq(rig_used(0), 0);
	}
	done();
}
END_TEST

START_TEST(test_a_written_page_is_ones_own)
{
	forked();
	fake_put(child, RIG_VPN, 2, 91);
	fake_put(rig.m, RIG_VPN + 2, 1, 81);
	rig_fill_buffer(1, 71);
	rig_ok(its, RIG_WRITE, RIG_VPN + 3, 1, 1);
	rig_ok(its, RIG_EXCLUSIVE, RIG_VPN + 4, 1, 0);
	fake_dontneed(child, RIG_VPN + 5, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x21, 0x21, 0x22, 0x21, 0x21,
			0x21, 0x21, 0x21);
	RIG_SNAPSHOT_IS(its, RIG_VPN, NPAGES, 0x02, 0x02, 0x01, 0x02, 0x00,
			0x00, 0x21, 0x21);
	fake_expect(child, RIG_VPN, 2, 91);
	fake_expect(child, RIG_VPN + 2, 1, 3);
	fake_expect(child, RIG_VPN + 3, 1, 71);
	fake_expect(child, RIG_VPN + 4, 1, 5);
	fake_expect(child, RIG_VPN + 5, 1, 0);
	fake_expect(child, RIG_VPN + 6, 2, 7);
	done();
}
END_TEST

START_TEST(test_three_generations)
{
	struct fake_mm *grandchild, *second;

	forked();
	fake_put(child, RIG_VPN, 2, 91);	/* born in the child */
	grandchild = fake_fork(child);
	second = fake_fork(rig.m);
	rig_ok(its, RIG_TO_DEV, RIG_VPN, 4, 0);
	ck_assert_uint_eq(rig_used(0), 4);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 5, 0x01, 0x01, 0x21, 0x21, 0x01);
	fake_exit(child);			/* its pages are the others' */
	ck_assert_uint_eq(rig_used(0), 4);
	fake_expect(grandchild, RIG_VPN, 2, 91);
	fake_expect(second, RIG_VPN, 2, 1);
	fake_expect(second, RIG_VPN + 2, 2, 3);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_expect(grandchild, RIG_VPN + 2, 2, 3);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	done();
}
END_TEST

/* The others are gone: the page is read-only still, and goes alone. */
START_TEST(test_last_sharer)
{
	forked();
	rig_close(its);
	fake_exit(child);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x21);
	fake_put(rig.m, RIG_VPN, NPAGES, 5);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x02);
}
END_TEST

static void check_moved(void)
{
	rig_ok(its, RIG_TO_DEV, RIG_VPN, 2, 0);
	ck_assert_uint_eq(rig_used(0), 2);
	RIG_SNAPSHOT_IS(rig.file, 0x200, 3, 0x21, 0x21, 0x01);
	rig_ok(rig.file, RIG_TO_DEV, 0x202, 2, 0);
	ck_assert_uint_eq(rig_used(0), 4);
	RIG_SNAPSHOT_IS(its, RIG_VPN, 5, 0x21, 0x21, 0x21, 0x21, 0x01);
	fake_expect(rig.m, 0x200, NPAGES, 1);
	fake_expect(child, RIG_VPN, NPAGES, 1);
}

START_TEST(test_moved_in_one)
{
	forked();
	fake_remap(rig.m, RIG_VPN, 0x200, NPAGES, _i);
	check_moved();
	done();
}
END_TEST

START_TEST(test_dropped_and_put_there_again)
{
	forked();
	fake_unmap(rig.m, RIG_VPN, 4);
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);		/* the same bytes */
	rig_ok(its, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 6, 0x02, 0x02, 0x02, 0x02, 0x21,
			0x21);
	done();
}
END_TEST

START_TEST(test_without_write_permission)
{
	struct fake_mm *other;

	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	fake_protect(rig.m, RIG_VPN, NPAGES, _i ? &fake_none : &fake_ro);
	other = fake_fork(rig.m);
	fake_protect(rig.m, RIG_VPN, NPAGES, &fake_rw);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x01);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	fake_protect(other, RIG_VPN, NPAGES, &fake_rw);
	fake_put(other, RIG_VPN, 1, 91);
	fake_expect(other, RIG_VPN + 1, NPAGES - 1, 2);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* A huge page that both map goes as a unit, and is one for both. */
START_TEST(test_huge_page_migrates_for_both)
{
	map_huge();
	child = fake_fork(rig.m);
	its = rig_open(0, child);
	rig_ok(its, RIG_TO_DEV, HERE, N, 0);
	ck_assert_uint_eq(rig_used(0), N);
	ck_assert(is_unit(child, HERE) && is_unit(rig.m, HERE));
	RIG_SNAPSHOT_IS(its, HERE, N, 0x25);
	RIG_SNAPSHOT_IS(rig.file, HERE, N, 0x25);
	fake_put(child, HERE + 7, 1, 91);
	fake_expect(rig.m, HERE, N, 1);
	ck_assert_uint_eq(rig_used(0), 0);
	fake_expect(child, HERE + 8, N - 8, 9);
	done();
}
END_TEST

/* ---- what goes wrong ---- */

/* Of the calls those for the mm that migrates come first. */
static const struct {
	enum fake_op op;
	unsigned int nth;
	uint64_t page;		/* that stays, among others or alone */
} hitches[] = {
	{ FAKE_SCAN, 2, 2 },
	{ FAKE_TRAP, 2, 2 },
	{ FAKE_TAKE, 2, 0 },
	{ FAKE_TAKE_PAGE, NPAGES + 3, 2 },
};

/* A sharer that cannot come along keeps its page, which is its own then. */
START_TEST(test_sharer_stays)
{
	forked();
	fake_fail_nth(&rig.f, hitches[_i].op, hitches[_i].nth, -ENOMEM);
	rig_ok(its, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	ck_assert_uint_eq(rig.f.failed, 1);
	RIG_SNAPSHOT_IS(its, RIG_VPN, NPAGES, 0x21);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN + hitches[_i].page, 1, 0x01);
	ck_assert_uint_eq(rig_used(0), NPAGES);
	fake_put(rig.m, RIG_VPN, NPAGES, 41);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	fake_expect(rig.m, RIG_VPN, NPAGES, 41);
	done();
}
END_TEST

/* Bytes decide: nothing is lost whatever was believed. */
START_TEST(test_pages_that_differ_are_two)
{
	forked();
	fake_pte_write(rig.m, RIG_VPN + 2);
	fake_fill(rig.m->pte[RIG_VPN + 2].page->bytes, 77);
	rig_ok(its, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x21, 0x21, 0x01, 0x21);
	fake_expect(rig.m, RIG_VPN + 2, 1, 77);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	done();
}
END_TEST

/* One that is on its way in one mm does not go in another. */
START_TEST(test_on_its_way_elsewhere)
{
	struct trip t;

	forked();
	trip_setup(&t, RIG_VPN + 1, 2, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	ck_assert_int_eq(rig_ioctl(its, RIG_TO_DEV, RIG_VPN, 4), -ENOENT);
	ck_assert_uint_eq(rig_used(0), 2);
	trip_alloc_all(&t);
	trip_end(&t);
	RIG_SNAPSHOT_IS(its, RIG_VPN, 4, 0x21);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x21);
	done();
}
END_TEST

static void write_in_parent(void *arg)
{
	(void)arg;
	fake_unmap(rig.m, RIG_VPN + 2, 1);
	fake_map(rig.m, RIG_VPN + 2, 1, &fake_rw);
	fake_put(rig.m, RIG_VPN + 2, 1, 99);
}

static void move_in_parent(void *arg)
{
	(void)arg;
	fake_remap(rig.m, RIG_VPN + 2, 0x200, 1, false);
}

static void fork_parent(void *arg)
{
	(void)arg;
	(void)fake_raw_fork(rig.m);
}

static void exit_parent(void *arg)
{
	(void)arg;
	fake_exit(rig.m);
}

static void (*const meanwhile[])(void *arg) = {
	write_in_parent, move_in_parent, fork_parent, exit_parent,
};

static const enum fake_op moments[] = {
	FAKE_TRAP, FAKE_TAKE, FAKE_TAKE_PAGE, FAKE_ZAP,
};

#define NMEANWHILE (sizeof(meanwhile) / sizeof(meanwhile[0]))
#define NMOMENTS (sizeof(moments) / sizeof(moments[0]))

/* Whatever a sharer does while its page leaves. */
START_TEST(test_sharer_does_something_meanwhile)
{
	unsigned int what = (unsigned int)_i % NMEANWHILE;
	enum fake_op op = moments[(unsigned int)_i / NMEANWHILE % NMOMENTS];
	unsigned int nth = (unsigned int)_i / (NMEANWHILE * NMOMENTS) + 1;

	forked();
	fake_before(&rig.f, op, nth, meanwhile[what], NULL);
	(void)rig_ioctl(its, RIG_TO_DEV, RIG_VPN, NPAGES);
	fake_check_idle(&rig.f);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	if (what == 3)
		rig.m = fake_start(&rig.f);
	else
		fake_expect(rig.m, RIG_VPN, 2, 1);
	if (what == 0)
		fake_expect(rig.m, RIG_VPN + 2, 1, 99);
	if (what == 1)
		fake_expect(rig.m, 0x200, 1, 3);
	if (what != 3)
		fake_expect(rig.m, RIG_VPN + 3, NPAGES - 3, 4);
	done();
}
END_TEST

static void fork_before_take(void *arg)
{
	(void)arg;
	child = fake_raw_fork(rig.m);
	child->mm->bare = true;
}

/* It has the pages, but nobody can see that when they have left its parent. */
START_TEST(test_asked_later)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	fake_before(&rig.f, FAKE_TAKE, 1, fork_before_take, NULL);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	ck_assert(uhmm_softleaf_is_device_private(
		uhmm_mm_leaf(child->mm, UHMM_VPN(RIG_VPN))));
	child->mm->bare = false;
	uhmm_flight_look_again(child->mm);
	its = rig_open(0, child);
	RIG_SNAPSHOT_IS(its, RIG_VPN, NPAGES, 0x01);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x21);
	rig_ok(its, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_buffer_is(NPAGES, 1);
	done();
}
END_TEST

/* ---- who is told ---- */

/* The reverse map is walked in all that descend from where a page was born. */
START_TEST(test_relatives_forget)
{
	struct fake_mm *grandchild;
	struct uhmm_file *theirs;

	forked();
	fake_put(child, RIG_VPN, NPAGES, 91);
	grandchild = fake_fork(child);
	theirs = rig_open(1, grandchild);
	fake_put(rig.m, RIG_VPN, NPAGES, 41);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_ok(theirs, RIG_READ, RIG_VPN, NPAGES, 1);
	/* born in the child: its parent need not forget */
	rig_ok(its, RIG_TO_DEV, RIG_VPN, 1, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 0);
	rig_ok(theirs, RIG_READ, RIG_VPN + 1, NPAGES - 1, 0);
	rig_ok(theirs, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_close(theirs);
	done();
}
END_TEST

START_TEST(test_relatives_forget_what_they_do_not_have)
{
	struct fake_mm *second, *third;
	struct uhmm_file *theirs;

	forked();
	second = fake_fork(rig.m);
	third = fake_fork(rig.m);
	theirs = rig_open(1, second);
	fake_put(second, RIG_VPN, NPAGES, 91);
	rig_ok(theirs, RIG_READ, RIG_VPN, NPAGES, 1);
	rig_ok(its, RIG_TO_DEV, RIG_VPN, 1, 0);
	rig_ok(theirs, RIG_READ, RIG_VPN + 1, NPAGES - 1, 0);
	rig_ok(theirs, RIG_READ, RIG_VPN, NPAGES, 1);
	/* who is younger than the last one who has it is not asked */
	fake_put(third, RIG_VPN + 1, 1, 92);
	rig_ok(its, RIG_TO_DEV, RIG_VPN + 1, 1, 0);
	rig_ok(theirs, RIG_READ, RIG_VPN, NPAGES, 0);
	rig_close(theirs);
	done();
}
END_TEST

/* What a call has pinned to read it is a page of one's own, read-only. */
START_TEST(test_pinned_pages_are_ones_own)
{
	forked();
	rig_ok(its, RIG_TO_DEV, RIG_VPN + 6, 1, 0);
	rig_ok(its, RIG_READ, RIG_VPN, 4, 1);
	uhmm_cow_unshare(child->mm, uhmm_range_of(UHMM_VPN(RIG_VPN + 1), 6));
	rig_ok(its, RIG_READ, RIG_VPN, 1, 0);
	rig_ok(its, RIG_READ, RIG_VPN + 1, 1, 1);
	RIG_SNAPSHOT_IS(its, RIG_VPN, 7, 1, 1, 1, 1, 1, 1, 0x21);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 6, 0);
	RIG_SNAPSHOT_IS(its, RIG_VPN, NPAGES, 0x21, 1, 1, 1, 1, 1, 0x21, 1);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	done();
}
END_TEST

/* Who evicts has looked at no page table before, so that the kernel begins to look
 * where the page came into being. */
START_TEST(test_relatives_forget_what_is_evicted)
{
	forked();
	fake_put(rig.m, RIG_VPN, 2, 81);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 2, 1);
	rig_ok(its, RIG_TO_DEV, RIG_VPN, 1, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 2, 0);
	done();
	rig_ok(rig.file, RIG_READ, RIG_VPN + 1, 1, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 1, 1);
}
END_TEST

/* A write to a page that nobody else has any more is not one to a copy. */
START_TEST(test_mirror_keeps_a_page_that_is_used_again)
{
	forked();
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	fake_put(child, RIG_VPN, 2, 91);
	fake_put(rig.m, RIG_VPN, 1, 81);	/* used again */
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 0);
	fake_put(rig.m, RIG_VPN + 2, 1, 83);	/* copied */
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	done();
}
END_TEST

/* What a device has for itself comes back, unless the child does not get it.
 * S2.7 */
START_TEST(test_exclusive_comes_back_where_both_have_it)
{
	const uint64_t apart = RIG_VPN + 2 * NPAGES;

	fake_map(rig.m, apart, NPAGES, &fake_rw);
	fake_put(rig.m, apart, NPAGES, 1);
	fake_dontfork(rig.m, apart, NPAGES);
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN, NPAGES, 0);
	rig_ok(rig.file, RIG_EXCLUSIVE, apart, NPAGES, 0);
	child = fake_fork(rig.m);
	its = rig_open(0, child);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 2, 0x01, 0x01);
	RIG_SNAPSHOT_IS(rig.file, apart, 2, 0x00, 0x00);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_CHECK, apart, NPAGES),
			 -EPERM);
	done();
}
END_TEST

/* ---- files ---- */

static const struct fake_kind shared_file = { .read = true, .write = true,
					      .shared = true };

START_TEST(test_pages_of_files_are_forgotten_when_shared)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &shared_file);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	/* nobody else maps them: they are found in the table */
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, 0);
	child = fake_fork(rig.m);
	fake_dontneed(child, RIG_VPN, 3);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, NPAGES, -ENOENT);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 3, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

/* The walk meets first what begins with an earlier page of the file. */
START_TEST(test_mappings_of_files_are_walked_by_their_first_page)
{
	static const struct fake_kind read_only = { .read = true,
						    .shared = true };

	fake_map(rig.m, RIG_VPN, NPAGES, &shared_file);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	child = fake_fork(rig.m);
	fake_protect(rig.m, RIG_VPN + 2, 2, &read_only);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	/* what the child has is found before the mirror is reached */
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN + 2, 2, 0);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, 2, -ENOENT);
}
END_TEST

static const struct fake_kind private_file = { .read = true, .write = true,
					       .file = true };

/* Pages of one's own in such memory are protected when the fork is over. */
START_TEST(test_copies_of_files_are_read_only)
{
	struct uhmm_range r = uhmm_range_of(UHMM_VPN(RIG_VPN), NPAGES);

	fake_map(rig.m, RIG_VPN, NPAGES, &private_file);
	fake_put(rig.m, RIG_VPN + 1, 4, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, NPAGES, 1);
	child = fake_raw_fork(rig.m);
	fake_exit(child);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 3, 0x01, 0x02, 0x02);
	ck_assert_int_eq(uhmm_mm_share_copies(rig.m->mm, r, false), 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x01);
	fake_put(rig.m, RIG_VPN + 2, 1, 9);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x01, 0x01, 0x02, 0x01);
	fake_expect(rig.m, RIG_VPN + 3, 2, 3);
	/* other memory is none of its business */
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	ck_assert_int_eq(uhmm_mm_share_copies(rig.m->mm, r, false), 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x02);
}
END_TEST

/* A child that opens a device later has written some of its own by then. */
START_TEST(test_copies_of_files_in_the_child)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &private_file);
	fake_put(rig.m, RIG_VPN, 6, 1);
	child = fake_raw_fork(rig.m);
	fake_put(child, RIG_VPN, 2, 11);
	fake_put(rig.m, RIG_VPN + 2, 1, 21);
	its = rig_open(0, child);
	ck_assert_int_eq(uhmm_mm_share_copies(child->mm,
					      uhmm_range_of(UHMM_VPN(RIG_VPN),
							    NPAGES),
					      true),
			 0);
	/* the others are the last now, but were not written */
	fake_put(rig.m, RIG_VPN + 3, 3, 31);
	RIG_SNAPSHOT_IS(its, RIG_VPN, 6, 0x02, 0x02, 0x02, 0x01, 0x01, 0x01);
	fake_put(child, RIG_VPN + 4, 1, 41);
	RIG_SNAPSHOT_IS(its, RIG_VPN + 3, 3, 0x01, 0x02, 0x01);
	done();
}
END_TEST

/* ---- mappings that are not copied ---- */

/* Without a page of its own a mapping is left alone, and watched again when
 * the fork is over. */
START_TEST(test_nothing_to_share)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_expect(rig.m, RIG_VPN, 4, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 1);
	ck_assert(!fake_is_ordinary(rig.m, RIG_VPN, 4));
	ck_assert_int_eq(uhmm_mm_share(rig.m->mm, uhmm_range_of(UHMM_VPN(0), 0)),
			 0);
	ck_assert(fake_is_ordinary(rig.m, RIG_VPN, NPAGES));
	(void)fake_raw_fork(rig.m);
	ck_assert_int_eq(uhmm_mm_shared(rig.m->mm), 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 0);
	fake_put(rig.m, RIG_VPN + 1, 1, 5);	/* replaces the zero page */
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 1);
	rig_buffer_is(1, 0);
}
END_TEST

/* Nobody looks at any of the family any more: what is not shared, and what has
 * been written since, is ordinary memory. */
START_TEST(test_nobody_looks)
{
	forked();
	rig_close(its);
	rig_close(rig.file);
	ck_assert(!fake_is_ordinary(child, RIG_VPN, NPAGES));
	fake_put(child, RIG_VPN, NPAGES, 91);
	ck_assert(fake_is_ordinary(child, RIG_VPN, NPAGES));
	ck_assert_uint_eq(uhmm_kin_count(child->mm), 0);
	ck_assert(!fake_is_ordinary(rig.m, RIG_VPN, NPAGES));
	fake_put(rig.m, RIG_VPN, NPAGES, 81);
	ck_assert(fake_is_ordinary(rig.m, RIG_VPN, NPAGES));
	rig.file = rig_open(0, rig.m);
}
END_TEST

/* A fork while nobody looks counts for who looks later. */
START_TEST(test_nobody_looks_at_the_moment)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	rig_close(rig.file);
	ck_assert(fake_is_ordinary(rig.m, RIG_VPN, NPAGES));
	child = fake_fork(rig.m);
	its = rig_open(0, child);
	rig.file = rig_open(0, rig.m);
	fake_put(rig.m, RIG_VPN, 1, 81);
	rig_ok(its, RIG_TO_DEV, RIG_VPN, 2, 0);
	RIG_SNAPSHOT_IS(its, RIG_VPN, 3, 0x21, 0x21, 0x01);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 3, 0x02, 0x21, 0x01);
	rig_close(rig.file);
	done();
	fake_exit(child);
	rig.file = rig_open(0, rig.m);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, NPAGES, 0x02, 0x01);
}
END_TEST

#define NTIMES (2 * NMEANWHILE * NMOMENTS)

static void fork_now(void *arg)
{
	struct fake_mm **other = arg;

	*other = fake_fork(rig.m);
}

/* A page stays, and a fork shares it just before it may be written again: then
 * it is protected for another reason, and who writes it is told. */
START_TEST(test_forked_before_what_stayed_may_be_written)
{
	struct fake_mm *other = NULL;
	struct trip t;

	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1, 1);
	trip_setup(&t, RIG_VPN, 1, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	fake_before(&rig.f, FAKE_UNPROTECT, 1, fork_now, &other);
	trip_end(&t);
	ck_assert_ptr_nonnull(other);
	ck_assert_uint_ne(uhmm_kin_get(rig.m->mm, UHMM_VPN(RIG_VPN)), 0);
	ck_assert_int_eq(fake_touch(rig.m, RIG_VPN, true), 0);
	ck_assert_uint_eq(uhmm_kin_get(rig.m->mm, UHMM_VPN(RIG_VPN)), 0);
	fake_exit(other);
}
END_TEST

UNIT_RIG_MAIN("share",
	      UNIT_TEST(test_forked_before_what_stayed_may_be_written),
	      UNIT_TEST(test_migrates_for_both),
	      UNIT_TEST(test_migrates_again_for_both),
	      UNIT_TEST(test_a_written_page_is_ones_own),
	      UNIT_TEST(test_three_generations),
	      UNIT_TEST(test_last_sharer),
	      UNIT_LOOP(test_moved_in_one, 2),
	      UNIT_TEST(test_dropped_and_put_there_again),
	      UNIT_LOOP(test_without_write_permission, 2),
	      UNIT_LOOP(test_sharer_stays,
			sizeof(hitches) / sizeof(hitches[0])),
	      UNIT_TEST(test_huge_page_migrates_for_both),
	      UNIT_TEST(test_pages_that_differ_are_two),
	      UNIT_TEST(test_on_its_way_elsewhere),
	      UNIT_LOOP(test_sharer_does_something_meanwhile, NTIMES),
	      UNIT_TEST(test_asked_later),
	      UNIT_TEST(test_relatives_forget),
	      UNIT_TEST(test_relatives_forget_what_they_do_not_have),
	      UNIT_TEST(test_pinned_pages_are_ones_own),
	      UNIT_TEST(test_relatives_forget_what_is_evicted),
	      UNIT_TEST(test_mirror_keeps_a_page_that_is_used_again),
	      UNIT_TEST(test_exclusive_comes_back_where_both_have_it),
	      UNIT_TEST(test_pages_of_files_are_forgotten_when_shared),
	      UNIT_TEST(test_mappings_of_files_are_walked_by_their_first_page),
	      UNIT_TEST(test_copies_of_files_are_read_only),
	      UNIT_TEST(test_copies_of_files_in_the_child),
	      UNIT_TEST(test_nothing_to_share),
	      UNIT_TEST(test_nobody_looks),
	      UNIT_TEST(test_nobody_looks_at_the_moment))
