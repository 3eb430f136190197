/* SPDX-License-Identifier: MIT */
/* forks.c - forks that overlap, and forks that nobody announces
 *
 * Threads fork at the same time, each for its own memory; some children are
 * made by a raw system call that no hook sees and never say hello. Every
 * child finds its parent's data, writes it, and the parent keeps its own; a
 * child made by fork() uses the device itself, too. Plain libc, unmodified.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uhmm/hmm_ioctl.h>

#define NTHREADS 4
#define ROUNDS 12
#define NPAGES 64

static size_t bytes;

struct forker {
	pthread_t thread;
	unsigned int number;
	const char *wrong;	/* NULL: all is well */
};

static void *map(void)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		abort();
	return mem;
}

static void fill(uint32_t *mem, uint32_t seed)
{
	for (size_t i = 0; i < bytes / sizeof(*mem); i++)
		mem[i] = (uint32_t)i * 2654435761u + seed;
}

static int is_filled(const uint32_t *mem, uint32_t seed)
{
	for (size_t i = 0; i < bytes / sizeof(*mem); i++)
		if (mem[i] != (uint32_t)i * 2654435761u + seed)
			return 0;
	return 1;
}

static int device(int fd, unsigned long cmd, void *mem, void *buf)
{
	struct uhmm_dmirror_cmd c = { .addr = (uintptr_t)mem,
				      .ptr = (uintptr_t)buf,
				      .npages = NPAGES };

	return ioctl(fd, cmd, &c) ? errno : 0;
}

/* In the child. Return: exit status */
static int be_child(uint32_t *mem, void *buf, uint32_t seed, int raw)
{
	int fd;

	if (!is_filled(mem, seed))
		return 2;
	fill(mem, seed + 1);
	if (!is_filled(mem, seed + 1))
		return 3;
	if (raw)
		return 0;
	fd = open("/dev/hmm_dmirror1", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 4;
	fill(buf, seed + 2);
	if (device(fd, UHMM_DMIRROR_WRITE, mem, buf))
		return 5;
	return is_filled(mem, seed + 2) ? 0 : 6;
}

/* All of it. A fork of another thread, between the migration and reading it
 * back, makes the device's table forget, as the kernel's does: that is ENOENT,
 * and all went nevertheless. */
static int all_go(int fd, uint32_t *mem, unsigned char *buf)
{
	int err = device(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, buf);

	if (err != ENOENT)
		return !err;
	if (device(fd, UHMM_DMIRROR_SNAPSHOT, mem, buf))
		return 0;
	for (size_t i = 0; i < NPAGES; i++)
		if ((buf[i] & 0xf0) != UHMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL)
			return 0;
	return 1;
}

static const char *one_round(int fd, uint32_t *mem, void *buf, uint32_t seed)
{
	int raw = seed % 3 == 0, status;
	pid_t child;

	fill(mem, seed);
	if (!all_go(fd, mem, buf))
		return "not all went to the device";
	child = raw ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
	if (child == 0)
		_exit(be_child(mem, buf, seed, raw));
	if (child < 0)
		return "no fork";
	if (seed % 2 && !is_filled(mem, seed))
		return "the parent lost its data beside the child";
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return "no child";
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "forks: %s child ended with %#x\n",
			raw ? "raw" : "forked", (unsigned int)status);
		return "the child is not well";
	}
	return is_filled(mem, seed) ? NULL : "the parent lost its data";
}

static void *work(void *arg)
{
	struct forker *f = arg;
	uint32_t *mem = map();
	void *buf = map();
	int fd = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		f->wrong = strerror(errno);
	for (uint32_t i = 0; i < ROUNDS && !f->wrong; i++)
		f->wrong = one_round(fd, mem, buf, f->number * 1000 + i);
	return NULL;
}

int main(void)
{
	static struct forker forker[NTHREADS];
	int status = EXIT_SUCCESS;

	bytes = NPAGES * (size_t)getpagesize();
	for (unsigned int i = 0; i < NTHREADS; i++) {
		forker[i].number = i + 1;
		if (pthread_create(&forker[i].thread, NULL, work, &forker[i]))
			return EXIT_FAILURE;
	}
	for (unsigned int i = 0; i < NTHREADS; i++) {
		pthread_join(forker[i].thread, NULL);
		if (!forker[i].wrong)
			continue;
		fprintf(stderr, "forks: thread %u: %s\n", i, forker[i].wrong);
		status = EXIT_FAILURE;
	}
	return status;
}
