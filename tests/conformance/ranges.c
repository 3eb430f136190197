/* SPDX-License-Identifier: MIT */
/* ranges.c - memory in the states that a VM operation may meet (ranges.h) */
#include "ranges.h"

#include <sys/mman.h>

int dev0 = -1, dev1 = -1;

void range_set_up(void)
{
	dev0 = probe_open(0);
	dev1 = probe_open(1);
}

static void put_page(unsigned char *page, size_t i)
{
	unsigned char copy[65536];

	switch (i % 4) {
	case 0:
		probe_do(dev0, UHMM_DMIRROR_MIGRATE_TO_DEV, page, 1, copy);
		break;
	case 1:
		probe_do(dev1, UHMM_DMIRROR_MIGRATE_TO_DEV, page, 1, copy);
		break;
	case 2:
		break;
	default:
		probe_do(dev0, UHMM_DMIRROR_EXCLUSIVE, page, 1, copy);
		break;
	}
}

void range_put(unsigned char *p, size_t npages, enum range_state state)
{
	unsigned char *copy = malloc(npages * page_bytes);

	if (state == RANGE_ON_DEVICE)
		probe_do(dev0, UHMM_DMIRROR_MIGRATE_TO_DEV, p, npages, copy);
	else if (state == RANGE_EXCLUSIVE)
		probe_do(dev0, UHMM_DMIRROR_EXCLUSIVE, p, npages, copy);
	else
		for (size_t i = 0; i < npages; i++)
			put_page(range_at(p, i), i);
	if (state != RANGE_MIXED) {
		range_is(copy, 0, npages, "data that comes back");
		CHECK(range_away(p, npages) == npages,
		      "state %d: %zu pages are away", (int)state,
		      range_away(p, npages));
	}
	free(copy);
}

unsigned char *range_make(enum range_state state)
{
	unsigned char *p = probe_map(RANGE_NPAGES, PROT_READ | PROT_WRITE);

	probe_fill(p, RANGE_NPAGES, RANGE_SEED);
	range_put(p, RANGE_NPAGES, state);
	return p;
}

size_t range_away(const unsigned char *p, size_t npages)
{
	size_t present, swapped;

	probe_pagemap(p, npages, &present, &swapped);
	/* before, not every page that is away can have a marker */
	return probe_kernel(6, 15) ? swapped : npages - present;
}

void range_each(void (*test)(unsigned char *p, enum range_state state))
{
	for (int state = 0; state < RANGE_STATES; state++) {
		unsigned char *p = range_make((enum range_state)state);

		test(p, (enum range_state)state);
		munmap(p, RANGE_NPAGES * page_bytes);
	}
}

void range_is(const unsigned char *p, size_t first, size_t npages,
	      const char *when)
{
	probe_verify_from(p, npages, first, RANGE_SEED, when);
}

void range_readable(const unsigned char *p, size_t first, size_t npages)
{
	unsigned char *copy = malloc(npages * page_bytes);

	probe_do(dev0, UHMM_DMIRROR_READ, p, npages, copy);
	range_is(copy, first, npages, "the device reads");
	free(copy);
}
