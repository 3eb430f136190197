/* SPDX-License-Identifier: MIT */
/*
 * wp_dropped - MADV_DONTNEED drops write-protected pages and markers alike and
 * leaves nothing; UNREGISTER and the close of the userfaultfd lift every
 * protection and turn markers into holes; mprotect() keeps both.
 */
#include "fact_uffd.h"

static char *page_and_marker(int uffd, char *fill)
{
	char *p = fact_map_registered(uffd, 2);

	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	NEED(!fact_wp(uffd, p, 2), "write-protect");
	return p;
}

static void by_dontneed(int uffd, char *fill)
{
	char *p = page_and_marker(uffd, fill);

	NEED(!fact_advise(p, 2, MADV_DONTNEED), "madvise");
	FACT_STATE(p, FACT_HOLE, "DONTNEED drops a write-protected page");
	FACT_STATE(fact_page(p, 1), FACT_HOLE, "DONTNEED drops a marker");
}

static void not_by_mprotect(int uffd, char *fill)
{
	char *p = page_and_marker(uffd, fill);

	NEED(!fact_protect(p, 2, PROT_READ), "mprotect");
	NEED(!fact_protect(p, 2, PROT_READ | PROT_WRITE), "mprotect");
	FACT_STATE(p, FACT_PRESENT_WP, "mprotect keeps the mark of a page");
	FACT_STATE(fact_page(p, 1), FACT_MARKER, "mprotect keeps a marker");
}

static void lifted(char *p, const char *fact)
{
	FACT_STATE(p, FACT_PRESENT, fact);
	FACT_STATE(fact_page(p, 1), FACT_HOLE, fact);
	fact_store(p); /* hangs if still protected */
	FACT_IS(fact_load(fact_page(p, 1)), 0, fact);
}

int main(void)
{
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	by_dontneed(uffd, fill);
	not_by_mprotect(uffd, fill);
	p = page_and_marker(uffd, fill);
	NEED(!fact_unregister(uffd, p, 2), "unregister");
	lifted(p, "UNREGISTER lifts the protection and clears markers");
	p = page_and_marker(uffd, fill);
	close(uffd);
	lifted(p, "close lifts the protection and clears markers");
	return 0;
}
