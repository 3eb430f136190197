/* SPDX-License-Identifier: MIT */
/* probe_unplug.c - a device is pulled out while programs use it
 *
 * What was on it is back, for all who share it; who asks the device is told
 * that it is gone, who opens it, too; the others go on as before. Threads that
 * send pages there and touch them all the while lose nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../cli/ask.h"
#include "peek.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES ((size_t)64)
#define SEED 3u
#define NTHREADS 3

static int unplug(const char *node)
{
	int sock = cli_ask_connect(getenv("UHMM_SOCKET"));
	int err;

	CHECK(sock >= 0, "%s", strerror(-sock));
	err = cli_ask_unplug(sock, node);
	close(sock);
	return err;
}

static void is_out(int fd, const char *path, void *mem)
{
	static const unsigned long requests[] = {
		UHMM_DMIRROR_READ, UHMM_DMIRROR_WRITE,
		UHMM_DMIRROR_MIGRATE_TO_DEV, UHMM_DMIRROR_MIGRATE_TO_SYS,
		UHMM_DMIRROR_SNAPSHOT, UHMM_DMIRROR_EXCLUSIVE,
		UHMM_DMIRROR_RELEASE,
	};
	unsigned char copy[1 << 16];

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int err = probe_try(fd, requests[i], mem, 1, copy, NULL);

		CHECK(err == -ENODEV, "request %zu: %s", i, strerror(-err));
	}
	CHECK(mmap(NULL, page_bytes, RW, MAP_SHARED, fd, 0) == MAP_FAILED &&
		      errno == ENODEV, "mmap: %s", strerror(errno));
	CHECK(open(path, O_RDWR | O_CLOEXEC) == -1 && errno == ENXIO,
	      "open: %s", strerror(errno));
}

/* ---- pages of a program and its child ---- */

static void everything_is_back(int fd, int other)
{
	unsigned char *mem = probe_map(NPAGES, RW);
	size_t present, away;
	int go[2], pid;
	char byte;

	CHECK(!pipe2(go, O_CLOEXEC), "%s", strerror(errno));
	probe_fill(mem, NPAGES, SEED);
	probe_to_dev(fd, mem, NPAGES);
	pid = fork();
	CHECK(pid >= 0, "%s", strerror(errno));
	if (!pid) {
		CHECK(!close(go[1]) && read(go[0], &byte, 1) == 0, "pipe");
		probe_verify(mem, NPAGES, SEED, "in the child");
		_exit(0);
	}
	CHECK(!unplug("hmm_dmirror0"), "unplug");
	peek_await_pages(0, "after it was pulled out");
	probe_pagemap(mem, NPAGES, &present, &away);
	CHECK(away == 0, "%zu of %zu are away still", away, NPAGES);
	close(go[1]);
	probe_wait(pid, "the child");
	probe_verify(mem, NPAGES, SEED, "in the parent");
	is_out(fd, "/dev/hmm_dmirror0", mem);
	CHECK(unplug("hmm_dmirror0") == -ENODEV, "it was there twice");
	probe_to_dev(other, mem, NPAGES);
	probe_verify(mem, NPAGES, SEED, "after another device");
	probe_unmap(mem, NPAGES);
}

/* ---- in the middle of things ---- */

static int busy_fd;
static atomic_uint rounds;

static void *send_and_touch(void *arg)
{
	unsigned char *mem = probe_map(NPAGES, RW);
	uint32_t seed = (uint32_t)(uintptr_t)arg;
	int err = 0;

	while (err != -ENODEV) {
		unsigned char *copy = malloc(NPAGES * page_bytes);

		probe_fill(mem, NPAGES, ++seed);
		err = probe_try(busy_fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem,
				NPAGES, copy, NULL);
		free(copy);
		/* none: it went in between */
		CHECK(!err || err == -ENOENT || err == -ENODEV, "%s",
		      strerror(-err));
		probe_verify(mem, NPAGES, seed, "while it goes");
		atomic_fetch_add(&rounds, 1);
	}
	probe_unmap(mem, NPAGES);
	return NULL;
}

static void goes_while_it_is_used(const char *node)
{
	pthread_t thread[NTHREADS];

	atomic_store(&rounds, 0);
	for (uintptr_t i = 0; i < NTHREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, send_and_touch,
				      (void *)(i * 1000)), "thread");
	while (atomic_load(&rounds) < 10 * NTHREADS)
		probe_pause_ms(1);
	CHECK(!unplug(node), "unplug");
	for (int i = 0; i < NTHREADS; i++)
		CHECK(!pthread_join(thread[i], NULL), "join");
	peek_await_pages(0, "at the end");
	CHECK(!close(busy_fd), "%s", strerror(errno));
}

int main(void)
{
	int fd, other;

	probe_begin("probe_unplug", 50);
	CHECK(unplug("hmm_dmirror7") == -ENODEV, "a device that is not there");
	fd = probe_open(0);
	other = probe_open(1);
	everything_is_back(fd, other);
	CHECK(!close(fd), "%s", strerror(errno));
	busy_fd = other;
	goes_while_it_is_used("hmm_dmirror1");
	busy_fd = probe_open(2);
	goes_while_it_is_used("hmm_dmirror2");
	return 0;
}
