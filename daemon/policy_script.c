/* SPDX-License-Identifier: MIT */
/* policy_script.c - operations at given times (policy.h) */
#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>

#include "base/log.h"
#include "co.h"
#include "daemon.h"
#include "policy.h"
#include "session.h"
#include "sys/pagesize.h"

struct script {
	unsigned int next;	/* line */
};

static int script_start(struct policy *p)
{
	p->state = calloc(1, sizeof(struct script));
	return p->state ? 0 : -ENOMEM;
}

static void script_stop(struct policy *p)
{
	free(p->state);
}

/* The candidate that @line means, now. */
static struct uhmm_range region_of(const struct policy *p,
				   const struct policy_line *line)
{
	for (unsigned int i = 0; i < p->places.nmaps; i++) {
		struct uhmm_vma vma;

		if (line->region != POLICY_REGION_HEAP) {
			if (line->region == i)
				return p->places.map[i];
		} else if (!uhmm_maps_find(&p->places.maps,
					   p->places.map[i].start, &vma) &&
			   vma.heap) {
			return p->places.map[i];
		}
	}
	return uhmm_range_of(UHMM_VPN(0), 0);
}

static struct uhmm_range range_of(const struct policy *p,
				  const struct policy_line *line)
{
	struct uhmm_range r = region_of(p, line);
	uint64_t n = uhmm_range_npages(r);

	if (line->first >= n)
		return uhmm_range_of(r.start, 0);
	r.start.val += line->first;
	return uhmm_range_clip(uhmm_range_of(r.start, line->npages), r);
}

/* What of @r may be taken, piece by piece. */
static int take(struct policy *p, struct uhmm_range r, struct uhmm_device *dev)
{
	struct uhmm_range run;
	int64_t n = 0;
	int err = 0;

	while (n >= 0 && !(err = places_next(&p->places, r,
					     UHMM_MIGRATE_NPAGES_MAX, &run))) {
		n = dev ? policy_take(p, run, dev) :
			  policy_take_exclusive(p, run);
		r.start = run.end;
	}
	if (n < 0)
		return (int)n;
	return err == -ENOENT ? 0 : err;
}

/* The device reads what is there: its bytes are to be had. */
static void read_all(struct policy *p, struct uhmm_range r)
{
	for (; r.start.val < r.end.val; r.start.val++) {
		uhmm_softleaf_t leaf = uhmm_mm_leaf(p->s->mm, r.start);
		uint64_t sum;

		if (uhmm_softleaf_is_away(leaf) &&
		    policy_sum(p, uhmm_softleaf_to_dpfn(leaf), &sum))
			policy_stats(p)->compared++;
	}
}

static int run_line(struct policy *p, const struct policy_line *line)
{
	struct uhmm_device *dev = core_device(&p->s->d->core, line->device);
	struct uhmm_range r = range_of(p, line);

	if (!dev || dev->type != UHMM_MEMORY_DEVICE_PRIVATE) {
		uhmm_warn("policy: the script names hmm_dmirror%u, which is "
			  "no private device", line->device);
		return 0;
	}
	switch (line->op) {
	case POLICY_OP_TODEV:
		return take(p, r, dev);
	case POLICY_OP_EXCLUSIVE:
		return take(p, r, NULL);
	case POLICY_OP_TOSYS:
		return policy_give(p, r);
	case POLICY_OP_READ:
		read_all(p, r);
		return 0;
	default:
		dev->count.evictions += uhmm_migrate_evict_all(&dev->pgmap);
		return 0;
	}
}

static int script_step(struct policy *p)
{
	struct script *sc = p->state;
	uint64_t at = co_now_ns() - p->start_ns;
	int err = 0;

	while (!err && sc->next < p->conf->nlines &&
	       p->conf->line[sc->next].at_ns <= at)
		err = run_line(p, &p->conf->line[sc->next++]);
	return err;
}

const struct policy_ops policy_script_ops = {
	.start = script_start,
	.step = script_step,
	.stop = script_stop,
};
