/* SPDX-License-Identifier: MIT */
/* What the engine that moves does otherwise than the one that copies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

static long addr_of(uint64_t i)
{
	return (long)uhmm_addr_of(UHMM_VPN(prog.base.val + i));
}

static const struct uhmm_engine_stats *stats(void)
{
	return uhmm_engine_stats(prog.engine);
}

static struct uhmm_window *window(void)
{
	return &prog.engine->window;
}

/* Who has the bytes of page base + @i? NULL: we */
static struct uhmm_window *place(uint64_t i)
{
	struct uhmm_window *w;

	ck_assert_uint_eq(uhmm_devmem_place(&prog.devmem, prog.device[i], 1,
					    &w),
			  1);
	return w;
}

/* Protection of the mapping that page base + @i is kept in. */
static struct uhmm_vma mapping_of(uint64_t i)
{
	struct uhmm_vma vma;
	struct uhmm_range r =
		uhmm_window_places(window(), prog.device[i], 1);

	ck_assert_int_eq(uhmm_maps_find(&prog.engine->maps, r.start, &vma), 0);
	return vma;
}

static void check_words(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		ck_assert_uint_eq(*prog_word(&prog, i), i + 1);
}

static long sum_to(long n)
{
	return n * (n + 1) / 2;
}

/* ---- there and back ---- */

START_TEST(test_many_are_moved_both_ways)
{
	prog_map(&prog, 64, true);
	prog_take(&prog, 0, 64);
	check_words(64);
	ck_assert_ptr_eq(place(0), window());
	ck_assert_ptr_eq(place(63), window());
	ck_assert(!mapping_of(0).read && !mapping_of(0).write);
	ck_assert_uint_eq(uhmm_devmem_resident_bytes(&prog.devmem), 0);
	ck_assert_uint_eq(stats()->pages_moved, 64);
	ck_assert_int_eq(prog_give(&prog, 0, 64, 0).error, 0);
	ck_assert_uint_eq(stats()->pages_moved, 128);
	ck_assert_uint_eq(uhmm_engine_litter(prog.engine), 0);
	ck_assert_uint_eq(uhmm_engine_held(prog.engine), 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 64, 0),
			 sum_to(64));
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

static bool nobody(void *ctx, uhmm_dpfn_t dpfn)
{
	(void)ctx;
	(void)dpfn;
	return false;
}

/* A fault brings one, which is copied; what is left in the window goes. */
START_TEST(test_few_are_copied_back)
{
	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 4);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 3, 0),
			 sum_to(3));
	ck_assert_uint_eq(stats()->pages_moved, 4);
	ck_assert_uint_eq(uhmm_engine_litter(prog.engine), 3);
	ck_assert_uint_eq(uhmm_engine_held(prog.engine), 1);
	/* and the fourth is of a device page that is free by now */
	ck_assert_int_eq(uhmm_engine_clean(prog.engine, nobody, NULL), 0);
	ck_assert_uint_eq(uhmm_engine_litter(prog.engine), 0);
	ck_assert_uint_eq(uhmm_engine_held(prog.engine), 0);
	for (uint64_t i = 0; i < 4; i++) {
		struct uhmm_range r = uhmm_window_places(
			window(), UHMM_DPFN(PROG_DPFN + i), 1);
		uint8_t pte;

		ck_assert_int_eq(uhmm_ptes_scan(&prog.engine->ptes, r, &pte),
				 0);
		ck_assert_uint_eq(pte, 0);
	}
	ck_assert_uint_eq(prog.nevents, 0);
}
END_TEST

/* While the hands were busy a page may have been dropped: who gives it looks
 * again before bytes are put there, and then they need no hands. */
START_TEST(test_give_looks_again)
{
	uint8_t pte[16];

	prog_map(&prog, 16, true);
	prog_take(&prog, 0, 16);
	prog.hands_busy = true;
	ck_assert_int_eq(prog_give(&prog, 0, 16, 0).error, -EAGAIN);
	ck_assert_int_eq(uhmm_ptes_scan(&prog.engine->ptes,
					uhmm_range_of(prog.base, 16), pte),
			 0);
	for (unsigned int i = 0; i < 16; i++)
		ck_assert(!(pte[i] & UHMM_PTE_PRESENT));
	ck_assert_int_eq(prog_give(&prog, 0, 16, 0).error, 0);
	prog.hands_busy = false;
	ck_assert_uint_eq(stats()->pages_moved, 16);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 16, 0),
			 sum_to(16));
}
END_TEST

