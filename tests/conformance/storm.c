/* SPDX-License-Identifier: MIT */
/* storm.c - 64 threads: requests, faults, munmap, mprotect, mremap and fork at
 * once, data checked, and the daemon's own check at the end
 *
 * Usage: storm [SECONDS]. Each thread has memory of its own, whose data it
 * knows whatever the others do to where it lies: a RELEASE and the last close of
 * a device move everybody's pages, a fork takes everybody's exclusive pages
 * back. So a request may find that somebody was faster, and says so (ENOENT,
 * EBUSY); it never hands out wrong data. All count in common memory, too.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../cli/ask.h"
#include "../probe/probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NTHREADS 64
#define NPAGES 8
#define COMMON_NPAGES 4

struct thread {
	pthread_t id;
	unsigned int number;
	uint32_t random, seed;
	int fd[2];
	unsigned char *mem;	/* NPAGES, holds @seed */
	unsigned char *buf;
	uint64_t rounds;	/* what it counted in common memory */
};

static struct thread threads[NTHREADS];
static unsigned char *common;
static uint64_t until_ns;

static uint32_t below(struct thread *t, uint32_t n)
{
	t->random = t->random * 1664525u + 1013904223u;
	return (t->random >> 8) % n;
}

static void verify(const struct thread *t, const char *when)
{
	probe_verify(t->mem, NPAGES, t->seed, when);
}

static void fill(struct thread *t)
{
	t->seed = below(t, 1u << 20) << 8 | t->number;
	probe_fill(t->mem, NPAGES, t->seed);
}

/* Return: it was done; false: somebody was faster */
static bool ask(struct thread *t, unsigned long nr, void *addr, size_t npages)
{
	int ret = probe_try(t->fd[below(t, 2)], nr, addr, npages, t->buf, NULL);

	CHECK(ret == 0 || ret == -ENOENT || ret == -EBUSY,
	      "thread %u: request %#lx: %s", t->number, nr, strerror(-ret));
	return ret == 0;
}

/* ---- what a thread does, once ---- */

static void requests(struct thread *t)
{
	static const unsigned long reading[] = { UHMM_DMIRROR_READ,
						 UHMM_DMIRROR_READ_UNLOCKED,
						 UHMM_DMIRROR_MIGRATE_TO_DEV,
						 UHMM_DMIRROR_EXCLUSIVE };

	fill(t);
	for (int i = 0; i < 4; i++) {
		unsigned long nr = reading[below(t, 4)];

		if (ask(t, nr, t->mem, NPAGES))
			probe_verify(t->buf, NPAGES, t->seed, "handed back");
	}
	(void)!ask(t, UHMM_DMIRROR_SNAPSHOT, t->mem, NPAGES);
	probe_fill(t->buf, NPAGES, t->seed + 1);
	if (ask(t, UHMM_DMIRROR_WRITE, t->mem, NPAGES))
		t->seed++;
	else
		fill(t);
	if (below(t, 4) == 0)
		(void)!ask(t, UHMM_DMIRROR_MIGRATE_TO_SYS, t->mem, NPAGES);
	if (below(t, 16) == 0)
		(void)!ask(t, UHMM_DMIRROR_RELEASE, t->mem, 1);
	verify(t, "after requests");
}

static void faults(struct thread *t)
{
	fill(t);
	(void)!ask(t, UHMM_DMIRROR_MIGRATE_TO_DEV, t->mem, NPAGES);
	for (size_t i = 0; i < NPAGES; i++) {
		size_t page = below(t, NPAGES);
		volatile uint32_t *w = (void *)(t->mem + page * page_bytes);

		*w = *w + 0;	/* a read and a write of what is there */
	}
	verify(t, "after faults");
}

static void unmaps(struct thread *t)
{
	size_t cut = 1 + below(t, NPAGES - 1);

	fill(t);
	(void)!ask(t, UHMM_DMIRROR_MIGRATE_TO_DEV, t->mem, NPAGES);
	CHECK(!munmap(t->mem + cut * page_bytes, (NPAGES - cut) * page_bytes),
	      "munmap: %s", strerror(errno));
	probe_verify(t->mem, cut, t->seed, "what is left");
	CHECK(!munmap(t->mem, cut * page_bytes), "munmap");
	t->mem = probe_map(NPAGES, RW);
	probe_verify_zero(t->mem, NPAGES, "new memory");
	fill(t);
}

static void protects(struct thread *t)
{
	fill(t);
	(void)!ask(t, below(t, 2) ? UHMM_DMIRROR_MIGRATE_TO_DEV :
				    UHMM_DMIRROR_EXCLUSIVE, t->mem, NPAGES);
	CHECK(!mprotect(t->mem, NPAGES / 2 * page_bytes, PROT_NONE), "mprotect");
	CHECK(!mprotect(t->mem, NPAGES * page_bytes, PROT_READ), "mprotect");
	verify(t, "read-only");
	CHECK(!mprotect(t->mem, NPAGES * page_bytes, RW), "mprotect");
	verify(t, "after mprotect");
}

