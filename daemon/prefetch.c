/* SPDX-License-Identifier: MIT */
/* prefetch.c - what comes home with a page (prefetch.h) */
#include "prefetch.h"

#include <uhmm/migrate.h>

#include "daemon.h"
#include "session.h"

/* Not asked, and not told: what the driver counts are faults. */
static void bring(struct session *s, uint64_t start, uint64_t end,
		  struct uhmm_pagemap *pgmap)
{
	struct uhmm_range r = { UHMM_VPN(start), UHMM_VPN(end) };
	int64_t n;

	if (start >= end || s->mm->gone)
		return;
	n = uhmm_migrate_to_ram(s->mm, r, pgmap);
	if (n > 0)
		s->d->policy_stats.given += (uint64_t)n;
}

void prefetch_around(struct session *s, uhmm_vpn_t vpn)
{
	uint64_t npages = s->prefetch_npages, start;
	struct uhmm_pagemap *pgmap;
	uhmm_softleaf_t leaf;

	if (!npages || s->mm->gone)
		return;
	leaf = uhmm_mm_leaf(s->mm, vpn);
	if (!uhmm_softleaf_is_device_private(leaf))
		return;
	pgmap = uhmm_pagemap_of(s->mm->core, uhmm_softleaf_to_dpfn(leaf));
	start = vpn.val - vpn.val % npages;
	bring(s, start, vpn.val, pgmap);
	bring(s, vpn.val + 1, start + npages, pgmap);
}