/* A place where something lies is swept on the way. */
START_TEST(test_places_are_used_again)
{
	prog_map(&prog, 16, true);
	for (int round = 0; round < 3; round++) {
		prog_take(&prog, 0, 16);
		check_words(16);
		prog_call(&prog, in_read, addr_of(5), 0, 0);
		prog_call(&prog, in_read, addr_of(9), 0, 0);
		for (uint64_t i = 0; i < 16; i++)
			if (prog.device[i].val)
				ck_assert_int_eq(prog_give(&prog, i, 1, 0)
							 .error,
						 0);
	}
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 16, 0),
			 sum_to(16));
}
END_TEST

START_TEST(test_holes_and_zero_pages)
{
	struct uhmm_run run = {
		.dpfn = UHMM_DPFN(PROG_DPFN),
		.npages = 8,
		.flags = UHMM_RUN_ZERO,
	};

	prog_map(&prog, 8, false);
	prog_call(&prog, in_read, addr_of(2), 0, 0);
	prog_call(&prog, in_read, addr_of(3), 0, 0);
	prog_call(&prog, in_read, addr_of(7), 0, 0);
	run.vpn = prog.base;
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 8)),
			 0);
	for (int i = 0; i < 4 && run.done < 8; i++)
		ck_assert_int_eq(prog.ops->take(prog.engine, &run, 1), 0);
	ck_assert_uint_eq(run.done, 8);
	for (uint64_t i = 0; i < 8; i++) {
		prog.device[i] = UHMM_DPFN(PROG_DPFN + i);
		ck_assert_ptr_null(place(i));
		ck_assert_uint_eq(*prog_word(&prog, i), 0);
		ck_assert(!(prog_pte(&prog, i) & UHMM_PTE_PRESENT));
	}
	ck_assert_uint_eq(prog.nevents, 0);	/* no zap */
	ck_assert_int_eq(prog_give(&prog, 0, 8, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0), 0);
}
END_TEST

START_TEST(test_device_writes_where_it_is)
{
	uint64_t words[8192] = { 77 };

	prog_map(&prog, 32, true);
	prog_take(&prog, 0, 32);
	ck_assert_uint_eq(uhmm_devmem_write(&prog.devmem, prog.device[3], 1,
					    words),
			  1);
	ck_assert_uint_eq(*prog_word(&prog, 3), 77);
	ck_assert_uint_eq(*prog_word(&prog, 4), 5);
	ck_assert_int_eq(prog_give(&prog, 0, 32, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(3), 0, 0), 77);
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(4), 0, 0), 5);
}
END_TEST

/* ---- what cannot be moved ---- */

static pid_t child;

static long in_fork(long unused, long unused2, long unused3)
{
	(void)unused;
	(void)unused2;
	(void)unused3;
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	return child;
}

static long in_end_child(long unused, long unused2, long unused3)
{
	(void)unused;
	(void)unused2;
	(void)unused3;
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0);
}

START_TEST(test_shared_by_fork_is_copied)
{
	prog_map(&prog, 16, true);
	ck_assert_int_gt(prog_call(&prog, in_fork, 0, 0, 0), 0);
	prog_call(&prog, in_write, addr_of(4), 5, 0);
	prog_take(&prog, 0, 16);
	check_words(16);
	ck_assert_ptr_null(place(0));
	ck_assert_ptr_eq(place(4), window());
	ck_assert_ptr_null(place(5));
	prog_call(&prog, in_end_child, 0, 0, 0);
	ck_assert_int_eq(prog_give(&prog, 0, 16, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 16, 0),
			 sum_to(16));
}
END_TEST

/* The kernel has not noticed that they are not shared any more. */
START_TEST(test_shared_once_is_moved)
{
	prog_map(&prog, 16, true);
	prog_call(&prog, in_fork, 0, 0, 0);
	prog_call(&prog, in_end_child, 0, 0, 0);
	prog_take(&prog, 0, 16);
	check_words(16);
	for (uint64_t i = 0; i < 16; i++)
		ck_assert_ptr_eq(place(i), window());
}
END_TEST

START_TEST(test_read_only_memory_is_copied)
{
	prog_map(&prog, 8, true);
	prog_call(&prog, in_protect, addr_of(0), (long)uhmm_bytes_of(8),
		  PROT_READ);
	prog_take(&prog, 0, 8);
	check_words(8);
	ck_assert_ptr_null(place(0));
}
END_TEST

/* Moved away from writable memory, back to what is read-only by now. */
START_TEST(test_protected_meanwhile)
{
	prog_map(&prog, 32, true);
	prog_take(&prog, 0, 32);
	prog_call(&prog, in_protect, addr_of(0), (long)uhmm_bytes_of(16),
		  PROT_READ);
	ck_assert_int_eq(prog_give(&prog, 0, 32, 0).error, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 32, 0),
			 sum_to(32));
	ck_assert_uint_eq(stats()->pages_given, 32);
}
END_TEST

