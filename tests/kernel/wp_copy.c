/* SPDX-License-Identifier: MIT */
/*
 * wp_copy - UFFDIO_COPY with MODE_WP makes a present page that reads pass and
 * a write waits at, as a write-protect fault. A writer that was waiting for
 * the page is woken and faults a second time, on the protection.
 */
#include "fact_uffd.h"

static void after_copy(int uffd, char *p)
{
	struct fact_thread t;

	FACT_STATE(p, FACT_PRESENT_WP, "COPY with MODE_WP marks the page");
	FACT_IS(fact_load(p), FACT_FILL, "a read passes the write-protection");
	fact_start(&t, fact_store, p);
	FACT_FAULT(uffd, p, FACT_WRITE_WP, "a write is a write-protect fault");
	FACT(fact_waits(&t), "a writer waits at a write-protected page");
	FACT_IS(fact_unwp(uffd, p, 1), 0, "the protection can be lifted");
	FACT(fact_gets_through(&t), "lifting the protection wakes the writer");
	FACT_STATE(p, FACT_PRESENT, "a page without protection has no mark");
}

static void with_a_writer_waiting(int uffd, char *p, char *fill)
{
	struct fact_thread t;

	fact_start(&t, fact_store, p);
	FACT_FAULT(uffd, p, FACT_WRITE, "a write to a hole is a missing fault");
	NEED(!fact_copy_wp(uffd, p, fill, 1), "copy");
	FACT_FAULT(uffd, p, FACT_WRITE_WP,
		   "a writer that waited for a page "
		   "copied with MODE_WP faults again");
	NEED(!fact_unwp(uffd, p, 1), "lift the write-protection");
	FACT(fact_gets_through(&t), "the writer gets through");
}

int main(void)
{
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = fact_map_registered(uffd, 2);
	FACT_IS(fact_copy_wp(uffd, p, fill, 1), 0, "COPY takes MODE_WP");
	after_copy(uffd, p);
	with_a_writer_waiting(uffd, fact_page(p, 1), fill);
	return 0;
}