static void remaps(struct thread *t)
{
	unsigned char *to = probe_map(NPAGES, RW), *p;

	fill(t);
	(void)!ask(t, UHMM_DMIRROR_MIGRATE_TO_DEV, t->mem, NPAGES);
	p = mremap(t->mem, NPAGES * page_bytes, NPAGES * page_bytes,
		   MREMAP_MAYMOVE | MREMAP_FIXED, to);
	CHECK(p == to, "mremap: %s", strerror(errno));
	t->mem = p;
	verify(t, "after mremap");
	CHECK(!madvise(t->mem, NPAGES * page_bytes, MADV_DONTNEED), "madvise");
	probe_verify_zero(t->mem, NPAGES, "dropped");
	fill(t);
}

static void forks(struct thread *t)
{
	pid_t pid;

	fill(t);
	(void)!ask(t, UHMM_DMIRROR_MIGRATE_TO_DEV, t->mem, NPAGES);
	pid = fork();
	if (pid == 0) {
		verify(t, "child");
		probe_fill(t->mem, NPAGES, 1);
		_exit(0);
	}
	verify(t, "parent");
	probe_wait(pid, "child");
	verify(t, "parent, later");
}

static void opens(struct thread *t)
{
	int fd = probe_open(t->number % 2);

	fill(t);
	(void)!probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, t->mem, NPAGES,
			 t->buf, NULL);
	close(fd);
	verify(t, "after close");
}

static void counts(struct thread *t)
{
	for (size_t i = 0; i < COMMON_NPAGES; i++) {
		volatile uint64_t *word =
			(volatile uint64_t *)(common + i * page_bytes) +
			t->number;

		CHECK(*word == t->rounds, "thread %u, page %zu: %zu, not %zu",
		      t->number, i, (size_t)*word, (size_t)t->rounds);
		*word = t->rounds + 1;
	}
	t->rounds++;
	(void)!ask(t, below(t, 4) ? UHMM_DMIRROR_MIGRATE_TO_DEV :
				    UHMM_DMIRROR_EXCLUSIVE, common,
		   COMMON_NPAGES);
}

/* ---- all at once ---- */

static void *work(void *arg)
{
	/* a fork stops everybody: two of 64 do nothing else */
	static void (*const trades[])(struct thread *t) = {
		requests, faults, unmaps, protects, remaps, opens, counts,
	};
	struct thread *t = arg;

	/* on a busy machine the last may begin when it is over */
	while (probe_now_ns() < until_ns || !t->rounds) {
		if (t->number % 32 == 31)
			forks(t);
		else
			trades[t->number % 7](t);
		counts(t);
	}
	return NULL;
}

static void begin(struct thread *t, unsigned int number)
{
	t->number = number;
	t->random = number * 2654435761u;
	t->fd[0] = probe_open(0);
	t->fd[1] = number % 2 ? probe_open(1) : t->fd[0];
	t->mem = probe_map(NPAGES, RW);
	t->buf = probe_map(NPAGES, RW);
	CHECK(!pthread_create(&t->id, NULL, work, t), "thread %u", number);
}

static void ask_the_daemon(void)
{
	const char *path = getenv("UHMM_SOCKET");
	char *text = NULL;
	int sock, ret;

	if (!path)
		return;
	sock = cli_ask_connect(path);
	CHECK(sock >= 0, "%s", strerror(-sock));
	ret = cli_ask_check(sock, &text);
	CHECK(ret == 0, "check: %s", strerror(-ret));
	CHECK(!text[0], "the daemon found: %s", text);
	free(text);
	close(sock);
}

int main(int argc, char **argv)
{
	unsigned long seconds = probe_argument(argc, argv, 1, 60);
	uint64_t rounds = 0;

	probe_begin("storm", (unsigned int)seconds + 120);
	common = probe_map(COMMON_NPAGES, RW);
	until_ns = probe_now_ns() + seconds * UINT64_C(1000000000);
	for (unsigned int i = 0; i < NTHREADS; i++)
		begin(&threads[i], i);
	for (unsigned int i = 0; i < NTHREADS; i++) {
		CHECK(!pthread_join(threads[i].id, NULL), "thread %u", i);
		rounds += threads[i].rounds;
	}
	ask_the_daemon();
	for (unsigned int i = 0; i < NTHREADS; i++)
		for (size_t p = 0; p < COMMON_NPAGES; p++) {
			uint64_t *word = (uint64_t *)(common + p * page_bytes);

			CHECK(word[i] == threads[i].rounds,
			      "thread %u lost a count", i);
		}
	printf("storm: %zu rounds\n", (size_t)rounds);
	return 0;
}
