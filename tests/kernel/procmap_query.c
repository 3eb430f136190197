/* SPDX-License-Identifier: MIT */
/*
 * procmap_query - PROCMAP_QUERY on a /proc/PID/maps descriptor passed to
 * another process describes the mapping at an address of the opener; where
 * there is none it answers ENOENT.
 */
#include "fact.h"

#define VMA_READABLE 1
#define VMA_WRITABLE 2

static int query(int maps, const char *p, struct fact_procmap_query *q)
{
	*q = (struct fact_procmap_query){
		.size = sizeof(*q),
		.query_addr = (uintptr_t)p,
	};
	return ioctl(maps, FACT_PROCMAP_QUERY, q) ? -errno : 0;
}

static void daemon_side(int sock)
{
	struct fact_procmap_query q;
	int maps = fact_recv_fd(sock);
	char *p = (char *)fact_hear(sock);
	int err = query(maps, fact_page(p, 1), &q);

	if (err == -ENOTTY)
		fact_skip("this kernel has no PROCMAP_QUERY (6.11)");
	FACT_IS(err, 0, "PROCMAP_QUERY works on the opener's memory");
	FACT_IS(q.vma_start, p, "it says where the mapping starts");
	FACT_IS(q.vma_end, fact_page(p, 2), "it says where the mapping ends");
	FACT_IS(q.vma_flags, VMA_READABLE | VMA_WRITABLE,
		"it says what is permitted there");
	FACT_IS(query(maps, fact_page(p, 3), &q), -ENOENT,
		"PROCMAP_QUERY where nothing is mapped is ENOENT");
	_exit(0);
}

int main(void)
{
	int pair[2];
	pid_t pid;
	char *p;

	fact_begin();
	fact_pair(pair);
	pid = fact_fork();
	if (!pid)
		daemon_side(pair[1]);
	p = fact_map(4);
	munmap(fact_page(p, 3), FACT_PAGE_SIZE);
	NEED(!fact_protect(fact_page(p, 2), 1, PROT_NONE), "mprotect");
	fact_send_fd(pair[0], fact_open_proc("maps", O_RDONLY));
	fact_say(pair[0], (uintptr_t)p);
	fact_reap(pid);
	return 0;
}
