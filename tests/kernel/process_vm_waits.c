/* SPDX-License-Identifier: MIT */
/*
 * process_vm_waits - process_vm_readv() of a page that is missing in a
 * userfaultfd range waits until the fault is served, unlike /proc/PID/mem. A
 * server that used it on a page it has to serve itself would wait for ever.
 */
#include "fact_uffd.h"

static long read_self(void *p)
{
	char byte = 0;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { p, 1 };

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1)
		return -errno;
	return byte;
}

int main(void)
{
	struct fact_thread t;
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	if (read_self(fill) != FACT_FILL)
		fact_skip("process_vm_readv is not permitted here");
	uffd = fact_uffd(0);
	p = fact_map_registered(uffd, 1);
	fact_start(&t, read_self, p);
	FACT_FAULT(uffd, p, FACT_READ, "process_vm_readv faults");
	FACT(fact_waits(&t), "process_vm_readv waits for a missing page");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t), "process_vm_readv goes on when served");
	FACT_IS(t.ret, FACT_FILL, "process_vm_readv reads what was copied");
	return 0;
}
