/* SPDX-License-Identifier: MIT */
/*
 * event_none - what changes memory without any event: mprotect() and most of
 * madvise(). MADV_GUARD_INSTALL even drops the page silently; UFFDIO_COPY over
 * such a guard succeeds and destroys it.
 */
#include "fact_uffd.h"

static void advice(int uffd, char *p, int adv)
{
	fact_advise(p, 1, adv); /* where it is EINVAL it does nothing */
	FACT(fact_silent(uffd), "only DONTNEED and FREE raise an event");
	FACT_STATE(p, FACT_PRESENT, "harmless advice leaves the page");
}

static void guard(int uffd, char *p, char *fill)
{
	if (fact_advise(p, 1, FACT_MADV_GUARD_INSTALL) == -EINVAL)
		return; /* before 6.13: nothing to know */
	TRAP(fact_silent(uffd), "MADV_GUARD_INSTALL raises no event");
	FACT(fact_state(p) & FACT_PM_SWAP,
	     "MADV_GUARD_INSTALL drops the page and looks swapped");
	TRAP(!fact_copy(uffd, p, fill, 1), "COPY overwrites a guard");
}

int main(void)
{
	static const int harmless[] = { MADV_WILLNEED, MADV_COLD,
					MADV_NOHUGEPAGE, MADV_DONTFORK };
	char *fill;
	int uffd;
	char *p;

	fact_begin();
	fill = fact_fill(1);
	uffd = fact_uffd(FACT_FEATURE_EVENTS);
	p = fact_map_registered(uffd, 1);
	NEED(!fact_copy(uffd, p, fill, 1), "copy");

	NEED(!fact_protect(p, 1, PROT_NONE), "mprotect");
	NEED(!fact_protect(p, 1, PROT_READ | PROT_WRITE), "mprotect");
	FACT(fact_silent(uffd), "mprotect raises no event");
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		advice(uffd, p, harmless[i]);
	guard(uffd, p, fill);
	return 0;
}
