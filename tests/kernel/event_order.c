/* SPDX-License-Identifier: MIT */
/*
 * event_order - read() on a userfaultfd hands out faults FIRST, then events in
 * the order they came: a fault overtakes an event raised before it. One read
 * may return several messages; with nothing to say it is EAGAIN, a buffer
 * smaller than a message EINVAL.
 */
#include "fact_uffd.h"

static void raise_in_order(char *p, struct fact_range r[2],
			   struct fact_thread t[3])
{
	r[0] = (struct fact_range){ fact_page(p, 1), 1 };
	r[1] = (struct fact_range){ fact_page(p, 3), 1 };
	fact_start(&t[0], fact_munmap, &r[0]);
	fact_settle(&t[0]);
	fact_start(&t[1], fact_munmap, &r[1]);
	fact_settle(&t[1]);
	fact_start(&t[2], fact_load, p);
	fact_settle(&t[2]);
}

int main(void)
{
	struct uffd_msg msg[4];
	struct fact_range r[2];
	struct fact_thread t[3];
	int uffd;
	char *p;

	fact_begin();
	uffd = fact_uffd(FACT_FEATURE_EVENTS);
	FACT(read(uffd, msg, sizeof(msg)) < 0 && errno == EAGAIN,
	     "reading without a message is EAGAIN");
	p = fact_map_registered(uffd, 5);
	raise_in_order(p, r, t);
	FACT(read(uffd, msg, sizeof(msg[0]) - 1) < 0 && errno == EINVAL,
	     "reading less than a message is EINVAL");
	FACT_IS(read(uffd, msg, sizeof(msg)), 3 * sizeof(msg[0]),
		"one read returns all messages that fit");
	FACT(fact_is_fault(&msg[0], p, FACT_READ),
	     "a fault overtakes events raised before it");
	FACT(fact_is_event(&msg[1], UFFD_EVENT_UNMAP, r[0].p, 1) &&
		     fact_is_event(&msg[2], UFFD_EVENT_UNMAP, r[1].p, 1),
	     "events keep their order");
	NEED(!fact_unregister(uffd, p, 1), "unregister");
	for (int i = 0; i < 3; i++)
		FACT(fact_gets_through(&t[i]), "then all of them go on");
	return 0;
}
