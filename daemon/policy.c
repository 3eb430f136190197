/* SPDX-License-Identifier: MIT */
/* policy.c - policies at work on a session (policy.h) */
#include "policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uhmm/cpu_fault.h>
#include <uhmm/migrate.h>

#include "channel.h"
#include "co.h"
#include "daemon.h"
#include "fork.h"
#include "near.h"
#include "session.h"

/* A page of any machine we know. */
#define PAGE_BYTES_MOST 65536
/* Between two steps. */
#define TICK_NS UINT64_C(5000000)

static const struct policy_ops *const kinds[POLICY_NR_KINDS] = {
	[POLICY_CHAOS] = &policy_chaos_ops,
	[POLICY_EVICT] = &policy_evict_ops,
	[POLICY_SCRIPT] = &policy_script_ops,
};

struct policy_stats *policy_stats(const struct policy *p)
{
	return &p->s->d->policy_stats;
}

/* splitmix64: any seed is a good one. */
uint64_t policy_random(struct policy *p, uint64_t below)
{
	uint64_t z = p->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

/* ---- what is done to pages ---- */

/* Nothing is taken while the program forks: the child would not have it. */
static struct session *begin(struct policy *p, int *err)
{
	struct session *s = fork_begin_call(p->s->d, p->s->ref);

	*err = s && s->state == SESSION_LIVE ? 0 : -ESRCH;
	return s;
}

/* Return: pages of @r that went to @pgmap; -ESRCH */
static int64_t take(struct policy *p, struct uhmm_range r,
		    struct uhmm_pagemap *pgmap)
{
	int err;
	struct session *s = begin(p, &err);
	int64_t n = err;

	if (!err && places_allow(&p->places, r))
		n = uhmm_migrate_to_dev(p->s->mm, r, pgmap,
					UHMM_MIGRATE_VMA_AT_ONCE);
	fork_end_call(s);
	if (n == -ESRCH)
		return n;
	if (n < 0)
		n = 0;
	policy_stats(p)->taken += (uint64_t)n;
	policy_stats(p)->refused += uhmm_range_npages(r) - (uint64_t)n;
	return n;
}

int64_t policy_take(struct policy *p, struct uhmm_range r,
		    struct uhmm_device *dev)
{
	int64_t n = take(p, r, &dev->pgmap);

	if (n > 0)
		dev->count.migrate_to_dev_pages += (uint64_t)n;
	return n;
}

/* Pages that are there and nobody else's: they need only be moved to where such
 * pages wait (exclusive.h). */
int64_t policy_take_exclusive(struct policy *p, struct uhmm_range r)
{
	int64_t n = take(p, r, &p->s->d->core.exclusive);

	if (n > 0) {
		p->dev[0]->count.exclusive_pages += (uint64_t)n;
		policy_stats(p)->exclusive += (uint64_t)n;
	}
	return n;
}

int policy_give(struct policy *p, struct uhmm_range r)
{
	for (unsigned int i = 0; i <= p->ndevs; i++) {
		struct uhmm_pagemap *pgmap = i < p->ndevs ?
						     &p->dev[i]->pgmap :
						     &p->s->d->core.exclusive;
		int64_t n = uhmm_migrate_to_ram(p->s->mm, r, pgmap);

		if (n < 0)
			return (int)n;
		policy_stats(p)->given += (uint64_t)n;
		if (i < p->ndevs)
			p->dev[i]->count.migrate_to_sys_pages += (uint64_t)n;
	}
	return 0;
}

bool policy_sum(const struct policy *p, uhmm_dpfn_t dpfn, uint64_t *sum)
{
	struct uhmm_core *core = p->s->mm->core;
	uint64_t word[PAGE_BYTES_MOST / sizeof(uint64_t)];
	uint64_t n = core->page_bytes / sizeof(*word);

	if (core->page_bytes > sizeof(word) ||
	    core->ops->page_read(core, dpfn, 1, word) != 1)
		return false;
	*sum = 0;
	for (uint64_t i = 0; i < n; i++)
		*sum = (*sum ^ word[i]) * UINT64_C(0x100000001b3);
	return true;
}

/* ---- the job ---- */

/* Threads that came while we worked: what the kernel needs of them is home. */
static int spare_threads(struct policy *p)
{
	int err = places_threads(&p->places);

	for (unsigned int i = 0; !err && i < p->places.nkept; i++)
		err = uhmm_cpu_fault_range(p->s->mm, p->places.kept[i]);
	return err;
}

static bool is_wanted(const struct policy *p)
{
	return p->s->state == SESSION_LIVE && !p->s->d->stopping &&
	       !p->s->alone;
}

static int step(struct policy *p)
{
	int err = places_look(&p->places);

	if (!err)
		err = p->ops->step(p);
	if (!err)
		err = spare_threads(p);
	p->last_ns = co_now_ns();
	return err;
}

/* What was taken comes home, though nobody has touched it. */
static int give_all(struct policy *p)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < p->places.nmaps; i++)
		err = policy_give(p, p->places.map[i]);
	return err;
}

