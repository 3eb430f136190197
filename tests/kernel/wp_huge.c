/* SPDX-License-Identifier: MIT */
/*
 * wp_huge - WRITEPROTECT of a 2 MiB page marks all of it; a write is told by
 * its 4 KiB page, and lifting the protection there leaves the rest marked.
 */
#include "fact_uffd.h"

#define HUGE_PAGES 512
#define HUGE_BYTES (HUGE_PAGES * FACT_PAGE_SIZE)

static char *huge_page(void)
{
	struct fact_scan_range range = { 0 };
	struct fact_scan_arg arg = {
		.size = sizeof(arg),
		.vec = (uintptr_t)&range,
		.vec_len = 1,
		.category_mask = FACT_CAT_HUGE,
		.return_mask = FACT_CAT_HUGE,
	};
	char *p = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p != MAP_FAILED, "mmap");
	p = (char *)(((uintptr_t)p + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	if (madvise(p, HUGE_BYTES, MADV_HUGEPAGE))
		fact_skip("no transparent huge pages here");
	fact_store(p);
	arg.start = (uintptr_t)p;
	arg.end = arg.start + HUGE_BYTES;
	if (ioctl(fact_open_proc("pagemap", O_RDONLY), FACT_PAGEMAP_SCAN,
		  &arg) != 1)
		fact_skip("got no huge page, or cannot tell");
	return p;
}

int main(void)
{
	struct fact_thread t;
	int uffd;
	char *p;

	fact_begin();
	uffd = fact_uffd(UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	p = huge_page();
	NEED(!fact_register(uffd, p, HUGE_PAGES, FACT_MISSING_WP), "register");
	FACT_IS(fact_wp(uffd, p, HUGE_PAGES), 0,
		"WRITEPROTECT works on a huge page");
	FACT(fact_state(fact_page(p, 511)) & FACT_PM_WP,
	     "all of a huge page carries the mark");
	fact_start(&t, fact_store, fact_page(p, 5));
	FACT_FAULT(uffd, fact_page(p, 5), FACT_WRITE_WP,
		   "a write to a huge page is told by its small page");
	NEED(!fact_unwp(uffd, fact_page(p, 5), 1), "lift the protection");
	FACT(fact_gets_through(&t), "lifting it for one small page is enough");
	FACT(fact_state(fact_page(p, 6)) & FACT_PM_WP,
	     "its neighbours keep the mark");
	return 0;
}
