/* SPDX-License-Identifier: MIT */
/* conf_vm_advice.c - madvise and mlock of pages that are away (spec 4.5): on a
 * device, exclusive, and both among others
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ranges.h"

#define N RANGE_NPAGES
#define MADV_COLD_ 20
#define MADV_PAGEOUT_ 21
#define MADV_POPULATE_READ_ 22
#define MADV_POPULATE_WRITE_ 23
#define MADV_COLLAPSE_ 25

static void advise(void *p, size_t npages, int advice)
{
	CHECK(!madvise(p, npages * page_bytes, advice), "advice %d: %s", advice,
	      strerror(errno));
}

static void dontneed(unsigned char *p, enum range_state state)
{
	(void)state;
	advise(range_at(p, 4), 8, MADV_DONTNEED);
	probe_verify_zero(range_at(p, 4), 8, "dropped");
	range_is(p, 0, 4, "before");
	range_is(range_at(p, 12), 12, 4, "behind");
	advise(p, N, MADV_DONTNEED);
	/* without markers it looks as what is away does */
	CHECK(!probe_kernel(6, 15) || range_away(p, N) == 0,
	      "something is left");
	CHECK(probe_where(dev0, p, N).nothing == N, "something is left");
}

/* Advice that does nothing to pages that are away. */
static const int ignored[] = { MADV_FREE,	  MADV_COLD_, MADV_PAGEOUT_,
			       MADV_WILLNEED,	  MADV_NORMAL,
			       MADV_RANDOM,	  MADV_SEQUENTIAL,
			       MADV_NOHUGEPAGE };

static void keeps(unsigned char *p, enum range_state state)
{
	size_t away = range_away(p, N), now;
	bool was_away[N];

	(void)state;
	for (size_t i = 0; i < N; i++)
		was_away[i] = range_away(range_at(p, i), 1);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		advise(p, N, ignored[i]);
		now = range_away(p, N);
		/* without markers what FREE dropped looks as what is away does */
		CHECK(probe_kernel(6, 15) ? now == away : now >= away,
		      "advice %d: %zu of %zu are away", ignored[i], now, away);
	}
	/* what was in memory may be gone: FREE, and then PAGEOUT */
	for (size_t i = 0; i < N; i++)
		if (was_away[i])
			range_is(range_at(p, i), i, 1, "after all of it");
}

static void populate_with(unsigned char *p, int advice)
{
	unsigned char seen[N];

	advise(p, N, advice);
	CHECK(range_away(p, N) == 0, "advice %d: some are away", advice);
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, N, seen);
	for (size_t i = 0; i < N; i++)
		CHECK(seen[i] == UHMM_DMIRROR_PROT_WRITE, "page %zu: %02x", i,
		      seen[i]);
	range_is(p, 0, N, "populated");
}

static void populate(unsigned char *p, enum range_state state)
{
	populate_with(p, MADV_POPULATE_READ_);
	range_put(p, N, state);
	populate_with(p, MADV_POPULATE_WRITE_);
}

static void lock(unsigned char *p, enum range_state state)
{
	CHECK(!mlock(p, N * page_bytes), "%s", strerror(errno));
	CHECK(range_away(p, N) == 0, "mlock left pages away");
	/* and does not keep them from leaving again */
	range_put(p, N, state);
	range_is(p, 0, N, "locked");
	range_put(p, N, state);
	CHECK(!munlock(p, N * page_bytes), "%s", strerror(errno));
	range_is(p, 0, N, "unlocked");
}

/* ---- what a child gets ---- */

static void child_of(unsigned char *p, size_t npages, int sig, bool zero)
{
	pid_t pid = fork();

	if (pid == 0) {
		int died = probe_dies_of((volatile uint32_t *)p, true);

		CHECK(died == sig, "child: signal %d", died);
		if (!sig && zero)
			probe_verify_zero(p, npages, "child");
		else if (!sig)
			range_is(p, 0, npages, "child");
		_exit(0);
	}
	probe_wait(pid, "child");
}

static void dontfork(unsigned char *p, enum range_state state)
{
	(void)state;
	advise(p, N, MADV_DONTFORK);
	child_of(p, N, SIGSEGV, false);
	range_is(p, 0, N, "parent");
	advise(p, N, MADV_DOFORK);
	range_put(p, N, RANGE_MIXED);
	child_of(p, N, 0, false);
	range_is(p, 0, N, "parent");
}

