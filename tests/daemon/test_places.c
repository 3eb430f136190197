/* SPDX-License-Identifier: MIT */
/* test_places.c - what of a program may be taken, of a real one */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "co.h"
#include "places.h"
#include "session.h"
#include "suite.h"
#include "sys/pagesize.h"
#include "sys/ptes.h"

#define NPAGES 64u

/* What the program tells of itself. */
static struct told {
	uint64_t plain;		/* NPAGES, the upper half written */
	uint64_t shared, readonly;	/* NPAGES each, written */
	uint64_t own;		/* NPAGES, said to be the library's */
	uint64_t stack;		/* a word on another thread's */
	uint64_t block;		/* that thread's control block */
	uint64_t first_stack, first_block;
} told;

static struct session session;
static struct uhmm_mm mm;
static struct places places;
static pid_t child;
static int ask, answer;

/* ---- the program ---- */

static uint64_t map(int prot, int flags)
{
	size_t bytes = NPAGES * uhmm_page_bytes();
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(2);
	memset(p, 1, bytes);
	if (mprotect(p, bytes, prot))
		_exit(2);
	/* so that it does not merge with the next */
	if (mmap(NULL, uhmm_page_bytes(), PROT_NONE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		_exit(2);
	return (uintptr_t)p;
}

static void *second(void *arg)
{
	int local = 1;

	told.block = (uintptr_t)pthread_self();
	told.stack = (uintptr_t)&local;
	if (write(*(int *)arg, &told, sizeof(told)) != sizeof(told))
		_exit(2);
	for (;;)
		pause();
}

static void run(int from, int to)
{
	int local, op = 0;
	pthread_t t;

	map(PROT_READ, MAP_SHARED);	/* far from our control block */
	told.plain = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	madvise((void *)(uintptr_t)told.plain, NPAGES / 2 * uhmm_page_bytes(),
		MADV_DONTNEED);
	told.shared = map(PROT_READ | PROT_WRITE, MAP_SHARED);
	told.readonly = map(PROT_READ, MAP_PRIVATE);
	told.own = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	told.first_stack = (uintptr_t)&local;
	told.first_block = (uintptr_t)pthread_self();
	pthread_create(&t, NULL, second, &to);
	while (read(from, &op, sizeof(op)) == sizeof(op))
		;
	_exit(0);
}

static int proc(const char *what, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", child, what);
	fd = open(path, flags | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void up(void)
{
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		close(in[1]);
		close(out[0]);
		run(in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	ask = in[1];
	answer = out[0];
	ck_assert_int_eq(read(answer, &told, sizeof(told)), sizeof(told));
	session.fds = (struct uhmm_engine_fds){
		.uffd = -1,
		.mem = proc("mem", O_RDWR),
		.pagemap = proc("pagemap", O_RDONLY),
		.maps = proc("maps", O_RDONLY),
		.pidfd = (int)syscall(SYS_pidfd_open, child, 0),
	};
	session.own = uhmm_range_of(uhmm_vpn_of(told.own), NPAGES);
	session.mm = &mm;
	places_init(&places, &session);
}

static void down(void)
{
	places_fini(&places);
	close(ask);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* places_look() yields: it runs in a job. */
static int looked;

static void look_job(void *arg)
{
	(void)arg;
	looked = places_look(&places);
}

static int look(void)
{
	struct co_sched sched;

	ck_assert_int_eq(co_sched_init(&sched, NULL, NULL), 0);
	ck_assert_int_eq(co_spawn(&sched, look_job, NULL), 0);
	while (co_is_runnable(&sched))
		co_run(&sched);
	co_sched_fini(&sched);
	return looked;
}

/* ---- what is a candidate ---- */

static bool is_candidate(uint64_t addr)
{
	for (unsigned int i = 0; i < places.nmaps; i++)
		if (uhmm_range_has(places.map[i], uhmm_vpn_of(addr)))
			return true;
	return false;
}

/* Would it be taken? */
static bool is_offered(uint64_t addr)
{
	struct uhmm_range page = uhmm_range_of(uhmm_vpn_of(addr), 1), run;
	int err = is_candidate(addr) ? places_next(&places, page, 1, &run) :
				       -ENOENT;

	if (err)
		ck_assert_int_eq(err, -ENOENT);
	return !err;
}

START_TEST(test_candidates)
{
	uint64_t half = NPAGES / 2 * uhmm_page_bytes();

	up();
	ck_assert_int_eq(look(), 0);
	ck_assert(is_offered(told.plain + half));
	ck_assert(is_candidate(told.plain) && !is_offered(told.plain));
	ck_assert(!is_candidate(told.shared));
	ck_assert(!is_candidate(told.readonly));
	ck_assert(!is_candidate(told.own));
	ck_assert(!is_offered(told.first_stack));
	ck_assert(!is_offered(told.stack));
	ck_assert(!is_offered(told.block));
	ck_assert(!is_offered(told.first_block));
	down();
}
END_TEST

START_TEST(test_next_skips_holes)
{
	uhmm_vpn_t base;
	struct uhmm_range all, run;

	up();
	ck_assert_int_eq(look(), 0);
	base = uhmm_vpn_of(told.plain);
	all = uhmm_range_of(base, NPAGES);
	ck_assert_int_eq(places_next(&places, all, 7, &run), 0);
	ck_assert_uint_eq(run.start.val, base.val + NPAGES / 2);
	ck_assert_uint_eq(uhmm_range_npages(run), 7);
	ck_assert_int_eq(places_next(&places, all, 1000, &run), 0);
	ck_assert_uint_eq(uhmm_range_npages(run), NPAGES / 2);
	all.end.val -= NPAGES / 2;
	ck_assert_int_eq(places_next(&places, all, 7, &run), -ENOENT);
	down();
}
END_TEST

START_TEST(test_changed_is_left_alone)
{
	uhmm_vpn_t half;
	struct uhmm_range all, run;

	up();
	ck_assert_int_eq(look(), 0);
	half = UHMM_VPN(uhmm_vpn_of(told.plain).val + NPAGES / 2);
	all = uhmm_range_of(half, NPAGES / 2);
	places_changed(&places, uhmm_range_of(half, 2));
	places_changed(&places, uhmm_range_of(UHMM_VPN(half.val + 5), 1));
	ck_assert_int_eq(places_next(&places, all, 100, &run), 0);
	ck_assert_uint_eq(run.start.val, half.val + 2);
	ck_assert_uint_eq(run.end.val, half.val + 5);
	all.start.val = half.val + 5;
	ck_assert_int_eq(places_next(&places, all, 100, &run), 0);
	ck_assert_uint_eq(run.start.val, half.val + 6);
	/* one that overlaps the one before makes that larger */
	places_changed(&places, uhmm_range_of(UHMM_VPN(half.val + 5), 27));
	ck_assert_int_eq(places_next(&places, all, 100, &run), -ENOENT);
	down();
}
END_TEST

START_TEST(test_too_many_changes)
{
	struct uhmm_range all, run;

	up();
	ck_assert_int_eq(look(), 0);
	all = uhmm_range_of(uhmm_vpn_of(told.plain), NPAGES);
	for (uint64_t i = 0; i <= PLACES_CHANGES; i++)
		places_changed(&places,
			       uhmm_range_of(UHMM_VPN(16 + 2 * i), 1));
	ck_assert_int_eq(places_next(&places, all, 100, &run), -ENOENT);
	ck_assert_uint_gt(places.blind_until_ns, 0);
	down();
}
END_TEST

START_TEST(test_places_at)
{
	uint64_t at = 0;

	up();
	ck_assert_int_eq(look(), 0);
	ck_assert_uint_gt(places.nmaps, 0);
	for (unsigned int i = 0; i < places.nmaps; i++) {
		ck_assert_uint_eq(places_at(&places, at).start.val,
				  places.map[i].start.val);
		at += uhmm_range_npages(places.map[i]) < UINT64_C(1) << 18 ?
			      uhmm_range_npages(places.map[i]) :
			      UINT64_C(1) << 18;
	}
	ck_assert_uint_eq(at, places.npages);
	ck_assert_uint_eq(uhmm_range_npages(places_at(&places, at)), 0);
	down();
}
END_TEST

START_TEST(test_gone)
{
	up();
	ck_assert_int_eq(look(), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert_int_eq(places_threads(&places), -ESRCH);
	places.refreshed_ns = 0;
	ck_assert_int_eq(look(), -ESRCH);
	down();
}
END_TEST

/* What holds pages is asked of PAGEMAP_SCAN (6.7): no policy without. */
static bool is_possible(void)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct uhmm_ptes ptes;

	uhmm_ptes_init(&ptes, pagemap, mem);
	close(pagemap);
	close(mem);
	return ptes.has_scan;
}

int main(void)
{
	const struct suite_test tests[] = {
		{ test_candidates, 1 },	     { test_next_skips_holes, 1 },
		{ test_changed_is_left_alone, 1 },
		{ test_too_many_changes, 1 }, { test_places_at, 1 },
		{ test_gone, 1 },
	};

	if (!is_possible()) {
		printf("skipped: this kernel has no PAGEMAP_SCAN (6.7)\n");
		return 77;
	}
	return suite_main("places", tests, SUITE_COUNT(tests));
}
