/* SPDX-License-Identifier: MIT */
/* probe_file_private.c - private copies of a file's pages go to the device
 *
 * Pages that were written go; those that are the file's do not. What a touch
 * brings back is what was there, never the file; what is dropped is the file
 * again; what the program says of its protection holds wherever a page is.
 * A thread that writes all the time loses nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file_map.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES ((size_t)32)
#define FILE_SEED 5u
#define SEED 6u

static int fd;

static unsigned char *map_and_fill(void)
{
	unsigned char *p = file_map(NPAGES, RW, FILE_SEED);

	probe_fill(p, NPAGES, SEED);
	return p;
}

static void only_copies_go(void)
{
	unsigned char *p = file_map(NPAGES, RW, FILE_SEED);
	unsigned char *out = malloc(NPAGES * page_bytes);
	struct probe_where where;

	probe_fill(p, NPAGES / 2, SEED);
	CHECK(out && probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, p, NPAGES, out,
			       NULL) == -ENOENT, "the file's pages went");
	where = probe_where(fd, p, NPAGES);
	CHECK(where.on_device == NPAGES / 2, "%zu", where.on_device);
	probe_verify(p, NPAGES / 2, SEED, "copies");
	probe_verify_from(p + NPAGES / 2 * page_bytes, NPAGES / 2, NPAGES / 2,
			  FILE_SEED, "the file's");
	free(out);
	probe_unmap(p, NPAGES);
}

static void touch_brings_back(void)
{
	unsigned char *p = map_and_fill();

	probe_to_dev(fd, p, NPAGES);
	CHECK(probe_where(fd, p, NPAGES).on_device == NPAGES, "not there");
	for (size_t i = 0; i < NPAGES; i += 2)
		p[i * page_bytes + 4000] = p[i * page_bytes + 4000];
	probe_verify(p, NPAGES, SEED, "after a touch");
	probe_to_dev(fd, p, NPAGES);
	probe_to_sys(fd, p, NPAGES);
	CHECK(probe_where(fd, p, NPAGES).in_memory == NPAGES, "not back");
	probe_verify(p, NPAGES, SEED, "after MIGRATE_TO_SYS");
	probe_unmap(p, NPAGES);
}

static void dropped_is_the_file(void)
{
	unsigned char *p = map_and_fill();

	probe_to_dev(fd, p, NPAGES);
	CHECK(!madvise(p + 4 * page_bytes, 4 * page_bytes, MADV_DONTNEED), "%s",
	      strerror(errno));
	probe_verify_from(p + 4 * page_bytes, 4, 4, FILE_SEED, "dropped");
	CHECK(probe_where(fd, p, NPAGES).on_device == NPAGES - 4, "others went");
	probe_verify(p, 4, SEED, "before what was dropped");
	probe_unmap(p, NPAGES);
}

static void protection_is_the_programs(void)
{
	unsigned char *p = map_and_fill();
	unsigned char *q = p + 8 * page_bytes;

	probe_to_dev(fd, p, NPAGES);
	CHECK(!mprotect(q, 8 * page_bytes, PROT_READ), "%s", strerror(errno));
	CHECK(!probe_dies_of((uint32_t *)p, true), "before");
	CHECK(probe_dies_of((uint32_t *)q, true) == SIGSEGV, "read-only");
	CHECK(!probe_dies_of((uint32_t *)q, false), "read-only, read");
	CHECK(!probe_dies_of((uint32_t *)(q + 8 * page_bytes), true), "behind");
	CHECK(probe_try(fd, UHMM_DMIRROR_WRITE, q, 1, p, NULL) == -EPERM,
	      "the device may write");
	CHECK(!mprotect(p, NPAGES * page_bytes, PROT_NONE), "%s",
	      strerror(errno));
	CHECK(probe_dies_of((uint32_t *)q, false) == SIGSEGV, "none");
	CHECK(!mprotect(p, NPAGES * page_bytes, RW), "%s", strerror(errno));
	probe_verify(p, NPAGES, SEED, "after all that");
	q[5] ^= 1;
	q[5] ^= 1;
	probe_verify(p, NPAGES, SEED, "written again");
	probe_unmap(p, NPAGES);
}

static void replaced_mapping_is_new(void)
{
	unsigned char *p = map_and_fill(), *q;

	probe_to_dev(fd, p, NPAGES);
	q = mmap(p + 8 * page_bytes, 8 * page_bytes, RW,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(q == p + 8 * page_bytes, "%s", strerror(errno));
	probe_verify_zero(q, 8, "mapped over");
	CHECK(!munmap(p, 4 * page_bytes), "%s", strerror(errno));
	probe_verify_from(p + 4 * page_bytes, 4, 4, SEED, "the rest");
	q = mremap(p + 24 * page_bytes, 8 * page_bytes, 8 * page_bytes,
		   MREMAP_MAYMOVE | MREMAP_FIXED, p + 4 * page_bytes);
	CHECK(q == p + 4 * page_bytes, "%s", strerror(errno));
	probe_verify_from(q, 8, 24, SEED, "moved");
	probe_unmap(p, NPAGES);
}

/* Both have what was there, and each writes its own. */
static void fork_copies(void)
{
	unsigned char *p = map_and_fill();
	int pid;

	probe_to_dev(fd, p, NPAGES);
	pid = fork();
	if (!pid) {
		probe_verify(p, NPAGES, SEED, "in the child");
		probe_fill(p, NPAGES, SEED + 1);
		_exit(0);
	}
	probe_wait(pid, "child");
	probe_verify(p, NPAGES, SEED, "after a fork");
	probe_unmap(p, NPAGES);
}