static long in_limit(long unused, long unused2, long unused3)
{
	/* more than a sanitizer has taken */
	const struct rlimit lim = { (rlim_t)1 << 46, (rlim_t)1 << 46 };

	(void)unused;
	(void)unused2;
	(void)unused3;
	return setrlimit(RLIMIT_AS, &lim);
}

START_TEST(test_no_window_in_a_limited_program)
{
	prog_map(&prog, 16, true);
	ck_assert_int_eq(prog_call(&prog, in_limit, 0, 0, 0), 0);
	prog_take(&prog, 0, 16);
	check_words(16);
	ck_assert(!uhmm_window_exists(window()));
	ck_assert_uint_eq(stats()->pages_moved, 0);
}
END_TEST

/* What stands there already stays; the window is somewhere else. */
START_TEST(test_window_gives_way)
{
	long taken = 0x2a5000000000 + 12345 * (long)getpagesize();

	ck_assert_int_eq((long)prog_call(&prog, in_map_at, taken, 1, 0),
			 taken);
	prog_map(&prog, 16, true);
	prog_take(&prog, 0, 16);
	ck_assert(uhmm_window_exists(window()));
	ck_assert(!uhmm_range_has(uhmm_range_of(window()->base,
						window()->npages),
				  uhmm_vpn_of((uint64_t)taken)));
	ck_assert_int_eq(prog_call(&prog, in_unmap, taken, getpagesize(), 0),
			 0);
}
END_TEST

/* ---- while the program does something ---- */

static struct {
	uint64_t at;		/* page of prog.base */
	bool begun;
} unmapping;

static long in_replace(long addr, long value, long unused)
{
	long *p;

	(void)unused;
	munmap((void *)addr, (size_t)getpagesize());
	p = mmap((void *)addr, (size_t)getpagesize(), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	*p = value;
	return 0;
}

/* Between the look and the move the program unmaps a page; the event is not
 * read, and so it stands there and cannot map something else. */
static void unmap_now(struct prog *p)
{
	if (unmapping.begun)
		return;
	unmapping.begun = true;
	prog_begin(p, PROG_SECOND, in_replace, addr_of(unmapping.at), 4711, 0);
	usleep(20000);
}

START_TEST(test_replaced_while_it_is_taken)
{
	struct uhmm_run run;
	long ret;

	prog_map(&prog, 16, true);
	prog_take(&prog, 8, 8);		/* the window is there */
	unmapping.at = 3;
	unmapping.begun = false;
	prog.before_move = unmap_now;
	run = prog_try_take(&prog, 0, 8);
	prog.before_move = NULL;
	ck_assert(unmapping.begun && prog.flight_dropped);
	ck_assert_int_eq(run.error, -EAGAIN);
	ck_assert_uint_eq(run.done, 0);
	ck_assert(prog_done(&prog, PROG_SECOND, -1, &ret) && ret == 0);
	/* engine copy's zap would have hit what is new there */
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(3), 0, 0), 4711);
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(2), 0, 0), 3);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(4), 12, 0),
			 sum_to(16) - sum_to(4));
}
END_TEST

START_TEST(test_evacuate_before_a_fork)
{
	prog_map(&prog, 100, true);
	prog_take(&prog, 0, 100);
	ck_assert_int_eq(uhmm_engine_evacuate(prog.engine, true), 0);
	ck_assert_uint_eq(uhmm_engine_held(prog.engine), 0);
	ck_assert_uint_eq(uhmm_engine_litter(prog.engine), 100);
	check_words(100);
	ck_assert_ptr_null(place(0));
	ck_assert_ptr_null(place(99));
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 100, 0),
			 sum_to(100));
}
END_TEST

static long in_peek(long addr, long unused, long unused2)
{
	unsigned char vec;

	(void)unused;
	(void)unused2;
	return mincore((void *)addr, 1, &vec) < 0 ? -errno : 0;
}

static long in_child_peeks(long addr, long unused, long unused2)
{
	pid_t pid = fork();
	int status = 0;

	(void)unused;
	(void)unused2;
	if (pid == 0)
		_exit(in_peek(addr, 0, 0) == -ENOMEM ? 0 : 1);
	waitpid(pid, &status, 0);
	return status;
}

START_TEST(test_child_has_no_window)
{
	long at;

	prog_map(&prog, 8, true);
	prog_take(&prog, 0, 8);
	at = (long)uhmm_addr_of(window()->base);
	ck_assert_int_eq(prog_call(&prog, in_peek, at, 0, 0), 0);
	ck_assert_int_eq(prog_call(&prog, in_child_peeks, at, 0, 0), 0);
	ck_assert(!prog.ops->is_forked(prog.engine, window()->base));
}
END_TEST

/* A program that unmaps what it does not know of loses what is there, and
 * nobody waits for ever. */
