/* SPDX-License-Identifier: MIT */
/* policy.h - what moves pages of programs that know nothing of a device
 *
 * Theory of operation. With a --policy the preload library attaches every
 * program when it starts. A session that is LIVE gets one job per policy, which
 * every TICK_NS looks for memory it may take (places.h) and moves some, until
 * the session ends. It moves pages with the means of a driver (migrate.h,
 * exclusive.h), into the memory of devices that exist, and knows nothing that
 * a driver does not.
 *
 * A policy must not break a program. What it takes leaves the CPU in one step
 * that the kernel refuses when the program's mappings change at that moment
 * (engine move), and what cannot be taken so is left alone. After each step the
 * threads are looked at again, and what the kernel needs of a new one comes
 * back. Where a userfaultfd serves no fault that the kernel takes, or the
 * engine cannot move, or the threads are not ours to see, nothing is taken.
 *
 * The one kind that takes nothing, prefetch, has no job (prefetch.h) and works
 * with every engine.
 *
 * Locks:  the core's.
 */
#ifndef UHMMD_POLICY_H
#define UHMMD_POLICY_H

#include <uhmm/list.h>
#include <uhmm/device.h>
#include "places.h"
#include "policy_conf.h"

struct daemon;
struct request;
struct session;
struct policy;

#define POLICY_DEVICES_MAX 16

/** One kind of policy. */
struct policy_ops {
	/** start() - make policy->state. 0; -ENOMEM */
	int (*start)(struct policy *p);
	/**
	 * step() - (yields) do what is to be done by now
	 * Return: 0; -ESRCH; -EPERM, -EOPNOTSUPP nothing can be done here
	 */
	int (*step)(struct policy *p);
	/** stop() - free policy->state */
	void (*stop)(struct policy *p);
	/** faulted() - a CPU got the page at @vpn back; NULL: nobody cares */
	void (*faulted)(struct policy *p, uhmm_vpn_t vpn);
};

extern const struct policy_ops policy_chaos_ops;
extern const struct policy_ops policy_evict_ops;
extern const struct policy_ops policy_script_ops;

/** struct policy - one policy at work on one session */
struct policy {
	struct uhmm_list link;		/* in session.policies */
	const struct policy_conf *conf;
	const struct policy_ops *ops;
	struct session *s;		/* referenced */
	struct places places;
	struct uhmm_device *dev[POLICY_DEVICES_MAX];	/* private ones */
	unsigned int ndevs;
	uint64_t start_ns, last_ns;	/* of the job, of the step before */
	uint64_t random;
	void *state;
};

/** What policies of all sessions did. */
struct policy_stats {
	uint64_t programs;		/* taken care of */
	uint64_t at_work;		/* jobs, now */
	uint64_t left_alone;		/* and not: see the log */
	uint64_t taken;			/* pages that went to a device */
	uint64_t given;			/* pages brought back, not by a CPU */
	uint64_t exclusive;		/* of those taken */
	uint64_t refused;		/* pages that were not to be had */
	uint64_t compared;		/* read by the device and found right */
	uint64_t mismatches;		/* and found wrong */
};

/** policy_attach() - @s is LIVE: the daemon's policies begin to work on it */
void policy_attach(struct session *s);

/** policy_alone() - (yields) handler: the program wants none any more. 0 */
int policy_alone(struct request *rq);

/** policy_faulted() - a CPU of @s got the page at @vpn back */
void policy_faulted(struct session *s, uhmm_vpn_t vpn);

/** policy_changed() - the program unmapped, moved or dropped @r */
void policy_changed(struct session *s, struct uhmm_range r);

/* ---- for the kinds of policies ---- */

/** policy_random() - a number below @below, which is not 0 */
uint64_t policy_random(struct policy *p, uint64_t below);

/**
 * policy_take() - (yields) pages @r, in one mapping, to @dev
 * Return: pages that went; -ESRCH
 */
int64_t policy_take(struct policy *p, struct uhmm_range r,
		    struct uhmm_device *dev);

/** policy_take_exclusive() - (yields) the same, for one to have alone */
int64_t policy_take_exclusive(struct policy *p, struct uhmm_range r);

/** policy_give() - (yields) what of @r is on a device comes home. 0; -ESRCH */
UHMM_CHECKED int policy_give(struct policy *p, struct uhmm_range r);

/** policy_stats() - where it counts */
struct policy_stats *policy_stats(const struct policy *p);

/** policy_sum() - of the bytes of device page @dpfn, read by the device
 *  Return: false: the program that has them is gone */
bool policy_sum(const struct policy *p, uhmm_dpfn_t dpfn, uint64_t *sum);

#endif
