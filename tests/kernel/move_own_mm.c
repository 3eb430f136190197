/* SPDX-License-Identifier: MIT */
/*
 * move_own_mm - UFFDIO_MOVE works in the memory of the process that calls it:
 * the page leaves one place and is at the other, no event is raised, whoever
 * waits there is woken. Another process holding the userfaultfd gets EINVAL.
 */
#include "fact_uffd.h"

static void from_outside(int uffd, char *to, char *from)
{
	pid_t pid = fact_fork();

	if (!pid) {
		FACT_IS(fact_move(uffd, to, from, 1), -EINVAL,
			"MOVE from another process is EINVAL");
		_exit(0);
	}
	fact_reap(pid);
}

static void in_our_own(int uffd, char *to, char *from)
{
	fact_store(from);
	FACT_IS(fact_move(uffd, to, from, 1), 0,
		"MOVE works in our own memory");
	FACT_STATE(from, FACT_HOLE, "MOVE leaves a hole");
	FACT_STATE(to, FACT_PRESENT, "MOVE brings the page");
	FACT_IS(fact_load(to), 0x77, "MOVE brings the bytes");
}

static void to_a_waiter(int uffd, char *to, char *from)
{
	struct fact_thread t;

	fact_store(from);
	fact_start(&t, fact_load, to);
	FACT_FAULT(uffd, to, FACT_READ, "a touch is a missing fault");
	FACT_IS(fact_move(uffd, to, from, 1), 0, "MOVE serves a fault");
	FACT(fact_gets_through(&t), "MOVE wakes who waits for the page");
	FACT_IS(t.ret, 0x77, "the waiter reads what was moved");
}

/* Both places registered, as in taking a page from a program. */
static void both_registered(int uffd, char *to, char *fill)
{
	char *from = fact_map_registered(uffd, 1);

	NEED(!fact_copy_wp(uffd, from, fill, 1), "copy");
	FACT_IS(fact_move(uffd, to, from, 1), 0,
		"MOVE takes a write-protected page from registered memory");
	FACT_STATE(from, FACT_HOLE, "MOVE leaves a hole and no marker");
	FACT_STATE(to, FACT_PRESENT, "MOVE does not bring the mark");
	FACT(fact_silent(uffd), "MOVE raises no event");
}

int main(void)
{
	char *from;
	char *fill;
	int uffd;
	char *to;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_MOVE | FACT_FEATURE_EVENTS);
	to = fact_map_registered(uffd, 3);
	from = fact_map(2);
	from_outside(uffd, to, from);
	in_our_own(uffd, to, from);
	to_a_waiter(uffd, fact_page(to, 1), fact_page(from, 1));
	both_registered(uffd, fact_page(to, 2), fill);
	return 0;
}
