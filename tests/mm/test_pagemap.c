/* SPDX-License-Identifier: MIT */
/* test_pagemap.c - the numbers of device pages, and where they must not be
 * taken for anything else: src/mm/pagemap.c, access.c, range_fault.c
 */
#include <errno.h>
#include <string.h>

#include <uhmm/exclusive.h>
#include <uhmm/range_fault.h>

#include "mm/page.h"
#include "trip.h"

#define NPAGES 8
#define FLAGS (UHMM_HMM_PFN_DEVICE_PRIVATE | UHMM_HMM_PFN_DEVICE_COHERENT)

static const struct uhmm_pagemap_ops ops = {
	.migrate_to_ram = uhmm_fault_to_ram,
};

static const struct uhmm_pagemap_ops no_ops;

static uhmm_softleaf_t leaf_at(uint64_t vpn)
{
	return uhmm_mm_leaf(rig.m->mm, UHMM_VPN(vpn));
}

static void map_on_device(unsigned int dev, uint64_t vpn, uint64_t npages)
{
	fake_map(rig.m, vpn, npages, &fake_rw);
	fake_put(rig.m, vpn, npages, 1);
	rig_to_dev(dev, rig.m, vpn, npages);
}

/* ---- what is refused ---- */

static const struct {
	uint64_t npages;
	const struct uhmm_pagemap_ops *ops;
	int err;
} refused[] = {
	{ 0, &ops, -EINVAL },
	{ 512, NULL, -EINVAL },
	{ 512, &no_ops, -EINVAL },
	{ UINT64_MAX, &ops, -EINVAL },
	{ UINT64_C(1) << 52, &ops, -ENOSPC },
	{ FAKE_DPFNS, &ops, -ENOSPC },	/* number 0 is nobody's */
};

/* S1.2 */
START_TEST(test_memremap_refuses)
{
	struct uhmm_pagemap pgmap = { .type = UHMM_MEMORY_DEVICE_PRIVATE,
				      .npages = refused[_i].npages,
				      .ops = refused[_i].ops };

	ck_assert_int_eq(uhmm_memremap_device_private_pagemap(&rig.f.core,
							      &pgmap),
			 refused[_i].err);
	uhmm_memunmap_device_private_pagemap(&pgmap);
	fake_check_idle(&rig.f);
}
END_TEST

/* Whatever comes and goes, no number is of two. S1.1, S1.2 */
START_TEST(test_memremap_ranges_are_apart)
{
	struct uhmm_pagemap pgmap[4];

	for (size_t i = 0; i < UNIT_COUNT(pgmap); i++) {
		pgmap[i] = (struct uhmm_pagemap){
			.type = UHMM_MEMORY_DEVICE_PRIVATE,
			.npages = 1 + i, .ops = &ops };
		ck_assert_int_eq(uhmm_memremap_device_private_pagemap(
					 &rig.f.core, &pgmap[i]), 0);
		ck_assert_uint_eq(uhmm_pagemap_end(&pgmap[i]).val -
					  uhmm_pagemap_first(&pgmap[i]).val,
				  1 + i);
		for (size_t k = 0; k < i; k++)
			ck_assert(uhmm_pagemap_end(&pgmap[k]).val <=
					  uhmm_pagemap_first(&pgmap[i]).val ||
				  uhmm_pagemap_end(&pgmap[i]).val <=
					  uhmm_pagemap_first(&pgmap[k]).val);
	}
	for (size_t i = 0; i < UNIT_COUNT(pgmap); i++)
		uhmm_memunmap_device_private_pagemap(&pgmap[i]);
}
END_TEST

/* What a device was given back is not the next one's: who still has the number
 * finds nothing. S1.1 */
