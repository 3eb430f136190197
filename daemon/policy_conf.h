/* SPDX-License-Identifier: MIT */
/* policy_conf.h - what a --policy says
 *
 *   chaos[,rate=PAGES_PER_S][,seed=N][,exclusive=PERCENT][,devices=N]
 *        [,huge=PERCENT]
 *   evict=PERCENT
 *   script=FILE
 *   prefetch=NPAGES, which moves nothing to a device
 */
#ifndef UHMMD_POLICY_CONF_H
#define UHMMD_POLICY_CONF_H

#include <stdint.h>

#include <uhmm/types.h>

enum policy_kind {
	POLICY_CHAOS,
	POLICY_EVICT,
	POLICY_SCRIPT,
	POLICY_PREFETCH,
	POLICY_NR_KINDS
};

/** Operations of a script, a subset of a trace's. */
enum policy_op {
	POLICY_OP_TODEV,
	POLICY_OP_TOSYS,
	POLICY_OP_EXCLUSIVE,
	POLICY_OP_READ,
	POLICY_OP_RELEASE,
	POLICY_NR_OPS
};

/** The heap instead of a candidate's number. */
#define POLICY_REGION_HEAP UINT32_MAX

/** One line of a script. */
struct policy_line {
	uint64_t at_ns;		/* after the program's start */
	enum policy_op op;
	uint32_t device;	/* N of hmm_dmirrorN */
	uint32_t region;	/* which candidate, by address */
	uint64_t first, npages;	/* of it */
};

struct policy_conf {
	enum policy_kind kind;
	uint64_t rate;			/* chaos: pages per second */
	uint64_t seed;			/* chaos */
	unsigned int exclusive;		/* chaos: percent of what is taken */
	unsigned int huge;		/* chaos: percent */
	unsigned int ndevices;		/* chaos: private ones used */
	unsigned int percent;		/* evict */
	uint64_t npages;		/* prefetch */
	struct policy_line *line;	/* script, by time */
	unsigned int nlines;
};

/**
 * policy_conf_parse() - of @word; reads the script
 * Return: NULL; or why not, in static storage
 */
const char *policy_conf_parse(const char *word, struct policy_conf *conf);

void policy_conf_fini(struct policy_conf *conf);

/** policy_conf_name() - "chaos" */
const char *policy_conf_name(enum policy_kind kind);

#endif
