/* SPDX-License-Identifier: MIT */
#include "file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"

void *file_map(size_t npages, int prot, unsigned int seed)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	void *p;

	CHECK(fd >= 0, "%s", strerror(errno));
	CHECK(!ftruncate(fd, (off_t)(npages * page_bytes)), "%s",
	      strerror(errno));
	p = mmap(NULL, npages * page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		 fd, 0);
	CHECK(p != MAP_FAILED, "%s", strerror(errno));
	probe_fill(p, npages, seed);
	CHECK(!munmap(p, npages * page_bytes), "%s", strerror(errno));
	p = mmap(NULL, npages * page_bytes, prot, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED, "%s", strerror(errno));
	close(fd);
	return p;
}
