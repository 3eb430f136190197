/* SPDX-License-Identifier: MIT */
/*
 * dead_mm - what descriptors of a process answer when it is gone: userfaultfd
 * ESRCH to COPY and WRITEPROTECT, ENOMEM to REGISTER and UNREGISTER, nothing to
 * WAKE, and it never becomes readable; mem and pagemap read as empty, maps is
 * ESRCH. So its end has to be learnt elsewhere (pidfd, a socket's hang-up).
 */
#include "fact_uffd.h"

static void program_side(int sock)
{
	int uffd = fact_uffd(0);
	char *p = fact_map_registered(uffd, 1);

	fact_send_fd(sock, uffd);
	fact_send_fd(sock, fact_open_proc("mem", O_RDWR));
	fact_send_fd(sock, fact_open_proc("pagemap", O_RDONLY));
	fact_send_fd(sock, fact_open_proc("maps", O_RDONLY));
	fact_say(sock, (uintptr_t)p);
	pause();
	_exit(1);
}

static void uffd_answers(int uffd, char *p)
{
	char *fill = fact_fill(1);

	FACT_IS(fact_copy(uffd, p, fill, 1), -ESRCH, "COPY is ESRCH");
	FACT_IS(fact_wp(uffd, p, 1), -ESRCH, "WRITEPROTECT is ESRCH");
	FACT_IS(fact_register(uffd, p, 1, FACT_MISSING_WP), -ENOMEM,
		"REGISTER in a process that is gone is ENOMEM");
	FACT_IS(fact_unregister(uffd, p, 1), -ENOMEM,
		"UNREGISTER in a process that is gone is ENOMEM");
	FACT_IS(fact_wake(uffd, p, 1), 0,
		"WAKE in a process that is gone is no error");
	FACT(fact_silent(uffd), "its userfaultfd never becomes readable");
}

static void proc_answers(int mem, int pagemap, int maps, char *p)
{
	uint64_t word = 0;
	off_t at = (off_t)(uintptr_t)p;
	off_t entry = at / (off_t)FACT_PAGE_SIZE * (off_t)sizeof(word);

	FACT_IS(pread(mem, &word, sizeof(word), at), 0, "mem reads as empty");
	FACT_IS(pwrite(mem, &word, sizeof(word), at), 0, "mem writes nothing");
	FACT_IS(pread(pagemap, &word, sizeof(word), entry), 0,
		"pagemap reads as empty");
	FACT(pread(maps, &word, sizeof(word), 0) < 0 && errno == ESRCH,
	     "maps of a process that is gone is ESRCH");
}

int main(void)
{
	int pagemap;
	int pair[2];
	pid_t pid;
	int uffd;
	int maps;
	int mem;
	char *p;

	fact_begin();
	fact_pair(pair);
	pid = fact_fork();
	if (!pid)
		program_side(pair[1]);
	close(pair[1]);
	uffd = fact_recv_fd(pair[0]);
	mem = fact_recv_fd(pair[0]);
	pagemap = fact_recv_fd(pair[0]);
	maps = fact_recv_fd(pair[0]);
	p = (char *)fact_hear(pair[0]);
	fact_kill(pid);
	uffd_answers(uffd, p);
	proc_answers(mem, pagemap, maps, p);
	return 0;
}
