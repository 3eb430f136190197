/* SPDX-License-Identifier: MIT */
/* The engine without a userfaultfd: all private memory is trapped by its
 * protection (engine_protect.c; what is said of files: test_engine_fence.c). */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"

#define RW (PROT_READ | PROT_WRITE)

static long addr_of(uint64_t i)
{
	return (long)uhmm_addr_of(UHMM_VPN(prog.base.val + i));
}

static bool may(uint64_t i, bool write)
{
	return prog_call(&prog, in_try, addr_of(i), write ? 77 : 0, 0) == 0;
}

START_TEST(test_pages_go_and_come)
{
	prog_map(&prog, 8, true);
	prog_take(&prog, 0, 8);
	ck_assert(!may(0, false) && !may(7, true));
	ck_assert_uint_eq(*prog_word(&prog, 4), 5);
	ck_assert_int_eq(prog_give(&prog, 2, 4, 0).error, 0);
	ck_assert(!may(1, false) && may(2, true) && may(5, false));
	ck_assert_int_eq(prog_give(&prog, 0, 2, 0).error, 0);
	ck_assert_int_eq(prog_give(&prog, 6, 2, 0).error, 0);
	prog_call(&prog, in_write, addr_of(2), 3, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0), 36);
	ck_assert_uint_eq(prog.nseen, 0);
}
END_TEST

START_TEST(test_away_is_neither_there_nor_empty)
{
	uint64_t word;

	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 4);
	ck_assert_uint_eq(prog_pte(&prog, 1), UHMM_PTE_WP);
	ck_assert_int_eq(uhmm_ptes_raw(&prog.engine->ptes,
				       prog_range(&prog, 1, 1), &word), 0);
	ck_assert_uint_eq(word & UHMM_PM_PRESENT, 0);
	if (prog.engine->guards)
		ck_assert(word & UHMM_PM_SWAP);
	ck_assert_int_eq(prog_give(&prog, 0, 4, 0).error, 0);
	ck_assert(prog_pte(&prog, 1) & UHMM_PTE_PRESENT);
}
END_TEST

START_TEST(test_a_hole_gets_what_the_kernel_puts_there)
{
	prog_map(&prog, 4, false);
	prog_call(&prog, in_write, addr_of(3), 9, 0);
	prog_take(&prog, 3, 1);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 2)),
			 0);
	ck_assert(!may(0, false));
	ck_assert_int_eq(prog.ops->give_zero(prog.engine, prog.base, false), 0);
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(0), 0, 0), 0);
	ck_assert(!may(1, false) && may(2, true));
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 1, 1), true),
			 -EAGAIN);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 1, 1), true), 0);
	ck_assert(prog_pte(&prog, 1) & UHMM_PTE_PRESENT);
	ck_assert_int_eq(prog_give(&prog, 3, 1, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(3), 0, 0), 9);
}
END_TEST

START_TEST(test_protected_pages_may_be_read)
{
	prog_map(&prog, 4, true);
	ck_assert(!prog.ops->is_watched(prog.engine, prog.base));
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, 0, 4)), 0);
	ck_assert(prog.ops->is_watched(prog.engine, prog.base));
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 0, 2)), 0);
	ck_assert(may(0, false) && !may(0, true) && may(2, true));
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 4)),
			 0);
	ck_assert(!may(0, false));
	/* nothing was taken: reads go on, what was protected stays so */
	ck_assert_int_eq(prog.ops->let_read(prog.engine,
					    prog_range(&prog, 0, 2)), 0);
	ck_assert(may(0, false) && !may(0, true) && !may(2, false));
	ck_assert_int_eq(prog.ops->unprotect(prog.engine,
					     prog_range(&prog, 0, 4)), 0);
	ck_assert(may(0, true) && may(2, true));
}
END_TEST

static bool is_huge(uint64_t i)
{
	return prog_pte(&prog, i) & UHMM_PTE_HUGE;
}

static long in_lock(long addr, long npages, long c)
{
	(void)c;
	return mlock((void *)addr, uhmm_bytes_of((uint64_t)npages));
}

/* Two huge pages; of the second, which is locked, the kernel takes no advice. */
START_TEST(test_huge_pages_are_split)
{
	const uint64_t unit = 512;

	prog_map(&prog, 3 * unit, false);
	prog.base.val = (prog.base.val + unit - 1) & ~(unit - 1);
	prog_call(&prog, in_madvise, addr_of(0),
		  (long)uhmm_bytes_of(2 * unit), MADV_HUGEPAGE);
	prog_call(&prog, in_fill, addr_of(0), (long)(2 * unit), 0);
	if (!is_huge(0) || !is_huge(unit) ||
	    prog_call(&prog, in_lock, addr_of(unit), (long)unit, 0))
		return;
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, 0, 2 * unit)), 0);
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, unit, unit)), 0);
	ck_assert(is_huge(0) && is_huge(unit));
	ck_assert_int_eq(prog.ops->split(prog.engine,
					 prog_range(&prog, 5, 1)), 0);
	ck_assert(!is_huge(0) && is_huge(unit) && may(5, true));
	ck_assert_int_eq(prog.ops->split(prog.engine,
					 prog_range(&prog, unit + 5, 1)), 0);
	ck_assert(!is_huge(unit) && may(unit + 5, false));
	ck_assert(!may(unit + 5, true) && !may(unit + 6, true));
}
END_TEST

START_TEST(test_shared_memory_is_left_alone)
{
	long addr = prog_call(&prog, in_map, 2, RW, MAP_SHARED | MAP_ANONYMOUS);

	prog.base = uhmm_vpn_of((uint64_t)addr);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 2)),
			 -EINVAL);
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, 0, 2)), 0);
	ck_assert(!prog.ops->is_watched(prog.engine, prog.base));
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 0, 2)), 0);
	ck_assert(may(0, true));
}
END_TEST

START_TEST(test_program_is_gone)
{
	struct uhmm_vma vma;

	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 2);
	prog_kill(&prog);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 2, 2)),
			 -ESRCH);
	ck_assert_int_eq(prog.ops->unprotect(prog.engine,
					     prog_range(&prog, 2, 2)), -ESRCH);
	ck_assert_int_eq(prog.ops->wake(prog.engine, prog_range(&prog, 0, 1)),
			 -ESRCH);
	ck_assert_int_eq(prog.ops->vma_find(prog.engine, prog.base, &vma),
			 -ESRCH);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_pages_go_and_come,
		test_away_is_neither_there_nor_empty,
		test_a_hole_gets_what_the_kernel_puts_there,
		test_protected_pages_may_be_read,
		test_huge_pages_are_split,
		test_shared_memory_is_left_alone,
		test_program_is_gone,
	};

	return suite_main_protect("engine_protect", tests,
				  sizeof(tests) / sizeof(tests[0]));
}
