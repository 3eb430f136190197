/* SPDX-License-Identifier: MIT */
/* PMD-sized units: src/sys/engine_unit.c, and how engine copy gives them. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"

#define UNIT 512

/* Four units and one to align the first in; base is the first. */
static void map_units(void)
{
	prog_map(&prog, 5 * UNIT, false);
	prog.base.val = (prog.base.val + UNIT - 1) & ~(uint64_t)(UNIT - 1);
	prog.npages = 4 * UNIT;
	prog_call(&prog, in_madvise, (long)uhmm_addr_of(prog.base),
		  (long)uhmm_bytes_of(4 * UNIT), MADV_HUGEPAGE);
	prog_call(&prog, in_fill, (long)uhmm_addr_of(prog.base), 4 * UNIT, 0);
}

static long sum_of(uint64_t first, long n)
{
	return n * (long)first + n * (n + 1) / 2;
}

static bool is_huge(uint64_t i)
{
	return prog_pte(&prog, i) & UHMM_PTE_HUGE;
}

/* Where nothing can be made huge there is nothing to test. */
static bool can_be_huge(void)
{
	return uhmm_engine_kernel_collapses() && prog.engine->ptes.has_scan &&
	       is_huge(0);
}

static struct uhmm_run give_unit(uint32_t flags)
{
	return prog_give(&prog, 0, UNIT, flags | UHMM_RUN_UNIT);
}

static void unit_is_back(bool huge)
{
	for (uint64_t i = 0; i < UNIT; i++)
		ck_assert_int_eq(is_huge(i), huge);
	ck_assert_int_eq(prog_call(&prog, in_sum,
				   (long)uhmm_addr_of(prog.base), UNIT, 0),
			 sum_of(0, UNIT));
	ck_assert_uint_eq(prog.nfaults, 0);
}

START_TEST(test_unit_is_huge_again)
{
	map_units();
	if (!can_be_huge())
		return;
	prog_take(&prog, 0, UNIT);
	ck_assert(!is_huge(0));
	ck_assert(is_huge(UNIT));
	ck_assert_uint_eq(give_unit(0).done, UNIT);
	unit_is_back(true);
	ck_assert_uint_eq(uhmm_engine_stats(prog.engine)->collapses, 1);
}
END_TEST

/* The daemon of the tests may not be asked for another process's pages. */
START_TEST(test_unit_is_huge_again_by_our_call)
{
	map_units();
	if (!can_be_huge() || geteuid() != 0)
		return;
	prog.engine->fds.pidfd = (int)syscall(SYS_pidfd_open, prog.pid, 0);
	prog_take(&prog, 0, UNIT);
	ck_assert_uint_eq(give_unit(0).done, UNIT);
	unit_is_back(true);
	if (!prog.engine->advise_by_hands)	/* else no capability */
		ck_assert_uint_eq(
			uhmm_engine_stats(prog.engine)->hands_calls, 1);
	close(prog.engine->fds.pidfd);
	prog.engine->fds.pidfd = -1;
}
END_TEST

/* Pages of zeros that nobody wrote are parts of it, too. */
START_TEST(test_unit_of_zeros_is_huge_again)
{
	long base;

	prog_map(&prog, 2 * UNIT, false);
	prog.base.val = (prog.base.val + UNIT - 1) & ~(uint64_t)(UNIT - 1);
	base = (long)uhmm_addr_of(prog.base);
	prog_call(&prog, in_madvise, base, (long)uhmm_bytes_of(UNIT),
		  MADV_HUGEPAGE);
	prog_call(&prog, in_write, base, 7, 0);
	if (!can_be_huge())
		return;
	prog_take(&prog, 0, UNIT);
	ck_assert_uint_eq(give_unit(0).done, UNIT);
	for (uint64_t i = 0; i < UNIT; i++)
		ck_assert(is_huge(i));
	ck_assert_int_eq(prog_call(&prog, in_sum, base, UNIT, 0), 7);
}
END_TEST

START_TEST(test_unit_given_as_base_pages)
{
	map_units();
	if (!can_be_huge())
		return;
	prog_take(&prog, 0, UNIT);
	ck_assert_uint_eq(prog_give(&prog, 0, UNIT, 0).done, UNIT);
	unit_is_back(false);
}
END_TEST

