/* SPDX-License-Identifier: MIT */
/*
 * fault_again - the same fault may be told more than once: WAKE without a page
 * makes the waiter fault again, so does a signal it handled meanwhile; two
 * threads at one page are two messages. One COPY wakes them all, and a fault
 * served before it was read is not told any more.
 */
#include "fact_uffd.h"

static volatile sig_atomic_t handled;

static void handle(int sig)
{
	(void)sig;
	handled = 1;
}

static void after_wake(int uffd, char *p)
{
	NEED(!fact_wake(uffd, p, 1), "wake");
	FACT_FAULT(uffd, p, FACT_READ,
		   "after WAKE without a page, the same "
		   "fault is told again");
}

static void after_signal(int uffd, char *p, struct fact_thread *t)
{
	signal(SIGUSR1, handle);
	pthread_kill(t->id, SIGUSR1);
	FACT_FAULT(uffd, p, FACT_READ,
		   "after a signal, the same fault is "
		   "told again");
	FACT(handled, "a signal is handled by who waits in a fault of its own");
}

static void two_at_one_page(int uffd, char *p, char *fill)
{
	struct fact_thread first;
	struct fact_thread second;

	fact_start(&first, fact_load, p);
	FACT_FAULT(uffd, p, FACT_READ, "a touch is a missing fault");
	after_wake(uffd, p);
	after_signal(uffd, p, &first);
	fact_start(&second, fact_load, p);
	FACT_FAULT(uffd, p, FACT_READ, "a second thread is a second message");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&first) && fact_gets_through(&second),
	     "one COPY wakes both");
}

static void served_before_read(int uffd, char *p, char *fill)
{
	struct fact_thread t;

	fact_start(&t, fact_load, p);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no fault");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t), "COPY wakes who waits");
	FACT(fact_silent(uffd),
	     "a fault served before it was read is not told");
}

int main(void)
{
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(0);
	p = fact_map_registered(uffd, 2);
	two_at_one_page(uffd, p, fill);
	served_before_read(uffd, fact_page(p, 1), fill);
	return 0;
}
