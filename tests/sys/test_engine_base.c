/* SPDX-License-Identifier: MIT */
/* Trapping, pages that come into being, bytes: what all engines do alike. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

static long addr_of(uint64_t i)
{
	return (long)uhmm_addr_of(UHMM_VPN(prog.base.val + i));
}

static long sum_to(long n)
{
	return n * (n + 1) / 2;
}

/* ---- mappings ---- */

/* Protection of the mapping at page @i as the engine has it: may it be written? */
static bool may_write(uint64_t i)
{
	struct uhmm_vma vma;

	ck_assert_int_eq(prog.ops->vma_find(prog.engine,
					    UHMM_VPN(prog.base.val + i), &vma),
			 0);
	return vma.write;
}

/* Looked up once in a turn, unless the program is known to have changed it. */
START_TEST(test_mappings_of_this_turn_are_kept)
{
	static uint64_t turn;
	long all;

	prog_map(&prog, 8, true);
	all = (long)uhmm_bytes_of(8);
	prog.engine->env.turn = &turn;
	ck_assert(may_write(0));
	prog_call(&prog, in_protect, addr_of(0), all, PROT_READ);
	ck_assert(may_write(0));
	ck_assert(may_write(7));	/* the same mapping */
	turn++;
	ck_assert(!may_write(0));
	prog_call(&prog, in_protect, addr_of(0), all, PROT_READ | PROT_WRITE);
	ck_assert(!may_write(0));
	uhmm_engine_note_unmap(prog.engine, prog_range(&prog, 7, 1));
	ck_assert(may_write(0));
	/* without turns nothing is kept */
	prog.engine->env.turn = NULL;
	prog_call(&prog, in_protect, addr_of(0), all, PROT_READ);
	ck_assert(!may_write(0));
}
END_TEST

/* ---- trap, untrap, unprotect ---- */

START_TEST(test_untrap_makes_ordinary_memory)
{
	prog_map(&prog, 16, true);
	prog_take(&prog, 0, 16);
	prog_give(&prog, 0, 16, UHMM_RUN_WP);
	ck_assert_int_eq(prog.ops->untrap(prog.engine,
					  prog_range(&prog, 4, 8)), 0);
	ck_assert(uhmm_engine_trapped(prog.engine,
				      UHMM_VPN(prog.base.val + 3)));
	ck_assert(!uhmm_engine_trapped(prog.engine,
				       UHMM_VPN(prog.base.val + 4)));
	prog_call(&prog, in_write, addr_of(4), 1, 0);
	prog_call(&prog, in_madvise, addr_of(5), getpagesize(), MADV_DONTNEED);
	prog_call(&prog, in_write, addr_of(5), 1, 0);
	ck_assert_uint_eq(prog.nseen, 1);	/* of our own zap */
	prog_call(&prog, in_write, addr_of(3), 1, 0);
	ck_assert_uint_eq(prog.nfaults, 1);
}
END_TEST

START_TEST(test_untrap_tolerates_what_is_gone)
{
	struct uhmm_range all;

	prog_map(&prog, 64, true);
	all = prog_range(&prog, 0, 64);
	ck_assert_int_eq(prog.ops->untrap(prog.engine, all), 0);
	ck_assert_int_eq(prog.ops->trap(prog.engine, all), 0);
	prog_call(&prog, in_unmap, addr_of(10), (long)uhmm_bytes_of(20), 0);
	/* the registry says more than the kernel */
	ck_assert_int_eq(uhmm_trapset_reserve(&prog.engine->trapped), 0);
	uhmm_trapset_add(&prog.engine->trapped, all);
	ck_assert_int_eq(prog.ops->untrap(prog.engine, all), 0);
	ck_assert(!uhmm_engine_trapped(prog.engine, prog.base));
	prog_call(&prog, in_write, addr_of(0), 1, 0);
	prog_call(&prog, in_write, addr_of(63), 1, 0);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

START_TEST(test_untrap_wakes)
{
	long ret;

	prog_map(&prog, 1, true);
	prog.answer = false;
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 1)),
			 0);
	prog_begin(&prog, PROG_MAIN, in_write, addr_of(0), 5, 0);
	ck_assert(!prog_done(&prog, PROG_MAIN, 50, &ret));
	ck_assert_uint_eq(prog.nfaults, 1);
	ck_assert_int_eq(prog.ops->untrap(prog.engine,
					  prog_range(&prog, 0, 1)), 0);
	ck_assert(prog_done(&prog, PROG_MAIN, 5000, &ret));
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(0), 0, 0), 5);
}
END_TEST

