/* SPDX-License-Identifier: MIT */
/* policy_pages.h - device pages that a policy has placed, and what was in them
 *
 * Owns:   a set of device pages, each with the place it was taken from and a
 *         sum of its bytes. A page that went home since is still in it until
 *         somebody looks: whoever picks one asks the shadow what is true.
 * Locks:  the core's.
 */
#ifndef UHMMD_POLICY_PAGES_H
#define UHMMD_POLICY_PAGES_H

#include <uhmm/types.h>

struct policy_page {
	uhmm_dpfn_t dpfn;	/* 0: none */
	uhmm_vpn_t vpn;
	uint64_t sum;
};

struct policy_pages {
	struct policy_page *slot;	/* open addressing, by dpfn */
	unsigned int nslots;		/* a power of two */
	unsigned int n;
};

/** policy_pages_init() - room for @most pages. 0; -ENOMEM */
UHMM_CHECKED int policy_pages_init(struct policy_pages *set, unsigned int most);

void policy_pages_fini(struct policy_pages *set);

/** policy_pages_put() - @page is in it, instead of an earlier one of that dpfn
 *  Return: false: there is no room */
bool policy_pages_put(struct policy_pages *set, struct policy_page page);

void policy_pages_del(struct policy_pages *set, uhmm_dpfn_t dpfn);

/** policy_pages_next() - some page, chosen by @random; NULL: there is none */
const struct policy_page *policy_pages_next(const struct policy_pages *set,
					    uint64_t random);

/** policy_pages_find() - the one of @dpfn, or NULL */
const struct policy_page *policy_pages_find(const struct policy_pages *set,
					    uhmm_dpfn_t dpfn);

#endif
