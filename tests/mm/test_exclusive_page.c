/* SPDX-License-Identifier: MIT */
/* test_exclusive_page.c - what becomes of a page that a device has for itself:
 * src/mm/exclusive.c, and everybody who meets such a page
 */
#include <errno.h>
#include <string.h>

#include <uhmm/exclusive.h>

#include "trip.h"

#define NPAGES 4

static uhmm_softleaf_t leaf_at(const struct fake_mm *m, uint64_t i)
{
	return uhmm_mm_leaf(m->mm, UHMM_VPN(RIG_VPN + i));
}

static bool is_exclusive(const struct fake_mm *m, uint64_t i)
{
	return uhmm_softleaf_is_device_exclusive(leaf_at(m, i));
}

static uint64_t exclusives(void)
{
	return uhmm_pagemap_used(&rig.exclusive);
}

static void map_ram(const struct fake_kind *kind)
{
	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, NPAGES, 1);
	fake_protect(rig.m, RIG_VPN, NPAGES, kind);
}

static int make(struct fake_mm *m, uint64_t i, uint64_t npages, uint64_t *done)
{
	int err = uhmm_make_device_exclusive(
		m->mm, uhmm_range_of(UHMM_VPN(RIG_VPN + i), npages), done);

	fake_check(&rig.f);
	return err;
}

static void make_all(void)
{
	uint64_t done;

	map_ram(&fake_rw);
	ck_assert_int_eq(make(rig.m, 0, NPAGES, &done), 0);
	ck_assert_uint_eq(done, NPAGES);
	ck_assert_uint_eq(exclusives(), NPAGES);
}

/* ---- what is refused ---- */

static const struct fake_kind shared = { .read = true, .write = true,
					 .shared = true };
static const struct fake_kind file = { .read = true, .write = true,
				       .shared = true, .file = true };
static const struct fake_kind huge = { .read = true, .write = true,
				       .hugetlb = true };
static const struct fake_kind special = { .read = true, .write = true,
					  .special = true };
static const struct fake_kind pfns = { .read = true, .write = true,
				       .special = true, .pfnmap = true };

static const struct {
	const struct fake_kind *kind;	/* NULL: nothing is mapped */
	int err;
} refused[] = {
	{ &shared, -EOPNOTSUPP }, { &file, -EOPNOTSUPP },
	{ &huge, -EOPNOTSUPP },	  { &special, -EOPNOTSUPP },
	{ &pfns, -EFAULT },	  { &fake_ro, -EFAULT },
	{ &fake_none, -EFAULT },  { NULL, -EFAULT },
};

/* The page in front of it is the caller's. S2.1, S2.2, S2.3 */
START_TEST(test_make_refuses)
{
	uint64_t done = 77;

	map_ram(&fake_rw);
	fake_unmap(rig.m, RIG_VPN + 1, 1);
	if (refused[_i].kind)
		fake_map(rig.m, RIG_VPN + 1, 1, refused[_i].kind);
	ck_assert_int_eq(make(rig.m, 1, 1, &done), refused[_i].err);
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(make(rig.m, 0, 2, &done), refused[_i].err);
	ck_assert_uint_eq(done, 1);
	ck_assert(is_exclusive(rig.m, 0));
	fake_expect(rig.m, RIG_VPN, 1, 1);
	fake_expect(rig.m, RIG_VPN + 2, 2, 3);
}
END_TEST

