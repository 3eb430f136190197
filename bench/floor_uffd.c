/* SPDX-License-Identifier: MIT */
/* floor_uffd.c - a userfaultfd and another process (bench_floor.h) */
#include "bench_floor.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_uffd(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || !ioctl(fd, UFFDIO_API, &api))
		return fd;
	close(fd);
	return -1;
}

bool floor_has(uint64_t features)
{
	int fd = try_uffd(features);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int floor_uffd(uint64_t features)
{
	int fd = try_uffd(features);

	if (fd < 0) {
		fprintf(stderr, "bench: no floors: userfaultfd: %s\n",
			strerror(errno));
		exit(77);
	}
	return fd;
}

void floor_trap(int uffd, void *mem, uint64_t npages, uint64_t mode)
{
	struct uffdio_register r = {
		.range = { (uintptr_t)mem, npages * bench_page() },
		.mode = mode,
	};

	if (ioctl(uffd, UFFDIO_REGISTER, &r))
		bench_die("UFFDIO_REGISTER");
}

int64_t floor_copy(int uffd, uint64_t to, const void *from, uint64_t npages)
{
	struct uffdio_copy c = { .dst = to, .src = (uintptr_t)from,
				 .len = npages * bench_page() };

	return ioctl(uffd, UFFDIO_COPY, &c) ? -errno : c.copy;
}

void floor_protect(int uffd, const void *mem, uint64_t npages, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)mem, npages * bench_page() },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &wp))
		bench_die("UFFDIO_WRITEPROTECT");
}

void floor_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("sched_setaffinity");
}

pid_t floor_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		bench_die("fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

void floor_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
