/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"
#include "sys/uapi.h"
#include "sys/zeropage.h"

#define HUGE_BYTES (2ul << 20)

static bool has_markers(void)
{
	return prog.features & UHMM_UFFD_FEATURE_WP_UNPOPULATED;
}

/* A page that was only read, where the kernel gives such a one. */
static void read_page(uint64_t i)
{
	prog_call(&prog, in_read,
		  (long)uhmm_addr_of(UHMM_VPN(prog.base.val + i)), 0, 0);
	prog.engine->no_zero_page = !uhmm_kernel_maps_zero_page();
}

/* UHMM_PTE_ZERO where the kernel can tell of page @i: it says so, or shows whose
 * frame it is. */
static uint8_t zero_bit(uint64_t i)
{
	const struct uhmm_ptes *ptes = &prog.engine->ptes;
	uint64_t word;

	ck_assert_int_eq(uhmm_ptes_raw(ptes, prog_range(&prog, i, 1), &word),
			 0);
	if (!ptes->has_scan && !(ptes->zero_frame && word & UHMM_PM_FRAME_MASK))
		return 0;
	return UHMM_PTE_ZERO;
}

START_TEST(test_scan_empty_present_zero)
{
	uint8_t pte[4];
	long addr;

	prog_map(&prog, 4, false);
	addr = (long)uhmm_addr_of(prog.base);
	prog_call(&prog, in_write, addr + getpagesize(), 1, 0);
	read_page(2);
	ck_assert_int_eq(prog.ops->scan(prog.engine, prog_range(&prog, 0, 4),
					pte), 0);
	ck_assert_uint_eq(pte[0], 0);
	ck_assert_uint_eq(pte[1], UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
	ck_assert_uint_eq(pte[2], UHMM_PTE_PRESENT | zero_bit(2));
	ck_assert_uint_eq(pte[3], 0);
}
END_TEST

START_TEST(test_skip_holes)
{
	const struct uhmm_ptes *ptes = &prog.engine->ptes;
	uhmm_vpn_t at;

	prog_map(&prog, 8, false);
	at = prog.ops->skip_holes(prog.engine, prog_range(&prog, 0, 8));
	ck_assert_uint_eq(at.val, prog.base.val + (ptes->has_scan ? 8 : 0));
	prog_call(&prog, in_write, (long)uhmm_addr_of(prog.base) +
		  5 * getpagesize(), 1, 0);
	at = prog.ops->skip_holes(prog.engine, prog_range(&prog, 0, 8));
	ck_assert_uint_eq(at.val, prog.base.val + (ptes->has_scan ? 5 : 0));
	at = prog.ops->skip_holes(prog.engine, prog_range(&prog, 5, 3));
	ck_assert_uint_eq(at.val, prog.base.val + 5);
	at = prog.ops->skip_holes(prog.engine, prog_range(&prog, 3, 0));
	ck_assert_uint_eq(at.val, prog.base.val + 3);
}
END_TEST

/* Before PAGEMAP_SCAN: by its frame, for who is shown that. */
START_TEST(test_scan_old_kernel_zero_frame)
{
	struct uhmm_ptes *ptes = &prog.engine->ptes;

	prog_map(&prog, 1, false);
	read_page(0);
	if (prog.engine->no_zero_page)
		return;
	ptes->has_scan = false;
	ptes->zero_frame = 0;
	ck_assert_uint_eq(prog_pte(&prog, 0), UHMM_PTE_PRESENT);
	ptes->zero_frame = uhmm_zero_frame();
	ck_assert_uint_eq(prog_pte(&prog, 0), UHMM_PTE_PRESENT | zero_bit(0));
	prog_call(&prog, in_write, (long)uhmm_addr_of(prog.base), 1, 0);
	ck_assert_uint_eq(prog_pte(&prog, 0),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
}
END_TEST

START_TEST(test_scan_faults_nothing_in)
{
	prog_map(&prog, 8, false);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(prog_pte(&prog, 5), 0);
}
END_TEST

START_TEST(test_scan_unmapped_is_empty)
{
	prog_map(&prog, 4, true);
	prog_call(&prog, in_unmap, (long)uhmm_addr_of(prog.base),
		  (long)uhmm_bytes_of(2), 0);
	ck_assert_uint_eq(prog_pte(&prog, 1), 0);
	ck_assert_uint_eq(prog_pte(&prog, 2),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
	prog.base = UHMM_VPN((UINT64_C(1) << 47) / uhmm_page_bytes() + 5);
	ck_assert_uint_eq(prog_pte(&prog, 0), 0);
}
END_TEST

START_TEST(test_scan_marker_is_empty)
{
	prog_map(&prog, 3, false);
	prog_call(&prog, in_write,
		  (long)uhmm_addr_of(prog.base) + getpagesize(), 1, 0);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 3)),
			 0);
	ck_assert_uint_eq(prog_pte(&prog, 0), has_markers() ? UHMM_PTE_WP : 0);
	ck_assert_uint_eq(prog_pte(&prog, 1), UHMM_PTE_PRESENT | UHMM_PTE_WP |
					      UHMM_PTE_EXCLUSIVE);
	if (has_markers()) {
		uint64_t word;

		ck_assert_int_eq(uhmm_ptes_raw(&prog.engine->ptes,
					       prog_range(&prog, 2, 1), &word),
				 0);
		ck_assert(word & UHMM_PM_SWAP);
		ck_assert(!(word & UHMM_PM_PRESENT));
	}
}
END_TEST