START_TEST(test_unit_write_protected)
{
	map_units();
	if (!can_be_huge())
		return;
	prog_take(&prog, 0, UNIT);
	ck_assert_uint_eq(give_unit(UHMM_RUN_WP).done, UNIT);
	unit_is_back(true);
	for (uint64_t i = 0; i < UNIT; i++)
		ck_assert(prog_pte(&prog, i) & UHMM_PTE_WP);
	prog_call(&prog, in_write, (long)uhmm_addr_of(prog.base), 9, 0);
	ck_assert_uint_eq(prog.nfaults, 1);
}
END_TEST

/* No one mapping may be made of what says that it does not want to be. */
START_TEST(test_unit_that_cannot_be_huge)
{
	map_units();
	if (!can_be_huge())
		return;
	prog_take(&prog, 0, UNIT);
	prog_call(&prog, in_madvise, (long)uhmm_addr_of(prog.base),
		  (long)uhmm_bytes_of(UNIT), MADV_NOHUGEPAGE);
	ck_assert_uint_eq(give_unit(UHMM_RUN_WP).done, UNIT);
	unit_is_back(false);
	for (uint64_t i = 0; i < UNIT; i++)
		ck_assert(prog_pte(&prog, i) & UHMM_PTE_WP);
}
END_TEST

START_TEST(test_unit_on_an_old_kernel)
{
	map_units();
	prog.engine->collapses = false;
	prog_take(&prog, 0, UNIT);
	ck_assert_uint_eq(give_unit(0).done, UNIT);
	unit_is_back(false);
}
END_TEST

/* Page 7 is there already: what comes before it is given, protected too. */
START_TEST(test_unit_with_a_page_in_the_way)
{
	struct uhmm_run run;

	map_units();
	prog_take(&prog, 0, UNIT);
	ck_assert_int_eq(prog_give(&prog, 7, 1, 0).error, 0);
	run = give_unit(UHMM_RUN_WP);
	ck_assert_uint_eq(run.done, 7);
	ck_assert_int_eq(run.error, -EEXIST);
	for (uint64_t i = 0; i < 7; i++)
		ck_assert(prog_pte(&prog, i) & UHMM_PTE_WP);
	ck_assert(!(prog_pte(&prog, 7) & UHMM_PTE_WP));
	ck_assert(!(prog_pte(&prog, 8) & UHMM_PTE_PRESENT));
}
END_TEST

/* Who waits for a page of it goes on when it is whole. */
START_TEST(test_unit_wakes_who_waits)
{
	long value = 0;

	map_units();
	prog_take(&prog, 0, UNIT);
	prog.answer = false;
	prog_begin(&prog, PROG_SECOND, in_read,
		   (long)uhmm_addr_of(UHMM_VPN(prog.base.val + 300)), 0, 0);
	while (!prog.nfaults)
		prog_pump(&prog, 100);
	ck_assert_uint_eq(give_unit(0).done, UNIT);
	ck_assert(prog_done(&prog, PROG_SECOND, 10000, &value));
	ck_assert_int_eq(value, 301);
}
END_TEST

/* Only a mapping that ends within a huge page splits it. */
START_TEST(test_watched_huge_page_stays_one)
{
	map_units();
	if (!can_be_huge())
		return;
	ck_assert_int_eq(prog.ops->watch(prog.engine, prog_range(&prog, 5, 3)),
			 0);
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, UNIT + 5, UNIT)), 0);
	for (uint64_t i = 0; i < 4 * UNIT; i++)
		ck_assert(is_huge(i));
	ck_assert_int_eq(prog.ops->untrap(prog.engine,
					  prog_range(&prog, 0, 4 * UNIT)), 0);
	ck_assert(is_huge(0) && is_huge(UNIT) && is_huge(2 * UNIT));
}
END_TEST

/* ---- split ---- */

/* What is left after a split of the unit that page @i is in. */
static void unit_is_split(uint64_t i, bool wp)
{
	uint64_t first = i / UNIT * UNIT;

	ck_assert_int_eq(prog.ops->split(prog.engine, prog_range(&prog, i, 3)),
			 0);
	for (uint64_t k = first; k < first + UNIT; k++) {
		ck_assert(!is_huge(k));
		ck_assert(prog_pte(&prog, k) & UHMM_PTE_PRESENT);
		ck_assert_int_eq(!!(prog_pte(&prog, k) & UHMM_PTE_WP), wp);
	}
	ck_assert_int_eq(prog_call(&prog, in_sum,
				   (long)uhmm_addr_of(UHMM_VPN(prog.base.val +
							       first)),
				   UNIT, 0),
			 sum_of(first, UNIT));
}

