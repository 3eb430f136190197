/* SPDX-License-Identifier: MIT */
/*
 * fork_no_event - without EVENT_FORK the child's copy of registered memory is
 * not registered: marks are lifted, markers are gone, missing pages read as
 * zero and no event tells. The child may register it with its own userfaultfd.
 * The parent keeps everything.
 */
#include "fact_uffd.h"

static void child_side(char *p)
{
	FACT_STATE(p, FACT_ZERO, "the child's copy of a page has no mark");
	FACT_STATE(fact_page(p, 1), FACT_HOLE, "the child has no marker");
	fact_store(p);
	FACT_IS(fact_load(fact_page(p, 1)), 0, "a marker reads as zero there");
	FACT_IS(fact_load(fact_page(p, 2)), 0, "a hole reads as zero there");
	FACT_IS(fact_register(fact_uffd(0), p, 3, FACT_MISSING_WP), 0,
		"the child may register its copy itself");
	_exit(0);
}

int main(void)
{
	char *fill;
	pid_t pid;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_EVENTS | FACT_FEATURE_WP_UNPOPULATED);
	p = fact_map_registered(uffd, 3);
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	NEED(!fact_wp(uffd, p, 2), "write-protect");

	pid = fact_fork();
	if (!pid)
		child_side(p);
	fact_reap(pid);
	FACT_STATE(p, FACT_PRESENT_WP, "the parent's page keeps its mark");
	FACT_STATE(fact_page(p, 1), FACT_MARKER, "the parent keeps a marker");
	FACT(fact_silent(uffd), "without EVENT_FORK, fork raises no event");
	return 0;
}
