/* SPDX-License-Identifier: MIT */
/*
 * event_wait - who waits for an event to be read does not handle signals until
 * then, except SIGKILL, which ends the process; closing the last reference to
 * the userfaultfd lets it go on.
 */
#include "fact_uffd.h"

static volatile sig_atomic_t handled;

static void handle(int sig)
{
	(void)sig;
	handled = 1;
}

static void a_signal(int uffd)
{
	struct fact_range r = { fact_map_registered(uffd, 1), 1 };
	struct fact_thread t;

	signal(SIGUSR1, handle);
	fact_start(&t, fact_munmap, &r);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	pthread_kill(t.id, SIGUSR1);
	FACT(fact_waits(&t) && !handled,
	     "a signal waits until the event is read");
	fact_next(uffd);
	FACT(fact_gets_through(&t) && handled,
	     "a signal is handled once the event is read");
}

static void the_close(void)
{
	int uffd = fact_uffd(FACT_FEATURE_EVENTS);
	struct fact_range r = { fact_map_registered(uffd, 1), 1 };
	struct fact_thread t;

	fact_start(&t, fact_munmap, &r);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	close(uffd);
	FACT(fact_gets_through(&t),
	     "close of the userfaultfd lets munmap go on");
}

static void stuck_child(int sock)
{
	int uffd = fact_uffd(FACT_FEATURE_EVENTS);
	struct fact_range r = { fact_map_registered(uffd, 1), 1 };

	fact_send_fd(sock, uffd);
	fact_munmap(&r);
	_exit(0);
}

static void a_kill(void)
{
	int pair[2];
	pid_t pid;
	int uffd;

	fact_pair(pair);
	pid = fact_fork();
	if (!pid)
		stuck_child(pair[1]);
	uffd = fact_recv_fd(pair[0]);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	fact_kill(pid); /* hangs if it cannot be killed */
}

int main(void)
{
	fact_begin();
	a_signal(fact_uffd(FACT_FEATURE_EVENTS));
	the_close();
	a_kill();
	return 0;
}