START_TEST(test_stale_number_is_nobodys)
{
	struct uhmm_pagemap old = { .type = UHMM_MEMORY_DEVICE_PRIVATE,
				    .npages = 512, .ops = &ops };
	struct uhmm_pagemap next = old;
	struct uhmm_device_page page;
	uhmm_dpfn_t was;

	ck_assert_int_eq(uhmm_memremap_device_private_pagemap(&rig.f.core,
							      &old), 0);
	ck_assert_int_eq(uhmm_pagemap_alloc(&old, 0, &was), 0);
	uhmm_page_free(&rig.f.core.store, was);
	uhmm_memunmap_device_private_pagemap(&old);
	ck_assert_int_eq(uhmm_memremap_device_private_pagemap(&rig.f.core,
							      &next), 0);
	ck_assert_int_eq(uhmm_device_private_offset_to_page(&rig.f.core,
							    was.val, &page),
			 -ENXIO);
	uhmm_memunmap_device_private_pagemap(&next);
}
END_TEST

/* ---- lookup ---- */

/* S1.3 */
START_TEST(test_offset_to_page_and_back)
{
	struct uhmm_device_page page;

	map_on_device(0, RIG_VPN, NPAGES);
	for (unsigned int dev = 0; dev < 2; dev++) {
		struct uhmm_pagemap *pgmap = &rig.dev[dev].pgmap;
		uint64_t n = uhmm_pagemap_first(pgmap).val;

		for (; n < uhmm_pagemap_end(pgmap).val; n++) {
			unit_expect(!uhmm_device_private_offset_to_page(
				&rig.f.core, n, &page));
			unit_expect(uhmm_device_private_page_to_offset(
					    &page) == n);
			unit_expect(page.pgmap == pgmap);
			unit_expect(page.used == (page.mapcount > 0));
		}
	}
	ck_assert_int_eq(uhmm_device_private_offset_to_page(
				 &rig.f.core,
				 uhmm_softleaf_to_dpfn(leaf_at(RIG_VPN)).val,
				 &page), 0);
	ck_assert_uint_eq(page.mapcount, 1);
}
END_TEST

/* S1.3 */
START_TEST(test_offset_to_page_of_no_device)
{
	uint64_t end = uhmm_pagemap_end(&rig.dev[1].pgmap).val;
	const uint64_t wrong[] = { 0, 1, end, end + 511, FAKE_DPFNS - 1,
				   FAKE_DPFNS, UINT64_C(1) << 52, INT64_MAX,
				   UINT64_MAX };
	struct uhmm_device_page page, before;

	memset(&page, 0x5a, sizeof(page));
	before = page;
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		ck_assert_int_eq(uhmm_device_private_offset_to_page(
					 &rig.f.core, wrong[i], &page),
				 -ENXIO);
	ck_assert_mem_eq(&page, &before, sizeof(page));
}
END_TEST

/* ---- the kind travels with the number ---- */

static uint64_t pfns[2 * NPAGES];

static void nothing(struct uhmm_notifier *n, struct uhmm_range r,
		    enum uhmm_notify_event event, const void *owner)
{
	(void)n;
	(void)r;
	(void)event;
	(void)owner;
}

/* What one who owns @pgmap sees of the pages. */
static void look(const struct uhmm_pagemap *pgmap)
{
	struct uhmm_notifier notifier = { .invalidate = nothing };
	struct uhmm_range_fault range = {
		.notifier = &notifier,
		.range = uhmm_range_of(UHMM_VPN(RIG_VPN), 2 * NPAGES),
		.hmm_pfns = pfns,
		.pgmap = pgmap,
	};

	uhmm_notifier_insert(&notifier, rig.m->mm, range.range);
	range.notifier_seq = uhmm_notifier_read_begin(&notifier);
	ck_assert_int_eq(uhmm_range_fault(&range), 0);
	uhmm_notifier_remove(&notifier);
}

/* A number without a flag is not there to be misread. S1.4, S1.10 */
START_TEST(test_range_fault_tells_numbers_by_flag)
{
	map_on_device(0, RIG_VPN, NPAGES);
	fake_map(rig.m, RIG_VPN + NPAGES, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN + NPAGES, NPAGES, 1);
	look(&rig.dev[0].pgmap);
	for (uint64_t i = 0; i < 2 * NPAGES; i++) {
		ck_assert(pfns[i] & UHMM_HMM_PFN_VALID);
		ck_assert_int_eq(!!(pfns[i] & FLAGS), i < NPAGES);
		ck_assert_uint_eq(
			pfns[i] & UHMM_HMM_PFN_NUMBER_MASK,
			i < NPAGES ? uhmm_softleaf_offset(leaf_at(RIG_VPN + i)) :
				     0);
	}
}
END_TEST

