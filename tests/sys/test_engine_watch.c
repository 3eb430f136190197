/* SPDX-License-Identifier: MIT */
/* Ordinary pages that are only watched (engine_watch.c), and forks. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"

static long addr_of(uint64_t i)
{
	return (long)uhmm_addr_of(UHMM_VPN(prog.base.val + i));
}

static bool is_watched(uint64_t i)
{
	return prog.ops->is_watched(prog.engine, UHMM_VPN(prog.base.val + i));
}

static void watch(uint64_t first, uint64_t npages)
{
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, first, npages)), 0);
}

START_TEST(test_watched_pages_raise_events_but_no_fault)
{
	prog_map(&prog, 8, true);
	watch(0, 8);
	ck_assert(is_watched(7));
	ck_assert(!uhmm_engine_trapped(prog.engine, prog.base));
	prog_call(&prog, in_fill, addr_of(0), 8, 0);
	ck_assert_uint_eq(prog.nseen, 0);
	prog_call(&prog, in_madvise, addr_of(2), getpagesize(), MADV_DONTNEED);
	ck_assert_uint_eq(prog.nevents, 1);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0), 36 - 3);
	prog_call(&prog, in_unmap, addr_of(4), getpagesize(), 0);
	ck_assert_uint_eq(prog.nevents, 2);
	ck_assert(!is_watched(4));
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

START_TEST(test_protect_stops_writes_only)
{
	long ret;

	prog_map(&prog, 4, true);
	watch(0, 4);
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 0, 4)), 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 10);
	ck_assert_uint_eq(prog.nfaults, 0);
	prog.answer = false;
	prog_begin(&prog, PROG_MAIN, in_write, addr_of(1), 7, 0);
	ck_assert(!prog_done(&prog, PROG_MAIN, 50, &ret));
	ck_assert_int_eq(prog.ops->unprotect(prog.engine,
					     prog_range(&prog, 1, 1)), 0);
	ck_assert(prog_done(&prog, PROG_MAIN, 5000, &ret));
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   uhmm_range_of(UHMM_VPN(3), 2)), 0);
}
END_TEST

START_TEST(test_watch_leaves_out_what_it_cannot)
{
	prog_map(&prog, 8, true);
	prog_take(&prog, 2, 2);
	prog_call(&prog, in_unmap, addr_of(6), getpagesize(), 0);
	watch(0, 8);
	ck_assert(is_watched(0) && is_watched(2) && is_watched(5));
	ck_assert(!is_watched(6));
	ck_assert(is_watched(7));
	/* what was trapped still is */
	ck_assert(uhmm_engine_trapped(prog.engine,
				      UHMM_VPN(prog.base.val + 2)));
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 6, 0), 21);
	ck_assert_uint_eq(prog.nfaults, 2);
}
END_TEST

START_TEST(test_watched_can_be_trapped_and_relaxed)
{
	struct uhmm_range all;

	prog_map(&prog, 8, true);
	all = prog_range(&prog, 0, 8);
	watch(0, 8);
	prog_take(&prog, 0, 8);
	ck_assert_int_eq(prog_give(&prog, 0, 8, 0).error, 0);
	ck_assert_int_eq(prog.ops->relax(prog.engine, all), 0);
	ck_assert(!uhmm_engine_trapped(prog.engine, prog.base));
	ck_assert(is_watched(0));
	/* holes fill by themselves again, with a marker or without */
	prog_call(&prog, in_madvise, addr_of(0), (long)uhmm_bytes_of(8),
		  MADV_DONTNEED);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 0);
	prog_call(&prog, in_fill, addr_of(0), 8, 0);
	ck_assert_uint_eq(prog.nfaults, 0);
	ck_assert_int_eq(prog.ops->untrap(prog.engine, all), 0);
	ck_assert(!is_watched(0));
}
END_TEST

static void mapping_is(uint64_t i, uint64_t first, uint64_t end)
{
	struct uhmm_vma vma;

	ck_assert_int_eq(prog.ops->vma_find(prog.engine,
					    UHMM_VPN(prog.base.val + i), &vma),
			 0);
	ck_assert_uint_eq(vma.range.start.val, prog.base.val + first);
	ck_assert_uint_eq(vma.range.end.val, prog.base.val + end);
}

/* Parts of a mapping that we watch or trap are mappings of their own for the
 * kernel, and are faulted in as such: they stay apart for ever. The program
 * sees one. */
START_TEST(test_mapping_is_the_programs)
{
	prog_map(&prog, 2017, false);
	prog_call(&prog, in_unmap, addr_of(0), getpagesize(), 0);
	prog_call(&prog, in_unmap, addr_of(2016), getpagesize(), 0);
	watch(600, 2);
	prog_call(&prog, in_fill, addr_of(1), 2015, 0);
	prog_take(&prog, 8, 2);
	for (uint64_t i = 1; i < 2016; i++)
		mapping_is(i, 1, 2016);
	prog_call(&prog, in_protect, addr_of(4), getpagesize(), PROT_READ);
	mapping_is(1, 1, 4);
	mapping_is(4, 4, 5);
	for (uint64_t i = 5; i < 2016; i++)
		mapping_is(i, 5, 2016);
}
END_TEST

