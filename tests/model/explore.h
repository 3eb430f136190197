/* SPDX-License-Identifier: MIT */
/* explore.h - every state that can be reached, or a long walk */
#ifndef UHMM_TESTS_MODEL_EXPLORE_H
#define UHMM_TESTS_MODEL_EXPLORE_H

#include "world.h"

struct explored {
	uint64_t states, steps;
	uint64_t looked_at;	/* of these all steps were tried */
	unsigned int depth;	/* of the last one */
	bool closed;		/* nothing new can be reached */
};

/** explore_prepare(), explore_tell() - around each of the next, in the process
 *  that starts tests: tells the way to what failed */
void explore_prepare(void);
void explore_tell(void);

/**
 * explore() - every state of @scope, nearest first, until nothing new is found
 * or there are @max_states. After every step the library is compared with the
 * model; where that leads to a new state, all of it is proven sound and ended.
 * What fails is told with the way to it.
 */
struct explored explore(const struct scope *scope, uint64_t max_states);

/** explore_walk() - @nsteps random steps in one world after the other */
void explore_walk(const struct scope *scope, uint64_t nsteps, uint64_t seed);

#endif
