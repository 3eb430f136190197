/* SPDX-License-Identifier: MIT */
/* thp.h - a program with a huge page, for the tests of PMD-sized units */
#ifndef UHMM_TESTS_THP_H
#define UHMM_TESTS_THP_H

#include "mm/unit.h"
#include "trip.h"

#define N FAKE_PMD_NPAGES
/** Where the unit is, and a free place aligned as it is. */
#define HERE N
#define THERE (4 * N)

/** is_unit() - is page @vpn of @m in one? */
static inline bool is_unit(const struct fake_mm *m, uint64_t vpn)
{
	return uhmm_unit_of(&rig.f.core.store, m->mm->slot, UHMM_VPN(vpn));
}

/** map_all() - three units of memory, HERE in the middle */
static inline void map_all(const struct fake_kind *kind)
{
	fake_map(rig.m, 0, 3 * N, kind);
}

/** map_huge() - and a huge page there, that holds 1, 2, ... */
static inline void map_huge(void)
{
	map_all(&fake_rw);
	fake_put(rig.m, HERE, N, 1);
	fake_set_huge(rig.m, HERE, N, false);
}

/** to_dev() - all of it is on the device now */
static inline void to_dev(void)
{
	rig_ok(rig.file, RIG_TO_DEV, HERE, N, 0);
}

/** map_away() - a huge page that is on the device */
static inline void map_away(void)
{
	map_huge();
	to_dev();
	ck_assert(is_unit(rig.m, HERE));
}

/** fail_alloc() - the next allocation fails */
static inline void fail_alloc(void)
{
	ck_assert_int_eq(
		rig_ioctl(rig.file, RIG_FLAGS, 0, UHMM_DMIRROR_FLAG_FAIL_ALLOC),
		0);
}

#endif
