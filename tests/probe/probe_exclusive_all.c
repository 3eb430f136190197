/* SPDX-License-Identifier: MIT */
/* probe_exclusive_all.c - all of a large piece of memory becomes exclusive to
 * device 1, 2 MiB at a time (S2.9)
 *
 *   probe_exclusive_all [MEBIBYTES]
 *
 * It stays the program's: it counts as its memory, the kernel may reclaim it,
 * every byte is there when it comes back, and when the program lets go of it
 * nothing is left. Reclaim of a page that is exclusive shows where it is: what
 * is swapped out is not resident any more. Without swap there is nothing that
 * could be reclaimed to; then who walks the page table must find entries that
 * are neither present nor empty.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "peek.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define CHUNK_BYTES ((size_t)2 << 20)
#define SEED 9u

static size_t all_bytes = (size_t)1 << 30;
static unsigned char *mem;

/* Bytes of the program that are resident, and of what its daemon has for it. */
static size_t resident(void)
{
	unsigned long total, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	CHECK(f && fscanf(f, "%lu %lu", &total, &pages) == 2, "statm");
	CHECK(!fclose(f), "statm");
	return pages * page_bytes +
	       (peek_has_daemon() ? (size_t)peek_number("device_memory_bytes") :
				    0);
}

static void make_exclusive(int fd)
{
	struct uhmm_dmirror_cmd cmd;
	size_t npages = CHUNK_BYTES / page_bytes;
	unsigned char *copy = malloc(CHUNK_BYTES);

	for (size_t at = 0; at < all_bytes; at += CHUNK_BYTES) {
		int err = probe_try(fd, UHMM_DMIRROR_EXCLUSIVE, mem + at,
				    npages, copy, &cmd);

		CHECK(!err && cmd.cpages == npages, "%s, %lu pages at %zu",
		      strerror(-err), (unsigned long)cmd.cpages, at);
		CHECK(copy[0] == SEED && copy[CHUNK_BYTES - 1] == SEED,
		      "the device sees %u at %zu", copy[0], at);
	}
	free(copy);
}

/* Each page is exclusive: the CPU has none of them, and none is a hole, where
 * there are markers (6.4). */
static void expect_away(void)
{
	size_t present, swapped;

	probe_pagemap(mem, all_bytes / page_bytes, &present, &swapped);
	CHECK(present == 0 && (swapped == all_bytes / page_bytes ||
			       !probe_kernel(6, 4)),
	      "%zu present, %zu away of %zu", present, swapped,
	      all_bytes / page_bytes);
}

static bool has_swap(void)
{
	struct sysinfo info;

	return !sysinfo(&info) &&
	       info.freeswap * info.mem_unit > all_bytes + (all_bytes >> 2);
}

/* The kernel is asked to reclaim it: that it may, and nothing is lost by it. */
static void reclaim(void)
{
	size_t before = resident();

	CHECK(!madvise(mem, all_bytes, MADV_PAGEOUT), "%s", strerror(errno));
	CHECK(!has_swap() || resident() <= before, "it grew to %zu",
	      resident());
	expect_away();
}

int main(int argc, char **argv)
{
	size_t before, full, most;
	int fd;

	all_bytes = probe_argument(argc, argv, 1, all_bytes >> 20) << 20;
	probe_begin("probe_exclusive_all", 100);
	fd = probe_open(1);
	before = resident();
	mem = probe_map(all_bytes / page_bytes, RW);
	CHECK(!madvise(mem, all_bytes, MADV_NOHUGEPAGE), "%s", strerror(errno));
	memset(mem, SEED, all_bytes);
	full = resident();
	CHECK(full - before >= all_bytes, "%zu", full - before);
	make_exclusive(fd);
	expect_away();
	most = all_bytes >> 5;
	CHECK(resident() >= full - most && resident() <= full + most,
	      "%zu before, %zu now", full, resident());
	reclaim();
	CHECK(probe_try(fd, UHMM_DMIRROR_CHECK_EXCLUSIVE, mem, 1, NULL, NULL) ==
		      -EPERM, "it is not the device's any more");
	/* half of it is used again, half ends as it is */
	for (size_t i = 0; i < all_bytes / 2; i += page_bytes)
		CHECK(mem[i] == SEED && mem[i + page_bytes - 1] == SEED,
		      "%u at %zu", mem[i], i);
	probe_unmap(mem, all_bytes / page_bytes);
	CHECK(!close(fd), "%s", strerror(errno));
	peek_await_pages(0, "at the end");
	/* its hands and the daemon let go of it when they get to it */
	for (int ms = 0; resident() > before + most && ms < 5000; ms += 50)
		probe_pause_ms(50);
	CHECK(resident() <= before + most, "%zu before, %zu left", before,
	      resident());
	return 0;
}
