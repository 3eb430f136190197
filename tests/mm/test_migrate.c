/* SPDX-License-Identifier: MIT */
/* test_migrate.c - src/mm/migrate.c, called as a driver calls it */
#include <errno.h>
#include <string.h>

#include <uhmm/migrate.h>

#include "mm/page.h"
#include "rig.h"
#include "trip.h"

/* ---- what goes and what stays ---- */

static void put(uint64_t vpn)
{
	fake_put(rig.m, vpn, 1, 7);
}

static void map_hole(uint64_t vpn)
{
	fake_map(rig.m, vpn, 1, &fake_rw);
}

static void map_zero(uint64_t vpn)
{
	map_hole(vpn);
	fake_expect(rig.m, vpn, 1, 0);
}

static void map_present(uint64_t vpn)
{
	map_hole(vpn);
	put(vpn);
}

static void map_read_only(uint64_t vpn)
{
	map_present(vpn);
	fake_protect(rig.m, vpn, 1, &fake_ro);
}

static void map_read_only_hole(uint64_t vpn)
{
	fake_map(rig.m, vpn, 1, &fake_ro);
}

static void map_shared(uint64_t vpn)
{
	fake_map(rig.m, vpn, 1, &(struct fake_kind){
		.read = true, .write = true, .shared = true });
	put(vpn);
}

static void map_file(uint64_t vpn)
{
	fake_map(rig.m, vpn, 1, &(struct fake_kind){
		.read = true, .write = true, .file = true });
	(void)fake_get(rig.m, vpn);
}

static void map_file_written(uint64_t vpn)
{
	map_file(vpn);
	put(vpn);
}

static void map_file_protected(uint64_t vpn)
{
	const struct uhmm_mm *mm = rig.m->mm;
	struct uhmm_range r = uhmm_range_of(UHMM_VPN(vpn), 1);

	map_file_written(vpn);
	ck_assert_int_eq(mm->ops->watch(mm->ops_ctx, r), 0);
	ck_assert_int_eq(mm->ops->protect(mm->ops_ctx, r), 0);
}

static void map_swap(uint64_t vpn)
{
	map_present(vpn);
	fake_swap_out(rig.m, vpn, 1);
}

static void map_busy(uint64_t vpn)
{
	fake_map(rig.m, vpn, 1, &(struct fake_kind){
		.read = true, .write = true, .trap_error = -EBUSY });
	put(vpn);
}

static void map_other_device(uint64_t vpn)
{
	map_present(vpn);
	rig_to_dev(1, rig.m, vpn, 1);
}

static void map_this_device(uint64_t vpn)
{
	map_present(vpn);
	rig_to_dev(0, rig.m, vpn, 1);
}

static void map_forked(uint64_t vpn)
{
	map_present(vpn);
	(void)fake_fork(rig.m);
}

static const struct {
	const char *what;
	void (*map)(uint64_t vpn);
	uint64_t src;		/* after setup */
	uint64_t value;		/* what it holds, before and after */
	bool leaf_write;	/* once it is on the device */
} kinds[] = {
	{ "hole", map_hole, TRIP_GOES | TRIP_WRITE, 0, true },
	{ "zero page", map_zero, TRIP_GOES | TRIP_WRITE, 0, true },
	{ "present", map_present, TRIP_GOES | TRIP_VALID | TRIP_WRITE, 7,
	  true },
	{ "read-only", map_read_only, TRIP_GOES | TRIP_VALID, 7, false },
	{ "read-only hole", map_read_only_hole, TRIP_GOES, 0, false },
	{ "shared by fork", map_forked, TRIP_GOES | TRIP_VALID, 7, false },
	{ "shared memory", map_shared, 0, 7, false },
	{ "file", map_file, 0, 0x10000, false },
	{ "private page of a file", map_file_written,
	  TRIP_GOES | TRIP_VALID | TRIP_WRITE, 7, true },
	{ "protected private page of a file", map_file_protected,
	  TRIP_GOES | TRIP_VALID, 7, false },
	{ "swapped out", map_swap, 0, 7, false },
	{ "another's userfaultfd", map_busy, 0, 7, false },
	{ "on the other device", map_other_device, 0, 7, false },
	{ "on this device", map_this_device, 0, 7, false },
};