START_TEST(test_window_unmapped)
{
	long bytes, at;

	prog_map(&prog, 8, true);
	prog_take(&prog, 0, 8);
	bytes = (long)uhmm_bytes_of(window()->npages);
	at = (long)uhmm_addr_of(window()->base);
	ck_assert_int_eq(prog_call(&prog, in_unmap, at, bytes, 0), 0);
	ck_assert(!uhmm_window_exists(window()));
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0), 0);
	prog_call(&prog, in_fill, addr_of(0), 8, 0);
	prog_take(&prog, 0, 8);
	check_words(8);
	ck_assert_ptr_null(place(0));
}
END_TEST

START_TEST(test_program_dies)
{
	uint64_t words[8192];

	prog_map(&prog, 8, true);
	prog_take(&prog, 0, 8);
	prog_kill(&prog);
	ck_assert_uint_eq(uhmm_devmem_read(&prog.devmem, prog.device[0], 1,
					   words),
			  0);
	uhmm_devmem_forget(&prog.devmem, prog.device[0], 8);
	ck_assert_ptr_null(place(0));
}
END_TEST

/* ---- huge pages ---- */

#define UNIT 512

/* A place for one, at p->base. Return: its address */
static long map_unit(void)
{
	long base;

	prog_map(&prog, 2 * UNIT, false);
	prog.base.val = (prog.base.val + UNIT - 1) & ~(uint64_t)(UNIT - 1);
	base = (long)uhmm_addr_of(prog.base);
	prog_call(&prog, in_madvise, base, (long)uhmm_bytes_of(UNIT),
		  MADV_HUGEPAGE);
	return base;
}

/* What of it the kernel made the zero page, when it had to split it, is a part of
 * it, too. */
START_TEST(test_huge_page_of_zeros_comes_back)
{
	const uint64_t unit = UNIT;
	long base = map_unit();

	prog_call(&prog, in_write, base, 7, 0);
	if (!(prog_pte(&prog, 0) & UHMM_PTE_HUGE) || !prog.engine->collapses)
		return;
	prog_take(&prog, 0, unit);
	ck_assert(!(prog_pte(&prog, 0) & UHMM_PTE_PRESENT));
	ck_assert_uint_eq(prog_give(&prog, 0, unit, UHMM_RUN_UNIT).done, unit);
	for (uint64_t i = 0; i < unit; i++)
		ck_assert(prog_pte(&prog, i) & UHMM_PTE_HUGE);
	ck_assert_int_eq(prog_call(&prog, in_sum, base, (long)unit, 0), 7);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

/* Linux 6.14, of what is dropped. */
static bool drops_tables(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	ck_assert_int_eq(uname(&name), 0);
	ck_assert_int_eq(sscanf(name.release, "%u.%u", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 14);
}

/* Where pages of an earlier one have left a page table a unit is whole, too. */
START_TEST(test_unit_is_whole_every_time)
{
	const uint64_t unit = UNIT;
	struct uhmm_range there;
	uint8_t pte[2];
	long base = map_unit();

	for (int i = 0; i < 3; i++) {
		prog_call(&prog, in_fill, base, (long)unit, 0);
		if (!(prog_pte(&prog, 0) & UHMM_PTE_HUGE) ||
		    !prog.engine->collapses)
			return;
		ck_assert_uint_eq(prog_try_take_as(&prog, 0, unit,
						   UHMM_RUN_UNIT).done, unit);
		there = uhmm_window_places(window(), prog.device[0], unit);
		ck_assert_int_eq(uhmm_ptes_scan(&prog.engine->ptes,
						uhmm_range_of(there.start, 1),
						&pte[i > 0]), 0);
		ck_assert_uint_eq(*prog_word(&prog, 7), 8);
		ck_assert_uint_eq(prog_give(&prog, 0, unit, UHMM_RUN_UNIT).done,
				  unit);
	}
	ck_assert_int_ne(prog.engine->keeps_tables,
			 (pte[1] & UHMM_PTE_HUGE) != 0);
	ck_assert_int_eq(prog.engine->keeps_tables, !drops_tables());
	ck_assert_int_eq(prog_call(&prog, in_sum, base, (long)unit, 0),
			 (long)(unit * (unit + 1) / 2));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_many_are_moved_both_ways,
		test_few_are_copied_back,
		test_give_looks_again,
		test_places_are_used_again,
		test_holes_and_zero_pages,
		test_device_writes_where_it_is,
		test_shared_by_fork_is_copied,
		test_shared_once_is_moved,
		test_read_only_memory_is_copied,
		test_protected_meanwhile,
		test_no_window_in_a_limited_program,
		test_window_gives_way,
		test_huge_page_of_zeros_comes_back,
		test_unit_is_whole_every_time,
		test_replaced_while_it_is_taken,
		test_evacuate_before_a_fork,
		test_child_has_no_window,
		test_window_unmapped,
		test_program_dies,
	};

	return suite_main("engine_move", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
