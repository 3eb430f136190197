/* SPDX-License-Identifier: MIT */
/*
 * user_mode_only - with UFFD_USER_MODE_ONLY a fault of the kernel itself (a
 * read(2) into missing or write-protected memory, MADV_POPULATE_*) fails at
 * once with EFAULT and raises nothing; the program's own faults are served.
 */
#include "fact_uffd.h"

static void kernel_faults_fail(int uffd, char *p, char *fill)
{
	FACT_IS(fact_read_into(p), -EFAULT,
		"read(2) into a missing page is EFAULT");
	if (fact_advise(fact_map(1), 1, FACT_MADV_POPULATE_READ) == 0)
		FACT_IS(fact_advise(p, 1, FACT_MADV_POPULATE_READ), -EFAULT,
			"populate of a missing page is EFAULT");
	NEED(!fact_copy_wp(uffd, fact_page(p, 1), fill, 1), "copy");
	FACT_IS(fact_read_into(fact_page(p, 1)), -EFAULT,
		"read(2) into a write-protected page is EFAULT");
	FACT(fact_silent(uffd), "a fault of the kernel raises nothing");
}

int main(void)
{
	struct fact_thread t;
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd_flags(UFFD_FEATURE_PAGEFAULT_FLAG_WP,
			       FACT_USER_MODE_ONLY);
	p = fact_map_registered(uffd, 2);
	kernel_faults_fail(uffd, p, fill);
	fact_start(&t, fact_load, p);
	FACT_FAULT(uffd, p, FACT_READ, "a fault of the program is raised");
	NEED(!fact_copy(uffd, p, fill, 1), "copy");
	FACT(fact_gets_through(&t), "a fault of the program is served");
	return 0;
}
