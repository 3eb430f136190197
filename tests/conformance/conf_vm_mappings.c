/* SPDX-License-Identifier: MIT */
/* conf_vm_mappings.c - munmap, mmap, mremap, mprotect of pages that are away
 * (spec 4.5): on a device, exclusive, and both among others
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "ranges.h"

#define RW (PROT_READ | PROT_WRITE)
#define N RANGE_NPAGES

static size_t bytes_of(size_t npages)
{
	return npages * page_bytes;
}

static void dies(unsigned char *page, const char *what)
{
	int sig = probe_dies_of((volatile uint32_t *)page, false);

	CHECK(sig == SIGSEGV, "%s: signal %d", what, sig);
}

static void device_refuses(const void *p, size_t npages, int err)
{
	unsigned char copy[N * 4096];
	int ret = probe_try(dev0, UHMM_DMIRROR_READ, p, npages, copy, NULL);

	CHECK(ret == err, "READ: %d, not %d", ret, err);
}

/* ---- munmap, MAP_FIXED ---- */

static void unmap_all(unsigned char *p, enum range_state state)
{
	(void)state;
	CHECK(!munmap(p, bytes_of(N)), "%s", strerror(errno));
	dies(p, "unmapped");
	device_refuses(p, 1, -EFAULT);
	CHECK(probe_where(dev0, p, N).no_memory == N, "still there");
}

static void unmap_part(unsigned char *p, enum range_state state)
{
	size_t away = range_away(p, 5) + range_away(range_at(p, 10), 6);

	(void)state;
	CHECK(!munmap(range_at(p, 5), bytes_of(5)), "%s", strerror(errno));
	CHECK(range_away(p, 5) + range_away(range_at(p, 10), 6) == away,
	      "pages beside it came back");
	dies(range_at(p, 7), "unmapped");
	device_refuses(p, 6, -EFAULT);
	range_is(range_at(p, 10), 10, 6, "behind");
	range_is(p, 0, 5, "before");
}

static void map_over(unsigned char *p, enum range_state state)
{
	unsigned char *over = mmap(range_at(p, 3), bytes_of(6), RW,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0);

	(void)state;
	CHECK(over == range_at(p, 3), "%s", strerror(errno));
	probe_verify_zero(over, 6, "new memory");
	range_is(p, 0, 3, "before");
	range_is(range_at(p, 9), 9, 7, "behind");
	over[0] = 1;
	probe_to_dev(dev0, over, 6);
}

/* ---- mremap ---- */

static unsigned char *room(size_t npages)
{
	unsigned char *p = probe_map(npages, RW);

	probe_unmap(p, npages);
	return p;
}

static void moved_to(unsigned char *p, unsigned char *to, size_t first,
		     size_t npages, int flags)
{
	size_t away = range_away(range_at(p, first), npages);
	unsigned char *q = mremap(range_at(p, first), bytes_of(npages),
				  bytes_of(npages),
				  MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);

	CHECK(q == to, "mremap: %s", strerror(errno));
	CHECK(range_away(q, npages) == away, "%zu of %zu pages came back",
	      away - range_away(q, npages), away);
	range_readable(q, first, npages);
	range_is(q, first, npages, "moved");
}

static void move_all(unsigned char *p, enum range_state state)
{
	unsigned char *to = room(N);

	(void)state;
	moved_to(p, to, 0, N, 0);
	dies(p, "moved away");
	probe_unmap(to, N);
}

/* By one page, and a part: nothing lies as before. */
static void move_part_unaligned(unsigned char *p, enum range_state state)
{
	unsigned char *to = room(N);

	(void)state;
	moved_to(p, range_at(to, 1), 4, 7, 0);
	dies(range_at(p, 4), "moved away");
	range_is(p, 0, 4, "before");
	range_is(range_at(p, 11), 11, 5, "behind");
	probe_unmap(range_at(to, 1), 7);
}

static void move_dontunmap(unsigned char *p, enum range_state state)
{
	unsigned char *to = room(N);

	(void)state;
	moved_to(p, to, 0, N, MREMAP_DONTUNMAP);
	probe_verify_zero(p, N, "what stays is empty");
	probe_unmap(to, N);
}

static void move_onto_away(unsigned char *p, enum range_state state)
{
	unsigned char *q = probe_map(N, RW);

	probe_fill(q, N, RANGE_SEED);
	range_put(q, N, state);
	moved_to(q, range_at(p, 4), 0, 4, 0);
	range_is(p, 0, 4, "before");
	range_is(range_at(p, 8), 8, 8, "behind");
	probe_unmap(range_at(q, 4), N - 4);
}

static void shrink(unsigned char *p, enum range_state state)
{
	(void)state;
	CHECK(mremap(p, bytes_of(N), bytes_of(5), 0) == p, "%s",
	      strerror(errno));
	dies(range_at(p, 5), "cut off");
	range_is(p, 0, 5, "kept");
}

