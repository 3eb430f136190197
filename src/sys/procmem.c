/* SPDX-License-Identifier: MIT */
#include "sys/procmem.h"

#include <errno.h>
#include <unistd.h>

#define IOV_BATCH 64

/*
 * What a transfer of some bytes says: bytes, 0 for a page that cannot be, or
 * -ESRCH. The kernel answers 0 when the mm is gone and never otherwise.
 */
static int64_t judge(ssize_t n)
{
	if (n > 0)
		return n;
	return n == 0 || errno == ESRCH ? -ESRCH : 0;
}

int64_t uhmm_procmem_read(int mem, uint64_t addr, void *buf, size_t bytes)
{
	int saved = errno;
	size_t done = 0;
	int64_t n = 1;

	while (done < bytes && n > 0) {
		n = judge(pread(mem, (char *)buf + done, bytes - done,
				(off_t)(addr + done)));
		if (n > 0)
			done += (size_t)n;
	}
	errno = saved;
	return n < 0 ? n : (int64_t)done;
}

int64_t uhmm_procmem_write(int mem, uint64_t addr, const void *buf,
			   size_t bytes)
{
	int saved = errno;
	size_t done = 0;
	int64_t n = 1;

	while (done < bytes && n > 0) {
		n = judge(pwrite(mem, (const char *)buf + done, bytes - done,
				 (off_t)(addr + done)));
		if (n > 0)
			done += (size_t)n;
	}
	errno = saved;
	return n < 0 ? n : (int64_t)done;
}

/* Take @n bytes off the front of *@iov. */
static void advance(struct iovec **iov, unsigned int *niov, size_t n)
{
	while (*niov && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*niov)--;
	}
	if (n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

int64_t uhmm_procmem_readv(int mem, uint64_t addr, struct iovec *iov,
			   unsigned int niov)
{
	int saved = errno;
	size_t done = 0;
	int64_t n = 1;

	advance(&iov, &niov, 0);
	while (niov && n > 0) {
		int batch = niov < IOV_BATCH ? (int)niov : IOV_BATCH;

		n = judge(preadv(mem, iov, batch, (off_t)(addr + done)));
		if (n > 0) {
			done += (size_t)n;
			advance(&iov, &niov, (size_t)n);
		}
	}
	errno = saved;
	return n < 0 ? n : (int64_t)done;
}
