/* SPDX-License-Identifier: MIT */
/*
 * move_refuses - what UFFDIO_MOVE does not take: a page that fork left shared
 * (EBUSY), and still not when the child is gone, until it is written; a place
 * where a page or a marker is (EEXIST), a hole (ENOENT, or passed over with
 * ALLOW_SRC_HOLES), memory whose protection differs or a target that is not
 * registered (EINVAL).
 */
#include "fact_uffd.h"

static void shared_by_fork(int uffd, char *to, char *from)
{
	pid_t pid;

	fact_store(from);
	pid = fact_fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	FACT_IS(fact_move(uffd, to, from, 1), -EBUSY,
		"MOVE of a page shared by fork is EBUSY");
	fact_kill(pid);
	FACT_STATE(from, FACT_PRESENT, "pagemap says it is exclusive again");
	if (fact_move(uffd, to, from, 1) == -EBUSY) {
		fact_store(from);
		FACT_IS(fact_move(uffd, to, from, 1), 0,
			"MOVE takes the page once it was written");
		return;
	}
	TRAP(false, "MOVE is EBUSY even when the other is gone");
}

static void occupied(int uffd, char *to, char *from)
{
	fact_store(from);
	FACT_IS(fact_move(uffd, to, from, 1), -EEXIST,
		"MOVE onto a page is EEXIST");
	NEED(!fact_wp(uffd, fact_page(to, 1), 1), "write-protect");
	FACT_IS(fact_move(uffd, fact_page(to, 1), from, 1), -EEXIST,
		"MOVE onto a marker is EEXIST");
	NEED(!fact_unwp(uffd, fact_page(to, 1), 1), "clear the marker");
	FACT_IS(fact_move(uffd, fact_page(to, 1), from, 1), 0,
		"MOVE works once the marker is cleared");
}

static void holes(int uffd, char *to, char *from)
{
	FACT_IS(fact_move(uffd, to, from, 2), -ENOENT,
		"MOVE of a hole is ENOENT");
	fact_store(fact_page(from, 1));
	FACT_IS(fact_move_mode(uffd, to, from, 2, FACT_MOVE_ALLOW_SRC_HOLES), 0,
		"MOVE with ALLOW_SRC_HOLES passes over holes");
	FACT_STATE(to, FACT_HOLE, "a hole passed over moves nothing");
	FACT_STATE(fact_page(to, 1), FACT_PRESENT, "the page behind it moves");
}

static void wrong_place(int uffd, char *to, char *from)
{
	fact_store(from);
	FACT_IS(fact_move(uffd, fact_map(1), from, 1), -EINVAL,
		"MOVE to memory that is not registered is EINVAL");
	NEED(!fact_protect(from, 1, PROT_READ), "mprotect");
	FACT_IS(fact_move(uffd, to, from, 1), -EINVAL,
		"MOVE from read-only to writable memory is EINVAL");
}

int main(void)
{
	char *from;
	int uffd;
	char *to;

	fact_begin();
	uffd = fact_uffd(FACT_FEATURE_MOVE | FACT_FEATURE_WP_UNPOPULATED);
	to = fact_map_registered(uffd, 8);
	from = fact_map(8);
	shared_by_fork(uffd, to, from);
	occupied(uffd, to, from);
	holes(uffd, fact_page(to, 2), fact_page(from, 2));
	wrong_place(uffd, fact_page(to, 4), fact_page(from, 4));
	return 0;
}
