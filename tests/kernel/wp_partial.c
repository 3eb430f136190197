/* SPDX-License-Identifier: MIT */
/*
 * wp_partial - WRITEPROTECT over a range that is only partly registered does
 * the registered head and then answers ENOENT; nowhere registered for
 * write-protection it answers ENOENT and does nothing.
 */
#include "fact_uffd.h"

int main(void)
{
	int uffd;
	char *p;

	fact_begin();
	uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	p = fact_map(4);
	NEED(!fact_register(uffd, p, 2, FACT_MISSING_WP), "register");
	FACT_IS(fact_wp(uffd, p, 4), -ENOENT,
		"WRITEPROTECT over a partly registered range is ENOENT");
	TRAP(fact_state(p) == FACT_MARKER, "but the registered head is done");

	p = fact_map(1);
	NEED(!fact_register(uffd, p, 1, UFFDIO_REGISTER_MODE_MISSING),
	     "register");
	FACT_IS(fact_wp(uffd, p, 1), -ENOENT,
		"WRITEPROTECT without REGISTER_MODE_WP is ENOENT");
	p = fact_map(1);
	FACT_IS(fact_wp(uffd, p, 1), -ENOENT,
		"WRITEPROTECT of unregistered memory is ENOENT");
	munmap(p, FACT_PAGE_SIZE);
	FACT_IS(fact_wp(uffd, p, 1), -ENOENT,
		"WRITEPROTECT of unmapped memory is ENOENT");
	return 0;
}
