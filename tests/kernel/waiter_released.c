/* SPDX-License-Identifier: MIT */
/*
 * waiter_released - UNREGISTER and the close of the last reference to the
 * userfaultfd let go who waits in a fault there: a missing page reads as zero,
 * a write-protected one is written. While another reference is open a close
 * does nothing. A fault that nobody read is forgotten.
 */
#include "fact_uffd.h"

static void by_unregister(int uffd, char *p, char *fill)
{
	struct fact_thread t;

	fact_start(&t, fact_load, p);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no fault");
	NEED(!fact_unregister(uffd, p, 1), "unregister");
	FACT(fact_gets_through(&t), "UNREGISTER lets a reader go");
	FACT_IS(t.ret, 0, "the reader reads zero then");
	FACT(fact_silent(uffd), "a fault nobody read is forgotten");

	p = fact_page(p, 1);
	NEED(!fact_copy_wp(uffd, p, fill, 1), "copy");
	fact_start(&t, fact_store, p);
	fact_next(uffd);
	NEED(!fact_unregister(uffd, p, 1), "unregister");
	FACT(fact_gets_through(&t), "UNREGISTER lets a writer go");
}

static void by_close(int uffd, char *p)
{
	struct fact_thread t;
	int copy = fcntl(uffd, F_DUPFD_CLOEXEC, 0);

	NEED(copy >= 0, "dup");
	fact_start(&t, fact_load, p);
	fact_next(uffd);
	close(uffd);
	FACT(fact_waits(&t), "close of one of two references does nothing");
	close(copy);
	FACT(fact_gets_through(&t), "close of the last lets a reader go");
	FACT_IS(t.ret, 0, "the reader reads zero then");
}

static void stuck_child(int sock)
{
	int uffd = fact_uffd(0);
	char *p = fact_map_registered(uffd, 1);

	fact_send_fd(sock, uffd);
	fact_load(p);
	_exit(1);
}

static void by_kill(void)
{
	int pair[2];
	pid_t pid;
	int uffd;

	fact_pair(pair);
	pid = fact_fork();
	if (!pid)
		stuck_child(pair[1]);
	uffd = fact_recv_fd(pair[0]);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no fault");
	fact_kill(pid); /* hangs if it cannot be killed */
}

int main(void)
{
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = fact_map_registered(uffd, 3);
	by_unregister(uffd, p, fill);
	by_close(uffd, fact_page(p, 2));
	by_kill();
	return 0;
}
