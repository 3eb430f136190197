/* SPDX-License-Identifier: MIT */
/*
 * event_again - while an event is unread, COPY, ZEROPAGE and WRITEPROTECT
 * answer EAGAIN anywhere on that userfaultfd, also for memory that is already
 * gone (never ENOENT), and for no memory at all. So a WRITEPROTECT that succeeds
 * says that no event was unread, and so does EINVAL of an empty range.
 * REGISTER, UNREGISTER and WAKE are not affected.
 */
#include "fact_uffd.h"

static void everything_is_again(int uffd, char *p, char *fill)
{
	long done = 0;

	FACT_IS(fact_copy_mode(uffd, p, fill, 1, 0, &done), -EAGAIN,
		"COPY is EAGAIN while an event is unread");
	FACT(done <= 0, "COPY says in its copy field that nothing is done");
	FACT_IS(fact_zeropage(uffd, p, 1, NULL), -EAGAIN,
		"ZEROPAGE is EAGAIN while an event is unread");
	FACT_IS(fact_wp(uffd, p, 1), -EAGAIN,
		"WRITEPROTECT is EAGAIN while an event is unread");
	FACT_IS(fact_unwp(uffd, p, 1), -EAGAIN,
		"lifting it is EAGAIN while an event is unread");
	FACT_IS(fact_unwp(uffd, NULL, 0), -EAGAIN,
		"lifting it of nothing is EAGAIN while an event is unread");
}

static void not_affected(int uffd, char *p)
{
	char *other = fact_map(1);

	FACT_IS(fact_wake(uffd, p, 1), 0, "WAKE works with an event unread");
	FACT_IS(fact_register(uffd, other, 1, FACT_MISSING_WP), 0,
		"REGISTER works with an event unread");
	FACT_IS(fact_unregister(uffd, other, 1), 0,
		"UNREGISTER works with an event unread");
}

/* EAGAIN goes on until the thread that raised the event has run. */
static int until_settled(int uffd, char *p)
{
	int err;

	while ((err = fact_wp(uffd, p, 1)) == -EAGAIN)
		sched_yield();
	return err;
}

int main(void)
{
	struct fact_range gone;
	struct fact_thread t;
	char *other;
	char *fill;
	int uffd;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_EVENTS);
	other = fact_map_registered(uffd, 1);
	gone = (struct fact_range){ fact_map_registered(uffd, 1), 1 };
	fact_start(&t, fact_munmap, &gone);
	NEED(fact_readable(uffd, FACT_SOON_MS), "no event");
	everything_is_again(uffd, other, fill);
	everything_is_again(uffd, gone.p, fill);
	not_affected(uffd, other);
	fact_next(uffd);
	FACT_IS(until_settled(uffd, other), 0, "EAGAIN ends after the read");
	FACT_IS(fact_unwp(uffd, NULL, 0), -EINVAL,
		"lifting it of nothing is EINVAL afterwards");
	FACT_IS(fact_wp(uffd, gone.p, 1), -ENOENT,
		"memory that is gone is ENOENT once the event is read");
	FACT(fact_gets_through(&t), "munmap ends when UNMAP is read");
	return 0;
}
