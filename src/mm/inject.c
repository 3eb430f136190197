/* SPDX-License-Identifier: MIT */
/* inject.c - what goes wrong on purpose (uhmm/inject.h) */
#include <uhmm/inject.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm.h"

static const char *const names[UHMM_INJECT_NR] = {
	[UHMM_INJECT_ALLOC] = "alloc",
	[UHMM_INJECT_LOCK] = "lock",
	[UHMM_INJECT_SLOW] = "slow",
	[UHMM_INJECT_REPLY] = "reply",
};

const char *uhmm_inject_name(enum uhmm_inject_point point)
{
	return names[point];
}

/* "3" or "3+" of point @i. */
static int parse_number(struct uhmm_inject *inject, int i, const char *word)
{
	char *end;
	unsigned long long n = strtoull(word, &end, 10);
	bool on = *end == '+';

	if (word[0] < '0' || word[0] > '9' || !n || end[on])
		return -EINVAL;
	inject->point[i].first = n;
	inject->point[i].on = on;
	inject->point[i].passed = inject->point[i].hit = 0;
	return 0;
}

int uhmm_inject_parse(struct uhmm_inject *inject, const char *word)
{
	for (int i = 0; i < UHMM_INJECT_NR; i++) {
		size_t n = strlen(names[i]);

		if (!strncmp(word, names[i], n) && word[n] == '=')
			return parse_number(inject, i, word + n + 1);
	}
	return -EINVAL;
}

bool uhmm_inject_pass(struct uhmm_inject *inject, enum uhmm_inject_point point)
{
	uint64_t first = inject->point[point].first;
	uint64_t now = ++inject->point[point].passed;
	bool hit = first && (inject->point[point].on ? now >= first :
						       now == first);

	inject->point[point].hit += hit;
	return hit;
}

struct uhmm_inject *uhmm_core_inject(struct uhmm_core *core)
{
	return &core->inject;
}

void uhmm_inject_slow(struct uhmm_core *core)
{
	if (uhmm_inject_pass(&core->inject, UHMM_INJECT_SLOW) &&
	    core->ops->pause)
		core->ops->pause(core);
}
