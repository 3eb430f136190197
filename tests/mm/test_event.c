/* SPDX-License-Identifier: MIT */
/* test_event.c - src/mm/event.c, share.c: what the program did, and what each
 * kind of entry becomes by it
 */
#include <uhmm/event.h>

#include <errno.h>
#include <string.h>

#include <uhmm/share.h>

#include "mm/flight.h"
#include "mm/restore.h"
#include "trip.h"

/* ---- one page of each kind ---- */

static struct uhmm_restore locked;
static uint32_t flight;

static void be_ordinary(void)
{
}

static void be_write(void)
{
	rig_to_dev(0, rig.m, RIG_VPN, 1);
}

static void be_read(void)
{
	be_write();
	uhmm_event_protect(rig.m->mm, uhmm_range_of(UHMM_VPN(RIG_VPN), 1));
}

static void be_exclusive(void)
{
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN, 1, 0);
}

/* On its way out, @dpfn: it has a destination already. */
static void board(bool has_destination)
{
	uhmm_dpfn_t dpfn = { 0 };

	flight = uhmm_flight_begin(rig.m->mm, UHMM_VPN(RIG_VPN), 1);
	ck_assert_uint_ne(flight, 0);
	ck_assert_int_eq(uhmm_flight_board(rig.m->mm, flight, 0), 0);
	ck_assert_int_eq(fake_ops.trap(rig.m, uhmm_range_of(UHMM_VPN(RIG_VPN),
							    1)), 0);
	if (has_destination)
		ck_assert_int_eq(uhmm_pagemap_alloc(&rig.dev[0].pgmap, 0,
						    &dpfn), 0);
	uhmm_flight_at(&rig.f.core, flight)->page[0].dpfn = dpfn.val;
}

static void be_leaving(void)
{
	board(false);
}

static void be_taken(void)
{
	board(true);
}

static void lock(void)
{
	uhmm_dpfn_t dpfn = uhmm_softleaf_to_dpfn(
		uhmm_mm_leaf(rig.m->mm, UHMM_VPN(RIG_VPN)));

	ck_assert_int_eq(uhmm_restore_lock(&locked, &rig.f.core, dpfn), 0);
}

static void be_coming_write(void)
{
	be_write();
	lock();
}

static void be_coming_read(void)
{
	be_read();
	lock();
}

static void be_coming_exclusive(void)
{
	be_exclusive();
	lock();
}

/* Entries: the type, and Z: dropped by the program, on its way all the same. */
#define Z 0x100
#define NONE UHMM_SOFTLEAF_NONE
#define DEV_R UHMM_SOFTLEAF_DEVICE_PRIVATE_READ
#define DEV_W UHMM_SOFTLEAF_DEVICE_PRIVATE_WRITE
#define EXCL UHMM_SOFTLEAF_DEVICE_EXCLUSIVE
#define MIG_R UHMM_SOFTLEAF_MIGRATION_READ
#define MIG_RX UHMM_SOFTLEAF_MIGRATION_READ_EXCLUSIVE
#define MIG_W UHMM_SOFTLEAF_MIGRATION_WRITE
#define MDEV_R UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ
#define MDEV_RX UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ_EXCLUSIVE
#define MDEV_W UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_WRITE

static const struct {
	const char *what;
	void (*be)(void);
	/* the entry before, and after each event */
	unsigned int before, unmapped, protected, forked, child;
} leaves[] = {
	{ "ordinary", be_ordinary, NONE, NONE, NONE, NONE, NONE },
	{ "writable", be_write, DEV_W, NONE, DEV_R, DEV_R, DEV_R },
	{ "read-only", be_read, DEV_R, NONE, DEV_R, DEV_R, DEV_R },
	{ "exclusive", be_exclusive, EXCL, NONE, EXCL, EXCL, EXCL },
	{ "leaving", be_leaving, MIG_W, MIG_W | Z, MIG_RX, MIG_W, NONE },
	{ "taken", be_taken, MIG_W, MIG_W | Z, MIG_RX, MIG_R, MIG_R },
	{ "coming back, writable", be_coming_write, MDEV_W, MDEV_W | Z,
	  MDEV_RX, MDEV_R, MDEV_R },
	{ "coming back, read-only", be_coming_read, MDEV_R, MDEV_R | Z, MDEV_R,
	  MDEV_R, MDEV_R },
	{ "coming back, exclusive", be_coming_exclusive, MDEV_W, MDEV_W | Z,
	  MDEV_RX, MDEV_R, MDEV_R },
};

