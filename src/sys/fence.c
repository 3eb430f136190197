/* SPDX-License-Identifier: MIT */
#include "sys/fence.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A change of the middle of a fence makes three of it. */
#define MOST_NEW 3

void uhmm_fences_fini(struct uhmm_fences *set)
{
	free(set->fence);
	*set = (struct uhmm_fences){ .n = 0 };
}

int uhmm_fences_reserve(struct uhmm_fences *set)
{
	unsigned int room = set->room ? set->room * 2 : 8;
	int saved = errno;
	struct uhmm_fence *more;

	if (set->n + MOST_NEW <= set->room)
		return 0;
	more = realloc(set->fence, room * sizeof(*more));
	errno = saved;
	if (!more)
		return -ENOMEM;
	set->fence = more;
	set->room = room;
	return 0;
}

/* Index of the first fence that ends above @vpn. */
static unsigned int search(const struct uhmm_fences *set, uint64_t vpn)
{
	unsigned int low = 0, high = set->n;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (set->fence[mid].range.end.val > vpn)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static bool is_like(const struct uhmm_fence *a, const struct uhmm_fence *b)
{
	return a->prot == b->prot && a->less == b->less;
}

/* Append @f to the @n new ones at @list, or to the last of them. */
static unsigned int append(struct uhmm_fence *list, unsigned int n,
			   struct uhmm_fence f)
{
	if (f.range.start.val >= f.range.end.val)
		return n;
	if (n && is_like(&list[n - 1], &f) &&
	    list[n - 1].range.end.val == f.range.start.val) {
		list[n - 1].range.end = f.range.end;
		return n;
	}
	list[n] = f;
	return n + 1;
}

/* Replace what the set has of @r by the fence @f, or NULL by nothing. */
static void replace(struct uhmm_fences *set, struct uhmm_range r,
		    const struct uhmm_fence *f)
{
	/* what touches r may become part of it, too */
	unsigned int at = search(set, r.start.val ? r.start.val - 1 : 0);
	unsigned int end = at, n = 0;
	struct uhmm_fence new[MOST_NEW + 2], tail[2];
	unsigned int ntail = 0;

	for (; end < set->n && set->fence[end].range.start.val <= r.end.val;
	     end++) {
		struct uhmm_fence left = set->fence[end], right = left;

		if (left.range.end.val > r.start.val)
			left.range.end = r.start;
		if (right.range.start.val < r.end.val)
			right.range.start = r.end;
		n = append(new, n, left);
		ntail = append(tail, ntail, right);
	}
	if (f)
		n = append(new, n, *f);
	for (unsigned int i = 0; i < ntail; i++)
		n = append(new, n, tail[i]);
	assert(set->n - (end - at) + n <= set->room);
	memmove(&set->fence[at + n], &set->fence[end],
		(set->n - end) * sizeof(*new));
	memcpy(&set->fence[at], new, n * sizeof(*new));
	set->n = set->n - (end - at) + n;
}

void uhmm_fences_set(struct uhmm_fences *set, struct uhmm_fence f)
{
	if (uhmm_range_npages(f.range))
		replace(set, f.range, &f);
}

void uhmm_fences_clear(struct uhmm_fences *set, struct uhmm_range r)
{
	/* without room a fence is left that is none: whoever looks finds out */
	if (set->n && uhmm_range_npages(r) && !uhmm_fences_reserve(set))
		replace(set, r, NULL);
}

bool uhmm_fences_next(const struct uhmm_fences *set, struct uhmm_range within,
		      struct uhmm_fence *f)
{
	unsigned int at = search(set, within.start.val);

	if (at == set->n || within.start.val >= within.end.val ||
	    set->fence[at].range.start.val >= within.end.val)
		return false;
	*f = set->fence[at];
	f->range = uhmm_range_clip(f->range, within);
	return true;
}

bool uhmm_fences_at(const struct uhmm_fences *set, uhmm_vpn_t vpn,
		    struct uhmm_fence *f)
{
	unsigned int at = search(set, vpn.val);

	if (at == set->n || set->fence[at].range.start.val > vpn.val)
		return false;
	*f = set->fence[at];
	return true;
}

uhmm_vpn_t uhmm_fences_before(const struct uhmm_fences *set, uhmm_vpn_t vpn)
{
	unsigned int at = search(set, vpn.val);

	return at ? set->fence[at - 1].range.end : UHMM_VPN(0);
}
