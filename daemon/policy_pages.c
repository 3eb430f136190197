/* SPDX-License-Identifier: MIT */
/* policy_pages.c - device pages that a policy has placed (policy_pages.h) */
#include "policy_pages.h"

#include <errno.h>
#include <stdlib.h>

int policy_pages_init(struct policy_pages *set, unsigned int most)
{
	unsigned int nslots = 2;

	while (nslots / 2 < most)
		nslots *= 2;
	*set = (struct policy_pages){
		.slot = calloc(nslots, sizeof(*set->slot)),
		.nslots = nslots,
	};
	return set->slot ? 0 : -ENOMEM;
}

void policy_pages_fini(struct policy_pages *set)
{
	free(set->slot);
	set->slot = NULL;
}

static unsigned int home_of(const struct policy_pages *set, uhmm_dpfn_t dpfn)
{
	return (unsigned int)((dpfn.val * UINT64_C(0x9e3779b97f4a7c15)) >> 32) &
	       (set->nslots - 1);
}

static unsigned int after(const struct policy_pages *set, unsigned int i)
{
	return (i + 1) & (set->nslots - 1);
}

/* Where @dpfn is, or would be. */
static unsigned int find(const struct policy_pages *set, uhmm_dpfn_t dpfn)
{
	unsigned int i = home_of(set, dpfn);

	while (set->slot[i].dpfn.val && set->slot[i].dpfn.val != dpfn.val)
		i = after(set, i);
	return i;
}

bool policy_pages_put(struct policy_pages *set, struct policy_page page)
{
	unsigned int i = find(set, page.dpfn);

	if (!set->slot[i].dpfn.val) {
		if (set->n >= set->nslots / 2)
			return false;
		set->n++;
	}
	set->slot[i] = page;
	return true;
}

void policy_pages_del(struct policy_pages *set, uhmm_dpfn_t dpfn)
{
	unsigned int hole = find(set, dpfn), i = hole;

	if (!set->slot[hole].dpfn.val)
		return;
	set->n--;
	set->slot[hole].dpfn.val = 0;
	/* who stands behind the hole because it was none moves up */
	for (i = after(set, i); set->slot[i].dpfn.val; i = after(set, i)) {
		unsigned int home = home_of(set, set->slot[i].dpfn);

		if (((i - home) & (set->nslots - 1)) <
		    ((i - hole) & (set->nslots - 1)))
			continue;
		set->slot[hole] = set->slot[i];
		set->slot[i].dpfn.val = 0;
		hole = i;
	}
}

const struct policy_page *policy_pages_next(const struct policy_pages *set,
					    uint64_t random)
{
	unsigned int i = (unsigned int)random & (set->nslots - 1);

	if (!set->n)
		return NULL;
	while (!set->slot[i].dpfn.val)
		i = after(set, i);
	return &set->slot[i];
}

const struct policy_page *policy_pages_find(const struct policy_pages *set,
					    uhmm_dpfn_t dpfn)
{
	const struct policy_page *page = &set->slot[find(set, dpfn)];

	return page->dpfn.val ? page : NULL;
}
