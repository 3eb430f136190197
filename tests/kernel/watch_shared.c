/* SPDX-License-Identifier: MIT */
/*
 * watch_shared - shared memory registered for missing pages is what it would be
 * without: a fault maps the pages around it, too, as far as the mapping goes,
 * and the child of a fork has none mapped. Registered for write protection a
 * fault maps one page, and (with EVENT_FORK) the child has what the parent has.
 */
#include "fact_uffd.h"

#define NPAGES 4
#define AROUND (16 * FACT_PAGE_SIZE)	/* what a fault maps, aligned */

/* Four pages of shared memory that are there, and mapped nowhere. */
static char *shared_memory(void)
{
	char *p = mmap(NULL, 2 * AROUND, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED, "mmap");
	p += -(uintptr_t)p % AROUND;
	for (size_t i = 0; i < NPAGES; i++)
		fact_store(fact_page(p, i));
	NEED(!madvise(p, NPAGES * FACT_PAGE_SIZE, MADV_DONTNEED), "madvise");
	return p;
}

static bool is_mapped(char *p, size_t i)
{
	return fact_state(fact_page(p, i)) & FACT_PRESENT;
}

static bool around_is_mapped(uint64_t mode, size_t first, size_t npages)
{
	char *p = shared_memory();
	int uffd = fact_uffd(0);

	NEED(!fact_register(uffd, fact_page(p, first), npages, mode),
	     "register");
	fact_load(p);
	NEED(is_mapped(p, 0), "it is mapped");
	close(uffd);
	return is_mapped(p, 1) && is_mapped(p, 2);
}

static bool child_has_it(uint64_t mode)
{
	char *p = shared_memory();
	int uffd = fact_uffd(0);
	int status;
	pid_t pid;

	NEED(!fact_register(uffd, p, NPAGES, mode), "register");
	fact_load(p);
	pid = fork();
	NEED(pid >= 0, "fork");
	if (!pid)
		_exit(is_mapped(p, 0));
	NEED(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "waitpid");
	close(uffd);
	return WEXITSTATUS(status);
}

int main(void)
{
	fact_begin();
	FACT(around_is_mapped(UFFDIO_REGISTER_MODE_MISSING, 0, NPAGES),
	     "registered for missing pages, a fault maps those around it");
	FACT(!around_is_mapped(UFFDIO_REGISTER_MODE_MISSING, 2, 2),
	     "but not across the end of what is registered");
	FACT(!around_is_mapped(UFFDIO_REGISTER_MODE_WP, 0, NPAGES),
	     "registered for write protection, it maps one page");
	FACT(!child_has_it(UFFDIO_REGISTER_MODE_MISSING),
	     "a fork copies no page table of shared memory");
	return 0;
}
