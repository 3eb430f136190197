/* SPDX-License-Identifier: MIT */
/* probe_madv_free.c - MADV_FREE keeps what is on the device
 *
 * It is about pages of the system that could be written out: it succeeds, and
 * pages on the device stay there with their data. MADV_DONTNEED, which a
 * userfaultfd cannot tell from it, drops them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES ((size_t)16)
#define SEED 13u

int main(void)
{
	unsigned char *mem;
	int fd;

	probe_begin("probe_madv_free", 50);
	fd = probe_open(0);
	mem = probe_map(NPAGES, RW);
	probe_fill(mem, NPAGES, SEED);
	probe_to_dev(fd, mem, NPAGES);
	CHECK(!madvise(mem, NPAGES * page_bytes, MADV_FREE), "%s",
	      strerror(errno));
	probe_verify(mem, NPAGES, SEED, "after MADV_FREE");
	probe_fill(mem, NPAGES, SEED + 1);
	probe_to_dev(fd, mem, NPAGES);
	CHECK(!madvise(mem, NPAGES * page_bytes, MADV_DONTNEED), "%s",
	      strerror(errno));
	probe_verify_zero(mem, NPAGES, "after MADV_DONTNEED");
	return 0;
}