static void grow(unsigned char *p, enum range_state state)
{
	unsigned char *q;

	(void)state;
	probe_unmap(range_at(p, N - 4), 4);
	q = mremap(p, bytes_of(N - 4), bytes_of(N + 8), MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED, "%s", strerror(errno));
	range_is(q, 0, N - 4, "kept");
	probe_verify_zero(range_at(q, N - 4), 12, "new");
	q[bytes_of(N)] = 1;
	CHECK(probe_where(dev0, q, N + 8).no_memory == 0, "holes");
	probe_unmap(q, N + 8);
}

/* ---- mprotect ---- */

/* Read, write, touch by the CPU after each of these. */
static const int orders[][3] = {
	{ PROT_NONE, RW, -1 },	      { PROT_READ, RW, -1 },
	{ PROT_NONE, PROT_READ, RW }, { PROT_READ, PROT_NONE, RW },
	{ RW, PROT_NONE, PROT_READ }, { PROT_READ | PROT_EXEC, RW, -1 },
};

static void obey(unsigned char *p, int prot)
{
	unsigned char copy[4096] = { 0 };
	int sig = probe_dies_of((volatile uint32_t *)p, false);

	CHECK(sig == (prot == PROT_NONE ? SIGSEGV : 0), "prot %d: signal %d",
	      prot, sig);
	sig = probe_dies_of((volatile uint32_t *)p, true);
	CHECK(sig == (prot & PROT_WRITE ? 0 : SIGSEGV), "prot %d: signal %d",
	      prot, sig);
	if (!(prot & PROT_WRITE))
		CHECK(probe_try(dev0, UHMM_DMIRROR_WRITE, p, 1, copy, NULL) ==
			      (prot ? -EPERM : -EFAULT), "WRITE");
	if (prot == PROT_NONE)
		CHECK(probe_try(dev0, UHMM_DMIRROR_MIGRATE_TO_DEV, p, 1, copy,
				NULL) == -EINVAL, "MIGRATE_TO_DEV");
}

static void protect_in_order(const int *order)
{
	for (int state = 0; state < RANGE_STATES; state++) {
		unsigned char *p = range_make((enum range_state)state);
		size_t away = range_away(p, N);
		int last = RW;

		for (int i = 0; i < 3 && order[i] >= 0; i++) {
			bool changes = order[i] != last;

			last = order[i];
			CHECK(!mprotect(p, bytes_of(N), last), "%s",
			      strerror(errno));
			CHECK(range_away(p, N) == away, "pages came back");
			CHECK(!changes ||
				      !probe_try(dev0,
						 UHMM_DMIRROR_CHECK_EXCLUSIVE,
						 p, N, NULL, NULL),
			      "still tagged");
		}
		obey(p, last);
		if (last != PROT_NONE)
			range_is(p, 0, N, "after all");
		CHECK(!mprotect(p, bytes_of(N), RW), "%s", strerror(errno));
		range_is(p, 0, N, "at the end");
		probe_unmap(p, N);
	}
}

static void protect_orders(void)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		protect_in_order(orders[i]);
}

static void protect_part(unsigned char *p, enum range_state state)
{
	(void)state;
	CHECK(!mprotect(range_at(p, 4), bytes_of(4), PROT_NONE), "mprotect");
	obey(range_at(p, 4), PROT_NONE);
	obey(range_at(p, 5), PROT_NONE);
	range_is(p, 0, 4, "before");
	range_is(range_at(p, 8), 8, 8, "behind");
	CHECK(!mprotect(range_at(p, 4), bytes_of(4), PROT_READ), "mprotect");
	range_is(range_at(p, 4), 4, 4, "readable again");
	obey(range_at(p, 6), PROT_READ);
}

/* ---- each with every state ---- */

#define EACH(test) \
	static void each_##test(void) \
	{ \
		range_each(test); \
	}

EACH(unmap_all)
EACH(unmap_part)
EACH(map_over)
EACH(move_all)
EACH(move_part_unaligned)
EACH(move_dontunmap)
EACH(move_onto_away)
EACH(shrink)
EACH(grow)
EACH(protect_part)

static const struct conf_case cases[] = {
	{ "munmap", "munmap: freed, the device finds a hole", each_unmap_all },
	{ "munmap_part", "munmap of a part: the rest stays where it is",
	  each_unmap_part },
	{ "map_fixed", "mmap MAP_FIXED over it: new memory, zero",
	  each_map_over },
	{ "mremap_move", "mremap FIXED: the pages move as they are",
	  each_move_all },
	{ "mremap_part", "mremap of a part, to an address aligned otherwise",
	  each_move_part_unaligned },
	{ "mremap_dontunmap", "mremap DONTUNMAP: what stays reads zero",
	  each_move_dontunmap },
	{ "mremap_onto", "mremap onto pages that are away: those are freed",
	  each_move_onto_away },
	{ "mremap_shrink", "mremap to a smaller size", each_shrink },
	{ "mremap_grow", "mremap to a larger size", each_grow },
	{ "mprotect_orders", "mprotect in all orders: stays away, obeys, returns",
	  protect_orders },
	{ "mprotect_part", "mprotect of a part", each_protect_part },
};

CONF_MAIN("vm_mappings", range_set_up, cases)