START_TEST(test_unprotect_lets_writers_go_on)
{
	long ret;

	prog_map(&prog, 8, true);
	prog.answer = false;
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 8)),
			 0);
	prog_call(&prog, in_protect, addr_of(4), (long)uhmm_bytes_of(4),
		  PROT_READ);
	prog_begin(&prog, PROG_MAIN, in_write, addr_of(0), 5, 0);
	ck_assert(!prog_done(&prog, PROG_MAIN, 50, &ret));
	ck_assert_int_eq(prog.ops->unprotect(prog.engine,
					     prog_range(&prog, 0, 8)), 0);
	ck_assert(prog_done(&prog, PROG_MAIN, 5000, &ret));
	ck_assert(uhmm_engine_trapped(prog.engine, prog.base));
	ck_assert_uint_eq(prog_pte(&prog, 7),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
	/* of nothing, too */
	ck_assert_int_eq(prog.ops->unprotect(prog.engine,
					     uhmm_range_of(UHMM_VPN(3), 5)),
			 0);
}
END_TEST

static long in_other_uffd(long addr, long bytes, long unused)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (unsigned long)addr, (unsigned long)bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd,
			      O_CLOEXEC | UHMM_UFFD_USER_MODE_ONLY);

	(void)unused;
	if (ioctl(fd, UFFDIO_API, &api) < 0 ||
	    ioctl(fd, UFFDIO_REGISTER, &reg) < 0)
		return -errno;
	return fd;
}

START_TEST(test_trap_another_userfaultfd_has_it)
{
	prog_map(&prog, 4, true);
	ck_assert_int_gt(prog_call(&prog, in_other_uffd, addr_of(0),
				   getpagesize(), 0), 0);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 1)),
			 -EBUSY);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 1, 3)),
			 0);
}
END_TEST

static long in_map_exe(long unused, long unused2, long unused3)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	long addr = (long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)unused;
	(void)unused2;
	(void)unused3;
	close(fd);
	return addr;
}

START_TEST(test_trap_refuses_a_shared_file)
{
	uhmm_vpn_t vpn = uhmm_vpn_of((uint64_t)prog_call(&prog, in_map_exe, 0,
							 0, 0));

	ck_assert_int_eq(prog.ops->trap(prog.engine, uhmm_range_of(vpn, 1)),
			 -EINVAL);
	ck_assert(!uhmm_engine_trapped(prog.engine, vpn));
}
END_TEST

START_TEST(test_trap_keeps_what_was_there)
{
	prog_map(&prog, 16, true);
	prog_take(&prog, 4, 4);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 16)),
			 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 16, 0),
			 sum_to(16));
	ck_assert_uint_eq(prog.nfaults, 4);
}
END_TEST

/* ---- pages that come into being ---- */

START_TEST(test_give_zero)
{
	struct uhmm_range two;

	prog_map(&prog, 4, false);
	two = prog_range(&prog, 0, 2);
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 0, 4)),
			 0);
	ck_assert_int_eq(prog.ops->give_zero(prog.engine, two.start, false),
			 0);
	ck_assert_int_eq(prog.ops->give_zero(prog.engine,
					     UHMM_VPN(two.start.val + 1),
					     true), 0);
	ck_assert_uint_eq(prog_pte(&prog, 0) & ~UHMM_PTE_ZERO,
			  UHMM_PTE_PRESENT);
	ck_assert_uint_eq(prog_pte(&prog, 1),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
	/* there already: woken and left */
	prog_call(&prog, in_write, addr_of(1), 5, 0);
	ck_assert_int_eq(prog.ops->give_zero(prog.engine,
					     UHMM_VPN(two.start.val + 1),
					     true), 0);
	ck_assert_int_eq(prog.ops->give_zero(prog.engine,
					     UHMM_VPN(two.start.val + 1),
					     false), 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 5);
	ck_assert_uint_eq(prog.nfaults, 2);
	ck_assert_int_eq(prog.ops->give_zero(prog.engine, UHMM_VPN(7), true),
			 -ENOENT);
	ck_assert_int_eq(prog.ops->give_zero(prog.engine, UHMM_VPN(7), false),
			 -ENOENT);
}
END_TEST

