/* SPDX-License-Identifier: MIT */
/* test_metadata.c - what device memory costs before and while it is used; the
 * time it takes is bench/bench_core.c's. S1.11
 */
#include <uhmm/device_private.h>

#include "mm/mm.h"
#include "mm/page.h"
#include "sys/memfd.h"
#include "unit.h"

#define PAGE_BYTES UINT64_C(4096)
#define PMD_BYTES (UINT64_C(2) << 20)
#define CREATE_BYTES (UINT64_C(64) << 10)
/* Pages that become resident: 64 MiB of them. */
#define NPAGES UINT64_C(16384)
#define VPN UINT64_C(0x7f0000000)

static struct uhmm_memfd memory;
static struct uhmm_core core;

static int migrate_to_ram(struct uhmm_device_fault *fault)
{
	(void)fault;
	return -1;
}

static const struct uhmm_pagemap_ops ops = { .migrate_to_ram = migrate_to_ram };

static void wake(struct uhmm_core *c, struct uhmm_mm *mm)
{
	(void)c;
	(void)mm;
}

static const struct uhmm_core_ops core_ops = { .wake = wake };

static void up(void)
{
	size_t bytes = uhmm_store_bytes(NULL);
	struct uhmm_store store;

	ck_assert_int_eq(uhmm_memfd_init(&memory, "store", bytes), 0);
	ck_assert_int_eq(uhmm_store_format(&store, memory.base, bytes, NULL),
			 0);
	ck_assert_int_eq(uhmm_core_init(&core, store, &core_ops, NULL,
					PAGE_BYTES, PMD_BYTES), 0);
}

static void down(void)
{
	uhmm_core_fini(&core);
	uhmm_memfd_fini(&memory);
}

static uint64_t resident(void)
{
	return uhmm_memfd_resident_bytes(&memory);
}

static void create(struct uhmm_pagemap *pgmap, uint64_t bytes)
{
	*pgmap = (struct uhmm_pagemap){ .type = UHMM_MEMORY_DEVICE_PRIVATE,
					.npages = bytes / PAGE_BYTES,
					.ops = &ops };
	ck_assert_int_eq(uhmm_memremap_device_private_pagemap(&core, pgmap), 0);
}

/* 1 GiB, 1 TiB and 16 TiB cost the same, one after the other and together. */
START_TEST(test_create_touches_little)
{
	static const unsigned int sizes[] = { 30, 40, 44 };
	struct uhmm_pagemap pgmap[UNIT_COUNT(sizes)];
	uint64_t before, first = 0;

	up();
	for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
		before = resident();
		create(&pgmap[i], UINT64_C(1) << sizes[i]);
		ck_assert_uint_le(resident() - before, CREATE_BYTES);
		first = i ? first : resident() - before;
		ck_assert_uint_le(resident() - before, first);
	}
	for (size_t i = 0; i < UNIT_COUNT(sizes); i++)
		uhmm_memunmap_device_private_pagemap(&pgmap[i]);
	before = resident();
	for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
		create(&pgmap[i], UINT64_C(1) << sizes[i]);
		uhmm_memunmap_device_private_pagemap(&pgmap[i]);
	}
	ck_assert_uint_le(resident() - before, CREATE_BYTES);
	down();
}
END_TEST

static void map(struct uhmm_pagemap *pgmap, const struct uhmm_mm *mm,
		uint64_t from, uint64_t npages)
{
	uhmm_dpfn_t dpfn;

	for (uint64_t i = from; i < from + npages; i++) {
		unit_expect(!uhmm_pagemap_alloc(pgmap, 0, &dpfn));
		unit_expect(!uhmm_shadow_set(&core.store, mm->slot,
					     UHMM_VPN(VPN + i),
					     uhmm_softleaf_from_dpfn(dpfn,
								     true)));
	}
}

static void unmap(const struct uhmm_mm *mm, uint64_t npages)
{
	for (uint64_t i = 0; i < npages; i++)
		uhmm_shadow_clear(&core.store, mm->slot, UHMM_VPN(VPN + i));
}

/* Two words for each, one by device page and one by page of the program, and
 * nothing else that grows with them, but for a page of the table above for each
 * GiB; the first pages bring the first of those. */
START_TEST(test_resident_page_costs_two_words)
{
	struct uhmm_pagemap pgmap;
	struct uhmm_mm *mm;
	uint64_t before;

	up();
	create(&pgmap, UINT64_C(1) << 44);
	ck_assert_int_eq(uhmm_mm_create(&core, NULL, NULL, 0, &mm), 0);
	before = resident();
	map(&pgmap, mm, 0, 512);
	ck_assert_uint_le(resident() - before, CREATE_BYTES);
	before = resident();
	map(&pgmap, mm, 512, NPAGES);
	ck_assert_uint_eq(resident() - before, NPAGES * 16);
	/* what was used is used again */
	before = resident();
	unmap(mm, 512 + NPAGES);
	ck_assert_uint_eq(uhmm_pagemap_used(&pgmap), 0);
	map(&pgmap, mm, 0, 512 + NPAGES);
	ck_assert_uint_le(resident() - before, PAGE_BYTES);
	unmap(mm, 512 + NPAGES);
	uhmm_mm_put(mm);	/* without entries it needs no engine */
	uhmm_memunmap_device_private_pagemap(&pgmap);
	down();
}
END_TEST

UNIT_MAIN("metadata", UNIT_TEST(test_create_touches_little),
	  UNIT_TEST(test_resident_page_costs_two_words))
