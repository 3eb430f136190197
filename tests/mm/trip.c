/* SPDX-License-Identifier: MIT */
/* trip.c - a smallest driver (trip.h) */
#include "trip.h"

#include <string.h>

void trip_init(struct trip *t, struct fake_mm *m, uint64_t vpn,
	       uint64_t npages, unsigned int flags)
{
	memset(t, 0xff, sizeof(*t));
	t->pgmap = &rig.dev[0].pgmap;
	t->args.mm = m->mm;
	t->args.range = uhmm_range_of(UHMM_VPN(vpn), npages);
	t->args.src = t->src;
	t->args.dst = t->dst;
	t->args.pgmap = t->pgmap;
	t->args.flags = flags;
}

void trip_setup(struct trip *t, uint64_t vpn, uint64_t npages,
		unsigned int flags)
{
	trip_init(t, rig.m, vpn, npages, flags);
	ck_assert_int_eq(uhmm_migrate_vma_setup(&t->args), 0);
	fake_check(&rig.f);
}

void trip_alloc(struct trip *t, uint64_t i)
{
	uhmm_dpfn_t dpfn;

	unit_expect(uhmm_pagemap_alloc(t->pgmap, 0, &dpfn) == 0);
	t->dst[i] = uhmm_migrate_pfn(dpfn);
}

void trip_alloc_all(struct trip *t)
{
	uint64_t npages = uhmm_range_npages(t->args.range);

	for (uint64_t i = 0; i < npages; i++)
		if ((t->src[i] & TRIP_GOES) &&
		    !uhmm_migrate_pfn_is_device(t->src[i]))
			trip_alloc(t, i);
}

void trip_end(struct trip *t)
{
	uhmm_migrate_vma_pages(&t->args);
	uhmm_migrate_vma_finalize(&t->args);
	fake_check(&rig.f);
}

void rig_to_dev(unsigned int dev, struct fake_mm *m, uint64_t vpn,
		uint64_t npages)
{
	static struct trip t;

	trip_init(&t, m, vpn, npages, UHMM_MIGRATE_VMA_SELECT_SYSTEM);
	t.pgmap = t.args.pgmap = &rig.dev[dev].pgmap;
	unit_expect(uhmm_migrate_vma_setup(&t.args) == 0);
	unit_expect(t.args.cpages == npages);
	trip_alloc_all(&t);
	trip_end(&t);
	for (uint64_t i = 0; i < npages; i++)
		unit_expect(t.src[i] & TRIP_GOES);
}

void rig_to_ram(struct fake_mm *m, uint64_t vpn, uint64_t npages)
{
	int64_t back = uhmm_migrate_to_ram(
		m->mm, uhmm_range_of(UHMM_VPN(vpn), npages), NULL);

	unit_expect(back >= 0);
	fake_check(&rig.f);
}

int unit_rig_main(const char *name, const struct unit_test *tests,
		  size_t ntests)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	for (size_t i = 0; i < ntests; i++)
		tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].loops);
	tcase_add_checked_fixture(tcase, rig_up, rig_down);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
