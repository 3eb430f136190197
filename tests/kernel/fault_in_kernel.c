/* SPDX-License-Identifier: MIT */
/*
 * fault_in_kernel - a fault of a system call (read(2) into a missing page)
 * waits like any other. With a signal pending it does not wait and does not
 * handle the signal: it spins, and every look at the userfaultfd finds the
 * same fault again, until it is served. A server must not take each message
 * for a new fault.
 */
#include "fact_uffd.h"

#define LOOKS 20

static volatile sig_atomic_t handled;

static void handle(int sig)
{
	(void)sig;
	handled = 1;
}

static bool told_over_and_over(int uffd, const char *p)
{
	struct uffd_msg msg;

	for (int i = 0; i < LOOKS; i++) {
		if (fact_silent(uffd))
			return false;
		msg = fact_next(uffd);
		FACT(fact_is_fault(&msg, p, FACT_WRITE),
		     "it is the same fault again");
	}
	return true;
}

int main(void)
{
	struct fact_thread t;
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	signal(SIGUSR1, handle);
	fill = fact_fill(1);
	uffd = fact_uffd(0);
	p = fact_map_registered(uffd, 1);
	fact_start(&t, fact_read_into, p);
	FACT_FAULT(uffd, p, FACT_WRITE, "read(2) into a missing page faults");
	FACT(fact_waits(&t), "read(2) into a missing page waits");
	FACT(fact_silent(uffd), "it is told once while nothing disturbs it");

	pthread_kill(t.id, SIGUSR1);
	TRAP(told_over_and_over(uffd, p),
	     "with a signal pending, the fault "
	     "of a system call is told over and over");
	FACT(!handled, "a signal waits for the fault of a system call");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t), "COPY serves it");
	FACT_IS(t.ret, 0, "read(2) into a missing page works");
	FACT(handled, "then the signal is handled");
	FACT(fact_silent(uffd), "and the fault is not told any more");
	return 0;
}
