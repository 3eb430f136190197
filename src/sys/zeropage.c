/* SPDX-License-Identifier: MIT */
#include "sys/zeropage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/pagesize.h"
#include "sys/uapi.h"

/* What pagemap says of @page of ours; 0 where it cannot be read. */
static uint64_t word_of(const volatile unsigned char *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t word = 0, vpn = (uintptr_t)page / uhmm_page_bytes();

	if (fd < 0)
		return 0;
	if (pread(fd, &word, sizeof(word), (off_t)(vpn * sizeof(word))) !=
	    (ssize_t)sizeof(word))
		word = 0;
	close(fd);
	return word;
}

static bool try_out(void)
{
	int saved = errno;
	volatile unsigned char *page =
		mmap(NULL, uhmm_page_bytes(), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool own = false;

	if (page != MAP_FAILED) {
		/* the zero page is never mapped in one place only */
		own = page[0] == 0 && (word_of(page) & UHMM_PM_EXCLUSIVE);
		munmap((void *)page, uhmm_page_bytes());
	}
	errno = saved;
	return !own;
}

bool uhmm_kernel_maps_zero_page(void)
{
	static _Atomic enum { NOT_KNOWN, NO, YES } answer;

	if (answer == NOT_KNOWN)
		answer = try_out() ? YES : NO;
	return answer == YES;
}