START_TEST(test_unit_is_split)
{
	map_units();
	if (!can_be_huge())
		return;
	unit_is_split(UNIT + 7, false);
	ck_assert(is_huge(0) && is_huge(2 * UNIT));
	/* again, and where nothing is */
	unit_is_split(UNIT + 7, false);
	ck_assert_int_eq(prog.ops->split(prog.engine,
					 uhmm_range_of(UHMM_VPN(16), 1)), 0);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

START_TEST(test_protected_unit_is_split)
{
	map_units();
	if (!can_be_huge())
		return;
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, 0, 2 * UNIT)), 0);
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, UNIT, UNIT)), 0);
	ck_assert(is_huge(UNIT));
	unit_is_split(UNIT, true);
	unit_is_split(0, false);
}
END_TEST

static long in_lock(long addr, long npages, long c)
{
	(void)c;
	return mlock((void *)addr, uhmm_bytes_of((uint64_t)npages));
}

/* Of locked memory the kernel takes no advice. */
START_TEST(test_locked_unit_is_split)
{
	map_units();
	if (!can_be_huge() ||
	    prog_call(&prog, in_lock, (long)uhmm_addr_of(prog.base), UNIT, 0))
		return;
	unit_is_split(9, false);
}
END_TEST

/* Return: a child that has the same pages until it is killed. */
static long in_share(long a, long b, long c)
{
	pid_t child = fork();

	(void)a;
	(void)b;
	(void)c;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return child;
}

static long in_end(long child, long b, long c)
{
	(void)b;
	(void)c;
	kill((pid_t)child, SIGKILL);
	return waitpid((pid_t)child, NULL, 0);
}

/* And none of what others map, too. */
START_TEST(test_shared_unit_is_split)
{
	long child;

	map_units();
	if (!can_be_huge())
		return;
	child = prog_call(&prog, in_share, 0, 0, 0);
	ck_assert_int_gt(child, 0);
	unit_is_split(UNIT, false);
	ck_assert_int_eq(prog_call(&prog, in_end, child, 0, 0), child);
}
END_TEST

/* A fork has protected it: of its pages those of zeros become the zero page. */
START_TEST(test_zeros_of_a_shared_unit)
{
	long child, page;

	map_units();
	if (!can_be_huge())
		return;
	page = (long)uhmm_addr_of(UHMM_VPN(prog.base.val + 7));
	prog_call(&prog, in_write, page, 0, 0);
	ck_assert_int_eq(prog.ops->watch(prog.engine, prog_range(&prog, 0, UNIT)),
			 0);
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 0, UNIT)), 0);
	child = prog_call(&prog, in_share, 0, 0, 0);
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(prog.ops->split(prog.engine, prog_range(&prog, 3, 1)),
			 0);
	ck_assert_int_eq(prog_pte(&prog, 6) & ~UHMM_PTE_EXCLUSIVE,
			 UHMM_PTE_PRESENT | UHMM_PTE_WP);
	ck_assert_int_eq(prog_pte(&prog, 7) & ~UHMM_PTE_WP,
			 UHMM_PTE_PRESENT | UHMM_PTE_ZERO);
	ck_assert_int_eq(prog_call(&prog, in_sum,
				   (long)uhmm_addr_of(prog.base), UNIT, 0),
			 sum_of(0, UNIT) - 8);
	ck_assert_uint_eq(prog.nfaults, 0);
	ck_assert_int_eq(prog_call(&prog, in_end, child, 0, 0), child);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_unit_is_huge_again,
		test_unit_is_huge_again_by_our_call,
		test_unit_of_zeros_is_huge_again,
		test_unit_given_as_base_pages,
		test_unit_write_protected,
		test_unit_that_cannot_be_huge,
		test_unit_on_an_old_kernel,
		test_unit_with_a_page_in_the_way,
		test_unit_wakes_who_waits,
		test_watched_huge_page_stays_one,
		test_unit_is_split,
		test_protected_unit_is_split,
		test_locked_unit_is_split,
		test_shared_unit_is_split,
		test_zeros_of_a_shared_unit,
	};

	return suite_main("engine_unit", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