/* What a fork shared may be written when it was, as other private memory. */
static void fork_makes_read_only(void)
{
	unsigned char *p = map_and_fill(), *q = probe_map(NPAGES, RW);
	unsigned char seen[NPAGES], other[NPAGES];
	int pid;

	probe_fill(q, NPAGES, SEED);
	probe_to_dev(fd, p, NPAGES / 2);
	probe_to_dev(fd, q, NPAGES / 2);
	pid = fork();
	if (!pid)
		_exit(0);
	probe_wait(pid, "child");
	probe_verify(p, NPAGES, SEED, "after a fork");
	probe_verify(q, NPAGES, SEED, "after a fork, no file");
	p[page_bytes] ^= 1;
	q[page_bytes] ^= 1;
	probe_do(fd, UHMM_DMIRROR_SNAPSHOT, p, NPAGES, seen);
	probe_do(fd, UHMM_DMIRROR_SNAPSHOT, q, NPAGES, other);
	CHECK(seen[1] == UHMM_DMIRROR_PROT_WRITE, "written: %02x", seen[1]);
	for (size_t i = 0; i < NPAGES; i++)
		CHECK(seen[i] == other[i], "page %zu: %02x, of no file %02x", i,
		      seen[i], other[i]);
	probe_unmap(p, NPAGES);
	probe_unmap(q, NPAGES);
}

/* ---- a writer ---- */

static _Atomic(uint32_t) *counter;
static atomic_bool enough;

static void *count(void *arg)
{
	uint64_t *rounds = arg;

	for (; !enough; ++*rounds)
		for (size_t i = 0; i < NPAGES; i++)
			counter[i * page_bytes / 4]++;
	return NULL;
}

static void writers_lose_nothing(void)
{
	unsigned char *p = map_and_fill();
	unsigned char *out = malloc(NPAGES * page_bytes);
	uint64_t rounds[2] = { 0 };
	pthread_t thread[2];

	memset(p, 0, NPAGES * page_bytes);
	counter = (_Atomic(uint32_t) *)p;
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, count, &rounds[i]), "");
	for (int i = 0; i < 60; i++)
		(void)probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, p, NPAGES, out,
				NULL);
	enough = true;
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], NULL), "");
	for (size_t i = 0; i < NPAGES; i++)
		CHECK(counter[i * page_bytes / 4] ==
			      (uint32_t)(rounds[0] + rounds[1]),
		      "page %zu: %u of %llu", i, counter[i * page_bytes / 4],
		      (unsigned long long)(rounds[0] + rounds[1]));
	free(out);
	probe_unmap(p, NPAGES);
}

int main(void)
{
	probe_begin("probe_file_private", 50);
	fd = probe_open(0);
	only_copies_go();
	touch_brings_back();
	dropped_is_the_file();
	protection_is_the_programs();
	replaced_mapping_is_new();
	fork_copies();
	fork_makes_read_only();
	writers_lose_nothing();
	return 0;
}
