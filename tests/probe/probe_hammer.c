/* SPDX-License-Identifier: MIT */
/* probe_hammer.c - no update is lost while a page goes to and fro
 *
 * Usage: probe_hammer [MIGRATIONS]. Writers count in words of one page, each
 * in its own and all in a common one, while the page is migrated to the device
 * and back as fast as it goes. A request may miss the page, since a writer has
 * pulled it back by then (ENOENT); data may not be missed.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "probe.h"

#define NWRITERS 2
#define COMMON 100 /* index of the common word */
#define STRIDE 3   /* neighbours share a cache line */
#define UPDATES 64

static _Atomic uint64_t *page;
static atomic_bool stop;

static void *writer(void *arg)
{
	_Atomic uint64_t *own = page + STRIDE * (uintptr_t)arg;
	uint64_t n = 0;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint64_t seen = atomic_load_explicit(own, memory_order_relaxed);

		if (seen != n)
			probe_fail("a writer stored %llu and finds %llu",
				   (unsigned long long)n,
				   (unsigned long long)seen);
		atomic_store_explicit(own, ++n, memory_order_relaxed);
		atomic_fetch_add(page + COMMON, 1);
		if (n % UPDATES == 0)
			sched_yield(); /* there may be one CPU for all */
	}
	return (void *)(uintptr_t)n;
}

/* Return: how many times the page was on the device. */
static unsigned long migrate(int fd, unsigned long times, void *buf)
{
	unsigned long moved = 0;

	for (unsigned long i = 0; i < times; i++) {
		int ret = probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, page, 1,
				    buf, NULL);

		CHECK(ret == 0 || ret == -ENOENT, "to device, try %lu: %s", i,
		      strerror(-ret));
		moved += ret == 0;
		if (i % 2)
			probe_to_sys(fd, page, 1);
	}
	return moved;
}

int main(int argc, char **argv)
{
	unsigned long times, moved;
	pthread_t thread[NWRITERS];
	uint64_t sum = 0;
	void *buf;
	int fd;

	probe_begin("probe_hammer", 400);
	times = probe_argument(argc, argv, 1, 100000);
	fd = probe_open(0);
	page = probe_map(1, PROT_READ | PROT_WRITE);
	buf = probe_map(1, PROT_READ | PROT_WRITE);
	for (uintptr_t i = 0; i < NWRITERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, writer, (void *)i),
		      "no thread");
	moved = migrate(fd, times, buf);
	atomic_store(&stop, true);
	for (uintptr_t i = 0; i < NWRITERS; i++) {
		void *n;

		pthread_join(thread[i], &n);
		CHECK(page[STRIDE * i] == (uintptr_t)n,
		      "writer %zu counted %zu, the page has %zu", (size_t)i,
		      (size_t)(uintptr_t)n, (size_t)page[STRIDE * i]);
		sum += (uintptr_t)n;
	}
	CHECK(page[COMMON] == sum, "%zu of %zu common updates",
	      (size_t)page[COMMON], (size_t)sum);
	CHECK(moved > 0, "the page never was on the device");
	CHECK(sum > 0, "nobody wrote");
	return 0;
}
