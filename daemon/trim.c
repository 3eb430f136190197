/* SPDX-License-Identifier: MIT */
/* trim.c - when, and what (trim.h) */
#include "trim.h"

#include "base/log.h"
#include "daemon.h"
#include "mm/page.h"

/* Pages that are free again, at least, before it pays. */
#define FREE_LEAST 512
/* And as many of those that were used. */
#define FREE_SHARE 4
/* Pages of which the memory is given back without a pause. */
#define PIECE 16384
/* How long one waits for more of it. */
#define REST_NS UINT64_C(500000000)
/* Free pages between used ones that are not worth a system call. */
#define GAP_LEAST 16

/* The free pages from @at on, PIECE of them at most. Return: how many */
static uint64_t gap_at(const struct core *c, uhmm_dpfn_t at, uhmm_dpfn_t end)
{
	uhmm_dpfn_t used = at;

	if (!uhmm_page_next(&c->hmm.store, &used, end))
		used = end;
	return used.val - at.val < PIECE ? used.val - at.val : PIECE;
}

/* Programs go on meanwhile: what is free is asked anew after each pause. */
static void give_back(struct daemon *d)
{
	struct core *c = &d->core;
	uhmm_dpfn_t at = uhmm_pagemap_first(&c->exclusive);
	uhmm_dpfn_t end = uhmm_pagemap_end(&c->exclusive);

	while (at.val < end.val && !d->stopping) {
		uint64_t n = gap_at(c, at, end);
		int err = n < GAP_LEAST ?
				  0 :
				  uhmm_devmem_discard(&c->devmem, at, n);

		if (err)
			uhmm_dbg(UHMM_LOG_DEVICE, "exclusive pages: %d", err);
		at.val += n ? n : 1;
		if (n >= GAP_LEAST)
			co_pause();
	}
}

/* Most of what was used lately is used again at once; so it rests first. */
static void trim(void *arg)
{
	struct daemon *d = arg;

	co_queue_wait(&d->trim_rest, co_now_ns() + REST_NS);
	d->exclusive_most = uhmm_pagemap_used(&d->core.exclusive);
	if (!d->stopping)
		give_back(d);
	d->trimming = false;
}

void trim_look(struct worker *w)
{
	struct daemon *d = w->d;
	uint64_t used;

	if (d->trimming || d->stopping)
		return;
	used = uhmm_pagemap_used(&d->core.exclusive);
	if (d->exclusive_most < used)
		d->exclusive_most = used;
	if (d->exclusive_most - used < FREE_LEAST ||
	    (d->exclusive_most - used) * FREE_SHARE < d->exclusive_most)
		return;
	/* worker 0 is the last to end */
	d->trimming = co_spawn(&d->worker[0].sched, trim, d) == 0;
}