/* A mapping that grew in place is trapped to its end; no event says so. What is
 * behind it goes at the last moment: the runtime may map into a hole. */
static long in_grow(long addr, long pages, long more)
{
	size_t bytes = (size_t)(pages * getpagesize());
	size_t all = (size_t)((pages + more) * getpagesize());

	if (munmap((void *)(addr + (long)bytes), all - bytes))
		return -1;
	return mremap((void *)addr, bytes, all, 0) == MAP_FAILED ? -1 : 0;
}

START_TEST(test_grown_mapping_is_learnt)
{
	uhmm_vpn_t grown;

	prog_map(&prog, 16, true);
	prog_call(&prog, in_protect, addr_of(8), (long)uhmm_bytes_of(8),
		  PROT_NONE);
	prog_take(&prog, 0, 8);
	ck_assert_int_eq(prog_call(&prog, in_grow, addr_of(0), 8, 8), 0);
	grown = UHMM_VPN(prog.base.val + 12);
	ck_assert(!uhmm_engine_trapped(prog.engine, grown));
	ck_assert_int_eq(prog_call(&prog, in_read, addr_of(10), 0, 0), 0);
	ck_assert(uhmm_engine_trapped(prog.engine, grown));
	prog_call(&prog, in_sum, addr_of(0), 8, 0);
	ck_assert_int_eq(prog.ops->untrap(prog.engine,
					  prog_range(&prog, 0, 16)), 0);
	prog.nfaults = 0;
	prog_call(&prog, in_fill, addr_of(0), 16, 0);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

/* Of a mapping in many parts some are found, and how far it goes is known. */
START_TEST(test_mapping_in_many_parts)
{
	const uint64_t npages = 128, middle = 64;
	struct uhmm_vma vma;
	uhmm_vpn_t end;

	prog_map(&prog, npages, true);
	for (uint64_t i = 0; i < npages; i += 2)
		prog_take(&prog, i, 1);
	ck_assert_int_eq(prog.ops->vma_find(prog.engine,
					    UHMM_VPN(prog.base.val + middle),
					    &vma), 0);
	ck_assert_uint_gt(vma.range.start.val, prog.base.val);
	ck_assert_uint_lt(vma.range.start.val, prog.base.val + middle);
	ck_assert_uint_gt(vma.range.end.val, prog.base.val + middle + 1);
	ck_assert_uint_lt(vma.range.end.val, prog.base.val + npages);
	end = prog.ops->mapping_end(prog.engine, &vma,
				    UHMM_VPN(vma.range.end.val + 1));
	ck_assert_uint_gt(end.val, vma.range.end.val);
	ck_assert_uint_lt(end.val, prog.base.val + npages);
	end = prog.ops->mapping_end(prog.engine, &vma, UHMM_VPN(UINT64_MAX));
	ck_assert_uint_eq(end.val, prog.base.val + npages);
	prog_call(&prog, in_sum, addr_of(0), (long)npages, 0);
}
END_TEST

static void check_fault_in(bool write)
{
	uint8_t pte[10];

	/* untrapped: hole, zero, present; trapped: hole, zero, present */
	prog_map(&prog, 10, false);
	for (uint64_t at = 0; at < 10; at += 5) {
		prog_call(&prog, in_read, addr_of(at + 1), 0, 0);
		prog_call(&prog, in_write, addr_of(at + 2), 7, 0);
	}
	ck_assert_int_eq(prog.ops->trap(prog.engine, prog_range(&prog, 5, 5)),
			 0);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 0, 10), write),
			 0);
	ck_assert_int_eq(prog.ops->scan(prog.engine, prog_range(&prog, 0, 10),
					pte), 0);
	for (int i = 0; i < 10; i++) {
		ck_assert(pte[i] & UHMM_PTE_PRESENT);
		if (!write || !prog.engine->populate)
			continue;
		ck_assert_uint_eq(pte[i],
				  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
	}
	prog.nfaults = 0;
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 10, 0), 14);
	ck_assert_uint_eq(prog.nfaults, 0);
}

