/* SPDX-License-Identifier: MIT */
/*
 * populate - MADV_POPULATE_READ does what reading a hole does, which is to map
 * the zero page if the kernel has not been told to give pages instead;
 * MADV_POPULATE_WRITE allocates. Where the protection forbids the access both
 * are EINVAL.
 */
#include "fact.h"

int main(void)
{
	char *p;
	int err;

	fact_begin();
	p = fact_map(4);
	fact_load(fact_page(p, 3));
	err = fact_advise(p, 1, FACT_MADV_POPULATE_READ);
	if (err == -EINVAL)
		fact_skip("this kernel has no MADV_POPULATE_READ (5.14)");
	FACT_IS(err, 0, "POPULATE_READ works on a hole");
	FACT_STATE(p, fact_state(fact_page(p, 3)),
		   "POPULATE_READ maps what a read does");
	FACT_IS(fact_advise(p, 2, FACT_MADV_POPULATE_WRITE), 0,
		"POPULATE_WRITE works on holes and zero pages");
	FACT_STATE(p, FACT_PRESENT, "POPULATE_WRITE replaces the zero page");
	FACT_STATE(fact_page(p, 1), FACT_PRESENT, "POPULATE_WRITE allocates");

	NEED(!fact_protect(fact_page(p, 2), 1, PROT_NONE), "mprotect");
	FACT_IS(fact_advise(fact_page(p, 2), 1, FACT_MADV_POPULATE_READ),
		-EINVAL, "POPULATE_READ of PROT_NONE memory is EINVAL");
	NEED(!fact_protect(fact_page(p, 2), 1, PROT_READ), "mprotect");
	FACT_IS(fact_advise(fact_page(p, 2), 1, FACT_MADV_POPULATE_WRITE),
		-EINVAL, "POPULATE_WRITE of PROT_READ memory is EINVAL");
	return 0;
}
