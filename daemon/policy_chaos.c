/* SPDX-License-Identifier: MIT */
/* policy_chaos.c - pages go to devices and back, at random (policy.h)
 *
 * Each step spends the pages that the rate allows: takes a few that lie
 * together, to one device, or for one to have alone; brings some home that the
 * CPU has not touched; sends some on to the other device; reads some by the
 * device. Pages are summed when they arrive and again when they are read or
 * leave: device memory that changes by itself is the one thing this looks for.
 * (Not when programs use the devices themselves: then it may.)
 *
 * From time to time all of it comes home at once, so that the program's
 * mappings, which the kernel splits where pieces are trapped, are whole again.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "co.h"
#include "daemon.h"
#include "policy.h"
#include "policy_pages.h"
#include "session.h"
#include "sys/pagesize.h"

/* Pages on devices at once. */
#define PAGES_MOST 16384
/* Pages taken together, at most: a power of two. */
#define RUN_POWER 6
/* Actions in one step, whatever the rate. */
#define ACTIONS_MOST 256
/* Pieces taken until all comes home. */
#define PIECES_MOST 2000
/* What the rate does not use is saved for so long. */
#define SAVED_NS UINT64_C(100000000)

struct chaos {
	struct policy_pages pages;
	uint64_t budget_ns_pages;	/* pages times 1e9 */
	unsigned int pieces;
	bool mixed;			/* a program uses devices, too */
};

static bool one_in(struct policy *p, uint64_t n)
{
	return policy_random(p, n) == 0;
}

static bool percent(struct policy *p, unsigned int n)
{
	return policy_random(p, 100) < n;
}

/* ---- sums ---- */

/* Is the page still where it was put? */
static bool is_there(const struct policy *p, const struct policy_page *page)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(p->s->mm, page->vpn);

	return uhmm_softleaf_is_away(leaf) &&
	       uhmm_softleaf_to_dpfn(leaf).val == page->dpfn.val;
}

static void note(struct policy *p, struct chaos *c, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(p->s->mm, vpn);
	struct policy_page page = { .vpn = vpn };

	if (!uhmm_softleaf_is_away(leaf))
		return;
	page.dpfn = uhmm_softleaf_to_dpfn(leaf);
	if (policy_sum(p, page.dpfn, &page.sum))
		(void)policy_pages_put(&c->pages, page);
}

static void note_all(struct policy *p, struct chaos *c, struct uhmm_range r)
{
	for (; r.start.val < r.end.val; r.start.val++)
		note(p, c, r.start);
}

/* Read the page at @vpn by its device: as it came? */
static void compare(struct policy *p, struct chaos *c, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf = uhmm_mm_leaf(p->s->mm, vpn);
	const struct policy_page *page;
	uint64_t sum;

	if (!uhmm_softleaf_is_away(leaf))
		return;
	page = policy_pages_find(&c->pages, uhmm_softleaf_to_dpfn(leaf));
	if (!page || page->vpn.val != vpn.val || c->mixed ||
	    !policy_sum(p, page->dpfn, &sum))
		return;
	if (sum == page->sum) {
		policy_stats(p)->compared++;
		return;
	}
	policy_stats(p)->mismatches++;
	uhmm_err("policy: the device page of pid %u at %#llx has changed",
		 p->s->pid, (unsigned long long)uhmm_addr_of(vpn));
}

static void compare_all(struct policy *p, struct chaos *c, struct uhmm_range r)
{
	for (; r.start.val < r.end.val; r.start.val++)
		compare(p, c, r.start);
}

/* ---- actions: pages spent, or -errno ---- */

/* Some pages of the program that are not on a device. */
static int find_run(struct policy *p, struct uhmm_range *run)
{
	uint64_t max = UINT64_C(1) << policy_random(p, RUN_POWER + 1);
	struct uhmm_range map, rest;
	int err;

	if (!p->places.npages)
		return -ENOENT;
	map = places_at(&p->places, policy_random(p, p->places.npages));
	if (!uhmm_range_npages(map))
		return -ENOENT;
	rest = map;
	rest.start.val += policy_random(p, uhmm_range_npages(map));
	err = places_next(&p->places, rest, max, run);
	return err == -ENOENT ? places_next(&p->places, map, max, run) : err;
}

/* A whole unit, where one lies and all of it may be taken. */
static int find_unit(struct policy *p, struct uhmm_range *run)
{
	uint64_t n = p->s->mm->core->pmd_npages;
	struct uhmm_range unit;
	int err = find_run(p, run);

	if (err)
		return err;
	unit = uhmm_range_of(UHMM_VPN(run->start.val / n * n), n);
	err = places_next(&p->places, unit, n, run);
	return err || uhmm_range_npages(*run) == n ? err : -ENOENT;
}

