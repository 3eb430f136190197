/* SPDX-License-Identifier: MIT */
/*
 * event_remove - MADV_DONTNEED and MADV_FREE raise REMOVE, one per registered
 * mapping, and wait until it is READ. REMOVE is raised BEFORE the pages are
 * dropped: when it is read the page is still there, and the caller drops it
 * some time later. A page copied out in between is stale.
 */
#include "fact_uffd.h"

static void before_the_drop(int uffd, char *p)
{
	struct fact_range r = { p, 4 };
	struct fact_thread t;

	fact_start(&t, fact_dontneed, &r);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	FACT(fact_waits(&t), "DONTNEED waits for REMOVE to be read");
	FACT_STATE(p, FACT_PRESENT, "REMOVE is raised before the page is gone");
	FACT_EVENT(uffd, UFFD_EVENT_REMOVE, p, 4,
		   "REMOVE names the range of the call");
	FACT(fact_gets_through(&t), "DONTNEED goes on when REMOVE is read");
	FACT_STATE(p, FACT_HOLE, "then the page is gone");
}

static void one_per_mapping(int uffd)
{
	char *p = fact_map_registered(uffd, 4);
	struct fact_range r = { p, 4 };
	struct fact_thread t;

	NEED(!fact_protect(fact_page(p, 2), 2, PROT_READ), "mprotect");
	fact_start(&t, fact_dontneed, &r);
	FACT_EVENT(uffd, UFFD_EVENT_REMOVE, p, 2,
		   "REMOVE comes once per mapping, cut to it");
	FACT_EVENT(uffd, UFFD_EVENT_REMOVE, fact_page(p, 2), 2,
		   "REMOVE comes once per mapping, cut to it");
	FACT(fact_gets_through(&t), "DONTNEED goes on when REMOVE is read");
}

static long advise_free(void *p)
{
	return fact_advise(p, 2, MADV_FREE);
}

static void free_keeps(int uffd, char *fill)
{
	char *p = fact_map_registered(uffd, 2);
	struct fact_thread t;

	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	NEED(!fact_wp(uffd, p, 2), "write-protect");
	fact_start(&t, advise_free, p);
	FACT_EVENT(uffd, UFFD_EVENT_REMOVE, p, 2, "MADV_FREE raises REMOVE");
	FACT(fact_gets_through(&t), "MADV_FREE goes on when REMOVE is read");
	FACT_STATE(p, FACT_PRESENT_WP, "MADV_FREE leaves the page for now");
	FACT_STATE(fact_page(p, 1), FACT_MARKER, "MADV_FREE leaves a marker");
}

int main(void)
{
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_EVENTS | FACT_FEATURE_WP_UNPOPULATED);
	p = fact_map_registered(uffd, 4);
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	before_the_drop(uffd, p);
	one_per_mapping(uffd);
	free_keeps(uffd, fill);
	return 0;
}
