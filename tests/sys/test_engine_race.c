/* SPDX-License-Identifier: MIT */
/* The program goes on while its pages are taken and given. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"
#include "sys/procmem.h"

#define ROUNDS 1000
#define STORM_PAGES 64

/* What a busy thread and the test tell each other, in the program's memory. */
struct shared {
	long stop;
	long addr;	/* of what it works on, 0: nothing now */
	long rounds;
};

static long get(const long *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void put(long *p, long value)
{
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
}

static long shared_addr;

static void make_shared(void)
{
	shared_addr = prog_call(&prog, in_map, 1, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS);
	ck_assert_int_ne(shared_addr, -1);
	prog_call(&prog, in_write, shared_addr, 0, 0);
}

static struct shared look(void)
{
	struct shared shared;

	ck_assert_int_eq(uhmm_procmem_read(prog.fds.mem, (uint64_t)shared_addr,
					   &shared, sizeof(shared)),
			 sizeof(shared));
	return shared;
}

static long stop_thread(void)
{
	long ret = -1;

	prog_call(&prog, in_write, shared_addr, 1, 0);
	ck_assert(prog_done(&prog, PROG_SECOND, 10000, &ret));
	return ret;
}

/* Count in every page of it; how far each must have come. */
static long in_hammer(long addr, long npages, long shared)
{
	struct shared *sh = (struct shared *)shared;
	long n = 0;

	while (!get(&sh->stop)) {
		for (long i = 0; i < npages; i++) {
			long *p = (long *)(addr + i * getpagesize());

			put(p, get(p) + 1);
		}
		put(&sh->rounds, ++n);
	}
	return n;
}

static void start_hammer(uint64_t npages)
{
	make_shared();
	prog_map(&prog, npages, false);
	prog_begin(&prog, PROG_SECOND, in_hammer,
		   (long)uhmm_addr_of(prog.base), (long)npages, shared_addr);
}

static void check_hammer(void)
{
	long n;

	/* on a busy machine it may not have had a CPU yet */
	for (int i = 0; i < 10000 && !look().rounds; i++)
		prog_pump(&prog, 1);
	n = stop_thread();

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, (long)uhmm_addr_of(prog.base),
				   (long)prog.npages, 0),
			 n * (long)prog.npages);
}

START_TEST(test_no_update_is_lost)
{
	start_hammer(1);
	for (int i = 0; i < ROUNDS; i++) {
		if (!prog.device[0].val &&
		    (prog_pte(&prog, 0) & UHMM_PTE_PRESENT))
			prog_take(&prog, 0, 1);
		prog_pump(&prog, i % 3);
	}
	check_hammer();
	ck_assert_uint_gt(prog.nfaults, 10);
}
END_TEST

START_TEST(test_no_update_is_lost_in_bulk)
{
	start_hammer(32);
	for (int i = 0; i < ROUNDS / 4; i++) {
		struct uhmm_run run = prog_try_take(&prog, 0, 32);

		/* a page that was never touched ends the run */
		ck_assert(run.error == 0 || run.error == -EFAULT);
		if (i % 2)
			prog_pump(&prog, 1);
		for (uint64_t j = 0; j < 32; j++)
			if (prog.device[j].val)
				prog_give(&prog, j, 1,
					  i % 3 ? 0 : UHMM_RUN_WP);
	}
	check_hammer();
}
END_TEST

START_TEST(test_no_update_is_lost_with_untrap)
{
	start_hammer(4);
	for (int i = 0; i < ROUNDS / 4; i++) {
		prog_try_take(&prog, 0, 4);
		for (uint64_t j = 0; j < 4; j++)
			if (prog.device[j].val)
				prog_give(&prog, j, 1, 0);
		ck_assert_int_eq(prog.ops->untrap(prog.engine,
						  prog_range(&prog, 0, 4)), 0);
		ck_assert_int_eq(prog.ops->fault_in(
			prog.engine, prog_range(&prog, 0, 4), i % 2), 0);
	}
	check_hammer();
}
END_TEST

/*
 * Map, fill, verify, unmap, at an address that was never used before: the one
 * that is given up may still be waited for (engine_copy.c).
 */
static long in_storm(long addr, long unused, long shared)
{
	struct shared *sh = (struct shared *)shared;
	size_t bytes = (size_t)(STORM_PAGES * getpagesize());
	long wrong = 0;

	(void)unused;
	for (; !get(&sh->stop); addr += 2 * (long)bytes) {
		void *p = mmap((void *)addr, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS |
			       MAP_FIXED_NOREPLACE, -1, 0);

		if (p == MAP_FAILED)
			continue;
		madvise(p, bytes, MADV_NOHUGEPAGE);
		put(&sh->addr, addr);
		in_fill(addr, STORM_PAGES, 0);
		for (int i = 0; i < 20; i++)
			wrong += in_sum(addr, STORM_PAGES, 0) !=
				 STORM_PAGES * (STORM_PAGES + 1) / 2;
		munmap(p, bytes / 2);
		munmap((char *)p + bytes / 2, bytes / 2);
		put(&sh->rounds, sh->rounds + 1);
	}
	return wrong;
}

