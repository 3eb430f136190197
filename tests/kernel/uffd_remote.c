/* SPDX-License-Identifier: MIT */
/*
 * uffd_remote - a userfaultfd passed to another process acts on the memory of
 * the process that opened it: REGISTER, WRITEPROTECT, COPY, ZEROPAGE, WAKE and
 * UNREGISTER all work from outside.
 */
#include "fact_uffd.h"

/* In another process, @p is an address in the opener's memory. */
static void act_from_outside(int uffd, char *p)
{
	char *fill = fact_fill(1);

	FACT_IS(fact_register(uffd, p, 8, FACT_MISSING_WP), 0,
		"REGISTER from another process works");
	FACT_IS(fact_copy(uffd, p, fill, 1), 0,
		"COPY from another process works");
	FACT_IS(fact_wp(uffd, p, 1), 0,
		"WRITEPROTECT from another process works");
	FACT_IS(fact_zeropage(uffd, fact_page(p, 1), 1, NULL), 0,
		"ZEROPAGE from another process works");
	FACT_IS(fact_unregister(uffd, fact_page(p, 4), 4), 0,
		"UNREGISTER from another process works");
}

static void daemon_side(int sock)
{
	int uffd = fact_recv_fd(sock);
	char *p = (char *)fact_hear(sock);
	char *fill = fact_fill(1);

	act_from_outside(uffd, p);
	fact_say(sock, 1);

	FACT_FAULT(uffd, fact_page(p, 2), FACT_READ,
		   "a fault is read by another process");
	FACT_IS(fact_wake(uffd, fact_page(p, 2), 1), 0,
		"WAKE from another process works");
	FACT_FAULT(uffd, fact_page(p, 2), FACT_READ,
		   "WAKE from another process wakes the waiter");
	FACT_IS(fact_copy(uffd, fact_page(p, 2), fill, 1), 0,
		"COPY from another process serves a fault");
	_exit(0);
}

static void program_side(int sock)
{
	int uffd = fact_uffd(0);
	char *p = fact_map(8);

	fact_send_fd(sock, uffd);
	close(uffd);
	fact_say(sock, (uintptr_t)p);
	fact_hear(sock);

	FACT_STATE(p, FACT_PRESENT_WP,
		   "COPY and WRITEPROTECT act on the opener's memory");
	FACT_IS(fact_load(p), FACT_FILL, "COPY brings the other's bytes");
	FACT_IS(fact_load(fact_page(p, 1)), 0, "ZEROPAGE maps a page");
	fact_store(fact_page(p, 4)); /* hangs if still registered */
	FACT_IS(fact_load(fact_page(p, 2)), FACT_FILL,
		"a fault served from outside reads what was copied");
}

int main(void)
{
	int pair[2];
	pid_t pid;

	fact_begin();
	fact_pair(pair);
	pid = fact_fork();
	if (!pid) {
		close(pair[0]);
		daemon_side(pair[1]);
	}
	close(pair[1]);
	program_side(pair[0]);
	fact_reap(pid);
	return 0;
}
