/* SPDX-License-Identifier: MIT */
/* zaps.c - removals that we asked for (zaps.h) */
#include "zaps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct zaps *z, unsigned int more)
{
	unsigned int room = z->room ? z->room : 16;
	struct uhmm_range *range;

	if (z->n + more <= z->room)
		return 0;
	while (room < z->n + more)
		room *= 2;
	range = realloc(z->range, room * sizeof(*range));
	if (!range)
		return -ENOMEM;
	z->range = range;
	z->room = room;
	return 0;
}

/* What a program may make us remember. */
#define RANGES_MAX 65536

/* Room is kept for every range to be cut once more, so that cutting never
 * fails: a removal that was taken for news would lose a page. */
int zaps_expect(struct zaps *z, struct uhmm_range r)
{
	if (z->n >= RANGES_MAX || reserve(z, z->n + 2))
		return -ENOMEM;
	z->range[z->n++] = r;
	return 0;
}

static bool is_empty(struct uhmm_range r)
{
	return r.start.val == r.end.val;
}

/* Take @cut, which lies in range @i, out of it. */
static void cut(struct zaps *z, unsigned int i, struct uhmm_range cut_out)
{
	struct uhmm_range before = { z->range[i].start, cut_out.start };
	struct uhmm_range behind = { cut_out.end, z->range[i].end };

	if (is_empty(before) && is_empty(behind)) {
		z->range[i] = z->range[--z->n];
		return;
	}
	z->range[i] = is_empty(before) ? behind : before;
	if (is_empty(before) || is_empty(behind))
		return;
	if (reserve(z, 1))
		return;	/* the tail is forgotten: see zaps_expect() */
	z->range[z->n++] = behind;
}

void zaps_forget(struct zaps *z, struct uhmm_range r)
{
	unsigned int i = 0;

	while (i < z->n) {
		struct uhmm_range both = uhmm_range_clip(z->range[i], r);

		if (uhmm_range_overlaps(z->range[i], r))
			cut(z, i, both);
		else
			i++;
	}
}

/* The range that holds the lowest page of @r, or -1. */
static int first_in(const struct zaps *z, struct uhmm_range r)
{
	int best = -1;

	for (unsigned int i = 0; i < z->n; i++) {
		if (!uhmm_range_overlaps(z->range[i], r))
			continue;
		if (best < 0 ||
		    z->range[i].start.val < z->range[best].start.val)
			best = (int)i;
	}
	return best;
}

bool zaps_consume(struct zaps *z, struct uhmm_range *r,
		  struct uhmm_range *piece, bool *ours)
{
	int i;

	if (is_empty(*r))
		return false;
	*piece = *r;
	i = first_in(z, *r);
	*ours = i >= 0 && z->range[i].start.val <= r->start.val;
	if (*ours) {
		*piece = uhmm_range_clip(*r, z->range[i]);
		cut(z, (unsigned int)i, *piece);
	} else if (i >= 0) {
		piece->end = z->range[i].start;
	}
	r->start = piece->end;
	return true;
}

void zaps_fini(struct zaps *z)
{
	free(z->range);
	memset(z, 0, sizeof(*z));
}
