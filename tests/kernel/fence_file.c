/* SPDX-License-Identifier: MIT */
/*
 * fence_file - a private page of a file can be guarded by its protection alone:
 * without access its bytes can be read and written through /proc/PID/mem, what
 * was dropped is not seen by the program, what was written back is, all at
 * once, when the access comes back; and the file never shows.
 */
#include <setjmp.h>
#include <ucontext.h>

#include "fact_uffd.h"

#define FILE_BYTE 7
#define COPY_BYTE 9
#define DEVICE_BYTE 11

static sigjmp_buf back;
static siginfo_t caught;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	caught = *info;
	siglongjmp(back, 1);
}

/* The byte at @p; -1: SIGSEGV, see caught. */
static int touch(volatile char *p)
{
	if (sigsetjmp(back, 1))
		return -1;
	return *p;
}

static char *map_file(void)
{
	int fd = memfd_create("fact", MFD_CLOEXEC);
	char page[FACT_PAGE_SIZE];
	char *p;

	memset(page, FILE_BYTE, sizeof(page));
	NEED(fd >= 0 && write(fd, page, sizeof(page)) == sizeof(page), "memfd");
	p = mmap(NULL, sizeof(page), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	NEED(p != MAP_FAILED, "mmap");
	close(fd);
	return p;
}

int main(void)
{
	struct sigaction act = { .sa_sigaction = on_segv,
				 .sa_flags = SA_SIGINFO };
	char *p;
	int mem;

	fact_begin();
	mem = fact_open_proc("mem", O_RDWR);
	NEED(!sigaction(SIGSEGV, &act, NULL), "sigaction");
	p = map_file();
	*p = COPY_BYTE;
	NEED(!mprotect(p, FACT_PAGE_SIZE, PROT_NONE), "mprotect");
	FACT_IS(touch(p), -1, "no access raises SIGSEGV");
	FACT(caught.si_code == SEGV_ACCERR && caught.si_addr == p,
	     "with SEGV_ACCERR and the address");
	FACT_IS(fact_mem_read(mem, p), COPY_BYTE,
		"mem reads a page without access");
	NEED(!madvise(p, FACT_PAGE_SIZE, MADV_DONTNEED), "drop");
	FACT_IS(touch(p), -1, "the file does not show");
	FACT_IS(fact_mem_write(mem, p, DEVICE_BYTE), 1,
		"mem writes a page without access");
	FACT_IS(touch(p), -1, "which gives no access");
	NEED(!mprotect(p, FACT_PAGE_SIZE, PROT_READ | PROT_WRITE), "mprotect");
	FACT_IS(touch(p), DEVICE_BYTE, "the page is a copy of the program's");
	NEED(!madvise(p, FACT_PAGE_SIZE, MADV_DONTNEED), "drop");
	FACT_IS(touch(p), FILE_BYTE, "the file is as it was");
	return 0;
}
