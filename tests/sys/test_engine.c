/* SPDX-License-Identifier: MIT */
/* One thing at a time; what happens at once is in test_engine_race.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

static long addr_of(uint64_t i)
{
	return (long)uhmm_addr_of(UHMM_VPN(prog.base.val + i));
}

static bool has_markers(void)
{
	return prog.features & UHMM_UFFD_FEATURE_WP_UNPOPULATED;
}

static long sum_to(long n)
{
	return n * (n + 1) / 2;
}

/* ---- take and give ---- */

START_TEST(test_round_trip)
{
	prog_map(&prog, 64, true);
	prog_take(&prog, 0, 64);
	for (uint64_t i = 0; i < 64; i++) {
		ck_assert_uint_eq(*prog_word(&prog, i), i + 1);
		ck_assert_uint_eq(prog_pte(&prog, i),
				  has_markers() ? UHMM_PTE_WP : 0);
	}
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 64, 0),
			 sum_to(64));
	ck_assert_uint_eq(prog.nfaults, 64);
	ck_assert_uint_eq(uhmm_engine_stats(prog.engine)->pages_taken, 64);
	ck_assert_uint_eq(uhmm_engine_stats(prog.engine)->pages_given, 64);
	ck_assert_uint_gt(prog.unlocks, 0);
}
END_TEST

START_TEST(test_taken_looks_like_a_device_entry)
{
	uint64_t word[8];

	if (!has_markers())
		return;
	prog_map(&prog, 8, true);
	prog_take(&prog, 0, 8);
	ck_assert_int_eq(uhmm_ptes_raw(&prog.engine->ptes,
				       prog_range(&prog, 0, 8), word), 0);
	for (int i = 0; i < 8; i++) {
		ck_assert(word[i] & UHMM_PM_SWAP);
		ck_assert(!(word[i] & UHMM_PM_PRESENT));
	}
}
END_TEST

static long in_random(long addr, long bytes, long unused)
{
	(void)unused;
	return getrandom((void *)addr, (size_t)bytes, 0);
}

/* The shadow memory of a sanitizer is larger, and all holes. */
#define SEARCH_MOST ((uint64_t)1 << 20)
#define SEARCH_PAGES 256

/* Is @magic in these pages, those of them that are there? */
static bool search_pages(struct uhmm_range r, const unsigned char *magic)
{
	static unsigned char buf[SEARCH_PAGES * 65536];
	uint8_t pte[SEARCH_PAGES];
	bool present = false;
	int64_t n;

	ck_assert_int_eq(prog.ops->scan(prog.engine, r, pte), 0);
	for (uint64_t i = 0; i < uhmm_range_npages(r); i++)
		present |= pte[i] & (UHMM_PTE_PRESENT | UHMM_PTE_SWAP);
	if (!present)
		return false;
	n = uhmm_procmem_read(prog.fds.mem, uhmm_addr_of(r.start), buf,
			      uhmm_bytes_of(uhmm_range_npages(r)));
	return n > 0 && memmem(buf, (size_t)n, magic, 64);
}

/* In how many stretches of the program 64 bytes are. */
static unsigned int search(const unsigned char *magic)
{
	unsigned int found = 0;
	struct uhmm_vma vma;
	uhmm_vpn_t vpn = UHMM_VPN(0);

	while (prog.ops->vma_find(prog.engine, vpn, &vma) == 0) {
		struct uhmm_range r = vma.range;

		vpn = r.end;
		if (uhmm_range_npages(r) > SEARCH_MOST)
			continue;
		while (r.start.val < r.end.val) {
			struct uhmm_range part = uhmm_range_clip(
				uhmm_range_of(r.start, SEARCH_PAGES), r);

			found += search_pages(part, magic);
			r.start = part.end;
		}
	}
	return found;
}

START_TEST(test_taken_bytes_are_nowhere_in_the_program)
{
	unsigned char magic[64];

	prog_map(&prog, 1, false);
	prog_call(&prog, in_random, addr_of(0), 64, 0);
	ck_assert_int_eq(uhmm_procmem_read(prog.fds.mem,
					   (uint64_t)addr_of(0), magic, 64),
			 64);
	ck_assert_uint_gt(search(magic), 0);
	prog_take(&prog, 0, 1);
	ck_assert_uint_eq(search(magic), 0);
	ck_assert_mem_eq(prog_word(&prog, 0), magic, 64);
	prog_call(&prog, in_read, addr_of(0), 0, 0);
	ck_assert_uint_gt(search(magic), 0);
}
END_TEST

