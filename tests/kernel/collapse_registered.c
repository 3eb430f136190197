/* SPDX-License-Identifier: MIT */
/*
 * collapse_registered - MADV_COLLAPSE (6.1) makes one huge page of 512 pages
 * that UFFDIO_COPY filled, in memory that stays registered; not when one of
 * them is missing or write-protected; another process may ask for it if
 * privileged.
 */
#include "fact_uffd.h"

#include <sys/syscall.h>
#include <sys/uio.h>

#define HUGE_PAGES 512
#define HUGE_BYTES (HUGE_PAGES * FACT_PAGE_SIZE)
#define COLLAPSE 25

/* 1 huge, 0 not */
static int is_huge(char *p)
{
	struct fact_scan_range range = { 0 };
	struct fact_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + HUGE_BYTES,
		.vec = (uintptr_t)&range,
		.vec_len = 1,
		.category_mask = FACT_CAT_HUGE,
		.return_mask = FACT_CAT_HUGE,
	};
	int n = ioctl(fact_open_proc("pagemap", O_RDONLY), FACT_PAGEMAP_SCAN,
		      &arg);

	if (n < 0)
		fact_skip("cannot tell huge pages");
	return n == 1 && range.start == arg.start && range.end == arg.end;
}

/* From a child: what process_madvise() on us says. It does not share the pages,
 * which a fork would make read-only: no such collapses (up to 6.12 at least). */
static int collapse_remotely(char *p)
{
	struct iovec iov = { p, HUGE_BYTES };
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), status;
	pid_t pid;

	NEED(self >= 0, "pidfd_open");
	NEED(!madvise(p, HUGE_BYTES, MADV_DONTFORK), "MADV_DONTFORK");
	pid = fork();
	NEED(pid >= 0, "fork");
	if (!pid)
		_exit(syscall(SYS_process_madvise, self, &iov, 1UL, COLLAPSE,
			      0U) == (long)HUGE_BYTES ? 0 : errno);
	NEED(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "wait");
	return WEXITSTATUS(status);
}

int main(void)
{
	char *p, *src;
	int uffd, err;

	fact_begin();
	if (madvise(NULL, 0, COLLAPSE))
		fact_skip("no MADV_COLLAPSE");
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = mmap(NULL, 6 * HUGE_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(p != MAP_FAILED, "mmap");
	p = (char *)(((uintptr_t)p + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	src = p + 4 * HUGE_BYTES;
	memset(src, 7, HUGE_BYTES);
	NEED(!fact_register(uffd, p, 4 * HUGE_PAGES, FACT_MISSING_WP),
	     "register");

	NEED(!fact_copy(uffd, p, src, HUGE_PAGES), "copy");
	FACT(!is_huge(p), "COPY fills base pages");
	err = madvise(p, HUGE_BYTES, COLLAPSE);
	FACT(!err && is_huge(p), "COLLAPSE works in registered memory");
	FACT(p[HUGE_BYTES - 1] == 7, "the bytes are the same");
	FACT_IS(fact_wp(uffd, p, HUGE_PAGES), 0, "it can be protected whole");
	FACT(is_huge(p), "and stays huge");

	p += HUGE_BYTES;
	NEED(!fact_copy(uffd, p, src, HUGE_PAGES - 1), "copy");
	err = madvise(p, HUGE_BYTES, COLLAPSE);
	FACT(err && !is_huge(p), "not with a page missing");

	p += HUGE_BYTES;
	NEED(!fact_copy_wp(uffd, p, src, HUGE_PAGES), "copy");
	err = madvise(p, HUGE_BYTES, COLLAPSE);
	FACT(err && !is_huge(p), "not with pages protected");

	p += HUGE_BYTES;
	NEED(!fact_copy(uffd, p, src, HUGE_PAGES), "copy");
	err = collapse_remotely(p);
	if (geteuid() == 0 && err != EPERM) {
		FACT_IS(err, 0, "another process may ask for it");
		FACT(is_huge(p), "and gets it");
	} else {
		FACT(err == EPERM && !is_huge(p), "nobody else may ask for it");
	}
	return 0;
}
