/* SPDX-License-Identifier: MIT */
/* probe.h - an unmodified program, run under the library with a fake daemon
 *
 * One case per run: `preload_probe CASE`. Exit status 0: as it should be.
 */
#ifndef UHMM_TESTS_PRELOAD_PROBE_H
#define UHMM_TESTS_PRELOAD_PROBE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fake.h"

#define DEVICE "/dev/hmm_dmirror0"

#define EXPECT(cond)                                                        \
	do {                                                                \
		if (!(cond)) {                                              \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n",   \
				__FILE__, __LINE__, #cond, errno);          \
			_exit(1);                                           \
		}                                                           \
	} while (0)

/* @call fails with errno @err. */
#define EXPECT_FAILS(call, err)                \
	do {                                   \
		errno = 0;                     \
		EXPECT((long)(call) == -1);    \
		EXPECT(errno == (err));        \
	} while (0)

/** open_device() - open the device or give up */
int open_device(void);

/** echo() - one ioctl that must come back */
void echo(int fd, int value);

/** page() - a fresh page of anonymous memory, filled with @byte */
unsigned char *page(unsigned char byte, int npages);

/** wait_ok() - the child @pid ends with status 0 */
void wait_ok(pid_t pid);

extern int probe_argc;
extern char **probe_argv;

#define CASES(X)                                                             \
	X(quiet) X(paths) X(opens) X(flags) X(ioctls) X(maps) X(closes)      \
	X(protects) X(tells) X(remaps) X(hands) X(no_daemon) X(threads) X(many_threads)         \
	X(signals) X(setgid) X(last_thread) X(forks) X(fork_storm)           \
	X(raw_fork) X(vforks) X(execs) X(exec2) X(closed_stdio) X(rlimit)    \
	X(rlimit_threads) X(close_all) X(close_range_all) X(foreign_fd)      \
	X(dies_busy) X(dies_idle) X(dies_fork) X(comes_back) X(nonsense)     \
	X(dies_moving) X(old_no_poison) X(old_no_proc)                       \
	X(old_no_proc_no_poison) X(old_no_close_range) X(old_no_userfaultfd)

#define X(name) void case_##name(void);
CASES(X)
#undef X

#endif
