/* SPDX-License-Identifier: MIT */
/* Every operation says -ESRCH when the mm is gone, however it went. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "suite.h"
#include "sys/pagesize.h"

static unsigned char buf[1 << 16];

static void check_every_operation(void)
{
	struct uhmm_range r = prog_range(&prog, 0, 4);
	struct uhmm_run run = {
		.vpn = r.start,
		.dpfn = UHMM_DPFN(PROG_DPFN),
		.npages = 4,
	};
	struct uhmm_vma vma;
	uint8_t pte[4];

	errno = 0;
	ck_assert_int_eq(prog.ops->vma_find(prog.engine, r.start, &vma),
			 -ESRCH);
	ck_assert_int_eq(prog.ops->scan(prog.engine, r, pte), -ESRCH);
	ck_assert_int_eq(prog.ops->trap(prog.engine, r), -ESRCH);
	ck_assert_int_eq(prog.ops->unprotect(prog.engine, r), -ESRCH);
	ck_assert_int_eq(prog.ops->take(prog.engine, &run, 1), -ESRCH);
	run.flags = UHMM_RUN_ZERO;
	ck_assert_int_eq(prog.ops->take(prog.engine, &run, 1), -ESRCH);
	run.flags = 0;
	ck_assert_int_eq(prog.ops->give(prog.engine, &run, 1), -ESRCH);
	for (int write = 0; write < 2; write++) {
		ck_assert_int_eq(prog.ops->give_zero(prog.engine, r.start,
						     write), -ESRCH);
		ck_assert_int_eq(prog.ops->fault_in(prog.engine, r, write),
				 -ESRCH);
	}
	ck_assert_int_eq(prog.ops->wake(prog.engine, r), -ESRCH);
	ck_assert_int_eq(prog.ops->read(prog.engine, r.start, 4, buf), -ESRCH);
	ck_assert_int_eq(prog.ops->write(prog.engine, r.start, 4, buf),
			 -ESRCH);
	ck_assert_int_eq(prog.ops->untrap(prog.engine, r), -ESRCH);
	ck_assert_int_eq(errno, 0);
}

START_TEST(test_killed)
{
	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 2);
	prog_kill(&prog);
	check_every_operation();
}
END_TEST

START_TEST(test_killed_old_kernel)
{
	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 2);
	prog.engine->maps.has_query = false;
	prog.engine->ptes.has_scan = false;
	prog.engine->populate = false;
	prog_kill(&prog);
	check_every_operation();
}
END_TEST

START_TEST(test_killed_while_it_waits)
{
	long ret;

	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 4);
	prog.answer = false;
	prog_begin(&prog, PROG_MAIN, in_read, (long)uhmm_addr_of(prog.base), 0,
		   0);
	ck_assert(!prog_done(&prog, PROG_MAIN, 50, &ret));
	prog_kill(&prog);
	check_every_operation();
}
END_TEST

static long in_exec(long unused, long unused2, long unused3)
{
	(void)unused;
	(void)unused2;
	(void)unused3;
	execl("/bin/sleep", "sleep", "30", NULL);
	return -1;
}

START_TEST(test_exec)
{
	prog_map(&prog, 4, true);
	prog_take(&prog, 0, 2);
	prog_begin(&prog, PROG_MAIN, in_exec, 0, 0, 0);
	/* the channels are closed with the old mm */
	for (int i = 0; i < 500 && prog.ops->wake(prog.engine,
						  prog_range(&prog, 0, 1)) !=
				   -ESRCH; i++)
		prog_pump(&prog, 10);
	check_every_operation();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_killed,
		test_killed_old_kernel,
		test_killed_while_it_waits,
		test_exec,
	};

	return suite_main("engine_gone", tests,
			  sizeof(tests) / sizeof(tests[0]));
}