static long in_page_out(long addr, long bytes, long unused)
{
	(void)unused;
	return madvise((void *)addr, (size_t)bytes, MADV_PAGEOUT);
}

/* Only where the machine has swap. */
START_TEST(test_scan_swapped_is_not_marker)
{
	uint8_t pte;

	prog_map(&prog, 1, true);
	prog_call(&prog, in_page_out, (long)uhmm_addr_of(prog.base),
		  getpagesize(), 0);
	if (prog_pte(&prog, 0) & UHMM_PTE_PRESENT)
		return;
	ck_assert_uint_eq(prog_pte(&prog, 0), UHMM_PTE_SWAP);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 1)),
			 0);
	pte = prog_pte(&prog, 0);
	ck_assert(pte & UHMM_PTE_WP);
	ck_assert(pte & (UHMM_PTE_SWAP | UHMM_PTE_PRESENT));
}
END_TEST

static long in_map_file(long npages, long flags, long unused)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	long addr;

	(void)unused;
	if (fd < 0 || ftruncate(fd, npages * getpagesize()) < 0)
		return -1;
	addr = (long)mmap(NULL, (size_t)(npages * getpagesize()),
			  PROT_READ | PROT_WRITE, (int)flags, fd, 0);
	close(fd);
	return addr;
}