static unsigned int entry(const struct fake_mm *m, uint64_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(m->mm, UHMM_VPN(vpn));
	bool zapped = uhmm_softleaf_bits(leaf) & UHMM_SOFTLEAF_ZAPPED;

	return uhmm_softleaf_type(leaf) | (zapped ? Z : 0);
}

/* Whoever has the page on its way is through with it: nothing arrived. */
static void end_it(void)
{
	struct uhmm_mm *mm = rig.file->mm;

	if (flight) {
		uhmm_flight_leave(mm, flight, 0);
		uhmm_flight_drop(&rig.f.core, flight, 0);
		uhmm_flight_end(mm, flight);
	}
	uhmm_restore_finish(&locked);
	uhmm_mm_settle(mm);
	flight = 0;
	fake_check_idle(&rig.f);
}

static void make(int i)
{
	memset(&locked, 0, sizeof(locked));
	flight = 0;
	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1, 7);
	leaves[i].be();
	fake_check(&rig.f);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), leaves[i].before);
}

START_TEST(test_event_unmap_each_leaf)
{
	make(_i);
	fake_dontneed(rig.m, RIG_VPN, 1);
	fake_check(&rig.f);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), leaves[_i].unmapped);
	end_it();
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), NONE);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(uhmm_pagemap_used(&rig.exclusive), 0);
	fake_expect(rig.m, RIG_VPN, 1, 0);
}
END_TEST

/* S1.8 */
START_TEST(test_event_protect_each_leaf)
{
	make(_i);
	fake_protect(rig.m, RIG_VPN, 1, &fake_ro);
	fake_check(&rig.f);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), leaves[_i].protected);
	fake_protect(rig.m, RIG_VPN, 1, &fake_rw);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), leaves[_i].protected);
	end_it();
	fake_expect(rig.m, RIG_VPN, 1, 7);
	fake_put(rig.m, RIG_VPN, 1, 8);
	fake_expect(rig.m, RIG_VPN, 1, 8);
}
END_TEST

/* S1.8 */
START_TEST(test_event_fork_each_leaf)
{
	struct fake_mm *child;

	make(_i);
	child = fake_raw_fork(rig.m);
	fake_check(&rig.f);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), leaves[_i].forked);
	ck_assert_uint_eq(entry(child, RIG_VPN), leaves[_i].child);
	end_it();
	fake_expect(child, RIG_VPN, 1, 7);
	fake_put(child, RIG_VPN, 1, 8);
	fake_expect(rig.m, RIG_VPN, 1, 7);
	fake_put(rig.m, RIG_VPN, 1, 9);
	fake_expect(child, RIG_VPN, 1, 8);
	fake_check_idle(&rig.f);
}
END_TEST

START_TEST(test_event_remap_each_leaf)
{
	make(_i);
	fake_remap(rig.m, RIG_VPN, RIG_VPN + 9, 1, true);
	fake_check(&rig.f);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), NONE);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN + 9), leaves[_i].before);
	end_it();
	fake_expect(rig.m, RIG_VPN, 1, 0);
	fake_expect(rig.m, RIG_VPN + 9, 1, 7);
}
END_TEST

/* ---- bits that travel with an entry ---- */

#define SOFT ((unsigned int)UHMM_SOFTLEAF_SOFT_DIRTY)
#define BITS ((unsigned int)(UHMM_SOFTLEAF_YOUNG | UHMM_SOFTLEAF_DIRTY | \
			     UHMM_SOFTLEAF_UFFD_WP) | SOFT)

static unsigned int bits_at(const struct fake_mm *m, uint64_t vpn)
{
	return uhmm_softleaf_bits(uhmm_mm_leaf(m->mm, UHMM_VPN(vpn)));
}

