/* SPDX-License-Identifier: MIT */
/* stats.h - what the daemon counts, and how it tells
 *
 * Counters only grow. What drivers count is in struct uhmm_device.
 */
#ifndef UHMMD_STATS_H
#define UHMMD_STATS_H

#include <stddef.h>
#include <stdint.h>

#include <uhmm/types.h>

struct daemon;

/** Buckets per power of two. */
#define LATENCY_FINE 16
/** Powers of two: 1 ns .. 18 minutes. */
#define LATENCY_POWERS 40

/** struct latency - a distribution of nanoseconds, to 1/16 */
struct latency {
	uint64_t bucket[LATENCY_POWERS][LATENCY_FINE];
	uint64_t n;
	uint64_t max_ns;
};

/** stats_latency() - one more */
void stats_latency(struct latency *l, uint64_t ns);

/** stats_percentile() - the time that @percent were not slower than; 0 when
 *  there is none */
uint64_t stats_percentile(const struct latency *l, double percent);

struct stats {
	uint64_t start_ns;
	const char *engine;	/* of the session made last; NULL: none */
	uint64_t sessions;		/* attached so far */
	uint64_t opens;
	uint64_t requests;
	uint64_t hands_calls;
	uint64_t faults;
	uint64_t faults_deferred;	/* for want of memory */
	uint64_t removes;		/* by the program */
	uint64_t removes_own;		/* on our word */
	uint64_t unmaps;
	uint64_t remaps;
	uint64_t forks;
	uint64_t protocol_errors;
	struct latency fault_latency;	/* read -> answered */
};

/**
 * stats_json() - all of it as the text of `--stats-json`
 * Return: 0 with *@text, to be freed, and *@bytes; -ENOMEM
 */
UHMM_CHECKED int stats_json(struct daemon *d, char **text, size_t *bytes);

#endif