/* Take what there is, and give back what is left of it a little later. */
static void shuttle(uint64_t addr, int ms)
{
	struct uhmm_run run;

	prog.base = uhmm_vpn_of(addr);
	prog.npages = STORM_PAGES;
	run = prog_try_take(&prog, 0, STORM_PAGES);
	ck_assert(run.error == 0 || run.error == -EFAULT ||
		  run.error == -EINVAL || run.error == -ENOMEM ||
		  (run.error == -EAGAIN && prog.flight_dropped));
	prog_pump(&prog, ms);
	for (uint64_t i = 0; i < STORM_PAGES; i++) {
		if (!prog.device[i].val)
			continue;
		run = prog_give(&prog, i, 1, 0);
		ck_assert(run.error == 0 || run.error == -ENOENT);
	}
	for (uint64_t i = 0; i < STORM_PAGES; i++)
		prog.device[i] = UHMM_DPFN(0);
	ck_assert_int_eq(prog.ops->untrap(prog.engine,
					  prog_range(&prog, 0, STORM_PAGES)),
			 0);
}

START_TEST(test_mappings_come_and_go)
{
	long addr;

	/* room to walk through: nothing else is put there */
	addr = prog_call(&prog, in_map, 1 << 22, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
	prog_call(&prog, in_unmap, addr, (long)uhmm_bytes_of(1 << 22), 0);
	make_shared();
	prog_begin(&prog, PROG_SECOND, in_storm, addr, 0, shared_addr);
	for (int i = 0; i < ROUNDS / 2; i++) {
		struct shared shared = look();

		if (shared.addr)
			shuttle((uint64_t)shared.addr, i % 3 == 0);
		else
			prog_pump(&prog, 1);
	}
	ck_assert_int_eq(stop_thread(), 0);
	ck_assert_int_gt(look().rounds, 3);
}
END_TEST

/* An event is nearly always outstanding: everything must be tried again. What
 * engine move cannot take then stays. */
static long in_drop(long addr, long npages, long shared)
{
	struct shared *sh = (struct shared *)shared;

	while (!get(&sh->stop)) {
		madvise((void *)addr, (size_t)(npages * getpagesize()),
			MADV_DONTNEED);
		put(&sh->rounds, sh->rounds + 1);
	}
	return sh->rounds;
}

/* Pages [0, @npages) come back, as src/mm gives them: where others have run it
 * looks again. */
static void give_all(uint64_t npages)
{
	uint64_t done = 0;

	while (done < npages) {
		struct uhmm_run run = prog_give(&prog, done, npages - done, 0);

		ck_assert(run.error == 0 || run.error == -EAGAIN);
		done += run.done;
	}
}

START_TEST(test_events_all_the_time)
{
	long addr;
	int err;

	make_shared();
	addr = prog_call(&prog, in_map, 4, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS);
	prog_call(&prog, in_fill, addr, 4, 0);
	ck_assert_int_eq(prog.ops->trap(prog.engine,
					uhmm_range_of(uhmm_vpn_of(
						(uint64_t)addr), 4)), 0);
	prog_map(&prog, 8, true);
	prog_begin(&prog, PROG_SECOND, in_drop, addr, 4, shared_addr);
	for (time_t end = time(NULL) + 2; time(NULL) < end;) {
		struct uhmm_run run = prog_try_take(&prog, 0, 8);

		ck_assert(run.error == 0 ||
			  (run.error == -EBUSY && PROG_MOVES));
		give_all(run.done);
		/* not repeated by itself: others may have taken it meanwhile */
		do {
			err = prog.ops->unprotect(prog.engine,
						  prog_range(&prog, 0, 8));
		} while (err == -EAGAIN);
		ck_assert_int_eq(err, 0);
	}
	ck_assert_int_gt(stop_thread(), 0);
	ck_assert_int_eq(prog_call(&prog, in_sum, (long)uhmm_addr_of(prog.base),
				   8, 0), 36);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_no_update_is_lost,
		test_no_update_is_lost_in_bulk,
		test_no_update_is_lost_with_untrap,
		test_mappings_come_and_go,
		test_events_all_the_time,
	};

	return suite_main("engine_race", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
