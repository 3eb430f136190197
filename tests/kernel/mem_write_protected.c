/* SPDX-License-Identifier: MIT */
/*
 * mem_write_protected - /proc/PID/mem reads a page that userfaultfd
 * write-protects; writing to it fails at once with EIO, raises no fault and
 * does not wait. The writer has to lift the protection first.
 */
#include "fact_uffd.h"

static void refused(int uffd, int mem, char *p)
{
	FACT_IS(fact_mem_read(mem, p), FACT_FILL,
		"mem reads a write-protected page");
	FACT_IS(fact_mem_write(mem, p, 1), -EIO,
		"mem fails to write a write-protected page");
	FACT(fact_silent(uffd),
	     "mem on a write-protected page raises no fault");
	FACT_IS(fact_load(p), FACT_FILL, "the page is as it was");
}

int main(void)
{
	char *fill;
	int uffd;
	int mem;
	char *p;

	fact_begin();
	fill = fact_fill(2);
	mem = fact_open_proc("mem", O_RDWR);
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = fact_map_registered(uffd, 2);
	NEED(!fact_copy_wp(uffd, p, fill, 2), "copy");
	NEED(!fact_protect(fact_page(p, 1), 1, PROT_READ), "mprotect");

	refused(uffd, mem, p);
	refused(uffd, mem, fact_page(p, 1));
	NEED(!fact_unwp(uffd, p, 1), "lift the write-protection");
	FACT_IS(fact_mem_write(mem, p, 1), 1,
		"mem writes once the write-protection is lifted");
	return 0;
}
