/* SPDX-License-Identifier: MIT */
/*
 * register_kinds - private anonymous memory can be registered for missing and
 * write-protect faults whatever its protection; private and shared mappings of
 * a memfd can be registered for missing faults; mappings of an ordinary file
 * cannot be registered at all.
 */
#include "fact_uffd.h"

static int try_register(char *p, uint64_t mode)
{
	int uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			     UFFD_FEATURE_MISSING_SHMEM);
	int err;

	NEED(p != MAP_FAILED, "mmap");
	err = fact_register(uffd, p, 1, mode);
	close(uffd);
	return err;
}

static char *map_file(int fd, int kind)
{
	return mmap(NULL, FACT_PAGE_SIZE, PROT_READ, kind, fd, 0);
}

static void anonymous(int prot)
{
	char *p = fact_map(1);

	NEED(!fact_protect(p, 1, prot), "mprotect");
	FACT_IS(try_register(p, FACT_MISSING_WP), 0,
		"private anonymous memory can be registered, "
		"whatever its protection");
}

int main(void)
{
	int memfd;
	int file;

	fact_begin();
	anonymous(PROT_READ | PROT_WRITE);
	anonymous(PROT_READ);
	anonymous(PROT_NONE);

	memfd = memfd_create("fact", MFD_CLOEXEC);
	NEED(memfd >= 0 && !ftruncate(memfd, FACT_PAGE_SIZE), "memfd");
	FACT_IS(try_register(map_file(memfd, MAP_PRIVATE), FACT_MISSING_WP), 0,
		"a private mapping of a memfd can be registered");
	FACT_IS(try_register(mmap(NULL, FACT_PAGE_SIZE, PROT_READ | PROT_WRITE,
				  MAP_SHARED, memfd, 0),
			     UFFDIO_REGISTER_MODE_MISSING),
		0, "a shared mapping of a memfd can be registered");

	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	NEED(file >= 0, "/proc/self/exe");
	FACT_IS(try_register(map_file(file, MAP_PRIVATE),
			     UFFDIO_REGISTER_MODE_MISSING),
		-EINVAL, "a private mapping of a file cannot be registered");
	FACT_IS(try_register(map_file(file, MAP_PRIVATE),
			     UFFDIO_REGISTER_MODE_WP),
		-EINVAL, "nor for write-protect faults");
	return 0;
}
