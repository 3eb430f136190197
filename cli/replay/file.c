/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pattern.h"

static int without_name(void)
{
	char path[] = "./uhmm-replay.XXXXXX";
	int fd = mkstemp(path);

	if (fd >= 0)
		unlink(path);
	return fd;
}

static int fill(int fd, uint64_t npages, uint64_t seed)
{
	uint64_t page[REPLAY_PAGE_WORDS];

	for (uint64_t i = 0; i < npages; i++) {
		ssize_t n;

		replay_pattern_page(page, seed, i);
		n = pwrite(fd, page, sizeof(page),
			   (off_t)(i * REPLAY_PAGE_BYTES));
		if (n != (ssize_t)sizeof(page))
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

int replay_file_make(bool in_memory, uint64_t npages, uint64_t seed)
{
	int fd = in_memory ? memfd_create("trace", MFD_CLOEXEC) :
			     without_name();
	int ret;

	if (fd < 0)
		return -errno;
	ret = fill(fd, npages, seed);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}
