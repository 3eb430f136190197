/* SPDX-License-Identifier: MIT */
/*
 * mem_hole - reading a hole through /proc/PID/mem is not free of consequence:
 * it maps the zero page there; so does it on a marker of a range registered
 * for write-protection alone. Writing allocates. Whoever only wants to look
 * must ask pagemap first.
 */
#include "fact_uffd.h"

static void plain_hole(int mem)
{
	char *p = fact_map(2);

	FACT_IS(fact_mem_read(mem, p), 0, "a hole reads as zero through mem");
	TRAP(fact_state(p) == FACT_ZERO,
	     "reading a hole through mem maps the zero page");
	FACT_IS(fact_mem_write(mem, fact_page(p, 1), 1), 1,
		"mem writes to a hole");
	FACT_STATE(fact_page(p, 1), FACT_PRESENT,
		   "writing to a hole through mem allocates the page");
}

static void marker_without_missing(int mem)
{
	int uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	char *p = fact_map(1);

	NEED(!fact_register(uffd, p, 1, UFFDIO_REGISTER_MODE_WP), "register");
	NEED(!fact_wp(uffd, p, 1), "write-protect");
	FACT_IS(fact_mem_read(mem, p), 0,
		"a marker reads as zero through mem "
		"where only write-protect faults are registered");
	TRAP(fact_state(p) == FACT_ZERO_WP,
	     "that maps a write-protected zero page");
}

int main(void)
{
	int mem;

	fact_begin();
	mem = fact_open_proc("mem", O_RDWR);
	plain_hole(mem);
	marker_without_missing(mem);
	return 0;
}