static void wipeonfork(unsigned char *p, enum range_state state)
{
	(void)state;
	advise(p, N, MADV_WIPEONFORK);
	child_of(p, N, 0, true);
	range_is(p, 0, N, "parent");
	advise(p, N, MADV_KEEPONFORK);
	range_put(p, N, RANGE_MIXED);
	child_of(p, N, 0, false);
	range_is(p, 0, N, "parent");
}

/* How often the device looks anew to read @p. */
static uint64_t faults_at(void *p)
{
	static unsigned char page[1 << 16];
	struct uhmm_dmirror_cmd cmd;

	CHECK(!probe_try(dev0, UHMM_DMIRROR_READ, p, 1, page, &cmd), "READ");
	return cmd.faults;
}

/* Each makes a mapping of a part of one: of the 2 MiB around it the kernel tells,
 * huge or not, and of no others. */
static void cuts(void)
{
	const int advices[] = { MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK,
				MADV_KEEPONFORK };
	const size_t bytes = 2ul << 20, npages = 3 * bytes / page_bytes;
	unsigned char *p = probe_map(npages, PROT_READ | PROT_WRITE);
	unsigned char *at = p + -(uintptr_t)p % bytes;

	probe_fill(p, npages, RANGE_SEED);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		(void)faults_at(at);
		(void)faults_at(at + bytes);
		/* the second of a pair makes it one mapping again */
		advise(at + 3 * page_bytes, 2, advices[i]);
		CHECK(faults_at(at) == (i + 1) % 2, "advice %d", advices[i]);
		CHECK(!faults_at(at + bytes), "advice %d, others", advices[i]);
	}
	probe_unmap(p, npages);
}

/* ---- huge pages ---- */

#define HUGE_BYTES (2ul << 20)

static unsigned char *huge_range(size_t *npages)
{
	unsigned char *p = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED, "mmap");
	p += -(uintptr_t)p % HUGE_BYTES;
	*npages = HUGE_BYTES / page_bytes;
	probe_fill(p, *npages, RANGE_SEED);
	if (madvise(p, HUGE_BYTES, MADV_COLLAPSE_))
		probe_skip("MADV_COLLAPSE: %s", strerror(errno));
	return p;
}

static void collapse(void)
{
	size_t npages;
	unsigned char *p = huge_range(&npages), seen[512];

	if (!probe_kernel(6, 7))
		probe_skip("before 6.7 a huge page cannot be told");
	for (int state = 0; state < RANGE_STATES; state++) {
		range_put(p, npages, (enum range_state)state);
		advise(p, npages, MADV_COLLAPSE_);
		CHECK(range_away(p, npages) == 0, "some are away");
		probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, 512, seen);
		for (size_t i = 0; i < 512; i++)
			CHECK(seen[i] == (UHMM_DMIRROR_PROT_WRITE |
					  UHMM_DMIRROR_PROT_PMD),
			      "page %zu: %02x", i, seen[i]);
		range_is(p, 0, npages, "collapsed");
	}
}

#define EACH(test) \
	static void each_##test(void) \
	{ \
		range_each(test); \
	}

EACH(dontneed)
EACH(keeps)
EACH(populate)
EACH(lock)
EACH(dontfork)
EACH(wipeonfork)

static void dontfork_all(void)
{
	each_dontfork();
	cuts();
}

static const struct conf_case cases[] = {
	{ "dontneed", "MADV_DONTNEED: dropped, reads zero", each_dontneed },
	{ "ignored", "MADV_FREE, COLD, PAGEOUT, WILLNEED ...: stay away",
	  each_keeps },
	{ "populate", "MADV_POPULATE_READ, _WRITE: come back", each_populate },
	{ "mlock", "mlock: come back, and may leave again", each_lock },
	{ "dontfork", "MADV_DONTFORK: the child has nothing there",
	  dontfork_all },
	{ "wipeonfork", "MADV_WIPEONFORK: the child has zeros", each_wipeonfork },
	{ "collapse", "MADV_COLLAPSE: come back and become one huge page",
	  collapse },
};

CONF_MAIN("vm_advice", range_set_up, cases)
