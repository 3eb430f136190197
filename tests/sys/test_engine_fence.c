/* SPDX-License-Identifier: MIT */
/* Pages trapped by their protection (engine_fence.c): private ones of a file. */
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

/* A private mapping of a file, written all over. */
static void map_file(uint64_t npages)
{
	long addr = prog_call(&prog, in_map_numbered, (long)npages, RW,
			      MAP_PRIVATE);

	ck_assert_int_ne(addr, -1);
	prog_call(&prog, in_fill, addr, (long)npages, 0);
	prog.base = uhmm_vpn_of((uint64_t)addr);
	prog.npages = npages;
}

static struct uhmm_vma vma_at(uint64_t i)
{
	struct uhmm_vma vma;

	ck_assert_int_eq(prog.ops->vma_find(prog.engine,
					    UHMM_VPN(prog.base.val + i), &vma),
			 0);
	return vma;
}

static bool may(uint64_t i, bool write)
{
	return prog_call(&prog, in_try, addr_of(i), write ? 77 : 0, 0) == 0;
}

START_TEST(test_taken_pages_do_not_show_the_file)
{
	struct uhmm_vma mapping;

	map_file(8);
	prog_take(&prog, 2, 4);
	ck_assert(may(1, false) && may(6, true));
	ck_assert(!may(2, false) && !may(5, false) && !may(5, true));
	ck_assert_uint_eq(*prog_word(&prog, 2), 3);
	ck_assert_uint_eq(prog_pte(&prog, 2) & UHMM_PTE_PRESENT, 0);
	/* what the program set is what is seen */
	ck_assert(vma_at(3).read && vma_at(3).write && vma_at(3).fenced);
	ck_assert(!vma_at(1).fenced && !vma_at(6).fenced);
	ck_assert_uint_eq(vma_at(1).range.end.val, prog.base.val + 2);
	ck_assert_uint_eq(vma_at(4).range.start.val, prog.base.val + 2);
	ck_assert_uint_eq(vma_at(4).file_page, 2);
	ck_assert_uint_eq(vma_at(6).file_page, 6);
	mapping = vma_at(0);
	ck_assert_uint_eq(prog.ops->mapping_end(prog.engine, &mapping,
						UHMM_VPN(UINT64_MAX)).val,
			  prog.base.val + 8);
	ck_assert_uint_eq(vma_at(6).range.start.val, prog.base.val + 6);
}
END_TEST

START_TEST(test_given_pages_are_as_they_were)
{
	map_file(8);
	prog_take(&prog, 0, 8);
	*prog_word(&prog, 3) = 400;
	ck_assert_int_eq(prog_give(&prog, 3, 1, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(3), 0, 0), 400);
	ck_assert(!may(2, false) && !may(4, false));
	ck_assert_int_eq(prog_give(&prog, 0, 3, 0).error, 0);
	ck_assert_int_eq(prog_give(&prog, 4, 4, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0),
			 36 - 4 + 400);
	ck_assert(!uhmm_engine_has_fences(prog.engine,
					  prog_range(&prog, 0, 8)));
	ck_assert_uint_eq(vma_at(0).range.end.val, prog.base.val + 8);
}
END_TEST

START_TEST(test_given_for_reading_stops_writers)
{
	map_file(4);
	prog_take(&prog, 0, 4);
	ck_assert_int_eq(prog_give(&prog, 0, 4, UHMM_RUN_WP).error, 0);
	ck_assert(may(1, false) && !may(1, true));
	ck_assert(prog_pte(&prog, 1) & UHMM_PTE_WP);
	ck_assert(vma_at(1).write);
	ck_assert_int_eq(prog.ops->unprotect(prog.engine,
					     prog_range(&prog, 1, 1)), 0);
	ck_assert(may(1, true) && !may(2, true));
	ck_assert(!(prog_pte(&prog, 1) & UHMM_PTE_WP));
	ck_assert_int_eq(prog.ops->untrap(prog.engine,
					  prog_range(&prog, 0, 4)), 0);
	ck_assert_uint_eq(prog.ntidy, 1);
	uhmm_engine_tidy_fences(prog.engine);
	ck_assert(may(2, true));
}
END_TEST

START_TEST(test_tidy_leaves_what_is_away)
{
	map_file(4);
	prog_take(&prog, 0, 2);
	uhmm_engine_tidy_fences(prog.engine);
	ck_assert(!may(0, false) && may(2, true));
	ck_assert_int_eq(prog_give(&prog, 0, 2, 0).error, 0);
}
END_TEST

