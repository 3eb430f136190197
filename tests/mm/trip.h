/* SPDX-License-Identifier: MIT */
/* trip.h - a smallest driver: one migration, step by step */
#ifndef UHMM_TESTS_TRIP_H
#define UHMM_TESTS_TRIP_H

#include <uhmm/migrate.h>

#include "rig.h"

#define TRIP_GOES ((uint64_t)UHMM_MIGRATE_PFN_MIGRATE)
#define TRIP_VALID ((uint64_t)UHMM_MIGRATE_PFN_VALID)
#define TRIP_WRITE ((uint64_t)UHMM_MIGRATE_PFN_WRITE)

struct trip {
	struct uhmm_migrate_vma args;
	struct uhmm_pagemap *pgmap;
	uint64_t src[UHMM_MIGRATE_NPAGES_MAX + 1];
	uint64_t dst[UHMM_MIGRATE_NPAGES_MAX + 1];
};

/** trip_init() - of pages [@vpn, +@npages) of @m and device 0 */
void trip_init(struct trip *t, struct fake_mm *m, uint64_t vpn,
	       uint64_t npages, unsigned int flags);

/** trip_setup() - the same for rig.m, and phase one, which works */
void trip_setup(struct trip *t, uint64_t vpn, uint64_t npages,
		unsigned int flags);

/** trip_alloc() - a device page for page @i; trip_alloc_all() - for every one
 *  that can go to the device */
void trip_alloc(struct trip *t, uint64_t i);
void trip_alloc_all(struct trip *t);

/** trip_end() - phases two and three */
void trip_end(struct trip *t);

/** rig_to_dev() - all of [@vpn, +@npages) of @m is on device @dev now */
void rig_to_dev(unsigned int dev, struct fake_mm *m, uint64_t vpn,
		uint64_t npages);

/** rig_to_ram() - and back, as after a CPU's touch */
void rig_to_ram(struct fake_mm *m, uint64_t vpn, uint64_t npages);

/* main() of suites that want a rig around each test */

/** unit_rig_main() - as unit_main() */
int unit_rig_main(const char *name, const struct unit_test *tests,
		  size_t ntests);

#define UNIT_LOOP(name, n) { (name), (n), false }

#define UNIT_RIG_MAIN(name, ...)                                       \
	int main(void)                                                 \
	{                                                              \
		const struct unit_test tests[] = { __VA_ARGS__ };      \
		return unit_rig_main(name, tests, UNIT_COUNT(tests));  \
	}

#endif
