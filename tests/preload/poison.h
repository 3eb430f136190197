/* SPDX-License-Identifier: MIT */
/* poison.h - how a touch of what is lost shows on this kernel */
#ifndef UHMM_TESTS_PRELOAD_POISON_H
#define UHMM_TESTS_PRELOAD_POISON_H

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../preload/uffd_abi.h"

/** lost_signal() - SIGBUS, or SIGSEGV where the kernel has no poison (before
 *  6.6) and the page is protected instead */
static inline int lost_signal(void)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API };
	int sig = SIGBUS;

	if (fd >= 0 && !ioctl((int)fd, UFFDIO_API, &api) &&
	    !(api.features & UHMM_UFFD_POISON))
		sig = SIGSEGV;
	if (fd >= 0)
		(void)close((int)fd);
	return sig;
}

#endif
