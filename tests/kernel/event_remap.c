/* SPDX-License-Identifier: MIT */
/*
 * event_remap - which events mremap() raises, in which order. A move: REMAP,
 * then UNMAP of the old place. Over registered memory: UNMAP of that first.
 * Shrinking: UNMAP of the tail. Growing in place: none, and the tail is
 * registered. Growing by moving: REMAP with the OLD length. DONTUNMAP: REMAP
 * alone. The caller waits for each to be read.
 */
#include "fact_uffd.h"

#define MOVE_TO (MREMAP_MAYMOVE | MREMAP_FIXED)

struct remap {
	char *from;
	size_t npages, new_npages;
	int flags;
	char *to;
	char *result; /* (out) */
};

static long remap(void *arg)
{
	struct remap *r = arg;

	r->result = mremap(r->from, r->npages * FACT_PAGE_SIZE,
			   r->new_npages * FACT_PAGE_SIZE, r->flags, r->to);
	return r->result == MAP_FAILED ? -errno : 0;
}

static void ends_well(int uffd, struct fact_thread *t)
{
	FACT(fact_gets_through(t), "mremap ends when all events are read");
	FACT_IS(t->ret, 0, "mremap works");
	FACT(fact_silent(uffd), "mremap raises no further event");
}

static void move(int uffd)
{
	char *p = fact_map_registered(uffd, 4);
	char *q = fact_reserve(4);
	struct remap r = { p, 4, 4, MOVE_TO, q, NULL };
	struct fact_thread t;

	fact_start(&t, remap, &r);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	FACT(fact_waits(&t), "mremap waits for REMAP to be read");
	FACT_REMAP(uffd, p, q, 4, "a move raises REMAP");
	FACT(fact_waits(&t), "mremap waits for UNMAP to be read");
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, p, 4,
		   "after REMAP comes UNMAP of the old place");
	ends_well(uffd, &t);
}

static void move_over_registered(int uffd)
{
	char *p = fact_map_registered(uffd, 4);
	char *q = fact_map_registered(uffd, 4);
	struct remap r = { p, 4, 4, MOVE_TO, q, NULL };
	struct fact_thread t;

	fact_start(&t, remap, &r);
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, q, 4,
		   "a move over registered memory first raises its UNMAP");
	FACT_REMAP(uffd, p, q, 4, "then REMAP");
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, p, 4, "then UNMAP of the old place");
	ends_well(uffd, &t);
}

static void shrink(int uffd)
{
	char *p = fact_map_registered(uffd, 4);
	struct remap r = { p, 4, 1, 0, NULL, NULL };
	struct fact_thread t;

	fact_start(&t, remap, &r);
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, fact_page(p, 1), 3,
		   "shrinking raises UNMAP of the tail");
	ends_well(uffd, &t);
}

static void grow_in_place(int uffd)
{
	char *p = fact_reserve(8);
	struct remap r = { p, 4, 8, 0, NULL, NULL };

	munmap(p, 8 * FACT_PAGE_SIZE);
	NEED(!fact_map_at(p, 4, MAP_FIXED_NOREPLACE), "mmap");
	NEED(!fact_register(uffd, p, 4, FACT_MISSING_WP), "register");
	FACT_IS(remap(&r), 0, "mremap grows in place without waiting");
	FACT(fact_silent(uffd), "growing in place raises no event");
	FACT_IS(fact_wp(uffd, fact_page(p, 4), 4), 0,
		"what grew in place is registered");
}

/* The page after fact_map() is PROT_NONE: growing has to move. */
static void grow_by_moving(int uffd)
{
	char *p = fact_map_registered(uffd, 4);
	struct remap r = { p, 4, 8, MREMAP_MAYMOVE, NULL, NULL };
	struct uffd_msg msg;
	struct fact_thread t;

	fact_start(&t, remap, &r);
	msg = fact_next(uffd);
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, p, 4, "then UNMAP of the old place");
	ends_well(uffd, &t);
	FACT(fact_is_remap(&msg, p, r.result, 4),
	     "growing by moving raises REMAP with the old length");
	FACT_IS(fact_wp(uffd, r.result, 8), 0,
		"all of what moved and grew is registered");
}

static void dont_unmap(int uffd)
{
	char *p = fact_map_registered(uffd, 4);
	char *q = fact_reserve(4);
	struct remap r = { p, 4, 4, MOVE_TO | MREMAP_DONTUNMAP, q, NULL };
	struct fact_thread t;

	fact_start(&t, remap, &r);
	FACT_REMAP(uffd, p, q, 4, "DONTUNMAP raises REMAP");
	ends_well(uffd, &t);
}

int main(void)
{
	int uffd;

	fact_begin();
	uffd = fact_uffd(FACT_FEATURE_EVENTS);
	move(uffd);
	move_over_registered(uffd);
	shrink(uffd);
	grow_in_place(uffd);
	grow_by_moving(uffd);
	dont_unmap(uffd);
	return 0;
}
