/* SPDX-License-Identifier: MIT */
/*
 * poison - a page poisoned by UFFDIO_POISON gives SIGBUS when touched, EIO
 * through /proc/PID/mem, EFAULT to the kernel; pagemap shows it as swapped.
 * COPY and MADV_DONTNEED clear it.
 */
#include "fact_uffd.h"

#include <setjmp.h>

static sigjmp_buf back;

static void bus_error(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	/* 6.12 says BUS_MCEERR_AR, 6.18 BUS_ADRERR; nothing of ours asks */
	siglongjmp(back, info->si_code == BUS_ADRERR ||
					 info->si_code == BUS_MCEERR_AR ?
				 1 :
				 2);
}

/* A SIGBUS that the kernel raised for it: 1; another: 2; none: 0 */
static int touch(char *p)
{
	int how = sigsetjmp(back, 1);

	if (!how)
		fact_load(p);
	return how;
}

int main(void)
{
	struct sigaction sa = {
		.sa_sigaction = bus_error,
		.sa_flags = SA_SIGINFO,
	};
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	NEED(!sigaction(SIGBUS, &sa, NULL), "sigaction");
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_POISON);
	p = fact_map_registered(uffd, 1);
	FACT_IS(fact_poison(uffd, p, 1), 0, "POISON works on a hole");
	FACT_IS(touch(p), 1, "touching poison is SIGBUS");
	FACT_IS(fact_read_into(p), -EFAULT, "read(2) into poison is EFAULT");
	FACT_IS(fact_mem_read(fact_open_proc("mem", O_RDONLY), p), -EIO,
		"mem on poison is EIO");
	FACT(fact_state(p) & FACT_PM_SWAP, "poison looks swapped");
	FACT(fact_silent(uffd), "poison raises no fault");

	FACT_IS(fact_copy(uffd, p, fill, 1), 0, "COPY replaces poison");
	FACT_IS(touch(p), 0, "a page copied over poison can be touched");
	NEED(!fact_advise(p, 1, MADV_DONTNEED), "madvise");
	NEED(!fact_poison(uffd, p, 1), "poison");
	NEED(!fact_advise(p, 1, MADV_DONTNEED), "madvise");
	FACT_STATE(p, FACT_HOLE, "DONTNEED clears poison");
	return 0;
}
