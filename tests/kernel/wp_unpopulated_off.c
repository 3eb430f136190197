/* SPDX-License-Identifier: MIT */
/*
 * wp_unpopulated_off - without WP_UNPOPULATED, WRITEPROTECT passes over holes
 * and leaves nothing there; it still answers 0.
 */
#include "fact_uffd.h"

int main(void)
{
	int uffd;
	char *p;

	fact_begin();
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = fact_map_registered(uffd, 1);
	FACT_IS(fact_wp(uffd, p, 1), 0, "WRITEPROTECT works on holes");
	FACT_STATE(p, FACT_HOLE, "a hole stays one without WP_UNPOPULATED");
	return 0;
}
