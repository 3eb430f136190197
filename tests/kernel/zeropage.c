/* SPDX-License-Identifier: MIT */
/*
 * zeropage - UFFDIO_ZEROPAGE maps the zero page without a mark, also where
 * write-protect faults are registered: a later write raises nothing. Marked by
 * WRITEPROTECT afterwards, it raises a write-protect fault.
 */
#include "fact_uffd.h"

int main(void)
{
	struct fact_thread t;
	int uffd;
	char *p;

	fact_begin();
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = fact_map_registered(uffd, 2);
	FACT_IS(fact_zeropage(uffd, p, 2, NULL), 0, "ZEROPAGE works");
	FACT_STATE(p, FACT_ZERO, "ZEROPAGE maps the zero page");
	fact_store(p); /* hangs if it faults */
	FACT_STATE(p, FACT_PRESENT, "a write replaces the zero page");
	FACT(fact_silent(uffd), "that raises nothing");

	p = fact_page(p, 1);
	NEED(!fact_wp(uffd, p, 1), "write-protect");
	FACT_STATE(p, FACT_ZERO_WP, "a zero page carries the mark");
	fact_start(&t, fact_store, p);
	FACT_FAULT(uffd, p, FACT_WRITE_WP,
		   "a write to a marked zero page is a write-protect fault");
	NEED(!fact_unwp(uffd, p, 1), "lift the write-protection");
	FACT(fact_gets_through(&t), "lifting it lets the writer go");
	return 0;
}