START_TEST(test_fault_in_read)
{
	check_fault_in(false);
}
END_TEST

START_TEST(test_fault_in_write)
{
	check_fault_in(true);
	prog_call(&prog, in_fill, addr_of(0), 10, 0);
	ck_assert_uint_eq(prog.nfaults, 0);
}
END_TEST

/* As before Linux 5.14. */
START_TEST(test_fault_in_without_populate)
{
	prog.engine->populate = false;
	check_fault_in(true);
	ck_assert_int_eq(prog.ops->write(prog.engine, prog.base, 1,
					 prog.seen), 1);
	ck_assert_uint_eq(prog_pte(&prog, 0),
			  UHMM_PTE_PRESENT | UHMM_PTE_EXCLUSIVE);
}
END_TEST

START_TEST(test_fault_in_large)
{
	static uint8_t pte[PROG_PAGES];
	int err, tries = 0;

	prog_map(&prog, PROG_PAGES, false);
	ck_assert_int_eq(prog.ops->trap(prog.engine,
					prog_range(&prog, 1000, 1000)), 0);
	for (uint64_t i = 0; i < PROG_PAGES; i += 7)
		prog_call(&prog, in_write, addr_of(i), 7, 0);
	for (int write = 0; write < 2; write++) {
		/* whenever the program was asked in between we look again */
		do {
			err = prog.ops->fault_in(prog.engine,
						 prog_range(&prog, 0,
							    PROG_PAGES),
						 write);
		} while (err == -EAGAIN && ++tries < PROG_PAGES);
		ck_assert_int_eq(err, 0);
		ck_assert_int_eq(prog.ops->scan(
			prog.engine, prog_range(&prog, 0, PROG_PAGES), pte),
			0);
		for (uint64_t i = 0; i < PROG_PAGES; i++)
			ck_assert(pte[i] & (write ? UHMM_PTE_EXCLUSIVE :
						    UHMM_PTE_PRESENT));
	}
}
END_TEST

START_TEST(test_fault_in_errors)
{
	struct uhmm_range four;

	prog_map(&prog, 4, false);
	four = prog_range(&prog, 0, 4);
	prog_call(&prog, in_protect, addr_of(0), getpagesize(), PROT_READ);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine, four, true), -EFAULT);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine, four, false), 0);
	prog_call(&prog, in_unmap, addr_of(2), getpagesize(), 0);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine, four, false),
			 -EFAULT);
	prog.engine->populate = false;
	ck_assert_int_eq(prog.ops->fault_in(prog.engine, four, false),
			 -EFAULT);
}
END_TEST

static long in_map_short_file(long unused, long unused2, long unused3)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	long addr = (long)mmap(NULL, uhmm_bytes_of(2),
			       PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)unused;
	(void)unused2;
	(void)unused3;
	if (ftruncate(fd, getpagesize()) < 0)
		return -1;
	close(fd);
	return addr;
}

START_TEST(test_fault_in_beyond_the_end_of_a_file)
{
	long addr = prog_call(&prog, in_map_short_file, 0, 0, 0);

	prog.base = uhmm_vpn_of((uint64_t)addr);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 0, 1), true), 0);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 0, 2), true),
			 -EFAULT);
	ck_assert_int_eq(prog.ops->fault_in(prog.engine,
					    prog_range(&prog, 1, 1), false),
			 -EFAULT);
}
END_TEST

/* ---- bytes ---- */

START_TEST(test_read_and_write_count_pages)
{
	static unsigned char buf[1 << 16];
	size_t page = uhmm_page_bytes();
	long word;

	prog_map(&prog, 4, true);
	ck_assert_int_eq(prog.ops->read(prog.engine, prog.base, 4, buf), 4);
	memcpy(&word, buf + 3 * page, sizeof(word));
	ck_assert_int_eq(word, 4);
	prog_take(&prog, 2, 1);
	errno = 7;
	ck_assert_int_eq(prog.ops->read(prog.engine, prog.base, 4, buf), 2);
	ck_assert_int_eq(prog.ops->read(prog.engine,
					UHMM_VPN(prog.base.val + 2), 2, buf),
			 0);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(prog.ops->write(prog.engine, prog.base, 4, buf), 2);
	ck_assert_int_eq(errno, 7);
	ck_assert_int_eq(prog_call(&prog, in_sum, addr_of(0), 4, 0), 3 + 4);
}
END_TEST