START_TEST(test_give_in_bulk)
{
	struct uhmm_run run;

	prog_map(&prog, 1500, true);
	prog_take(&prog, 0, 1500);
	run = prog_give(&prog, 0, 1500, 0);
	ck_assert_int_eq(run.error, 0);
	ck_assert_uint_eq(run.done, 1500);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 1500, 0),
			 sum_to(1500));
	prog_call(&prog, in_fill, addr_of(0), 1500, 0);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

START_TEST(test_give_write_protected_stops_writers)
{
	prog_map(&prog, 2, true);
	prog_take(&prog, 0, 2);
	prog_give(&prog, 0, 2, UHMM_RUN_WP);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 2, 0), 3);
	ck_assert_uint_eq(prog.nfaults, 0);
	ck_assert_uint_eq(prog_pte(&prog, 0), UHMM_PTE_PRESENT | UHMM_PTE_WP |
					      UHMM_PTE_EXCLUSIVE);
	prog_call(&prog, in_write, addr_of(0), 9, 0);
	ck_assert_uint_eq(prog.nfaults, 1);
	ck_assert(prog.seen[prog.nseen - 1].arg.pagefault.flags &
		  UFFD_PAGEFAULT_FLAG_WP);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 2, 0), 11);
}
END_TEST

START_TEST(test_give_stops_at_a_present_page)
{
	struct uhmm_run run;

	prog_map(&prog, 16, true);
	prog_take(&prog, 0, 16);
	prog_give(&prog, 5, 1, 0);
	prog.device[5] = UHMM_DPFN(PROG_DPFN + 5);
	run = prog_give(&prog, 0, 16, 0);
	ck_assert_uint_eq(run.done, 5);
	ck_assert_int_eq(run.error, -EEXIST);
	run = prog_give(&prog, 5, 11, 0);
	ck_assert_uint_eq(run.done, 0);
	ck_assert_int_eq(run.error, -EEXIST);
	run = prog_give(&prog, 6, 10, 0);
	ck_assert_int_eq(run.error, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 16, 0),
			 sum_to(16));
}
END_TEST

START_TEST(test_give_where_the_mapping_is_gone)
{
	struct uhmm_run run = {
		.dpfn = UHMM_DPFN(PROG_DPFN),
		.npages = 16,
	};

	prog_map(&prog, 16, true);
	prog_take(&prog, 0, 16);
	prog_call(&prog, in_unmap, addr_of(8), (long)uhmm_bytes_of(4), 0);
	ck_assert(!uhmm_engine_trapped(prog.engine,
				       UHMM_VPN(prog.base.val + 8)));
	run.vpn = prog.base;
	ck_assert_int_eq(prog.ops->give(prog.engine, &run, 1), 0);
	ck_assert_uint_eq(run.done, 8);
	ck_assert_int_eq(run.error, -ENOENT);
}
END_TEST

START_TEST(test_give_over_a_changed_mapping)
{
	struct uhmm_run run;

	prog_map(&prog, 600, true);
	prog_take(&prog, 0, 600);
	for (uint64_t i = 3; i < 600; i += 100)
		prog_call(&prog, in_protect, addr_of(i), getpagesize(),
			  i == 303 ? PROT_NONE : PROT_READ);
	run = prog_give(&prog, 0, 600, 0);
	ck_assert_int_eq(run.error, 0);
	ck_assert_uint_eq(run.done, 600);
	prog_call(&prog, in_protect, addr_of(0), (long)uhmm_bytes_of(600),
		  PROT_READ);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 600, 0),
			 sum_to(600));
}
END_TEST

START_TEST(test_take_without_permission_to_touch)
{
	prog_map(&prog, 8, true);
	prog_call(&prog, in_protect, addr_of(0), (long)uhmm_bytes_of(8),
		  PROT_NONE);
	prog_take(&prog, 0, 8);
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_uint_eq(*prog_word(&prog, i), i + 1);
	prog_call(&prog, in_protect, addr_of(0), (long)uhmm_bytes_of(8),
		  PROT_READ);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0),
			 sum_to(8));
}
END_TEST

