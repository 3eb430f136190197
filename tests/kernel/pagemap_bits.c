/* SPDX-License-Identifier: MIT */
/*
 * pagemap_bits - pagemap bit 56 (exclusively mapped) is clear while a forked
 * child shares the page and set again when the child is gone; bit 61 is set
 * for pages of files and of shared memory, not for a private copy.
 */
#include "fact.h"

static void exclusive(void)
{
	char *p = fact_map(1);
	pid_t pid;

	fact_store(p);
	FACT_STATE(p, FACT_PRESENT, "a page of our own is exclusive");
	pid = fact_fork();
	if (!pid) {
		pause();
		_exit(1);
	}
	FACT_STATE(p, FACT_PM_PRESENT,
		   "a page shared by fork is not exclusive");
	fact_kill(pid);
	FACT_STATE(p, FACT_PRESENT,
		   "it is exclusive again when the other is gone");
}

static void of_a_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *p = mmap(NULL, FACT_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED, "mmap of the program file");
	fact_load(p);
	FACT(fact_state(p) & FACT_PM_FILE, "a file page has the file bit");
	fact_store(p);
	FACT_STATE(p, FACT_PRESENT, "a private copy of it has not");
}

static void of_shared_memory(void)
{
	char *p = mmap(NULL, FACT_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED, "mmap");
	fact_store(p);
	FACT_STATE(p, FACT_PRESENT | FACT_PM_FILE,
		   "shared anonymous memory has the file bit");
}

int main(void)
{
	fact_begin();
	exclusive();
	of_a_file();
	of_shared_memory();
	return 0;
}
