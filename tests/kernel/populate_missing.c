/* SPDX-License-Identifier: MIT */
/*
 * populate_missing - in memory registered for missing faults MADV_POPULATE_READ
 * and _WRITE fault page by page and wait for each to be served; a marker is
 * missing to them as well.
 */
#include "fact_uffd.h"

static long populate_read(void *p)
{
	return fact_advise(p, 2, FACT_MADV_POPULATE_READ);
}

static long populate_write(void *p)
{
	return fact_advise(p, 2, FACT_MADV_POPULATE_WRITE);
}

/* Page 0 is a hole, page 1 a marker. */
static void waits(int uffd, long (*populate)(void *p), uint64_t flags,
		  char *fill)
{
	char *p = fact_map_registered(uffd, 2);
	struct fact_thread t;

	NEED(!fact_wp(uffd, fact_page(p, 1), 1), "write-protect");
	fact_start(&t, populate, p);
	FACT_FAULT(uffd, p, flags, "populate faults at a missing page");
	FACT(fact_waits(&t), "populate waits for a missing page");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT_FAULT(uffd, fact_page(p, 1), flags, "populate faults at a marker");
	NEED(!fact_copy(uffd, fact_page(p, 1), fill, 1), "copy");
	FACT(fact_gets_through(&t), "populate ends when all is served");
	FACT_IS(t.ret, 0, "populate of missing pages works");
}

int main(void)
{
	char *fill;
	int uffd;

	fact_begin();
	fill = fact_fill(1);
	if (fact_advise(fact_map(1), 1, FACT_MADV_POPULATE_READ))
		fact_skip("this kernel has no MADV_POPULATE_READ (5.14)");
	uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	waits(uffd, populate_read, FACT_READ, fill);
	waits(uffd, populate_write, FACT_WRITE, fill);
	return 0;
}
