/* SPDX-License-Identifier: MIT */
/*
 * pagemap_written - with WP_ASYNC a write to a marked page clears the mark
 * without any event, and PAGEMAP_SCAN then says "written"; reading keeps the
 * mark, also on what was a hole.
 */
#include "fact_uffd.h"

/* Is page @p said to be written, in memory that tracks it? */
static bool written(const char *p)
{
	struct fact_scan_range range = { 0 };
	struct fact_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)p,
		.end = (uintptr_t)p + FACT_PAGE_SIZE,
		.vec = (uintptr_t)&range,
		.vec_len = 1,
		.category_mask = FACT_CAT_WPALLOWED,
		.return_mask = FACT_CAT_WRITTEN,
	};
	int pagemap = fact_open_proc("pagemap", O_RDONLY);
	int n = ioctl(pagemap, FACT_PAGEMAP_SCAN, &arg);

	close(pagemap);
	NEED(n >= 0, "PAGEMAP_SCAN");
	return n && range.categories & FACT_CAT_WRITTEN;
}

int main(void)
{
	int uffd;
	char *p;

	fact_begin();
	uffd = fact_uffd(FACT_FEATURE_WP_ASYNC | FACT_FEATURE_WP_UNPOPULATED);
	p = fact_map(3);
	fact_store(p);
	NEED(!fact_register(uffd, p, 3, UFFDIO_REGISTER_MODE_WP), "register");
	NEED(!fact_wp(uffd, p, 3), "write-protect");
	FACT(!written(p), "a marked page is not written");

	fact_load(p);
	fact_load(fact_page(p, 1));
	FACT(!written(p) && !written(fact_page(p, 1)),
	     "reading does not make a page written");
	fact_store(p);
	fact_store(fact_page(p, 2));
	FACT(written(p), "writing to a marked page makes it written");
	FACT(written(fact_page(p, 2)), "writing to a marker makes it written");
	FACT(fact_silent(uffd), "WP_ASYNC raises no event");
	return 0;
}
