/* SPDX-License-Identifier: MIT */
/*
 * event_unmap - munmap() raises one UNMAP, for its whole range, and waits
 * until it is READ. UNMAP is raised AFTER the deed: the memory is gone, and
 * another mapping may already be there. Mapping over registered memory raises
 * it too.
 */
#include "fact_uffd.h"

static void after_the_deed(int uffd)
{
	char *p = fact_map_registered(uffd, 4);
	struct fact_range r = { fact_page(p, 1), 2 };
	struct fact_thread t;

	fact_start(&t, fact_munmap, &r);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	FACT(fact_waits(&t), "munmap waits for UNMAP to be read");
	FACT_IS(fact_count_vmas(r.p, 2), 0,
		"UNMAP is raised after the memory is gone");
	FACT_IS(fact_map_at(r.p, 1, MAP_FIXED_NOREPLACE), 0,
		"the address may be taken again before UNMAP is read");
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, r.p, 2,
		   "UNMAP names the part that was unmapped");
	FACT(fact_gets_through(&t), "munmap goes on when UNMAP is read");
}

/* registered: pages 0-1 and 6-7 */
static void whole_range_once(int uffd)
{
	char *p = fact_map(8);
	struct fact_range r = { p, 8 };
	struct fact_thread t;

	NEED(!fact_register(uffd, p, 2, FACT_MISSING_WP), "register");
	NEED(!fact_register(uffd, fact_page(p, 6), 2, FACT_MISSING_WP),
	     "register");
	fact_start(&t, fact_munmap, &r);
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, p, 8,
		   "UNMAP names all the call "
		   "names, also what was never registered");
	FACT(fact_gets_through(&t), "munmap goes on when UNMAP is read");
	FACT(fact_silent(uffd), "munmap raises one UNMAP");
}

static long map_over(void *p)
{
	return fact_map_at(p, 1, MAP_FIXED);
}

static void mapped_over(int uffd)
{
	char *p = fact_map_registered(uffd, 3);
	struct fact_thread t;

	fact_start(&t, map_over, fact_page(p, 1));
	FACT_EVENT(uffd, UFFD_EVENT_UNMAP, fact_page(p, 1), 1,
		   "mmap with MAP_FIXED over registered memory raises UNMAP");
	FACT(fact_gets_through(&t), "mmap goes on when UNMAP is read");
	FACT_IS(fact_load(fact_page(p, 1)), 0,
		"what is mapped over registered memory is not registered");
}

int main(void)
{
	int uffd;

	fact_begin();
	uffd = fact_uffd(FACT_FEATURE_EVENTS);
	after_the_deed(uffd);
	whole_range_once(uffd);
	mapped_over(uffd);
	return 0;
}