/* Others are always faster: it gives up, and nothing is lost. S2.2 */
START_TEST(test_make_is_busy)
{
	uint64_t done;

	map_ram(&fake_rw);
	fake_fail(&rig.f, FAKE_TAKE_PAGE, 1, 100000, -EAGAIN);
	ck_assert_int_eq(make(rig.m, 0, NPAGES, &done), -EBUSY);
	ck_assert_uint_eq(done, 0);
	ck_assert_uint_eq(exclusives(), 0);
	fake_heal(&rig.f);
	ck_assert_int_eq(make(rig.m, 0, NPAGES, &done), 0);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* ---- it is faulted in, writable ---- */

/* A hole becomes a page of zeros. S2.3 */
START_TEST(test_make_of_a_hole)
{
	uint64_t done;

	fake_map(rig.m, RIG_VPN, NPAGES, &fake_rw);
	ck_assert_int_eq(make(rig.m, 0, NPAGES, &done), 0);
	ck_assert_uint_eq(exclusives(), NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 0);
}
END_TEST

/* What a fork shares is copied first: the other keeps its own. S2.3 */
START_TEST(test_make_breaks_cow)
{
	struct fake_mm *child;
	uint64_t done;

	map_ram(&fake_rw);
	child = fake_fork(rig.m);
	ck_assert_int_eq(make(rig.m, 0, NPAGES, &done), 0);
	ck_assert_uint_eq(exclusives(), NPAGES);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert(uhmm_softleaf_is_none(leaf_at(child, i)));
	fake_put(child, RIG_VPN, NPAGES, 50);
	ck_assert_uint_eq(exclusives(), NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

static struct fake_mm *born;

static void be_forked(void *arg)
{
	(void)arg;
	born = fake_raw_fork(rig.m);
}

static const struct {
	enum fake_op op;
	bool after;
} fork_at[] = {
	{ FAKE_FAULT_IN, true }, { FAKE_TRAP, true }, { FAKE_PROTECT, true },
	{ FAKE_TAKE, false }, { FAKE_ZAP, false }, { FAKE_TAKE, true },
};

/* Nor does a child share it that is born while it is on its way, which no hook
 * says: what the device does then the child would see. S2.3 */
START_TEST(test_make_while_it_forks)
{
	uint64_t done;

	map_ram(&fake_rw);
	born = NULL;
	if (fork_at[_i].after)
		fake_after(&rig.f, fork_at[_i].op, 1, be_forked, NULL);
	else
		fake_before(&rig.f, fork_at[_i].op, 1, be_forked, NULL);
	ck_assert_int_eq(make(rig.m, 0, NPAGES, &done), 0);
	if (!born)
		return;
	for (uint64_t i = 0; i < NPAGES; i++) {
		ck_assert(uhmm_softleaf_is_device_exclusive(
			leaf_at(rig.m, i)));
		ck_assert(uhmm_softleaf_is_none(leaf_at(born, i)));
	}
	fake_expect(born, RIG_VPN, NPAGES, 1);
	fake_put(born, RIG_VPN, NPAGES, 50);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* From the memory of another device, too. S2.3 */
START_TEST(test_make_of_device_pages)
{
	uint64_t done;

	map_ram(&fake_rw);
	rig_to_dev(1, rig.m, RIG_VPN, NPAGES);
	ck_assert_int_eq(make(rig.m, 0, NPAGES, &done), 0);
	ck_assert_uint_eq(rig_used(1), 0);
	ck_assert_uint_eq(exclusives(), NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* One device takes it from the other, which is told. S2.3 */
START_TEST(test_make_revokes_the_other_device)
{
	struct uhmm_file *other = rig_open(1, rig.m);

	map_ram(&fake_rw);
	rig_ok(rig.file, RIG_EXCLUSIVE, RIG_VPN, NPAGES, 0);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_CHECK, RIG_VPN, 1), -EPERM);
	rig_ok(other, RIG_EXCLUSIVE, RIG_VPN, NPAGES, 0);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_CHECK, RIG_VPN, 1), 0);
	ck_assert_int_eq(rig_ioctl(other, RIG_CHECK, RIG_VPN, 1), -EPERM);
	ck_assert_uint_eq(exclusives(), NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	ck_assert_int_eq(rig_ioctl(other, RIG_CHECK, RIG_VPN, 1), 0);
	rig_close(other);
}
END_TEST

/* ---- one kind of entry ---- */

/* Of what was written, only read, and never touched. S2.5 */
START_TEST(test_entry_has_one_type)
{
	uint64_t done, value;

	fake_map(rig.m, RIG_VPN, 3, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1, 1);
	ck_assert_int_eq(fake_cpu_read(rig.m, RIG_VPN + 1, &value), 0);
	ck_assert_int_eq(make(rig.m, 0, 3, &done), 0);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(uhmm_softleaf_type(leaf_at(rig.m, i)),
				 UHMM_SOFTLEAF_DEVICE_EXCLUSIVE);
}
END_TEST

/* ---- a CPU gets it back ---- */

static const struct restore_case {
	const struct fake_kind *kind;	/* what it is protected as meanwhile */
	bool write, ok;
} restores[] = {
	{ &fake_rw, false, true },   { &fake_rw, true, true },
	{ &fake_ro, false, true },   { &fake_ro, true, false },
	{ &fake_none, false, false }, { &fake_none, true, false },
};

/* What it may do then, the mapping says then. S2.6 */
START_TEST(test_restore_decides_writability)
{
	const struct restore_case *c = &restores[_i];
	uint64_t value;
	int err;

	make_all();
	if (c->kind != &fake_rw)
		fake_protect(rig.m, RIG_VPN, NPAGES, c->kind);
	err = c->write ? fake_cpu_write(rig.m, RIG_VPN, 9) :
			 fake_cpu_read(rig.m, RIG_VPN, &value);
	ck_assert_int_eq(err, c->ok ? 0 : -EFAULT);
	fake_check_idle(&rig.f);
	if (c->ok)
		ck_assert(!(fake_pte_bits(rig.m, RIG_VPN) & UHMM_PTE_WP));
	fake_protect(rig.m, RIG_VPN, NPAGES, &fake_rw);
	fake_expect(rig.m, RIG_VPN, 1, c->ok && c->write ? 9 : 1);
	fake_expect(rig.m, RIG_VPN + 1, NPAGES - 1, 2);
}
END_TEST

/* Who is to be told of a write is told. S2.6 */
START_TEST(test_restore_keeps_uffd_wp)
{
	uint64_t value;

	make_all();
	uhmm_shadow_change(&rig.f.core.store, rig.m->mm->slot,
			   UHMM_VPN(RIG_VPN),
			   uhmm_softleaf_with_bits(leaf_at(rig.m, 0),
						   UHMM_SOFTLEAF_UFFD_WP));
	for (uint64_t i = 0; i < 2; i++) {
		ck_assert_int_eq(fake_cpu_read(rig.m, RIG_VPN + i, &value), 0);
		ck_assert_int_eq(!!(fake_pte_bits(rig.m, RIG_VPN + i) &
				    UHMM_PTE_WP), i == 0);
	}
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* ---- whoever else meets it ---- */

static void drops_it(void)
{
	fake_dontneed(rig.m, RIG_VPN, NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 0);
}

static void unmaps_it(void)
{
	fake_unmap(rig.m, RIG_VPN, NPAGES);
}

static void exits(void)
{
	fake_exit(rig.m);
}

static void forks(void)
{
	struct fake_mm *child = fake_fork(rig.m);

	ck_assert_uint_eq(exclusives(), 0);
	fake_expect(child, RIG_VPN, NPAGES, 1);
	fake_put(child, RIG_VPN, NPAGES, 60);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}

static void migrates_to_system(void)
{
	rig_to_ram(rig.m, RIG_VPN, NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}

/* What reclaim does: it need not ask who has it. */
static void is_reclaimed(void)
{
	ck_assert_uint_eq(uhmm_pagemap_make_room(&rig.exclusive, RIG_NEXCLUSIVE),
			  NPAGES);
	ck_assert_uint_eq(exclusives(), 0);
	fake_swap_out(rig.m, RIG_VPN, NPAGES);
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}

static void moves_it(void)
{
	fake_remap(rig.m, RIG_VPN, RIG_VPN + 64, NPAGES, false);
	ck_assert_uint_eq(exclusives(), NPAGES);
	fake_expect(rig.m, RIG_VPN + 64, NPAGES, 1);
}

static void (*const walkers[])(void) = {
	drops_it, unmaps_it, exits, forks, migrates_to_system, is_reclaimed,
	moves_it,
};

/* None of them leaves a page behind. S2.7 */
START_TEST(test_walkers_treat_it_properly)
{
	make_all();
	walkers[_i]();
	fake_check_idle(&rig.f);
	ck_assert_uint_eq(exclusives(), 0);
}
END_TEST

/* It is old and clean to who asks, and no page on its way. S2.7 */
START_TEST(test_entry_is_old_clean_and_no_migration)
{
	make_all();
	for (uint64_t i = 0; i < NPAGES; i++) {
		uhmm_softleaf_t leaf = leaf_at(rig.m, i);

		ck_assert(!uhmm_softleaf_is_migration(leaf));
		ck_assert_uint_eq(uhmm_softleaf_bits(leaf) &
					  (UHMM_SOFTLEAF_YOUNG |
					   UHMM_SOFTLEAF_DIRTY), 0);
	}
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
}
END_TEST

/* It counts as mapped, by as many as before. S2.8 */
START_TEST(test_it_counts_as_mapped)
{
	struct uhmm_device_page page;

	make_all();
	ck_assert_uint_eq(uhmm_shadow_count(&rig.f.core.store,
					    rig.m->mm->slot), NPAGES);
	for (uint64_t i = 0; i < NPAGES; i++) {
		ck_assert_int_eq(uhmm_device_private_offset_to_page(
					 &rig.f.core,
					 uhmm_softleaf_offset(
						 leaf_at(rig.m, i)),
					 &page), 0);
		ck_assert_uint_eq(page.mapcount, 1);
	}
	fake_expect(rig.m, RIG_VPN, NPAGES, 1);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_uint_eq(fake_pte_bits(rig.m, RIG_VPN + i) &
					  (UHMM_PTE_PRESENT |
					   UHMM_PTE_EXCLUSIVE),
				  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
}
END_TEST

UNIT_RIG_MAIN("exclusive_page", UNIT_TABLE(test_make_refuses, refused),
	      UNIT_TEST(test_make_is_busy), UNIT_TEST(test_make_of_a_hole),
	      UNIT_TEST(test_make_breaks_cow),
	      UNIT_TABLE(test_make_while_it_forks, fork_at),
	      UNIT_TEST(test_make_of_device_pages),
	      UNIT_TEST(test_make_revokes_the_other_device),
	      UNIT_TEST(test_entry_has_one_type),
	      UNIT_TABLE(test_restore_decides_writability, restores),
	      UNIT_TEST(test_restore_keeps_uffd_wp),
	      UNIT_TABLE(test_walkers_treat_it_properly, walkers),
	      UNIT_TEST(test_entry_is_old_clean_and_no_migration),
	      UNIT_TEST(test_it_counts_as_mapped))