/* Return: there is an entry, which has them all now. */
static bool set_bits(void)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(rig.m->mm, UHMM_VPN(RIG_VPN));

	if (uhmm_softleaf_is_none(leaf))
		return false;
	uhmm_shadow_change(&rig.f.core.store, rig.m->mm->slot,
			   UHMM_VPN(RIG_VPN),
			   uhmm_softleaf_with_bits(leaf, BITS));
	return true;
}

/* An entry on its way keeps all; of a device page that could be written
 * soft-dirty goes. */
static unsigned int bits_left(int i)
{
	return leaves[i].before == DEV_W ? BITS & ~SOFT : BITS;
}

/* S1.8 */
START_TEST(test_event_protect_keeps_bits)
{
	make(_i);
	if (set_bits()) {
		fake_protect(rig.m, RIG_VPN, 1, &fake_ro);
		ck_assert_uint_eq(bits_at(rig.m, RIG_VPN), bits_left(_i));
	}
	end_it();
}
END_TEST

/* S1.8 */
START_TEST(test_event_fork_keeps_bits)
{
	struct fake_mm *child;

	make(_i);
	if (set_bits()) {
		child = fake_raw_fork(rig.m);
		ck_assert_uint_eq(bits_at(rig.m, RIG_VPN), bits_left(_i));
		ck_assert_uint_eq(bits_at(child, RIG_VPN),
				  leaves[_i].child == NONE ? 0 : bits_left(_i));
	}
	end_it();
}
END_TEST

/* Onto each kind, and from a device page. */
START_TEST(test_event_remap_onto_each_leaf)
{
	make(_i);
	fake_map(rig.m, RIG_VPN + 9, 1, &fake_rw);
	fake_put(rig.m, RIG_VPN + 9, 1, 70);
	rig_to_dev(1, rig.m, RIG_VPN + 9, 1);
	fake_remap(rig.m, RIG_VPN + 9, RIG_VPN, 1, false);
	fake_check(&rig.f);
	ck_assert_uint_eq(entry(rig.m, RIG_VPN), DEV_W);
	end_it();
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(uhmm_pagemap_used(&rig.exclusive), 0);
	fake_expect(rig.m, RIG_VPN, 1, 70);
}
END_TEST

/* ---- remap by small steps ---- */

static const struct {
	int64_t by;	/* pages */
	uint64_t npages;
} moves[] = {
	{ 1, 8 }, { -1, 8 }, { 3, 8 }, { -3, 8 }, { 7, 8 }, { -7, 8 },
	{ 8, 8 }, { -8, 8 }, { 100, 8 }, { 1, 1 }, { 0, 8 }, { 511, 3 },
};