START_TEST(test_take_stops_at_a_hole)
{
	struct uhmm_run run = {
		.dpfn = UHMM_DPFN(PROG_DPFN),
		.npages = 8,
	};

	prog_map(&prog, 8, true);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 8)),
			 0);
	prog_call(&prog, in_unmap, addr_of(3), getpagesize(), 0);
	run.vpn = prog.base;
	ck_assert_int_eq(prog.ops->take(prog.engine, &run, 1), 0);
	ck_assert_uint_eq(run.done, 3);
	ck_assert_int_eq(run.error, -EFAULT);
	for (uint64_t i = 0; i < 3; i++)
		prog.device[i] = UHMM_DPFN(PROG_DPFN + i);
	ck_assert_uint_eq(prog_pte(&prog, 4), UHMM_PTE_PRESENT | UHMM_PTE_WP |
					      UHMM_PTE_EXCLUSIVE);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 3, 0), 6);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(4), 4, 0),
			 5 + 6 + 7 + 8);
}
END_TEST

START_TEST(test_take_zero_run)
{
	struct uhmm_run run = {
		.dpfn = UHMM_DPFN(PROG_DPFN),
		.npages = 4,
		.flags = UHMM_RUN_ZERO,
	};

	prog_map(&prog, 4, false);
	prog_call(&prog, in_read, addr_of(1), 0, 0);
	memset(uhmm_devmem_ptr(&prog.devmem, run.dpfn), 7, uhmm_bytes_of(4));
	run.vpn = prog.base;
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 4)),
			 0);
	ck_assert_int_eq(prog.ops->take(prog.engine, &run, 1), 0);
	ck_assert_uint_eq(run.done, 4);
	ck_assert_uint_eq(prog_pte(&prog, 1), has_markers() ? UHMM_PTE_WP : 0);
	for (uint64_t i = 0; i < 4; i++) {
		prog.device[i] = UHMM_DPFN(PROG_DPFN + i);
		ck_assert_uint_eq(*prog_word(&prog, i), 0);
	}
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 0);
	/* an ordinary page of zeros, not the zero page */
	ck_assert_uint_eq(prog_pte(&prog, 1),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
}
END_TEST

/* More ranges than one message carries. */
/* What another mm had, too, is in the device pages already; here the "other" is
 * the program itself, a moment before. */
START_TEST(test_take_shared_run)
{
	struct uhmm_run run = { .dpfn = UHMM_DPFN(PROG_DPFN), .npages = 4,
				.flags = UHMM_RUN_SAME };

	prog_map(&prog, 4, true);
	run.vpn = prog.base;
	prog_take(&prog, 0, 4);
	ck_assert_int_eq(prog_give(&prog, 0, 4, 0).error, 0);
	prog_call(&prog, in_write, addr_of(2), 77, 0);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 4)),
			 0);
	ck_assert_int_eq(prog.ops->take(prog.engine, &run, 1), 0);
	ck_assert_uint_eq(run.done, 2);
	ck_assert_int_eq(run.error, -EILSEQ);
	prog.device[0] = run.dpfn;
	prog.device[1] = UHMM_DPFN(run.dpfn.val + 1);
	ck_assert(!(prog_pte(&prog, 1) & UHMM_PTE_PRESENT));
	ck_assert(prog_pte(&prog, 2) & UHMM_PTE_PRESENT);
	/* nothing was written to the device pages */
	prog.device[2] = UHMM_DPFN(run.dpfn.val + 2);
	ck_assert_uint_eq(*prog_word(&prog, 2), 3);
	prog.device[2] = UHMM_DPFN(0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0),
			 1 + 2 + 77 + 4);
}
END_TEST

START_TEST(test_take_many_runs)
{
	static struct uhmm_run run[150];
	uint64_t calls;

	prog_map(&prog, 300, true);
	ck_assert_int_eq(prog.ops->trap(prog.engine,
					prog_range(&prog, 0, 300)), 0);
	for (uint64_t i = 0; i < 150; i++)
		run[i] = (struct uhmm_run){
			.vpn = UHMM_VPN(prog.base.val + 2 * i),
			.dpfn = UHMM_DPFN(PROG_DPFN + 200 - i),
			.npages = 1,
		};
	calls = uhmm_engine_stats(prog.engine)->hands_calls;
	ck_assert_int_eq(prog.ops->take(prog.engine, run, 150), 0);
	ck_assert_uint_eq(uhmm_engine_stats(prog.engine)->hands_calls - calls,
			  3);
	for (uint64_t i = 0; i < 150; i++) {
		ck_assert_uint_eq(run[i].done, 1);
		prog.device[2 * i] = run[i].dpfn;
	}
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 300, 0),
			 sum_to(300));
	ck_assert_uint_eq(prog.nfaults, 150);
}
END_TEST

