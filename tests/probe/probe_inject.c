/* SPDX-License-Identifier: MIT */
/* probe_inject.c - what goes wrong on purpose (uhmm run --inject) costs no byte
 *
 *   probe_inject NAME=N[+]	the daemon was told the same
 *
 * Pages go to the device, are shared by a fork, come back by touch and by
 * request, and are exclusive for a while. A request may fail where it is the
 * one that something was to happen to; the next one works. In the end the
 * daemon says that it has happened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peek.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES ((size_t)8)

static const char *what;
static unsigned char *mem;

static bool is_about(const char *name)
{
	return !strncmp(what, name, strlen(name));
}

static bool is_for_ever(void)
{
	return what[strlen(what) - 1] == '+';
}

/* Which error may a request have? */
static bool is_expected(int err)
{
	return (is_about("reply") && err == -EIO) ||
	       ((is_about("alloc") || is_about("lock")) &&
		(err == -ENOENT || err == -EBUSY || err == -ENOMEM));
}

/* Of a request whose answer is lost the struct has the answer. */
static int try(int fd, unsigned long request)
{
	unsigned char copy[1 << 16];
	struct uhmm_dmirror_cmd cmd = { .addr = (uintptr_t)mem,
					.ptr = (uintptr_t)copy,
					.npages = NPAGES };
	int err = ioctl(fd, request, &cmd) ? -errno : 0;

	CHECK(!err || is_expected(err), "request %#lx: %s", request,
	      strerror(-err));
	return err;
}

/* Once more, if it has not worked. */
static void twice(int fd, unsigned long request)
{
	int err = try(fd, request);

	if (!err)
		return;
	err = try(fd, request);
	CHECK(!err || is_for_ever(), "request %#lx again: %s", request,
	      strerror(-err));
}

static int open_device(void)
{
	int fd = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);

	for (int i = 0; fd < 0 && i < 2; i++) {
		CHECK(is_about("reply"), "%s", strerror(errno));
		fd = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	}
	CHECK(fd >= 0, "%s", strerror(errno));
	return fd;
}

static void fork_and_verify(uint32_t seed)
{
	int pid = fork();

	if (pid < 0 && is_about("reply"))
		pid = fork();
	CHECK(pid >= 0, "%s", strerror(errno));
	if (!pid) {
		probe_verify(mem, NPAGES, seed, "in a child");
		_exit(0);
	}
	probe_wait(pid, "the child");
}

static void one_round(int fd, uint32_t seed)
{
	probe_fill(mem, NPAGES, seed);
	twice(fd, UHMM_DMIRROR_MIGRATE_TO_DEV);
	fork_and_verify(seed);
	probe_verify(mem, NPAGES, seed, "after a fork");
	twice(fd, UHMM_DMIRROR_MIGRATE_TO_DEV);
	twice(fd, UHMM_DMIRROR_MIGRATE_TO_SYS);
	probe_verify(mem, NPAGES, seed, "brought back");
	twice(fd, UHMM_DMIRROR_EXCLUSIVE);
	probe_verify(mem, NPAGES, seed, "after it was exclusive");
}

static void has_happened(void)
{
	char path[64];

	snprintf(path, sizeof(path), "injected.%.*s",
		 (int)strcspn(what, "="), what);
	CHECK(peek_number(path) > 0, "%s never happened", what);
}

int main(int argc, char **argv)
{
	int fd;

	CHECK(argc == 2, "what is to go wrong?");
	what = argv[1];
	probe_begin("probe_inject", 50);
	fd = open_device();
	mem = probe_map(NPAGES, RW);
	for (uint32_t seed = 1; seed <= 3; seed++)
		one_round(fd, seed);
	CHECK(!close(fd), "%s", strerror(errno));
	has_happened();
	return 0;
}