/* Three pages, the one in question between two ordinary ones. */
START_TEST(test_migrate_vma_setup_each_kind)
{
	uint64_t vpn = RIG_VPN + 1;
	struct trip t;

	kinds[_i].map(vpn);
	trip_setup(&t, vpn, 1, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	ck_assert_uint_eq(t.src[0], kinds[_i].src);
	ck_assert_uint_eq(t.args.cpages, kinds[_i].src != 0);
	trip_alloc_all(&t);
	trip_end(&t);
	ck_assert_uint_eq(t.src[0], kinds[_i].src);
	if (kinds[_i].src) {
		uhmm_softleaf_t leaf = uhmm_mm_leaf(rig.m->mm, UHMM_VPN(vpn));

		ck_assert(uhmm_softleaf_is_device_private(leaf));
		ck_assert_int_eq(uhmm_softleaf_is_device_private_write(leaf),
				 kinds[_i].leaf_write);
		ck_assert_uint_eq(fake_pte_bits(rig.m, vpn) & UHMM_PTE_PRESENT,
				  0);
	}
	ck_assert_uint_eq(fake_peek(rig.m, vpn), kinds[_i].value);
	ck_assert_uint_eq(fake_get(rig.m, vpn), kinds[_i].value);
	if (rig.m->pte[vpn].kind.write) {
		fake_put(rig.m, vpn, 1, 9);
		fake_expect(rig.m, vpn, 1, 9);
	}
}
END_TEST

/* What stays is as it was, also when the kernel had protected it for us. */
START_TEST(test_migrate_vma_without_destination_each_kind)
{
	uint64_t vpn = RIG_VPN + 1;
	uint8_t before;
	struct trip t;

	kinds[_i].map(vpn);
	before = fake_pte_bits(rig.m, vpn);
	trip_setup(&t, vpn, 1, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	trip_end(&t);
	ck_assert_uint_eq(t.src[0] & TRIP_GOES, 0);
	ck_assert_uint_eq(fake_pte_bits(rig.m, vpn), before);
	ck_assert(!rig.m->pte[vpn].fenced);
	ck_assert_uint_eq(fake_peek(rig.m, vpn), kinds[_i].value);
	ck_assert_uint_eq(rig.f.calls[FAKE_TAKE],
			  kinds[_i].map == map_other_device ||
				  kinds[_i].map == map_this_device);
}
END_TEST

/* ---- mappings that are refused ---- */

static const struct {
	const char *what;
	struct fake_kind kind;
	uint64_t vpn, npages;
} refused[] = {
	{ "nothing mapped", { .read = true }, RIG_VPN + 100, 1 },
	{ "begins in a hole", { .read = true }, RIG_VPN - 1, 2 },
	{ "ends in a hole", { .read = true }, RIG_VPN, 9 },
	{ "empty", { .read = true }, RIG_VPN, 0 },
	{ "hugetlb", { .read = true, .hugetlb = true }, RIG_VPN, 8 },
	{ "special", { .read = true, .special = true }, RIG_VPN, 8 },
	{ "pfnmap", { .read = true, .special = true, .pfnmap = true },
	  RIG_VPN, 8 },
	{ "too long", { .read = true }, RIG_VPN + 512, 513 },
};

START_TEST(test_migrate_vma_setup_refuses)
{
	struct trip t;

	fake_map(rig.m, RIG_VPN, 8, &refused[_i].kind);
	fake_map(rig.m, RIG_VPN + 512, 513, &fake_rw);
	trip_init(&t, rig.m, refused[_i].vpn, refused[_i].npages,
		  UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	ck_assert_int_eq(uhmm_migrate_vma_setup(&t.args), -EINVAL);
	ck_assert_uint_eq(rig.f.calls[FAKE_TRAP], 0);
}
END_TEST

START_TEST(test_migrate_vma_setup_two_mappings)
{
	struct trip t;

	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_map(rig.m, RIG_VPN + 4, 4, &fake_ro);
	trip_init(&t, rig.m, RIG_VPN, 8, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	ck_assert_int_eq(uhmm_migrate_vma_setup(&t.args), -EINVAL);
}
END_TEST

START_TEST(test_migrate_vma_setup_of_a_dead_mm)
{
	struct uhmm_mm *mm = rig.m->mm;
	struct trip t;

	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	uhmm_mm_get(mm);
	trip_init(&t, rig.m, RIG_VPN, 4, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	fake_exit(rig.m);
	ck_assert_int_eq(uhmm_migrate_vma_setup(&t.args), -ESRCH);
	uhmm_mm_put(mm);
}
END_TEST

/* ---- some of them ---- */

/* Destinations for every page that has a bit in @mask (of 8). */
static void to_dev_some(struct trip *t, unsigned int mask)
{
	trip_setup(t, RIG_VPN, 8, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	ck_assert_uint_eq(t->args.cpages, 8);
	for (uint64_t i = 0; i < 8; i++)
		if (mask >> i & 1)
			trip_alloc(t, i);
	trip_end(t);
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_int_eq((t->src[i] & TRIP_GOES) != 0, mask >> i & 1);
}

START_TEST(test_migrate_vma_destinations_for_some)
{
	unsigned int mask = (unsigned int)_i;
	struct trip t;

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 3, 1);
	fake_put(rig.m, RIG_VPN + 5, 3, 6);
	to_dev_some(&t, mask);
	ck_assert_uint_eq(rig_used(0), (uint64_t)__builtin_popcount(mask));
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_uint_eq(fake_peek(rig.m, RIG_VPN + i),
				  i == 3 || i == 4 ? 0 : i + 1);
	/* those that stayed may be written without asking */
	for (uint64_t i = 0; i < 8; i++)
		if (!(mask >> i & 1))
			ck_assert_uint_eq(fake_pte_bits(rig.m, RIG_VPN + i) &
						  UHMM_PTE_WP, 0);
	fake_expect(rig.m, RIG_VPN, 3, 1);
	fake_expect(rig.m, RIG_VPN + 3, 2, 0);
	fake_expect(rig.m, RIG_VPN + 5, 3, 6);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert(!fake_is_trapped(rig.m, RIG_VPN, 8));
}
END_TEST

START_TEST(test_migrate_vma_part_of_a_mapping)
{
	struct trip t;

	fake_map(rig.m, RIG_VPN, 600, &fake_rw);
	fake_put(rig.m, RIG_VPN, 600, 1);
	trip_setup(&t, RIG_VPN + 50, 512, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	trip_alloc_all(&t);
	trip_end(&t);
	ck_assert_uint_eq(rig_used(0), 512);
	ck_assert(!fake_is_trapped(rig.m, RIG_VPN, 50));
	ck_assert(!fake_is_trapped(rig.m, RIG_VPN + 562, 38));
	fake_expect(rig.m, RIG_VPN, 600, 1);
}
END_TEST

/* Page _i cannot be taken: it stays, the others go. */
START_TEST(test_migrate_vma_take_stops_midway)
{
	uint64_t stop = (uint64_t)_i;
	struct trip t;

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	fake_fail_nth(&rig.f, FAKE_TAKE_PAGE, (unsigned int)stop + 1, -EFAULT);
	trip_setup(&t, RIG_VPN, 8, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	trip_alloc_all(&t);
	trip_end(&t);
	ck_assert_uint_eq(rig_used(0), 7);
	for (uint64_t i = 0; i < 8; i++) {
		ck_assert_int_eq((t.src[i] & TRIP_GOES) != 0, i != stop);
		ck_assert_uint_eq(fake_peek(rig.m, RIG_VPN + i), i + 1);
	}
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

/* ---- back ---- */

START_TEST(test_migrate_vma_back_some)
{
	unsigned int mask = (unsigned int)_i;
	struct trip t;

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_to_dev(0, rig.m, RIG_VPN, 6);
	rig_to_dev(1, rig.m, RIG_VPN + 6, 1);
	trip_setup(&t, RIG_VPN, 8, UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
	ck_assert_uint_eq(t.args.cpages, 6);
	for (uint64_t i = 0; i < 6; i++)
		if (mask >> i & 1)
			t.dst[i] = UHMM_MIGRATE_PFN_SYSTEM;
	trip_end(&t);
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_int_eq((t.src[i] & TRIP_GOES) != 0,
				 i < 6 && (mask >> i & 1));
	ck_assert_uint_eq(rig_used(0),
			  6 - (uint64_t)__builtin_popcount(mask & 63));
	ck_assert_uint_eq(rig_used(1), 1);
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_uint_eq(fake_peek(rig.m, RIG_VPN + i), i + 1);
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

START_TEST(test_migrate_vma_both_ways_at_once)
{
	struct trip t;

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_to_dev(0, rig.m, RIG_VPN, 4);
	trip_setup(&t, RIG_VPN, 8,
		   UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			   UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	ck_assert_uint_eq(t.args.cpages, 8);
	for (uint64_t i = 0; i < 4; i++)
		t.dst[i] = UHMM_MIGRATE_PFN_SYSTEM;
	for (uint64_t i = 4; i < 8; i++)
		trip_alloc(&t, i);
	trip_end(&t);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 8, 2, 2, 2, 2, 0x22);
	fake_expect(rig.m, RIG_VPN, 8, 1);
}
END_TEST

static struct fake_mm *born;

static void fork_and_exit(void *arg)
{
	(void)arg;
	born = fake_raw_fork(rig.m);
	fake_exit(rig.m);
}

static const struct {
	enum fake_op op;
	bool after;
} ends_at[] = {
	{ FAKE_TRAP, true }, { FAKE_TAKE, false }, { FAKE_TAKE_PAGE, false },
	{ FAKE_ZAP, false }, { FAKE_TAKE, true },
};

/* The program ends while its pages leave, and a child has what it had: where a
 * page had left already that is on the device. S1.8 */
START_TEST(test_child_of_one_that_ended_meanwhile)
{
	struct uhmm_mm *mm = rig.m->mm;
	struct trip t;

	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	uhmm_mm_get(mm);
	trip_init(&t, rig.m, RIG_VPN, 4, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	if (ends_at[_i].after)
		fake_after(&rig.f, ends_at[_i].op, 1, fork_and_exit, NULL);
	else
		fake_before(&rig.f, ends_at[_i].op, 1, fork_and_exit, NULL);
	if (!uhmm_migrate_vma_setup(&t.args)) {
		trip_alloc_all(&t);
		trip_end(&t);
	}
	uhmm_mm_put(mm);
	fake_expect(born, RIG_VPN, 4, 1);
	fake_check_idle(&rig.f);
}
END_TEST

UNIT_RIG_MAIN("migrate", UNIT_TABLE(test_child_of_one_that_ended_meanwhile, ends_at),
	      UNIT_TABLE(test_migrate_vma_setup_each_kind, kinds),
	      UNIT_TABLE(test_migrate_vma_without_destination_each_kind, kinds),
	      UNIT_TABLE(test_migrate_vma_setup_refuses, refused),
	      UNIT_TEST(test_migrate_vma_setup_two_mappings),
	      UNIT_TEST(test_migrate_vma_setup_of_a_dead_mm),
	      UNIT_LOOP(test_migrate_vma_destinations_for_some, 256),
	      UNIT_TEST(test_migrate_vma_part_of_a_mapping),
	      UNIT_LOOP(test_migrate_vma_take_stops_midway, 8),
	      UNIT_LOOP(test_migrate_vma_back_some, 64),
	      UNIT_TEST(test_migrate_vma_both_ways_at_once))
