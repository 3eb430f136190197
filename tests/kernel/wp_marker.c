/* SPDX-License-Identifier: MIT */
/*
 * wp_marker - with WP_UNPOPULATED, WRITEPROTECT leaves a marker where there is
 * no page; pagemap shows it as swapped. Where missing faults are registered
 * too, a touch of a marker is a missing fault, never a write-protect one. COPY
 * replaces a marker, ZEROPAGE does not, lifting the protection makes it a hole.
 */
#include "fact_uffd.h"

static void what_it_leaves(int uffd)
{
	char *p = fact_map(3);

	fact_store(p);
	NEED(!fact_register(uffd, p, 3, FACT_MISSING_WP), "register");
	NEED(!fact_zeropage(uffd, fact_page(p, 1), 1, NULL), "zero page");
	FACT_IS(fact_wp(uffd, p, 3), 0, "WRITEPROTECT works on holes");
	FACT_STATE(p, FACT_PRESENT_WP, "a present page carries the mark");
	FACT_STATE(fact_page(p, 1), FACT_ZERO_WP,
		   "a mapped zero page carries the mark");
	FACT_STATE(fact_page(p, 2), FACT_MARKER, "a hole becomes a marker");
}

static void read_fault(int uffd, char *p, char *fill)
{
	struct fact_thread t;

	fact_start(&t, fact_load, p);
	FACT_FAULT(uffd, p, FACT_READ, "reading a marker is a missing fault");
	FACT_IS(fact_copy(uffd, p, fill, 1), 0, "COPY replaces a marker");
	FACT(fact_gets_through(&t), "COPY wakes who waits at a marker");
	FACT_IS(t.ret, FACT_FILL, "the waiter reads what was copied");
	FACT_STATE(p, FACT_PRESENT, "plain COPY does not keep the mark");
}

static void write_fault(int uffd, char *p, char *fill)
{
	struct fact_thread t;

	fact_start(&t, fact_store, p);
	FACT_FAULT(uffd, p, FACT_WRITE,
		   "writing to a marker is a missing fault");
	FACT_IS(fact_zeropage(uffd, p, 1, NULL), -EEXIST,
		"ZEROPAGE does not replace a marker");
	FACT_IS(fact_unwp(uffd, p, 1), 0,
		"the write-protection of a marker can be lifted");
	FACT_FAULT(uffd, p, FACT_WRITE,
		   "lifting the protection wakes the waiter, who faults again");
	FACT_STATE(p, FACT_HOLE, "a marker without protection is a hole");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t), "COPY serves a write");
}

int main(void)
{
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_WP_UNPOPULATED);
	what_it_leaves(uffd);
	p = fact_map_registered(uffd, 2);
	NEED(!fact_wp(uffd, p, 2), "write-protect");
	read_fault(uffd, p, fill);
	write_fault(uffd, fact_page(p, 1), fill);
	return 0;
}
