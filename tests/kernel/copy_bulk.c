/* SPDX-License-Identifier: MIT */
/*
 * copy_bulk - UFFDIO_COPY and ZEROPAGE over a range with a page already there
 * do what comes before it, answer EAGAIN and say how many bytes that was;
 * called again at that page they answer EEXIST. What is not registered is
 * ENOENT before anything is done, a bad source EFAULT, a bad length EINVAL.
 */
#include "fact_uffd.h"

static void partly(int uffd, char *p, char *fill)
{
	long done = 0;

	NEED(!fact_copy(uffd, fact_page(p, 4), fill, 1), "copy");
	FACT_IS(fact_copy_mode(uffd, p, fill, 8, 0, &done), -EAGAIN,
		"COPY up to a page that is there is EAGAIN");
	FACT_IS(done, 4 * FACT_PAGE_SIZE, "COPY says how far it got");
	FACT_STATE(fact_page(p, 3), FACT_PRESENT, "COPY did the pages before");
	FACT_STATE(fact_page(p, 5), FACT_HOLE, "COPY did none behind it");
	FACT_IS(fact_copy_mode(uffd, fact_page(p, 4), fill, 2, 0, &done),
		-EEXIST, "COPY at a page that is there is EEXIST");
	FACT_IS(done, -EEXIST, "COPY says EEXIST in its copy field too");
}

static void zero_partly(int uffd, char *p, char *fill)
{
	long done = 0;

	NEED(!fact_copy(uffd, fact_page(p, 2), fill, 1), "copy");
	FACT_IS(fact_zeropage(uffd, p, 4, &done), -EAGAIN,
		"ZEROPAGE up to a page that is there is EAGAIN");
	FACT_IS(done, 2 * FACT_PAGE_SIZE, "ZEROPAGE says how far it got");
	FACT_IS(fact_zeropage(uffd, fact_page(p, 2), 2, NULL), -EEXIST,
		"ZEROPAGE at a page that is there is EEXIST");
}

/* @p: one registered page, and PROT_NONE behind it */
static void refused(int uffd, char *p, char *fill)
{
	char *nowhere = fact_map(1);

	FACT_IS(fact_copy(uffd, p, fill, 2), -ENOENT,
		"COPY past the end of the registered mapping is ENOENT");
	FACT_STATE(p, FACT_HOLE, "and nothing is done");
	FACT_IS(fact_copy(uffd, nowhere, fill, 1), -ENOENT,
		"COPY to unregistered memory is ENOENT");
	munmap(nowhere, FACT_PAGE_SIZE);
	FACT_IS(fact_copy(uffd, nowhere, fill, 1), -ENOENT,
		"COPY to unmapped memory is ENOENT");
	FACT_IS(fact_copy(uffd, p, nowhere, 1), -EFAULT,
		"COPY from unmapped memory is EFAULT");
	FACT_IS(fact_copy(uffd, p, fill, 0), -EINVAL,
		"COPY of no bytes is EINVAL");
	FACT_IS(fact_copy(uffd, p + 1, fill, 1), -EINVAL,
		"COPY to an unaligned address is EINVAL");
}

int main(void)
{
	char *fill;
	int uffd;

	fact_begin();
	fill = fact_fill(8);
	uffd = fact_uffd(0);
	partly(uffd, fact_map_registered(uffd, 8), fill);
	zero_partly(uffd, fact_map_registered(uffd, 4), fill);
	refused(uffd, fact_map_registered(uffd, 1), fill);
	return 0;
}