/* The kernel refuses ranges that overlap; we need not. */
START_TEST(test_event_remap_overlapping)
{
	uint64_t from = RIG_VPN + 64, to = from + (uint64_t)moves[_i].by;
	uhmm_softleaf_t leaf[16];
	uint64_t n = moves[_i].npages;

	fake_map(rig.m, RIG_VPN, 1000, &fake_rw);
	rig_to_dev(0, rig.m, from - 10, 10);
	rig_to_dev(0, rig.m, from, n);
	for (uint64_t i = 0; i < n; i++)
		leaf[i] = uhmm_mm_leaf(rig.m->mm, UHMM_VPN(from + i));
	uhmm_event_remap(rig.m->mm, UHMM_VPN(from), UHMM_VPN(to), n);
	for (uint64_t i = 0; i < n; i++) {
		uhmm_vpn_t old = UHMM_VPN(from + i);

		ck_assert(uhmm_softleaf_same(
			uhmm_mm_leaf(rig.m->mm, UHMM_VPN(to + i)), leaf[i]));
		if (old.val < to || old.val >= to + n)
			ck_assert(uhmm_softleaf_is_none(
				uhmm_mm_leaf(rig.m->mm, old)));
	}
	ck_assert(!uhmm_mm_check(&rig.f.core, (char[160]){ 0 }, 160));
	uhmm_event_unmap(rig.m->mm, uhmm_range_of(UHMM_VPN(0), FAKE_NPAGES));
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

/* A remap that the tables have no room for ends the mm: it cannot be exact any
 * more. What was on its way ends well. */
START_TEST(test_event_remap_without_memory)
{
	uint32_t taken[UHMM_FLIGHT_NPAGES * 8], n = 0;
	struct uhmm_mm *mm = rig.file->mm;

	make(_i);
	fake_map(rig.m, 3000, 1, &fake_rw);
	while (uhmm_slab_room(&rig.f.core.store, UHMM_SLAB_NODE))
		taken[n++] = uhmm_slab_alloc(&rig.f.core.store, UHMM_SLAB_NODE);
	uhmm_event_remap(mm, UHMM_VPN(RIG_VPN), UHMM_VPN(3000), 1);
	while (n)
		uhmm_slab_free(&rig.f.core.store, UHMM_SLAB_NODE, taken[--n]);
	ck_assert_int_eq(mm->gone, leaves[_i].before != NONE);
	if (mm->gone)
		fake_exit(rig.m);
	end_it();
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

/* ---- a fork without memory ---- */

static const enum uhmm_slab scarce[] = { UHMM_SLAB_NODE, UHMM_SLAB_RMAP };

START_TEST(test_event_fork_without_memory)
{
	struct uhmm_store *store = &rig.f.core.store;
	static uint32_t taken[16384];
	struct uhmm_mm *child;
	uint32_t n = 0;

	make(1);
	ck_assert_int_eq(uhmm_mm_create(&rig.f.core, &fake_ops, rig.m, 2,
					&child), 0);
	while (uhmm_slab_room(store, scarce[_i]))
		taken[n++] = uhmm_slab_alloc(store, scarce[_i]);
	ck_assert_int_eq(uhmm_event_fork(rig.m->mm, child), -ENOMEM);
	while (n)
		uhmm_slab_free(store, scarce[_i], taken[--n]);
	fake_check_idle(&rig.f);
	uhmm_mm_put(child);
	fake_expect(rig.m, RIG_VPN, 1, 7);
}
END_TEST

/* ---- who is told what ---- */

static struct {
	struct uhmm_notifier n;
	uint64_t told;
	struct uhmm_range r;
	enum uhmm_notify_event event;
} mirror;

static void note(struct uhmm_notifier *n, struct uhmm_range r,
		 enum uhmm_notify_event event, const void *owner)
{
	(void)n;
	(void)owner;
	mirror.told++;
	mirror.r = r;
	mirror.event = event;
}

static void subscribe(uint64_t vpn, uint64_t npages)
{
	memset(&mirror, 0, sizeof(mirror));
	mirror.n.invalidate = note;
	uhmm_notifier_insert(&mirror.n, rig.m->mm,
			     uhmm_range_of(UHMM_VPN(vpn), npages));
}

static void expect_told(enum uhmm_notify_event event, uint64_t vpn,
			uint64_t npages)
{
	ck_assert_uint_eq(mirror.told, 1);
	ck_assert_int_eq(mirror.event, event);
	ck_assert_uint_eq(mirror.r.start.val, vpn);
	ck_assert_uint_eq(uhmm_range_npages(mirror.r), npages);
	ck_assert(uhmm_notifier_read_retry(&mirror.n, mirror.n.seq - 1));
	mirror.told = 0;
}

START_TEST(test_notifier_is_told)
{
	struct uhmm_mm *mm = rig.m->mm;
	struct uhmm_range r = uhmm_range_of(UHMM_VPN(RIG_VPN), 4);
	uint64_t seq;

	subscribe(RIG_VPN, 8);
	seq = uhmm_notifier_read_begin(&mirror.n);
	ck_assert(!uhmm_notifier_read_retry(&mirror.n, seq));
	uhmm_event_unmap(mm, r);
	expect_told(UHMM_NOTIFY_UNMAP, RIG_VPN, 4);
	ck_assert(uhmm_notifier_read_retry(&mirror.n, seq));
	uhmm_event_protect(mm, r);
	expect_told(UHMM_NOTIFY_PROTECTION, RIG_VPN, 4);
	uhmm_event_remap(mm, r.start, UHMM_VPN(RIG_VPN + 50), 4);
	expect_told(UHMM_NOTIFY_UNMAP, RIG_VPN, 4);
	uhmm_event_remap(mm, UHMM_VPN(RIG_VPN + 50), r.start, 4);
	expect_told(UHMM_NOTIFY_UNMAP, RIG_VPN, 4);
	uhmm_event_unmap(mm, uhmm_range_of(UHMM_VPN(RIG_VPN + 8), 4));
	uhmm_event_unmap(mm, uhmm_range_of(UHMM_VPN(RIG_VPN - 8), 8));
	ck_assert_uint_eq(mirror.told, 0);
	uhmm_notifier_remove(&mirror.n);
	uhmm_notifier_remove(&mirror.n);
	uhmm_event_unmap(mm, r);
	ck_assert_uint_eq(mirror.told, 0);
}
END_TEST

START_TEST(test_notifier_is_told_of_the_end)
{
	subscribe(RIG_VPN, 1);
	fake_exit(rig.m);
	ck_assert_uint_eq(mirror.told, 1);
	ck_assert_int_eq(mirror.event, UHMM_NOTIFY_RELEASE);
	uhmm_notifier_remove(&mirror.n);
}
END_TEST

/* Of 300 pages the last but one is gone; a swapped one is, too. */
START_TEST(test_notifier_is_told_of_pageout)
{
	struct uhmm_range all = uhmm_range_of(UHMM_VPN(RIG_VPN), 300);

	fake_map(rig.m, RIG_VPN, 300, &fake_rw);
	fake_put(rig.m, RIG_VPN, 298, 1);
	fake_put(rig.m, RIG_VPN + 299, 1, 1);
	subscribe(RIG_VPN, 300);
	uhmm_event_pageout(rig.m->mm, all);
	expect_told(UHMM_NOTIFY_CLEAR, RIG_VPN + 298, 1);
	fake_put(rig.m, RIG_VPN + 298, 1, 1);
	uhmm_event_pageout(rig.m->mm, all);
	ck_assert_uint_eq(mirror.told, 0);
	fake_swap_out(rig.m, RIG_VPN, 1);
	uhmm_event_pageout(rig.m->mm, all);
	expect_told(UHMM_NOTIFY_CLEAR, RIG_VPN, 1);
	fake_fail(&rig.f, FAKE_SCAN, 1, 1, -ESRCH);
	uhmm_event_pageout(rig.m->mm, all);
	ck_assert_uint_eq(mirror.told, 0);
	uhmm_notifier_remove(&mirror.n);
}
END_TEST

/* ---- before a fork ---- */

START_TEST(test_share_protects_private_pages)
{
	static const struct fake_kind shared = { .read = true, .write = true,
						 .shared = true };
	struct uhmm_range except = uhmm_range_of(UHMM_VPN(RIG_VPN + 2), 2);

	fake_map(rig.m, RIG_VPN, 700, &fake_rw);
	fake_put(rig.m, RIG_VPN, 6, 1);
	fake_put(rig.m, RIG_VPN + 600, 1, 1);
	fake_map(rig.m, RIG_VPN + 700, 2, &shared);
	fake_put(rig.m, RIG_VPN + 700, 2, 1);
	ck_assert_int_eq(uhmm_mm_share(rig.m->mm, except), 0);
	for (uint64_t i = 0; i < 702; i++)
		ck_assert_int_eq((rig.m->pte[RIG_VPN + i].bits & UHMM_PTE_WP) !=
					 0,
				 i < 2 || i == 4 || i == 5 || i == 600);
	fake_put(rig.m, RIG_VPN, 1, 5);
	ck_assert(!(rig.m->pte[RIG_VPN].bits & UHMM_PTE_WP));
}
END_TEST

/* The page is shared all the same: made writable later, it is not at once. */
START_TEST(test_share_protects_a_read_only_mapping)
{
	struct fake_mm *child;

	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1, 1);
	fake_protect(rig.m, RIG_VPN, 1, &fake_ro);
	child = fake_fork(rig.m);
	fake_exit(child);
	fake_protect(rig.m, RIG_VPN, 1, &fake_rw);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 1, 1);
	fake_put(rig.m, RIG_VPN, 1, 2);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 1, 2);
}
END_TEST

