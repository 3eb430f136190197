/* SPDX-License-Identifier: MIT */
/* dmirror_bounce.c - buffers between pages and callers (dmirror.h)
 *
 * To touch fresh memory costs more than to copy into it. So one buffer of
 * moderate size stays with the device, for who comes next, and large ones are
 * made of huge pages where the kernel has them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/dmirror.h"

/* What stays; a larger buffer is given back. */
#define KEPT_NPAGES 1024
/* Huge pages begin where this divides the address. */
#define HUGE_BYTES (UINT64_C(2) << 20)

static void *make(uint64_t bytes)
{
	int saved = errno;
	void *buf;

	bytes = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	buf = aligned_alloc(HUGE_BYTES, bytes);
	if (buf)
		(void)madvise(buf, bytes, MADV_HUGEPAGE);
	errno = saved;
	return buf;
}

/* Never more than there is memory, whatever malloc() would promise. */
bool uhmm_dmirror_fits(uint64_t npages)
{
	static long most;

	if (!most)
		most = sysconf(_SC_PHYS_PAGES);
	return most <= 0 || npages <= (uint64_t)most;
}

unsigned char *uhmm_dmirror_bounce(const struct dmirror_call *call,
				   uint64_t npages)
{
	struct dmirror_device *dd = call->mirror->dev->driver;
	uint64_t bytes =
		npages * uhmm_core_page_bytes(call->mirror->dev->core);
	unsigned char *kept = dd->bounce;

	if (npages <= KEPT_NPAGES && kept) {
		dd->bounce = NULL;
		return kept;
	}
	if (!uhmm_dmirror_fits(npages))
		return NULL;
	return make(npages <= KEPT_NPAGES ? KEPT_NPAGES * bytes / npages :
					    bytes);
}

void uhmm_dmirror_unbounce(const struct dmirror_call *call, unsigned char *buf,
			   uint64_t npages)
{
	struct dmirror_device *dd = call->mirror->dev->driver;

	if (npages <= KEPT_NPAGES && !dd->bounce)
		dd->bounce = buf;
	else
		free(buf);
}
