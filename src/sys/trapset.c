/* SPDX-License-Identifier: MIT */
#include "sys/trapset.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void uhmm_trapset_fini(struct uhmm_trapset *set)
{
	free(set->range);
	*set = (struct uhmm_trapset){ .n = 0 };
}

int uhmm_trapset_reserve(struct uhmm_trapset *set)
{
	unsigned int room = set->room ? set->room * 2 : 8;
	struct uhmm_range *range;

	if (set->n < set->room)
		return 0;
	range = realloc(set->range, room * sizeof(*range));
	if (!range)
		return -ENOMEM;
	set->range = range;
	set->room = room;
	return 0;
}

/* Index of the first range that ends above @val. */
static unsigned int search(const struct uhmm_trapset *set, uint64_t val)
{
	unsigned int low = 0;
	unsigned int high = set->n;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (set->range[mid].end.val > val)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* Replace ranges [@at, @at + @old) by the @new ones at @with. */
static void splice(struct uhmm_trapset *set, unsigned int at, unsigned int old,
		   const struct uhmm_range *with, unsigned int new)
{
	assert(set->n - old + new <= set->room);
	memmove(&set->range[at + new], &set->range[at + old],
		(set->n - at - old) * sizeof(*with));
	memcpy(&set->range[at], with, new * sizeof(*with));
	set->n = set->n - old + new;
}

void uhmm_trapset_add(struct uhmm_trapset *set, struct uhmm_range r)
{
	unsigned int at;
	unsigned int end;

	if (r.start.val >= r.end.val)
		return;
	/* what touches r on the left becomes part of it, too */
	at = search(set, r.start.val ? r.start.val - 1 : 0);
	for (end = at; end < set->n; end++) {
		if (set->range[end].start.val > r.end.val)
			break;
		if (set->range[end].start.val < r.start.val)
			r.start = set->range[end].start;
		if (set->range[end].end.val > r.end.val)
			r.end = set->range[end].end;
	}
	splice(set, at, end - at, &r, 1);
}

void uhmm_trapset_remove(struct uhmm_trapset *set, struct uhmm_range r)
{
	unsigned int at = search(set, r.start.val);
	struct uhmm_range left[2];
	unsigned int nleft = 0;
	unsigned int end;

	if (r.start.val >= r.end.val)
		return;
	for (end = at; end < set->n; end++) {
		struct uhmm_range have = set->range[end];

		if (have.start.val >= r.end.val)
			break;
		if (have.start.val < r.start.val)
			left[nleft++] = (struct uhmm_range){ have.start,
							     r.start };
		if (have.end.val > r.end.val)
			left[nleft++] = (struct uhmm_range){ r.end, have.end };
	}
	if (nleft > end - at && uhmm_trapset_reserve(set) < 0)
		return;
	if (end > at)
		splice(set, at, end - at, left, nleft);
}

bool uhmm_trapset_has(const struct uhmm_trapset *set, uhmm_vpn_t vpn)
{
	unsigned int at = search(set, vpn.val);

	return at < set->n && set->range[at].start.val <= vpn.val;
}

bool uhmm_trapset_next(const struct uhmm_trapset *set,
		       struct uhmm_range within, struct uhmm_range *piece)
{
	unsigned int at = search(set, within.start.val);

	if (at == set->n || within.start.val >= within.end.val ||
	    set->range[at].start.val >= within.end.val)
		return false;
	*piece = uhmm_range_clip(set->range[at], within);
	return true;
}