/* What a child does not get stays the parent's alone. */
START_TEST(test_fork_without_some_pages)
{
	struct fake_mm *child;

	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_to_dev(0, rig.m, RIG_VPN + 1, 2);
	fake_map(rig.m, RIG_VPN + 8, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN + 8, 4, 9);
	rig_to_dev(0, rig.m, RIG_VPN + 8, 2);
	fake_dontfork(rig.m, RIG_VPN, 4);
	child = fake_fork(rig.m);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 2, 0x22, 0x22, 2);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN + 8, 4, 0x21, 0x21, 1, 1);
	ck_assert_int_eq(fake_cpu_write(child, RIG_VPN, 1), -EFAULT);
	fake_expect(child, RIG_VPN + 8, 4, 9);
	fake_expect(rig.m, RIG_VPN, 4, 1);
	fake_expect(rig.m, RIG_VPN + 8, 4, 9);
}
END_TEST

START_TEST(test_share_of_an_mm_nobody_mirrors)
{
	struct fake_mm *m = fake_start(&rig.f);

	fake_map(m, RIG_VPN, 4, &fake_rw);
	fake_put(m, RIG_VPN, 4, 1);
	ck_assert_int_eq(uhmm_mm_share(m->mm, uhmm_range_of(UHMM_VPN(0), 0)),
			 0);
	ck_assert(fake_is_ordinary(m, 0, FAKE_NPAGES));
}
END_TEST