static void detach(struct policy *p)
{
	uhmm_list_del(&p->link);
	co_queue_wake(&p->s->left);
	policy_stats(p)->at_work--;
	if (p->state)
		p->ops->stop(p);
	places_fini(&p->places);
	session_put(p->s);
	free(p);
}

static void leave_alone(struct session *s, const char *why)
{
	s->d->policy_stats.left_alone++;
	uhmm_warn("policy: pid %u is left alone: %s", s->pid, why);
}

static void run(void *arg)
{
	struct policy *p = arg;
	int err = p->ops->start(p);

	while (!err && is_wanted(p)) {
		uint64_t next;

		near_works_alone(&p->s->w->near);
		err = step(p);
		next = co_now_ns() + TICK_NS;
		while (!err && is_wanted(p) && co_yield_until(next))
			;
	}
	if (!err && p->s->alone)
		err = give_all(p);
	if (err == -EPERM)
		leave_alone(p->s, "its threads cannot be seen");
	else if (err && err != -ESRCH)
		leave_alone(p->s, strerror(-err));
	detach(p);
}

/* ---- attach ---- */

static void choose_devices(struct policy *p)
{
	struct core *c = &p->s->d->core;
	unsigned int most = p->conf->ndevices ? p->conf->ndevices :
						POLICY_DEVICES_MAX;

	for (unsigned int i = 0; i < c->ndevs && p->ndevs < most; i++)
		if (c->dev[i].type == UHMM_MEMORY_DEVICE_PRIVATE &&
		    !c->dev[i].pgmap.unplugged)
			p->dev[p->ndevs++] = &c->dev[i];
}

static int start(struct session *s, const struct policy_conf *conf)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->conf = conf;
	p->ops = kinds[conf->kind];
	p->s = s;
	p->random = conf->seed + s->d->policy_stats.programs;
	p->start_ns = p->last_ns = co_now_ns();
	choose_devices(p);
	if (!p->ndevs) {
		free(p);
		return -ENODEV;
	}
	places_init(&p->places, s);
	session_get(s);
	uhmm_list_add_tail(&s->policies, &p->link);
	policy_stats(p)->at_work++;
	if (co_spawn(&s->w->sched, run, p)) {
		detach(p);
		return -ENOMEM;
	}
	return 0;
}

/* Why no policy can work on @s; NULL: it can. */
static const char *obstacle(const struct session *s)
{
	if (s->hello_flags & UHMM_HELLO_USER_MODE_ONLY)
		return "its userfaultfd does not serve faults that the kernel "
		       "takes; see uhmm doctor";
	if (strcmp(uhmm_engine_name(s->engine), "move") != 0)
		return "no engine move here, and the others could lose what it "
		       "maps where it has just unmapped; see uhmm doctor";
	return NULL;
}

/* Return: NULL; or why not */
static const char *begin_policy(struct session *s,
				const struct policy_conf *conf)
{
	const char *why;
	int err;

	if (conf->kind == POLICY_PREFETCH) {
		s->prefetch_npages = conf->npages;
		return NULL;
	}
	why = obstacle(s);
	err = why ? 0 : start(s, conf);
	return err ? strerror(-err) : why;
}

void policy_attach(struct session *s)
{
	const struct conf *conf = &s->d->conf;
	const char *why = NULL;

	if (!conf->npolicies)
		return;
	for (unsigned int i = 0; i < conf->npolicies && !why; i++)
		why = begin_policy(s, &conf->policy[i]);
	if (why)
		leave_alone(s, why);
	s->d->policy_stats.programs++;
}

int policy_alone(struct request *rq)
{
	struct session *s = rq->ch->session;

	s->alone = true;
	while (session_is_open(s) && !uhmm_list_is_empty(&s->policies))
		co_queue_wait(&s->left, 0);
	return 0;
}

/* ---- news ---- */

void policy_faulted(struct session *s, uhmm_vpn_t vpn)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &s->policies) {
		struct policy *p = UHMM_CONTAINER_OF(node, struct policy, link);

		if (p->ops->faulted && p->state)
			p->ops->faulted(p, vpn);
	}
}

void policy_changed(struct session *s, struct uhmm_range r)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &s->policies)
		places_changed(&UHMM_CONTAINER_OF(node, struct policy, link)
					->places, r);
}
