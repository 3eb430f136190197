/* SPDX-License-Identifier: MIT */
/*
 * mem_handed_over - a program may pass its own /proc/self/mem and pagemap to a
 * process of another user; there they read PROT_NONE pages, write private
 * pages the program itself may not write, and say what is present.
 */
#include "fact.h"

#define NOBODY 65534

static void become_another_user(void)
{
	if (!geteuid())
		NEED(!setresuid(NOBODY, NOBODY, NOBODY), "setresuid");
}

static void daemon_side(int sock)
{
	int mem = fact_recv_fd(sock);
	int pagemap = fact_recv_fd(sock);
	char *p = (char *)fact_hear(sock);

	become_another_user();
	FACT_IS(fact_mem_read(mem, p), 'n',
		"a mem descriptor reads a PROT_NONE page from outside");
	FACT_IS(fact_mem_write(mem, p, 'N'), 1,
		"a mem descriptor writes a PROT_NONE private page");
	FACT_IS(fact_mem_read(mem, fact_page(p, 1)), 'r',
		"a mem descriptor reads a PROT_READ page from outside");
	FACT_IS(fact_mem_write(mem, fact_page(p, 1), 'R'), 1,
		"a mem descriptor writes a PROT_READ private page");
	FACT_IS(fact_pagemap(pagemap, p), FACT_PRESENT,
		"a pagemap descriptor shows a present page from outside");
	FACT_IS(fact_pagemap(pagemap, fact_page(p, 2)), FACT_HOLE,
		"a pagemap descriptor shows a hole from outside");
	_exit(0);
}

static void program_side(int sock, pid_t pid)
{
	char *p = fact_map(3);

	*p = 'n';
	*fact_page(p, 1) = 'r';
	fact_protect(p, 1, PROT_NONE);
	fact_protect(fact_page(p, 1), 1, PROT_READ);
	fact_send_fd(sock, fact_open_proc("mem", O_RDWR));
	fact_send_fd(sock, fact_open_proc("pagemap", O_RDONLY));
	fact_say(sock, (uintptr_t)p);
	fact_reap(pid);

	fact_protect(p, 1, PROT_READ);
	FACT_IS(fact_load(p), 'N', "what was written from outside is seen");
	FACT_IS(fact_load(fact_page(p, 1)), 'R',
		"what was written from outside is seen");
}

int main(void)
{
	int pair[2];
	pid_t pid;

	fact_begin();
	fact_pair(pair);
	pid = fact_fork();
	if (!pid)
		daemon_side(pair[1]);
	program_side(pair[0], pid);
	return 0;
}
