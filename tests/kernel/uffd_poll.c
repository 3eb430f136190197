/* SPDX-License-Identifier: MIT */
/*
 * uffd_poll - a userfaultfd can only be polled when it was opened O_NONBLOCK
 * and after UFFDIO_API; otherwise poll says POLLERR.
 */
#include "fact_uffd.h"

static int events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	NEED(poll(&p, 1, 0) >= 0, "poll");
	return p.revents;
}

int main(void)
{
	int blocking;
	int uffd;

	fact_begin();
	uffd = fact_uffd(0);
	FACT_IS(events(uffd), 0, "a userfaultfd with no message is not ready");

	uffd = fact_uffd_new(O_CLOEXEC | O_NONBLOCK);
	NEED(uffd >= 0, "userfaultfd");
	FACT_IS(events(uffd), POLLERR, "poll before UFFDIO_API is POLLERR");

	blocking = fact_uffd_new(O_CLOEXEC);
	NEED(blocking >= 0 && !fact_uffd_api(blocking, 0), "userfaultfd");
	FACT_IS(events(blocking), POLLERR,
		"poll on a blocking userfaultfd is POLLERR");
	return 0;
}
