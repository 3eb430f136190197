/* SPDX-License-Identifier: MIT */
/* probe_roundtrip.c - memory goes to the device, is worked on there, comes back
 *
 * Usage: probe_roundtrip [-v] [MIB]. With -v says at each step where the data
 * is, what it took and how often the device had to fault.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "probe.h"

#define SEED 7u

static bool verbose;
static uint64_t step_ns;

static void begin(void)
{
	step_ns = probe_now_ns();
}

/* The line of a step that ends here; -1 faults: the device had no part. */
static void step(int fd, const char *what, const void *mem, size_t npages,
		 long faults)
{
	uint64_t ns = probe_now_ns() - step_ns;
	struct probe_where w;
	size_t present, swapped;

	if (!verbose)
		return;
	w = probe_where(fd, mem, npages);
	probe_pagemap(mem, npages, &present, &swapped);
	printf("%-34s %8.1f ms %7.2f us/page %7zu %7zu %7zu", what, ns / 1e6,
	       ns / 1e3 / npages, present, swapped, w.on_device);
	if (faults >= 0)
		printf(" %7ld", faults);
	printf("\n");
	fflush(stdout);
}

static void head(size_t npages)
{
	if (!verbose)
		return;
	printf("%zu pages of %zu bytes\n", npages, page_bytes);
	printf("%-34s %11s %15s %7s %7s %7s %7s\n", "", "", "", "present",
	       "swapped", "on dev.", "faults");
}

static long request(int fd, unsigned long nr, void *mem, size_t npages,
		    void *buf)
{
	struct uhmm_dmirror_cmd cmd;
	int ret = probe_try(fd, nr, mem, npages, buf, &cmd);

	CHECK(ret == 0, "request %#lx: %s", nr, strerror(-ret));
	CHECK(nr == UHMM_DMIRROR_MIGRATE_TO_SYS || cmd.cpages == npages,
	      "%zu pages", (size_t)cmd.cpages);
	return (long)cmd.faults;
}

static void expect(int fd, const void *mem, size_t npages, bool on_device)
{
	struct probe_where w = probe_where(fd, mem, npages);
	size_t present, swapped;

	probe_pagemap(mem, npages, &present, &swapped);
	CHECK(w.on_device == (on_device ? npages : 0), "%zu", w.on_device);
	CHECK(w.in_memory == (on_device ? 0 : npages), "%zu", w.in_memory);
	CHECK(present == (on_device ? 0 : npages), "%zu", present);
	/* what has no marker looks like a hole: docs/privilege.md */
	CHECK(swapped == (on_device ? npages : 0) ||
	      (!swapped && !probe_kernel(6, 15)), "%zu", swapped);
}

static void to_device(int fd, void *mem, size_t npages, void *buf,
		      uint32_t seed)
{
	long faults;

	begin();
	faults = request(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, npages, buf);
	step(fd, "to the device", mem, npages, faults);
	probe_verify(buf, npages, seed, "what the device handed back");
	expect(fd, mem, npages, true);
}

/* What a kernel would do on a real device: here the device hands the data out,
 * it is worked on, and the device takes it back. */
static void compute(int fd, void *mem, size_t npages, uint32_t *buf)
{
	long faults;

	begin();
	faults = request(fd, UHMM_DMIRROR_READ, mem, npages, buf);
	CHECK(faults == 0, "%ld faults for pages on the device", faults);
	step(fd, "device reads", mem, npages, faults);
	probe_verify(buf, npages, SEED, "what the device reads");
	probe_fill(buf, npages, SEED + 1);
	begin();
	faults = request(fd, UHMM_DMIRROR_WRITE, mem, npages, buf);
	CHECK(faults == 0, "%ld faults for pages on the device", faults);
	step(fd, "device writes", mem, npages, faults);
	expect(fd, mem, npages, true);
}

static void fault_back(int fd, void *mem, size_t npages)
{
	begin();
	for (size_t i = 0; i < npages; i++)
		(void)*((volatile char *)mem + i * page_bytes);
	step(fd, "CPU touches every page", mem, npages, -1);
	expect(fd, mem, npages, false);
	probe_verify(mem, npages, SEED + 1, "what came back");
}

int main(int argc, char **argv)
{
	size_t npages;
	void *mem, *buf;
	int fd;

	verbose = argc > 1 && !strcmp(argv[1], "-v");
	probe_begin("probe_roundtrip", 50);
	npages = probe_argument(argc, argv, 1 + verbose, 64);
	npages = npages * (1ul << 20) / page_bytes;
	fd = probe_open(0);
	mem = probe_map(npages, PROT_READ | PROT_WRITE);
	buf = probe_map(npages, PROT_READ | PROT_WRITE);
	head(npages);

	begin();
	probe_fill(mem, npages, SEED);
	step(fd, "CPU fills", mem, npages, -1);
	to_device(fd, mem, npages, buf, SEED);
	compute(fd, mem, npages, buf);
	fault_back(fd, mem, npages);

	to_device(fd, mem, npages, buf, SEED + 1);
	begin();
	request(fd, UHMM_DMIRROR_MIGRATE_TO_SYS, mem, npages, NULL);
	step(fd, "back by request", mem, npages, 0);
	expect(fd, mem, npages, false);
	probe_verify(mem, npages, SEED + 1, "what came back by request");
	if (verbose)
		printf("all data is as it should be\n");
	return 0;
}
