/* SPDX-License-Identifier: MIT */
/* policy_evict.c - a share of the program's memory is on devices (policy.h)
 *
 * The coldest first: a hand goes round over the memory, as a clock's, and
 * takes what no CPU has fetched back lately. How late is lately follows from
 * how far the hand must go: a whole turn without enough makes it half as long,
 * an easy catch longer again. Of memory that never was away nothing is known;
 * it counts as cold, and tells by its first fault if it is not.
 */
#include <errno.h>
#include <stdlib.h>

#include "co.h"
#include "daemon.h"
#include "policy.h"
#include "session.h"

/* Pages taken together, and in one step. */
#define RUN_MOST 64
#define STEP_MOST 2048
/* How often the program's memory is measured. */
#define MEASURE_NS UINT64_C(100000000)
/* What is fetched back is hot for so long, at first and at most. */
#define HOT_NS_FIRST UINT64_C(1000000000)
#define HOT_NS_MOST UINT64_C(64000000000)
/* Fetches that are remembered; a later one may push one out. */
#define FETCHES (1u << 16)

struct evict {
	uint64_t target;		/* pages to be away */
	uint64_t measured_ns;
	uint64_t hot_ns;
	uhmm_vpn_t hand;
	uint64_t since_turn;		/* pages taken since the hand began */
	struct {
		uhmm_vpn_t vpn;
		uint64_t ns;
	} fetch[FETCHES];
};

static unsigned int slot_of(uhmm_vpn_t vpn)
{
	return (unsigned int)((vpn.val * UINT64_C(0x9e3779b97f4a7c15)) >> 48) &
	       (FETCHES - 1);
}

static void evict_faulted(struct policy *p, uhmm_vpn_t vpn)
{
	struct evict *e = p->state;
	unsigned int i = slot_of(vpn);

	e->fetch[i].vpn = vpn;
	e->fetch[i].ns = co_now_ns();
}

static bool is_hot(const struct evict *e, uhmm_vpn_t vpn, uint64_t now)
{
	unsigned int i = slot_of(vpn);

	return e->fetch[i].vpn.val == vpn.val &&
	       now - e->fetch[i].ns < e->hot_ns;
}

/* Pages of this program that are on devices. */
static uint64_t away(const struct policy *p)
{
	return uhmm_shadow_count(&p->s->mm->core->store, p->s->mm->slot);
}

/* How many shall be away, of those that are there and those that are not. */
static int measure(struct policy *p, struct evict *e)
{
	uint64_t here = 0, now = co_now_ns();

	if (e->measured_ns && now - e->measured_ns < MEASURE_NS)
		return 0;
	for (unsigned int i = 0; i < p->places.nmaps; i++) {
		struct uhmm_range rest = p->places.map[i], run;
		int err;

		while (!(err = uhmm_ptes_next(&p->places.ptes, rest,
					      uhmm_range_npages(rest), &run))) {
			here += uhmm_range_npages(run);
			rest.start = run.end;
		}
		if (err != -ENOENT)
			return err;
	}
	e->measured_ns = now;
	e->target = (here + away(p)) * p->conf->percent / 100;
	return 0;
}

/* The hand has been everywhere. */
static void turn(struct evict *e)
{
	if (!e->since_turn)
		e->hot_ns /= 2;
	else if (e->hot_ns < HOT_NS_MOST)
		e->hot_ns += e->hot_ns / 8 + 1;
	e->since_turn = 0;
	e->hand = UHMM_VPN(0);
}

/* The cold pages at the front of @run; or the hot ones, which are left. */
static bool split(const struct evict *e, struct uhmm_range *run)
{
	uint64_t now = co_now_ns();
	bool hot = is_hot(e, run->start, now);
	uhmm_vpn_t v = run->start;

	while (v.val < run->end.val && is_hot(e, v, now) == hot)
		v.val++;
	run->end = v;
	return !hot;
}

/* The next pages at the hand, hot or cold. */
static int next_run(struct policy *p, struct evict *e, struct uhmm_range *run)
{
	for (unsigned int i = 0; i < p->places.nmaps; i++) {
		struct uhmm_range rest = p->places.map[i];
		int err;

		if (rest.end.val <= e->hand.val)
			continue;
		if (rest.start.val < e->hand.val)
			rest.start = e->hand;
		err = places_next(&p->places, rest, RUN_MOST, run);
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

/* Return: pages taken; -ENOENT the hand went round; or -errno */
static int64_t advance(struct policy *p, struct evict *e)
{
	struct uhmm_range run;
	int64_t n = 0;
	int err = next_run(p, e, &run);

	if (err == -ENOENT)
		turn(e);
	if (err)
		return err;
	if (split(e, &run))
		n = policy_take(p, run, p->dev[policy_random(p, p->ndevs)]);
	e->hand = run.end;
	e->since_turn += n > 0 ? (uint64_t)n : 0;
	return n;
}

/* More is away than shall be: some of it comes home. */
static int give_some(struct policy *p, uint64_t npages)
{
	struct uhmm_store *store = &p->s->mm->core->store;
	uhmm_vpn_t vpn = UHMM_VPN(0), first;
	uhmm_vpn_t end = UHMM_VPN(UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
	uhmm_softleaf_t leaf;

	if (!uhmm_shadow_next(store, p->s->mm->slot, &vpn, end, &leaf))
		return 0;
	first = vpn;
	for (; npages && uhmm_shadow_next(store, p->s->mm->slot, &vpn, end,
					  &leaf);
	     npages--)
		vpn.val++;
	return policy_give(p, (struct uhmm_range){ first, vpn });
}

static int evict_step(struct policy *p)
{
	struct evict *e = p->state;
	int err = measure(p, e);
	uint64_t taken = 0;

	while (!err && away(p) < e->target && taken < STEP_MOST) {
		int64_t n = advance(p, e);

		if (n < 0)
			return n == -ENOENT ? 0 : (int)n;
		taken += (uint64_t)n + 1;
	}
	if (!err && away(p) > e->target + e->target / 8 + RUN_MOST)
		err = give_some(p, away(p) - e->target);
	return err;
}

static int evict_start(struct policy *p)
{
	struct evict *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->hot_ns = HOT_NS_FIRST;
	p->state = e;
	return 0;
}

static void evict_stop(struct policy *p)
{
	free(p->state);
}

const struct policy_ops policy_evict_ops = {
	.start = evict_start,
	.step = evict_step,
	.stop = evict_stop,
	.faulted = evict_faulted,
};