START_TEST(test_relax_keeps_protection)
{
	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 4);
	ck_assert_int_eq(prog_give(&prog, 0, 4, UHMM_RUN_WP).error, 0);
	ck_assert_int_eq(prog.ops->relax(prog.engine,
					 prog_range(&prog, 0, 4)), 0);
	ck_assert(is_watched(0));
	prog_call(&prog, in_write, addr_of(2), 7, 0);
	ck_assert_uint_eq(prog.nfaults, 1);
}
END_TEST

START_TEST(test_relax_lets_a_waiter_go_on)
{
	long ret;

	prog_map(&prog, 1, false);
	prog.answer = false;
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 1)),
			 0);
	prog_begin(&prog, PROG_MAIN, in_read, addr_of(0), 0, 0);
	ck_assert(!prog_done(&prog, PROG_MAIN, 50, &ret));
	ck_assert_int_eq(prog.ops->relax(prog.engine,
					 prog_range(&prog, 0, 1)), 0);
	ck_assert(prog_done(&prog, PROG_MAIN, 5000, &ret));
	ck_assert_int_eq(ret, 0);
}
END_TEST

START_TEST(test_fault_in_of_protected_pages)
{
	prog_map(&prog, 8, true);
	watch(0, 8);
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 0, 8)), 0);
	prog.answer = false;
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 0, 8), true), 0);
	prog_call(&prog, in_fill, addr_of(0), 8, 0);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

/* Shared memory: the kernel treats it as if nobody watched. */
START_TEST(test_watched_shared_memory_faults_around)
{
	long addr = prog_call(&prog, in_map, 24, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS);

	ck_assert_int_ne(addr, -1);
	/* the kernel maps blocks of 16 pages, aligned */
	prog.base = UHMM_VPN((uhmm_vpn_of((uint64_t)addr).val + 15) & ~15ull);
	prog.npages = 8;
	addr = addr_of(0);
	prog_call(&prog, in_fill, addr, 6, 0);
	prog_call(&prog, in_madvise, addr, (long)uhmm_bytes_of(8),
		  MADV_DONTNEED);
	watch(1, 1);
	ck_assert(is_watched(0) && is_watched(7));
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(2), 0, 0), 3);
	for (uint64_t i = 0; i < 6; i++)
		ck_assert(prog_pte(&prog, i) & UHMM_PTE_PRESENT);
	ck_assert_uint_eq(prog.nfaults, 0);
	/* what is not even there waits for us */
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(6), 0, 0), 0);
	prog_call(&prog, in_write, addr_of(7), 9, 0);
	ck_assert_uint_eq(prog.nfaults, 2);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr, 8, 0), 21 + 9);
	prog_call(&prog, in_unmap, addr, getpagesize(), 0);
	ck_assert(!is_watched(0));
}
END_TEST

START_TEST(test_note_fork_copies_what_is_known)
{
	struct uhmm_engine *child;
	struct uhmm_range piece;

	prog_map(&prog, 16, true);
	watch(8, 4);
	prog_take(&prog, 2, 2);
	ck_assert_int_eq(uhmm_engine_copy_create(&child, &prog.fds,
						 prog.features,
						 &prog.engine->env), 0);
	ck_assert_int_eq(uhmm_engine_note_fork(child, prog.engine), 0);
	ck_assert(uhmm_engine_trapped(child, UHMM_VPN(prog.base.val + 3)));
	ck_assert(!uhmm_engine_trapped(child, UHMM_VPN(prog.base.val + 8)));
	ck_assert(uhmm_engine_ops(child)->is_watched(
		child, UHMM_VPN(prog.base.val + 11)));
	ck_assert(uhmm_engine_next_trapped(child, prog_range(&prog, 3, 13),
					   &piece));
	ck_assert_uint_eq(piece.start.val, prog.base.val + 3);
	ck_assert(uhmm_engine_next_trapped(child, prog_range(&prog, 4, 12),
					   &piece));
	ck_assert_uint_le(piece.start.val, prog.base.val + 8);
	uhmm_engine_destroy(child);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_watched_pages_raise_events_but_no_fault,
		test_protect_stops_writes_only,
		test_watch_leaves_out_what_it_cannot,
		test_watched_can_be_trapped_and_relaxed,
		test_mapping_is_the_programs,
		test_relax_keeps_protection,
		test_relax_lets_a_waiter_go_on,
		test_fault_in_of_protected_pages,
		test_watched_shared_memory_faults_around,
		test_note_fork_copies_what_is_known,
	};

	return suite_main("engine_watch", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