START_TEST(test_program_sets_another_protection)
{
	struct uhmm_range r;

	map_file(4);
	prog_take(&prog, 0, 4);
	r = prog_range(&prog, 1, 2);
	ck_assert_int_eq(uhmm_engine_fence_prot(prog.engine, r, PROT_READ), 0);
	ck_assert(vma_at(0).write && !vma_at(1).write && vma_at(3).write);
	ck_assert(!may(1, false));
	ck_assert_int_eq(prog_give(&prog, 0, 4, 0).error, 0);
	ck_assert(may(0, true) && may(1, false) && !may(1, true));
	ck_assert_int_eq(uhmm_engine_fence_prot(prog.engine, r, RW), -ENOENT);
}
END_TEST

START_TEST(test_protection_of_a_page_that_is_there)
{
	struct uhmm_range r;

	map_file(4);
	prog_take(&prog, 0, 4);
	ck_assert_int_eq(prog_give(&prog, 0, 4, UHMM_RUN_WP).error, 0);
	r = prog_range(&prog, 0, 4);
	ck_assert_int_eq(uhmm_engine_fence_prot(prog.engine, r, PROT_NONE), 0);
	ck_assert(!may(0, false));
	ck_assert_int_eq(uhmm_engine_fence_prot(prog.engine, r, RW), 0);
	ck_assert(may(0, false) && !may(0, true));
	ck_assert_int_eq(uhmm_engine_open(prog.engine, r), 0);
	ck_assert(may(0, true));
}
END_TEST

START_TEST(test_replaced_mapping_is_no_fence)
{
	struct uhmm_range r;

	map_file(8);
	prog_take(&prog, 0, 8);
	/* none of this passes a hook */
	ck_assert_int_eq(prog_call(&prog, in_unmap, addr_of(0), getpagesize(),
				   0), 0);
	ck_assert_int_eq(prog_call(&prog, in_protect, addr_of(4),
				   getpagesize(), RW), 0);
	ck_assert_uint_eq(prog.nlost, 0);
	ck_assert_uint_eq(vma_at(0).range.start.val, prog.base.val + 1);
	ck_assert_uint_eq(prog.nlost, 1);
	ck_assert(!vma_at(4).fenced && vma_at(3).fenced && vma_at(5).fenced);
	ck_assert_uint_eq(prog.nlost, 2);
	ck_assert_int_eq(uhmm_engine_next_fence(prog.engine,
						prog_range(&prog, 4, 4), &r),
			 1);
	ck_assert_uint_eq(r.start.val, prog.base.val + 5);
	ck_assert_int_eq(prog_give(&prog, 1, 3, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_unmap, addr_of(1),
				   (long)uhmm_bytes_of(7), 0), 0);
	ck_assert_int_eq(uhmm_engine_next_fence(prog.engine,
						prog_range(&prog, 0, 8), &r),
			 0);
}
END_TEST

START_TEST(test_watch_registers_no_file)
{
	map_file(4);
	/* there is nothing in front of it */
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 uhmm_range_of(UHMM_VPN(
						 prog.base.val - 2), 6)), 0);
	ck_assert(!prog.ops->is_foreign(prog.engine, prog_range(&prog, 0, 4)));
	prog_take(&prog, 0, 4);
	ck_assert_uint_eq(prog.nevents, 0);
	ck_assert_int_eq(prog_give(&prog, 0, 4, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 10);
}
END_TEST

START_TEST(test_what_a_device_knows_is_noted)
{
	struct uhmm_range all = uhmm_range_of(UHMM_VPN(0), UINT64_C(1) << 36);
	struct uhmm_range piece;

	map_file(4);
	ck_assert(!uhmm_engine_next_fenceable(prog.engine, all, &piece));
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, 2, 1)), 0);
	ck_assert(uhmm_engine_next_fenceable(prog.engine, all, &piece));
	ck_assert_uint_eq(piece.start.val, prog.base.val);
	ck_assert_uint_eq(uhmm_range_npages(piece), 4);
	uhmm_engine_forget_fences(prog.engine, prog_range(&prog, 0, 4));
	ck_assert(!uhmm_engine_next_fenceable(prog.engine, all, &piece));
	prog_take(&prog, 1, 2);
	ck_assert(uhmm_engine_next_fenceable(prog.engine, all, &piece));
	ck_assert_uint_eq(piece.start.val, prog.base.val);
	ck_assert_int_eq(prog_give(&prog, 1, 2, 0).error, 0);
}
END_TEST

