/* SPDX-License-Identifier: MIT */
/*
 * fork_vfork - vfork() and posix_spawn() do not copy memory and raise no FORK
 * event: nobody waits, there is nothing to serve.
 */
#include "fact_uffd.h"

#include <spawn.h>

static void by_vfork(int uffd)
{
	/* NOLINTNEXTLINE(clang-analyzer-security*): it is what we test */
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	fact_reap(pid);
	FACT(fact_silent(uffd), "vfork raises no event");
}

static void by_posix_spawn(int uffd)
{
	static char path[] = "/bin/true";
	char *argv[] = { path, NULL };
	pid_t pid = 0;

	NEED(!posix_spawn(&pid, path, NULL, NULL, argv, environ),
	     "posix_spawn of /bin/true");
	fact_reap(pid);
	FACT(fact_silent(uffd), "posix_spawn raises no event");
}

int main(void)
{
	int uffd;

	fact_begin();
	uffd = fact_uffd(UFFD_FEATURE_EVENT_FORK);
	fact_map_registered(uffd, 1);
	by_vfork(uffd);
	by_posix_spawn(uffd);
	return 0;
}
