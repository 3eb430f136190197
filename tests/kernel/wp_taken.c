/* SPDX-License-Identifier: MIT */
/*
 * wp_taken - a writer waits at a write-protected page while the page is
 * dropped by MADV_DONTNEED: it goes on waiting. WAKE makes it fault again, as
 * missing; COPY of the page lets it through at once, whatever it waited for.
 */
#include "fact_uffd.h"

static void take_from_writer(int uffd, char *p, char *fill,
			     struct fact_thread *t)
{
	NEED(!fact_copy_wp(uffd, p, fill, 1), "copy");
	fact_start(t, fact_store, p);
	FACT_FAULT(uffd, p, FACT_WRITE_WP, "a write is a write-protect fault");
	NEED(!fact_advise(p, 1, MADV_DONTNEED), "madvise");
	FACT(fact_waits(t), "a writer waits on when its page is dropped");
	FACT(fact_silent(uffd), "and is not told again");
}

int main(void)
{
	struct fact_thread t;
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = fact_map_registered(uffd, 2);

	take_from_writer(uffd, p, fill, &t);
	NEED(!fact_wake(uffd, p, 1), "wake");
	FACT_FAULT(uffd, p, FACT_WRITE, "woken, it faults on the missing page");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t), "COPY lets it through");

	p = fact_page(p, 1);
	take_from_writer(uffd, p, fill, &t);
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t),
	     "COPY also wakes who waited at the write-protection");
	return 0;
}