static long in_map_memfd(long npages, long b, long c)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	void *map = MAP_FAILED;

	(void)b;
	(void)c;
	if (fd >= 0 && !ftruncate(fd, (off_t)uhmm_bytes_of((uint64_t)npages)))
		map = mmap(NULL, uhmm_bytes_of((uint64_t)npages),
			   PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	return map == MAP_FAILED ? 0 : (long)map;
}

START_TEST(test_files_in_memory_are_noted)
{
	struct uhmm_range piece, r;
	long addr;

	ck_assert_int_eq(uhmm_engine_note_memory_files(prog.engine), 0);
	addr = prog_call(&prog, in_map_memfd, 5, 0, 0);
	ck_assert_int_ne(addr, 0);
	r = uhmm_range_of(uhmm_vpn_of((uint64_t)addr), 5);
	ck_assert(!uhmm_engine_next_fenceable(prog.engine, r, &piece));
	ck_assert_int_eq(uhmm_engine_note_memory_files(prog.engine), 0);
	ck_assert(uhmm_engine_next_fenceable(prog.engine, r, &piece));
	ck_assert_uint_eq(uhmm_range_npages(piece), 5);
}
END_TEST

START_TEST(test_shorter_file_takes_the_pages_along)
{
	map_file(4);
	prog_take(&prog, 0, 4);
	ck_assert_int_eq(prog_call(&prog, in_truncate, 2, 0, 0), 0);
	ck_assert_int_eq(prog_give(&prog, 0, 2, 0).error, 0);
	ck_assert_int_eq(prog_give(&prog, 2, 1, 0).error, -ENOENT);
	ck_assert_uint_eq(prog.nlost, 1);
	ck_assert(!vma_at(2).fenced && vma_at(3).fenced);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 2, 0), 3);
}
END_TEST

START_TEST(test_write_protection_and_hooks)
{
	map_file(4);
	ck_assert(!prog.ops->is_watched(prog.engine, prog.base));
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, 0, 4)), 0);
	ck_assert(prog.ops->is_watched(prog.engine, prog.base));
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 1, 2)), 0);
	ck_assert(may(0, true) && may(1, false) && !may(1, true));
	/* it waited for hands: what the caller knew of the pages is old */
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 0, 4), true),
			 -EAGAIN);
	ck_assert(may(1, true));
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 0, 4), true), 0);
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 1, 1)), 0);
	ck_assert_int_eq(prog.ops->give_zero(prog.engine,
					     UHMM_VPN(prog.base.val + 1), true),
			 0);
	ck_assert(may(1, true));
}
END_TEST

START_TEST(test_a_run_may_cross_kinds)
{
	long anon;

	map_file(8);
	/* private memory of no file in the middle */
	anon = prog_call(&prog, in_map, 2, RW, MAP_PRIVATE | MAP_ANONYMOUS);
	ck_assert_int_eq(prog_call(&prog, in_remap, anon,
				   2L * getpagesize(), addr_of(3)),
			 addr_of(3));
	prog_call(&prog, in_fill, addr_of(0), 8, 0);
	prog_take(&prog, 0, 3);
	prog_take(&prog, 3, 2);
	prog_take(&prog, 5, 3);
	ck_assert_int_eq(prog_give(&prog, 0, 8, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0), 36);
}
END_TEST

START_TEST(test_own_memory_is_kept_off)
{
	map_file(4);
	uhmm_engine_keep_off(prog.engine, prog_range(&prog, 1, 1));
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 2)),
			 -EINVAL);
	ck_assert_int_eq(prog.ops->watch(prog.engine,
					 prog_range(&prog, 0, 4)), 0);
	ck_assert_int_eq(prog.ops->protect(prog.engine,
					   prog_range(&prog, 0, 4)), 0);
	ck_assert(!may(0, true) && may(1, true) && !may(2, true));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_taken_pages_do_not_show_the_file,
		test_given_pages_are_as_they_were,
		test_given_for_reading_stops_writers,
		test_tidy_leaves_what_is_away,
		test_program_sets_another_protection,
		test_protection_of_a_page_that_is_there,
		test_replaced_mapping_is_no_fence,
		test_watch_registers_no_file,
		test_what_a_device_knows_is_noted,
		test_files_in_memory_are_noted,
		test_shorter_file_takes_the_pages_along,
		test_write_protection_and_hooks,
		test_a_run_may_cross_kinds,
		test_own_memory_is_kept_off,
	};

	return suite_main("engine_fence", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
