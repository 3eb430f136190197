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

/* What pagemap says of an empty page of ours that was read; 0: it cannot be
 * seen. */
static uint64_t try_out(void)
{
	int saved = errno;
	uint64_t word = 0;
	volatile unsigned char *page =
		mmap(NULL, uhmm_page_bytes(), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED) {
		if (page[0] == 0)
			word = word_of(page);
		munmap((void *)page, uhmm_page_bytes());
	}
	errno = saved;
	return word;
}

/* Once. */
static uint64_t tried_out(void)
{
	static _Atomic uint64_t word;

	if (!word)
		word = try_out() | UHMM_PM_PRESENT; /* 0: not yet */
	return word;
}

bool uhmm_kernel_maps_zero_page(void)
{
	/* the zero page is never mapped in one place only */
	return !(tried_out() & UHMM_PM_EXCLUSIVE);
}

uint64_t uhmm_zero_frame(void)
{
	return uhmm_kernel_maps_zero_page() ? tried_out() & UHMM_PM_FRAME_MASK :
					      0;
}