static int64_t take(struct policy *p, struct chaos *c)
{
	struct uhmm_range run;
	int64_t n;
	bool exclusive = percent(p, p->conf->exclusive);
	bool unit = percent(p, p->conf->huge) && !exclusive;
	int err = unit ? find_unit(p, &run) : find_run(p, &run);

	if (err)
		return err == -ENOENT ? 0 : err;
	n = exclusive ?
		    policy_take_exclusive(p, run) :
		    policy_take(p, run, p->dev[policy_random(p, p->ndevs)]);
	c->pieces++;
	if (n > 0)
		note_all(p, c, run);
	return n;
}

/* A run of pages on a device, around one of ours that is still there. */
static bool find_away(struct policy *p, struct chaos *c,
		      struct uhmm_range *run)
{
	uint64_t max = UINT64_C(1) << policy_random(p, RUN_POWER + 1);
	const struct policy_page *page;

	while ((page = policy_pages_next(&c->pages,
					 policy_random(p, UINT64_MAX)))) {
		if (!is_there(p, page)) {
			policy_pages_del(&c->pages, page->dpfn);
			continue;
		}
		*run = uhmm_range_of(page->vpn, max);
		return true;
	}
	return false;
}

static int64_t give(struct policy *p, struct chaos *c, struct uhmm_range run)
{
	int err;

	compare_all(p, c, run);
	err = policy_give(p, run);
	return err ? err : (int64_t)uhmm_range_npages(run);
}

static int64_t send_on(struct policy *p, struct chaos *c, struct uhmm_range run)
{
	int64_t n = give(p, c, run);
	struct uhmm_range rest;

	if (n < 0)
		return n;
	n = places_next(&p->places, run, uhmm_range_npages(run), &rest);
	if (n)
		return n == -ENOENT ? 0 : n;
	n = policy_take(p, rest, p->dev[policy_random(p, p->ndevs)]);
	if (n > 0)
		note_all(p, c, rest);
	return n;
}

/* Everything we placed comes home. What does not, will later: nothing comes to a
 * program that has just ended, and as long as we try nobody hears of that. */
static int give_all(struct policy *p, struct chaos *c)
{
	struct uhmm_range run;

	while (find_away(p, c, &run)) {
		int64_t n = give(p, c, run);

		if (n < 0)
			return (int)n;
		if (uhmm_softleaf_is_away(uhmm_mm_leaf(p->s->mm, run.start)))
			return 0;
	}
	c->pieces = 0;
	return 0;
}

static int64_t act(struct policy *p, struct chaos *c)
{
	bool full = c->pages.n + (1 << RUN_POWER) > PAGES_MOST;
	struct uhmm_range run;

	if ((full || one_in(p, 3)) && find_away(p, c, &run)) {
		if (!full && one_in(p, 2)) {
			compare_all(p, c, run);
			return 1;
		}
		return one_in(p, 4) ? send_on(p, c, run) : give(p, c, run);
	}
	return take(p, c);
}

/* ---- the policy ---- */

static int chaos_start(struct policy *p)
{
	struct chaos *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (policy_pages_init(&c->pages, PAGES_MOST)) {
		free(c);
		return -ENOMEM;
	}
	p->state = c;
	return 0;
}

static void chaos_stop(struct policy *p)
{
	struct chaos *c = p->state;

	policy_pages_fini(&c->pages);
	free(c);
}

/* Pages that may be moved by now. The rate is for all programs together. */
static uint64_t allowance(const struct policy *p, struct chaos *c)
{
	uint64_t ns = co_now_ns() - p->last_ns;
	uint64_t rate = p->conf->rate / policy_stats(p)->at_work + 1;

	if (ns > SAVED_NS)
		ns = SAVED_NS;
	c->budget_ns_pages += ns * rate;
	if (c->budget_ns_pages > SAVED_NS * rate)
		c->budget_ns_pages = SAVED_NS * rate;
	return c->budget_ns_pages / 1000000000;
}

static int chaos_step(struct policy *p)
{
	struct chaos *c = p->state;
	uint64_t left = allowance(p, c), spent = 0;

	c->mixed |= p->s->d->stats.opens > 0;
	for (int i = 0; i < ACTIONS_MOST && spent < left; i++) {
		int64_t n = act(p, c);

		if (n < 0)
			return (int)n;
		spent += (uint64_t)n;
	}
	if (spent > left)
		spent = left;
	c->budget_ns_pages -= spent * 1000000000;
	return c->pieces > PIECES_MOST ? give_all(p, c) : 0;
}

const struct policy_ops policy_chaos_ops = {
	.start = chaos_start,
	.step = chaos_step,
	.stop = chaos_stop,
};
