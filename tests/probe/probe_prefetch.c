/* SPDX-License-Identifier: MIT */
/* probe_prefetch.c - what comes back with a page that the CPU touches
 *
 * ARG: 16, as the policy says; 1: there is none.
 */
#include <errno.h>
#include <sys/mman.h>

#include "probe.h"

#define NPAGES ((size_t)128)
#define SEED 29u

/* The one touched in the end. */
#define TOUCHED ((size_t)70)

static size_t away(int fd, const unsigned char *mem, size_t first, size_t n)
{
	return probe_where(fd, mem + first * page_bytes, n).on_device;
}

/* Memory whose first page's number NPAGES divides. */
static unsigned char *map_aligned(void)
{
	size_t bytes = NPAGES * page_bytes;
	unsigned char *all = probe_map(2 * NPAGES, PROT_READ | PROT_WRITE);

	return all + (bytes - (uintptr_t)all % bytes) % bytes;
}

static void touch_one(int fd, unsigned char *mem, size_t n, bool write)
{
	size_t first = TOUCHED - TOUCHED % n;
	volatile unsigned char *p = &mem[TOUCHED * page_bytes];

	probe_fill(mem, NPAGES, SEED);
	probe_to_dev(fd, mem, NPAGES);
	CHECK(away(fd, mem, 0, NPAGES) == NPAGES, "before");
	if (write)
		*p = *p;
	else
		(void)*p;
	CHECK(away(fd, mem, first, n) == 0, "%zu pages around it", n);
	CHECK(away(fd, mem, 0, NPAGES) == NPAGES - n, "%zu more are back",
	      NPAGES - n - away(fd, mem, 0, NPAGES));
	probe_verify(mem, NPAGES, SEED, "after a fault");
}

/* Among those that come with it there may be holes, and gaps. */
static void with_gaps(int fd, unsigned char *mem, size_t n)
{
	size_t first = TOUCHED - TOUCHED % 16, left = n > 1 ? 0 : 1;

	probe_fill(mem, NPAGES, SEED);
	probe_to_dev(fd, mem, NPAGES);
	CHECK(!madvise(mem + first * page_bytes, page_bytes, MADV_DONTNEED),
	      "");
	CHECK(!munmap(mem + (TOUCHED + 1) * page_bytes, page_bytes), "");
	probe_verify_from(mem + TOUCHED * page_bytes, 1, TOUCHED, SEED, "it");
	CHECK(away(fd, mem, 0, first) == first, "pages before all that");
	CHECK(away(fd, mem, first + 1, 5) == 5 * left, "pages before it");
	CHECK(away(fd, mem, first + 8, 8) == 8 * left, "pages behind the gap");
	probe_verify_zero(mem + first * page_bytes, 1, "what was dropped");
	probe_verify_from(mem + (first + 8) * page_bytes, 8, first + 8, SEED,
			  "behind the gap");
}

/* What the device has for itself comes back page by page. */
static void exclusive(int fd, unsigned char *mem)
{
	unsigned char *back = probe_map(NPAGES, PROT_READ | PROT_WRITE);

	probe_do(fd, UHMM_DMIRROR_EXCLUSIVE, mem, NPAGES, back);
	mem[2 * page_bytes]++;
	CHECK(probe_try(fd, UHMM_DMIRROR_CHECK_EXCLUSIVE, mem, 2, back, NULL) ==
		      -EPERM, "before the page that was touched");
	CHECK(probe_try(fd, UHMM_DMIRROR_CHECK_EXCLUSIVE,
			mem + 2 * page_bytes, 1, back, NULL) == 0, "that page");
	CHECK(probe_try(fd, UHMM_DMIRROR_CHECK_EXCLUSIVE,
			mem + 3 * page_bytes, 1, back, NULL) == -EPERM,
	      "behind it");
	probe_unmap(back, NPAGES);
}

int main(int argc, char **argv)
{
	unsigned char *mem;
	size_t n;
	int fd;

	probe_begin("probe_prefetch", 50);
	n = probe_argument(argc, argv, 1, 16);
	fd = probe_open(0);
	mem = map_aligned();
	touch_one(fd, mem, n, false);
	touch_one(fd, mem, n, true);
	exclusive(fd, mem);
	with_gaps(fd, mem, n);
	return 0;
}
