/* SPDX-License-Identifier: MIT */
/*
 * vma_split - REGISTER of a part splits the mapping; parts side by side merge,
 * UNREGISTER merges them back, unless inside and outside were first touched
 * while split. A fault in the part is raised, outside nothing happens.
 * REGISTER passes over gaps; what another userfaultfd has is EBUSY.
 */
#include "fact_uffd.h"

static void split_and_merge(int uffd)
{
	char *p = fact_map(8);

	FACT_IS(fact_register(uffd, fact_page(p, 2), 2, FACT_MISSING_WP), 0,
		"a part of a mapping can be registered");
	FACT_IS(fact_count_vmas(p, 8), 3, "that splits the mapping in three");
	FACT_IS(fact_register(uffd, fact_page(p, 4), 2, FACT_MISSING_WP), 0,
		"the part beside it can be registered");
	FACT_IS(fact_count_vmas(p, 8), 3, "parts side by side are one");
	FACT_IS(fact_unregister(uffd, p, 8), 0,
		"UNREGISTER passes over what is not registered");
	FACT_IS(fact_count_vmas(p, 8), 1, "UNREGISTER merges the mapping");
}

/* Page 1 of @p registered, then touched by COPY as is page 0 by us */
static void touch_while_split(int uffd, char *p, char *fill)
{
	NEED(!fact_register(uffd, fact_page(p, 1), 1, FACT_MISSING_WP),
	     "register");
	fact_store(p);
	NEED(!fact_copy(uffd, fact_page(p, 1), fill, 1), "copy");
	NEED(!fact_unregister(uffd, fact_page(p, 1), 1), "unregister");
}

static void touched_before(int uffd, char *fill)
{
	char *p = fact_map(2);

	fact_store(p);
	touch_while_split(uffd, p, fill);
	FACT_IS(fact_count_vmas(p, 2), 1,
		"a mapping touched before the split merges back");
}

static void only_inside_raises(int uffd, char *fill)
{
	char *p = fact_map(3);
	struct fact_thread t;

	NEED(!fact_register(uffd, fact_page(p, 1), 1, FACT_MISSING_WP),
	     "register");
	fact_store(p);
	fact_store(fact_page(p, 2));
	FACT(fact_silent(uffd), "outside the part nothing is raised");
	fact_start(&t, fact_store, fact_page(p, 1));
	FACT_FAULT(uffd, fact_page(p, 1), FACT_WRITE,
		   "inside the part a fault is raised");
	NEED(!fact_copy(uffd, fact_page(p, 1), fill, 1), "copy");
	FACT(fact_gets_through(&t), "and served");
}

static void gaps_and_owners(int uffd)
{
	char *p = fact_map(3);

	munmap(fact_page(p, 1), FACT_PAGE_SIZE);
	FACT_IS(fact_register(uffd, p, 3, FACT_MISSING_WP), 0,
		"REGISTER passes over a gap");
	FACT_IS(fact_register(uffd, p, 1, FACT_MISSING_WP), 0,
		"REGISTER again is no error");
	FACT_IS(fact_register(fact_uffd(0), p, 1, FACT_MISSING_WP), -EBUSY,
		"REGISTER of what another userfaultfd has is EBUSY");
}

int main(void)
{
	char *fill;
	int uffd;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(0);
	split_and_merge(uffd);
	touched_before(uffd, fill);
	only_inside_raises(uffd, fill);
	gaps_and_owners(uffd);
	return 0;
}