START_TEST(test_scan_file_and_shared)
{
	long addr = prog_call(&prog, in_map_file, 2, MAP_PRIVATE, 0);

	prog.base = uhmm_vpn_of((uint64_t)addr);
	prog_call(&prog, in_read, addr, 0, 0);
	prog_call(&prog, in_write, addr + getpagesize(), 1, 0);
	ck_assert_uint_eq(prog_pte(&prog, 0) & ~UHMM_PTE_EXCLUSIVE,
			  UHMM_PTE_PRESENT | UHMM_PTE_FILE);
	/* a private copy is no page of the file any more */
	ck_assert_uint_eq(prog_pte(&prog, 1),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
	addr = prog_call(&prog, in_map, 1, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS);
	prog_call(&prog, in_write, addr, 1, 0);
	prog.base = uhmm_vpn_of((uint64_t)addr);
	ck_assert_uint_eq(prog_pte(&prog, 0) & ~UHMM_PTE_EXCLUSIVE,
			  UHMM_PTE_PRESENT | UHMM_PTE_FILE);
}
END_TEST

/* A child that lives until its end of a pipe is closed. */
static long in_fork(long unused, long unused2, long unused3)
{
	static int fd[2];

	(void)unused;
	(void)unused2;
	(void)unused3;
	if (fd[1]) {
		close(fd[1]);
		return wait(NULL);
	}
	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	if (fork() == 0) {
		char byte;

		close(fd[1]);
		_exit(read(fd[0], &byte, 1) == 0 ? 0 : 1);
	}
	return 0;
}

START_TEST(test_scan_shared_by_fork_is_not_exclusive)
{
	prog_map(&prog, 1, true);
	prog_call(&prog, in_fork, 0, 0, 0);
	ck_assert_uint_eq(prog_pte(&prog, 0), UHMM_PTE_PRESENT);
	prog_call(&prog, in_fork, 0, 0, 0);
	ck_assert_uint_eq(prog_pte(&prog, 0),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
}
END_TEST

/* Memory with a huge page in the middle of it; its address. */
static long in_map_huge(long unused, long unused2, long unused3)
{
	char *p = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t at = ((uintptr_t)p + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);

	(void)unused;
	(void)unused2;
	(void)unused3;
	madvise((void *)at, HUGE_BYTES, MADV_HUGEPAGE);
	memset((void *)at, 1, HUGE_BYTES);
	return (long)at;
}

START_TEST(test_scan_huge)
{
	static uint8_t pte[512 + 8];
	long addr = prog_call(&prog, in_map_huge, 0, 0, 0);
	size_t n = HUGE_BYTES / uhmm_page_bytes();

	if (!prog.engine->ptes.has_scan)
		return;
	prog.base = uhmm_vpn_of((uint64_t)addr);
	ck_assert_int_eq(prog.ops->scan(prog.engine,
					prog_range(&prog, 0, n), pte), 0);
	if (!(pte[0] & UHMM_PTE_HUGE))
		return;		/* the machine does not give them */
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(pte[i], UHMM_PTE_PRESENT | UHMM_PTE_HUGE |
					  UHMM_PTE_EXCLUSIVE);
	ck_assert_uint_eq(prog_pte(&prog, 77), pte[77]);
	/* protected in part, it stays whole or not, but never lies; khugepaged
	 * must not make it whole again meanwhile */
	prog_call(&prog, in_madvise, addr, HUGE_BYTES, MADV_NOHUGEPAGE);
	prog_call(&prog, in_madvise, addr, getpagesize(), MADV_DONTNEED);
	ck_assert_uint_eq(prog_pte(&prog, 0), 0);
	ck_assert_uint_eq(prog_pte(&prog, 1),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
}
END_TEST

START_TEST(test_scan_many_pages)
{
	static uint8_t pte[PROG_PAGES];

	prog_map(&prog, PROG_PAGES, false);
	/* every third page: more runs than one call returns */
	for (uint64_t i = 0; i < 1200; i += 3)
		read_page(i);
	ck_assert_int_eq(prog.ops->scan(prog.engine,
					prog_range(&prog, 0, PROG_PAGES), pte),
			 0);
	for (uint64_t i = 0; i < PROG_PAGES; i++)
		ck_assert_uint_eq(pte[i], i % 3 == 0 && i < 1200 ?
				  UHMM_PTE_PRESENT | zero_bit(i) : 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_scan_empty_present_zero,
		test_scan_old_kernel_zero_frame,
		test_skip_holes,
		test_scan_faults_nothing_in,
		test_scan_unmapped_is_empty,
		test_scan_marker_is_empty,
		test_scan_swapped_is_not_marker,
		test_scan_file_and_shared,
		test_scan_shared_by_fork_is_not_exclusive,
		test_scan_huge,
		test_scan_many_pages,
	};

	return suite_main("ptes", tests, sizeof(tests) / sizeof(tests[0]));
}
