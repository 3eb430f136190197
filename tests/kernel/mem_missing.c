/* SPDX-License-Identifier: MIT */
/*
 * mem_missing - where a page is missing in a range registered for missing
 * faults, /proc/PID/mem fails at once with EIO and raises no fault; after
 * UFFDIO_COPY it works, whatever the protection of the mapping.
 */
#include "fact_uffd.h"

static void fails_at_once(int uffd, int mem, char *p)
{
	FACT_IS(fact_mem_read(mem, p), -EIO,
		"mem does not wait for a missing page, it fails");
	FACT_IS(fact_mem_write(mem, p, 1), -EIO,
		"mem does not wait to write a missing page, it fails");
	FACT(fact_silent(uffd), "mem on a missing page raises no fault");
}

static void works_after_copy(int uffd, int mem, char *p, int prot)
{
	char *fill = fact_fill(1);

	NEED(!fact_protect(p, 1, prot), "mprotect");
	FACT_IS(fact_copy(uffd, p, fill, 1), 0,
		"COPY does not look at the protection of the mapping");
	FACT_IS(fact_mem_read(mem, p), FACT_FILL,
		"mem reads a page after it was copied in");
	FACT_IS(fact_mem_write(mem, p, 1), 1,
		"mem writes a page after it was copied in");
}

static void marker_is_missing(int mem)
{
	int uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	char *p = fact_map_registered(uffd, 1);

	NEED(!fact_wp(uffd, p, 1), "write-protect");
	fails_at_once(uffd, mem, p);
	FACT_STATE(p, FACT_MARKER, "mem leaves a marker alone");
}

int main(void)
{
	int uffd;
	int mem;
	char *p;

	fact_begin();
	mem = fact_open_proc("mem", O_RDWR);
	uffd = fact_uffd(0);
	p = fact_map_registered(uffd, 3);
	fails_at_once(uffd, mem, p);
	works_after_copy(uffd, mem, p, PROT_READ | PROT_WRITE);
	works_after_copy(uffd, mem, fact_page(p, 1), PROT_READ);
	works_after_copy(uffd, mem, fact_page(p, 2), PROT_NONE);
	marker_is_missing(mem);
	return 0;
}