/* Pages that came back read-only from the device are writable when mprotect says
 * so; those that a fork shared, before or still, and the zero page are not. */
START_TEST(test_protected_pages_of_ones_own)
{
	struct uhmm_range r = uhmm_range_of(UHMM_VPN(RIG_VPN), 8);

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 3, 1);
	fake_exit(fake_fork(rig.m));
	fake_put(rig.m, RIG_VPN + 1, 5, 12);
	rig_to_dev(0, rig.m, RIG_VPN + 2, 3);
	fake_protect(rig.m, RIG_VPN, 8, &fake_ro);
	fake_protect(rig.m, RIG_VPN, 8, &fake_rw);
	fake_expect(rig.m, RIG_VPN + 2, 3, 13);
	fake_expect(rig.m, RIG_VPN + 6, 1, 0);
	fake_protect(rig.m, RIG_VPN, 8, &fake_ro);
	ck_assert_int_eq(uhmm_event_protected(rig.m->mm, r), 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 1, 1, 1, 1, 1, 1, 0x11, 0);
	fake_protect(rig.m, RIG_VPN, 8, &fake_rw);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 1, 2, 1, 1, 1, 2, 0x11, 0);
	ck_assert_int_eq(uhmm_event_protected(rig.m->mm, r), 0);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 1, 2, 2, 2, 2, 2, 0x11, 0);
}
END_TEST

UNIT_RIG_MAIN("event", UNIT_TABLE(test_event_unmap_each_leaf, leaves),
	      UNIT_TABLE(test_event_protect_each_leaf, leaves),
	      UNIT_TABLE(test_event_fork_each_leaf, leaves),
	      UNIT_TABLE(test_event_protect_keeps_bits, leaves),
	      UNIT_TABLE(test_event_fork_keeps_bits, leaves),
	      UNIT_TABLE(test_event_remap_each_leaf, leaves),
	      UNIT_TABLE(test_event_remap_onto_each_leaf, leaves),
	      UNIT_TABLE(test_event_remap_overlapping, moves),
	      UNIT_TABLE(test_event_remap_without_memory, leaves),
	      UNIT_TABLE(test_event_fork_without_memory, scarce),
	      UNIT_TEST(test_notifier_is_told),
	      UNIT_TEST(test_notifier_is_told_of_the_end),
	      UNIT_TEST(test_notifier_is_told_of_pageout),
	      UNIT_TEST(test_share_protects_private_pages),
	      UNIT_TEST(test_share_protects_a_read_only_mapping),
	      UNIT_TEST(test_fork_without_some_pages),
	      UNIT_TEST(test_share_of_an_mm_nobody_mirrors),
	      UNIT_TEST(test_protected_pages_of_ones_own))