START_TEST(test_take_touching_runs_are_one_zap)
{
	struct uhmm_run run[100];
	uint64_t calls;

	prog_map(&prog, 100, true);
	ck_assert_int_eq(prog.ops->trap(prog.engine,
					prog_range(&prog, 0, 100)), 0);
	for (uint64_t i = 0; i < 100; i++)
		run[i] = (struct uhmm_run){
			.vpn = UHMM_VPN(prog.base.val + i),
			.dpfn = UHMM_DPFN(PROG_DPFN + 3 * i),
			.npages = 1,
		};
	calls = uhmm_engine_stats(prog.engine)->hands_calls;
	ck_assert_int_eq(prog.ops->take(prog.engine, run, 100), 0);
	ck_assert_uint_eq(uhmm_engine_stats(prog.engine)->hands_calls - calls,
			  1);
	ck_assert_uint_eq(prog.nevents, 1);
}
END_TEST

START_TEST(test_take_refused_zap_leaves_the_page)
{
	struct uhmm_run run = { .dpfn = UHMM_DPFN(PROG_DPFN), .npages = 4 };

	prog_map(&prog, 4, true);
	run.vpn = prog.base;
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 4)),
			 0);
	prog.refuse_zap = true;
	ck_assert_int_eq(prog.ops->take(prog.engine, &run, 1), 0);
	ck_assert_uint_eq(run.done, 0);
	ck_assert_int_eq(run.error, -EINVAL);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 10);
}
END_TEST

static long in_lock(long addr, long bytes, long unused)
{
	(void)unused;
	return mlock((void *)addr, (size_t)bytes);
}

START_TEST(test_take_locked_memory)
{
	prog_map(&prog, 4, true);
	if (prog_call(&prog, in_lock, addr_of(0), (long)uhmm_bytes_of(4), 0))
		return;
	prog_take(&prog, 0, 4);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 10);
}
END_TEST

START_TEST(test_taken_pages_move_with_the_mapping)
{
	long from;
	long to;

	prog_map(&prog, 32, true);
	from = addr_of(0);
	to = prog_call(&prog, in_map, 32, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS);
	prog_take(&prog, 0, 32);
	ck_assert_int_eq(prog_call(&prog, in_remap, from,
				   (long)uhmm_bytes_of(32), to), to);
	ck_assert_int_eq(addr_of(0), to);
	ck_assert(uhmm_engine_trapped(prog.engine, prog.base));
	ck_assert(!uhmm_engine_trapped(prog.engine,
				       uhmm_vpn_of((uint64_t)from)));
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 32, 0),
			 sum_to(32));
}
END_TEST

START_TEST(test_taken_pages_dropped_by_the_program)
{
	prog_map(&prog, 8, true);
	prog_take(&prog, 0, 8);
	ck_assert_int_eq(prog_call(&prog, in_madvise, addr_of(2),
				   (long)uhmm_bytes_of(3), MADV_DONTNEED), 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 8, 0),
			 1 + 2 + 6 + 7 + 8);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_round_trip,
		test_taken_looks_like_a_device_entry,
		test_taken_bytes_are_nowhere_in_the_program,
		test_give_in_bulk,
		test_give_write_protected_stops_writers,
		test_give_stops_at_a_present_page,
		test_give_where_the_mapping_is_gone,
		test_give_over_a_changed_mapping,
		test_take_without_permission_to_touch,
		test_take_stops_at_a_hole,
		test_take_zero_run,
		test_take_shared_run,
		test_take_many_runs,
		test_take_touching_runs_are_one_zap,
		test_take_refused_zap_leaves_the_page,
		test_take_locked_memory,
		test_taken_pages_move_with_the_mapping,
		test_taken_pages_dropped_by_the_program,
	};

	return suite_main("engine", tests, sizeof(tests) / sizeof(tests[0]));
}
