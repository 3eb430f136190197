/* SPDX-License-Identifier: MIT */
/* errno_memory.c - calls that change mappings (errno_calls.h) */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "errno_calls.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define N ERRNO_PAGES

/* Several pages, all away. */
static char *away(size_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		errno_send(first + i);
	return errno_page(first);
}

/* Two pages, and behind them nothing. */
static char *before_a_hole(void)
{
	char *p = probe_map(4, RW);

	probe_unmap(p + 2 * page_bytes, 2);
	return p;
}

static void maps(const char *name)
{
	void *(*fn)(void *, size_t, int, int, int, off_t) =
		(void *(*)(void *, size_t, int, int, int, off_t))
			errno_function(name);
	void *p;

	errno = ERRNO_BEFORE;
	p = fn(NULL, page_bytes, RW, ANON, -1, 0);
	errno_note(name, p == MAP_FAILED, errno);
	probe_unmap(p, 1);
	TRY(name, fn(away(8, 2), 2 * page_bytes, RW, ANON | MAP_FIXED, -1, 0));
	TRY(name, fn(NULL, 0, RW, ANON, -1, 0));
	TRY(name, fn(NULL, page_bytes, RW, MAP_PRIVATE, 190, 0));
	TRY(name, fn(away(8, 2) + 1, page_bytes, RW, ANON | MAP_FIXED, -1, 0));
}

static void protects(void)
{
	char *hole = before_a_hole();

	TRY("mprotect", mprotect(away(8, 2), 2 * page_bytes, PROT_READ));
	TRY("mprotect", mprotect(errno_page(8), 2 * page_bytes, RW));
	TRY("mprotect", mprotect(errno_page(8), 2 * page_bytes, RW));
	TRY("mprotect", mprotect(away(8, 2) + 1, page_bytes, RW));
	TRY("mprotect", mprotect(hole, 4 * page_bytes, PROT_READ));
	TRY("munmap", munmap(hole, 4 * page_bytes));
	TRY("munmap", munmap(away(8, 2) + 1, page_bytes));
	TRY("munmap", munmap(NULL, 0));
}

static void remaps(void)
{
	char *p = probe_map(4, RW), *hole = before_a_hole(), *q;

	memcpy(p, away(8, 2), 2 * page_bytes);
	TRY("mremap", mremap(errno_page(8), 0, page_bytes, 0));
	TRY("mremap", mremap(away(8, 2), page_bytes, page_bytes, 64));
	TRY("mremap", mremap(hole, 3 * page_bytes, 5 * page_bytes,
			     MREMAP_MAYMOVE));
	errno = ERRNO_BEFORE;
	q = mremap(p, 4 * page_bytes, 6 * page_bytes, MREMAP_MAYMOVE);
	errno_note("mremap", q == MAP_FAILED, errno);
	TRY("mremap", mremap(q, 6 * page_bytes, 2 * page_bytes, 0));
	probe_unmap(q, 2);
	probe_unmap(hole, 2);
}

static void advises(void)
{
	static const int advice[] = { MADV_NORMAL, MADV_WILLNEED, MADV_FREE,
				      MADV_COLD, MADV_DONTFORK, MADV_DOFORK,
				      MADV_DONTNEED, MADV_POPULATE_READ,
				      MADV_POPULATE_WRITE, MADV_WIPEONFORK,
				      MADV_KEEPONFORK };
	char *hole = before_a_hole();

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		TRY("madvise", madvise(away(8, 2), 2 * page_bytes, advice[i]));
		TRY("madvise", madvise(hole, 4 * page_bytes, advice[i]));
		TRY("madvise", madvise(hole + 1, page_bytes, advice[i]));
	}
	TRY("madvise", madvise(away(8, 2), 2 * page_bytes, 9999));
	probe_unmap(hole, 2);
}

static void locks(void)
{
	char *hole = before_a_hole();
	unsigned char in[4];

	TRY("mincore", mincore(away(8, 2), 2 * page_bytes, in));
	TRY("mincore", mincore(hole, 4 * page_bytes, in));
	TRY("mlock", mlock(away(8, 2), 2 * page_bytes));
	munlock(errno_page(8), 2 * page_bytes);
	TRY("mlock", mlock(hole, 4 * page_bytes));
	TRY("mlock2", mlock2(away(8, 2), 2 * page_bytes, MLOCK_ONFAULT));
	munlock(errno_page(8), 2 * page_bytes);
	TRY("mlock2", mlock2(away(8, 2), 2 * page_bytes, 77));
	TRY("mlockall", mlockall(MCL_FUTURE | MCL_ONFAULT));
	munlockall();
	TRY("mlockall", mlockall(0));
	munlock(hole, 2 * page_bytes);
	probe_unmap(hole, 2);
}

static void heap(void)
{
	char *end = sbrk(0);

	TRY("brk", brk(end + 4 * page_bytes));
	TRY("brk", brk(end));
	TRY("brk", brk((void *)-page_bytes));
	TRY("sbrk", sbrk((intptr_t)(4 * page_bytes)));
	TRY("sbrk", sbrk(-(intptr_t)(4 * page_bytes)));
	TRY("sbrk", sbrk(INTPTR_MAX));
}

void errno_memory(void)
{
	maps("mmap");
	maps("mmap64");
	protects();
	remaps();
	advises();
	locks();
	heap();
}
