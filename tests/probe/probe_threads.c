/* SPDX-License-Identifier: MIT */
/* probe_threads.c - eight threads, requests and faults, own memory and common
 *
 * Usage: probe_threads [SECONDS]. Own memory belongs to one thread: whatever
 * the others do, its pages go where it says and hold what it wrote. Common
 * memory is migrated by everybody while each thread counts in its own word of
 * each page: a request may find that somebody was faster (ENOENT), no count
 * may be lost.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NTHREADS 8
#define OWN_NPAGES 64
#define COMMON_NPAGES 32

struct worker {
	pthread_t thread;
	unsigned int number;
	int own_fd;
	unsigned char *mem;
	void *buf;
	uint64_t counted; /* rounds over the common memory */
};

static struct worker workers[NTHREADS];
static int common_fd;
static unsigned char *common;
static uint64_t until_ns;

static volatile uint64_t *common_word(size_t page, unsigned int number)
{
	return (volatile uint64_t *)(common + page * page_bytes) + number;
}

static void own_memory(struct worker *w, uint32_t seed)
{
	int fd = seed % 2 ? w->own_fd : common_fd;

	probe_fill(w->mem, OWN_NPAGES, seed);
	probe_do(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, w->mem, OWN_NPAGES, w->buf);
	probe_verify(w->buf, OWN_NPAGES, seed, "handed back");
	probe_do(fd, UHMM_DMIRROR_READ, w->mem, OWN_NPAGES, w->buf);
	probe_verify(w->buf, OWN_NPAGES, seed, "read by the device");
	probe_fill(w->buf, OWN_NPAGES, seed + 1);
	probe_do(fd, UHMM_DMIRROR_WRITE, w->mem, OWN_NPAGES, w->buf);
	if (seed % 3 == 0)
		probe_to_sys(fd, w->mem, OWN_NPAGES);
	probe_verify(w->mem, OWN_NPAGES, seed + 1, "written by the device");
}

static void common_memory(struct worker *w)
{
	int ret;

	ret = probe_try(w->own_fd, UHMM_DMIRROR_MIGRATE_TO_DEV, common,
			COMMON_NPAGES, w->buf, NULL);
	CHECK(ret == 0 || ret == -ENOENT, "common memory: %s", strerror(-ret));
	for (size_t i = 0; i < COMMON_NPAGES; i++) {
		volatile uint64_t *word = common_word(i, w->number);

		CHECK(*word == w->counted, "page %zu: %zu, not %zu", i,
		      (size_t)*word, (size_t)w->counted);
		*word = w->counted + 1;
	}
	w->counted++;
	if (w->counted % 4 == 0)
		probe_to_sys(w->own_fd, common, COMMON_NPAGES);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint32_t seed = w->number * 1000003u;

	while (probe_now_ns() < until_ns) {
		own_memory(w, seed++);
		common_memory(w);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long seconds;

	probe_begin("probe_threads", 100);
	seconds = probe_argument(argc, argv, 1, 3);
	common_fd = probe_open(0);
	common = probe_map(COMMON_NPAGES, RW);
	until_ns = probe_now_ns() + seconds * 1000000000u;
	for (unsigned int i = 0; i < NTHREADS; i++) {
		struct worker *w = &workers[i];

		w->number = i;
		w->own_fd = probe_open(0);
		w->mem = probe_map(OWN_NPAGES, RW);
		w->buf = probe_map(OWN_NPAGES, RW);
		CHECK(!pthread_create(&w->thread, NULL, work, w), "no thread");
	}
	for (unsigned int i = 0; i < NTHREADS; i++) {
		struct worker *w = &workers[i];

		pthread_join(w->thread, NULL);
		CHECK(w->counted > 0, "thread %u did nothing", i);
		for (size_t page = 0; page < COMMON_NPAGES; page++)
			CHECK(*common_word(page, i) == w->counted,
			      "thread %u, page %zu: %zu, not %zu", i, page,
			      (size_t)*common_word(page, i),
			      (size_t)w->counted);
	}
	return 0;
}