/* Another device sees no page there, and no number. S1.10 */
START_TEST(test_range_fault_hides_pages_of_others)
{
	map_on_device(0, RIG_VPN, NPAGES);
	fake_map(rig.m, RIG_VPN + NPAGES, NPAGES, &fake_rw);
	look(&rig.dev[1].pgmap);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_uint_eq(pfns[i], 0);
	look(NULL);
	for (uint64_t i = 0; i < NPAGES; i++)
		ck_assert_uint_eq(pfns[i], 0);
}
END_TEST

/* Words of a migration: who takes a number out asks what it is first. S1.4 */
START_TEST(test_migrate_words_tell_numbers_by_flag)
{
	static struct trip t;

	map_on_device(0, RIG_VPN, NPAGES);
	fake_map(rig.m, RIG_VPN + 64, NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN + 64, NPAGES, 1);
	trip_setup(&t, RIG_VPN, NPAGES, UHMM_MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
	for (uint64_t i = 0; i < NPAGES; i++) {
		ck_assert(uhmm_migrate_pfn_is_device(t.src[i]));
		ck_assert(uhmm_softleaf_is_migration_device_private(
			leaf_at(RIG_VPN + i)));
	}
	trip_end(&t);
	trip_setup(&t, RIG_VPN + 64, NPAGES, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	for (uint64_t i = 0; i < NPAGES; i++) {
		ck_assert(!uhmm_migrate_pfn_is_device(t.src[i]));
		ck_assert_uint_eq(t.src[i] >> UHMM_MIGRATE_PFN_SHIFT, 0);
		ck_assert(!uhmm_softleaf_has_dpfn(leaf_at(RIG_VPN + 64 + i)));
	}
	trip_end(&t);
}
END_TEST

/* A device page with the number that a system page on its way has: the walk of
 * the one does not find the other. S1.4, S1.10 */
START_TEST(test_rmap_of_the_same_number_in_the_other_space)
{
	static struct trip t;
	struct uhmm_mapping at;
	uint64_t number, done;
	uhmm_dpfn_t dpfn;

	fake_map(rig.m, 0, FAKE_NPAGES, &fake_rw);
	fake_put(rig.m, RIG_VPN, 1, 7);
	/* the first numbers that there are */
	ck_assert_int_eq(uhmm_make_device_exclusive(
				 rig.m->mm,
				 uhmm_range_of(UHMM_VPN(2 * RIG_VPN), 512),
				 &done), 0);
	trip_setup(&t, RIG_VPN, 1, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	number = uhmm_softleaf_offset(leaf_at(RIG_VPN));
	dpfn = UHMM_DPFN(number);
	/* or this test would show nothing */
	ck_assert_int_eq(uhmm_page_state(&rig.f.core.store, dpfn),
			 UHMM_PAGE_MAPPED);
	ck_assert(uhmm_page_mapping(&rig.f.core.store, dpfn, 0, &at));
	ck_assert_uint_ge(at.vpn.val, 2 * RIG_VPN);
	ck_assert(!uhmm_page_mapping(&rig.f.core.store, dpfn, 1, &at));
	trip_end(&t);
}
END_TEST

UNIT_RIG_MAIN("pagemap", UNIT_TABLE(test_memremap_refuses, refused),
	      UNIT_TEST(test_memremap_ranges_are_apart),
	      UNIT_TEST(test_stale_number_is_nobodys),
	      UNIT_TEST(test_offset_to_page_and_back),
	      UNIT_TEST(test_offset_to_page_of_no_device),
	      UNIT_TEST(test_range_fault_tells_numbers_by_flag),
	      UNIT_TEST(test_range_fault_hides_pages_of_others),
	      UNIT_TEST(test_migrate_words_tell_numbers_by_flag),
	      UNIT_TEST(test_rmap_of_the_same_number_in_the_other_space))