START_TEST(test_readv_scatters)
{
	struct iovec iov[70];
	static long words[70 * 512];
	size_t page = uhmm_page_bytes();

	if (page != 4096)
		return;
	prog_map(&prog, 71, true);
	for (int i = 0; i < 70; i++)
		iov[i] = (struct iovec){ words + (size_t)(69 - i) * 512, page };
	ck_assert_int_eq(uhmm_procmem_readv(prog.fds.mem,
					    (uint64_t)addr_of(0), iov, 70),
			 (int64_t)(70 * page));
	for (int i = 0; i < 70; i++)
		ck_assert_int_eq(words[(size_t)(69 - i) * 512], i + 1);
	prog_take(&prog, 66, 1);
	for (int i = 0; i < 70; i++)
		iov[i] = (struct iovec){ words + (size_t)i * 512, page };
	ck_assert_int_eq(uhmm_procmem_readv(prog.fds.mem,
					    (uint64_t)addr_of(0), iov, 70),
			 (int64_t)(66 * page));
}
END_TEST

/* A single userfaultfd operation and what it says. */
START_TEST(test_uffd_errors_are_classified)
{
	uint64_t done;
	uint64_t ioctls = 0;
	int err;

	prog_map(&prog, 2, true);
	ck_assert_int_eq(uhmm_uffd_register(prog.fds.uffd,
					    prog_range(&prog, 0, 2),
					    UFFDIO_REGISTER_MODE_MISSING,
					    &ioctls), 0);
	ck_assert(ioctls & (1u << _UFFDIO_COPY));
	errno = 9;
	err = uhmm_uffd_copy(prog.fds.uffd, prog_range(&prog, 0, 1), &prog, 0,
			     &done);
	ck_assert_int_eq(errno, 9);
	ck_assert_int_eq(uhmm_uffd_classify(err), UHMM_UFFD_PAGE_THERE);
	err = uhmm_uffd_writeprotect(prog.fds.uffd, prog_range(&prog, 0, 1),
				     UFFDIO_WRITEPROTECT_MODE_WP);
	ck_assert_int_eq(uhmm_uffd_classify(err), UHMM_UFFD_MAPPING_GONE);
	err = uhmm_uffd_register(prog.fds.uffd, uhmm_range_of(UHMM_VPN(1), 0),
				 1, NULL);
	ck_assert_int_eq(uhmm_uffd_classify(err), UHMM_UFFD_REFUSED);
	err = uhmm_uffd_wake(-1, prog_range(&prog, 0, 1));
	ck_assert_int_eq(uhmm_uffd_classify(err), UHMM_UFFD_BUG);
	ck_assert_str_eq(uhmm_uffd_verdict_name(UHMM_UFFD_RETRY), "retry");
	ck_assert_int_eq(uhmm_uffd_unregister(prog.fds.uffd,
					      prog_range(&prog, 0, 2)), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_mappings_of_this_turn_are_kept,
		test_untrap_makes_ordinary_memory,
		test_untrap_tolerates_what_is_gone,
		test_untrap_wakes,
		test_unprotect_lets_writers_go_on,
		test_trap_another_userfaultfd_has_it,
		test_trap_refuses_a_shared_file,
		test_trap_keeps_what_was_there,
		test_give_zero,
		test_grown_mapping_is_learnt,
		test_mapping_in_many_parts,
		test_fault_in_read,
		test_fault_in_write,
		test_fault_in_without_populate,
		test_fault_in_large,
		test_fault_in_errors,
		test_fault_in_beyond_the_end_of_a_file,
		test_read_and_write_count_pages,
		test_readv_scatters,
		test_uffd_errors_are_classified,
	};

	return suite_main("engine_base", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
