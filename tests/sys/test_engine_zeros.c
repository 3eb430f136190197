/* SPDX-License-Identifier: MIT */
/* Kernels that map no zero page (engine_zeros.c). Any kernel will do: what such
 * a one gives to who reads is made by writing zeros. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"

#define NPAGES 8
#define ORDINARY (UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE)

static long addr_of(uint64_t i)
{
	return (long)uhmm_addr_of(UHMM_VPN(prog.base.val + i));
}

/* Pages 0 and 1 are of zeros, 2 and 3 of other things, the others are holes. */
static void map_some(void)
{
	prog_map(&prog, NPAGES, false);
	prog.engine->no_zero_page = true;
	prog_call(&prog, in_write, addr_of(0), 0, 0);
	prog_call(&prog, in_write, addr_of(1) + 8, 0, 0);
	prog_call(&prog, in_write, addr_of(2), 7, 0);
	prog_call(&prog, in_write, addr_of(4) - (long)sizeof(long), 7, 0);
}

/* Who stops meanwhile is not answered, as src/mm would have it: it would wait for
 * us. */
static void look(void)
{
	struct uhmm_range all = prog_range(&prog, 0, NPAGES);

	prog.flight = all;
	ck_assert_int_eq(prog.ops->look(prog.engine, all), 0);
	prog.flight = (struct uhmm_range){ .start = { 0 } };
	ck_assert_int_eq(prog.ops->wake(prog.engine, all), 0);
}

/* What src/mm sees, and what the kernel says. */
static uint8_t seen(uint64_t i)
{
	uint8_t pte;

	ck_assert_int_eq(prog.ops->scan(prog.engine, prog_range(&prog, i, 1),
					&pte), 0);
	return pte;
}

static uint8_t said(uint64_t i)
{
	uint8_t pte;

	ck_assert_int_eq(uhmm_ptes_scan(&prog.engine->ptes,
					prog_range(&prog, i, 1), &pte), 0);
	return pte;
}

static bool turns(void)
{
	return !prog.engine->env.user_mode_only;
}

/* Is its own pagemap, which it opened, one with frames? */
static bool shows_frames(const struct uhmm_ptes *ptes)
{
	uint64_t word;

	ck_assert_int_eq(uhmm_ptes_raw(ptes, prog_range(&prog, 2, 1), &word),
			 0);
	return word & UHMM_PM_FRAME_MASK;
}

/* Told by PAGEMAP_SCAN, or to root by its frame. */
static uint8_t zero_page(void)
{
	const struct uhmm_ptes *ptes = &prog.engine->ptes;

	return ptes->has_scan || (ptes->zero_frame && shows_frames(ptes)) ?
		       UHMM_PTE_PRESENT | UHMM_PTE_ZERO :
		       UHMM_PTE_PRESENT;
}

START_TEST(test_a_page_of_zeros_passes_for_it)
{
	map_some();
	ck_assert_uint_eq(seen(0), UHMM_PTE_PRESENT | UHMM_PTE_ZERO);
	ck_assert_uint_eq(seen(1), UHMM_PTE_PRESENT | UHMM_PTE_ZERO);
	ck_assert_uint_eq(seen(2), ORDINARY);
	ck_assert_uint_eq(seen(3), ORDINARY);
	ck_assert_uint_eq(seen(4), 0);
	prog.engine->no_zero_page = false;
	ck_assert_uint_eq(seen(0), ORDINARY);
}
END_TEST

START_TEST(test_looking_makes_it_that)
{
	map_some();
	look();
	if (!turns()) {
		ck_assert(!uhmm_engine_trapped(prog.engine, prog.base));
		ck_assert_uint_eq(said(0), ORDINARY);
		return;
	}
	ck_assert_uint_eq(said(0), zero_page());
	ck_assert_uint_eq(said(1), zero_page());
	ck_assert_uint_eq(said(2), ORDINARY);
	ck_assert_uint_eq(said(3), ORDINARY);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 7);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

START_TEST(test_what_is_read_then_is_it_too)
{
	map_some();
	look();
	if (!turns())
		return;
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(5), 0, 0), 0);
	ck_assert_uint_eq(prog.nfaults, 1);
	ck_assert_uint_eq(said(5), zero_page());
	/* what is known is not judged by its bytes */
	prog_call(&prog, in_write, addr_of(6), 0, 0);
	ck_assert_uint_eq(seen(6), ORDINARY);
	/* and it stays so */
	ck_assert_int_eq(prog.ops->relax(prog.engine,
					 prog_range(&prog, 0, NPAGES)), 0);
	ck_assert(uhmm_engine_trapped(prog.engine, prog.base));
}
END_TEST

START_TEST(test_hands_that_refuse_change_nothing)
{
	map_some();
	prog.refuse_zap = true;
	look();
	ck_assert_uint_eq(said(0), ORDINARY);
	prog_call(&prog, in_write, addr_of(0), 9, 0);
	ck_assert_uint_eq(prog.nfaults, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 16);
}
END_TEST

START_TEST(test_who_writes_meanwhile_loses_nothing)
{
	for (int i = 0; i < 100; i++) {
		long ret;

		map_some();
		prog_begin(&prog, PROG_SECOND, in_fill, addr_of(0), NPAGES, 0);
		look();
		ck_assert(prog_done(&prog, PROG_SECOND, 5000, &ret));
		ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), NPAGES,
					   0), 36);
		prog_call(&prog, in_unmap, addr_of(0),
			  (long)uhmm_bytes_of(NPAGES), 0);
	}
}
END_TEST

START_TEST(test_a_mapping_with_huge_pages_is_only_watched)
{
	size_t npages = 2 * uhmm_pmd_npages();

	prog_map(&prog, npages, false);
	prog.engine->no_zero_page = true;
	prog_call(&prog, in_madvise, addr_of(0), (long)uhmm_bytes_of(npages),
		  MADV_HUGEPAGE);
	look();
	ck_assert(!uhmm_engine_trapped(prog.engine, prog.base) ||
		  access("/sys/kernel/mm/transparent_hugepage", F_OK));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_a_page_of_zeros_passes_for_it,
		test_looking_makes_it_that,
		test_what_is_read_then_is_it_too,
		test_hands_that_refuse_change_nothing,
		test_who_writes_meanwhile_loses_nothing,
		test_a_mapping_with_huge_pages_is_only_watched,
	};

	return suite_main("engine_zeros", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
