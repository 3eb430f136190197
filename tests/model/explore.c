/* SPDX-License-Identifier: MIT */
/* explore.c - every state that can be reached (explore.h) */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* Steps of a walk in one world. */
#define WALK_STEPS 100
#define PATH_MAX_STEPS 1000

/** A state: how one gets there. */
struct state {
	uint32_t parent;
	uint32_t depth;
	struct step step;
};

static struct {
	struct state *state;
	uint32_t nstates, room;
	uint64_t *seen;		/* hashes; 0: free */
	uint64_t nseen;		/* a power of two */
} all;

/* ---- what goes wrong is told with the way there ---- */

/** The way to where we are. Check runs a test in a process of its own, and ends
 *  it without a word: this is shared with the one that looks on. */
static struct {
	unsigned int n;
	struct step step[PATH_MAX_STEPS];
} *path;

void explore_prepare(void)
{
	path = mmap(NULL, sizeof(*path), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unit_expect(path != MAP_FAILED);
}

void explore_tell(void)
{
	if (path->n)
		fprintf(stderr, "the way to what failed:\n");
	for (unsigned int i = 0; i < path->n; i++)
		world_print(&path->step[i]);
	munmap(path, sizeof(*path));
}

static bool take(const struct step *step, bool checks)
{
	unit_expect(path->n < PATH_MAX_STEPS);
	path->step[path->n++] = *step;
	return world_step(step, checks);
}

/* ---- states ---- */

/* Return: it is new. */
static bool note_hash(uint64_t hash)
{
	uint64_t at = hash & (all.nseen - 1);

	if (!hash)
		hash = 1;
	for (; all.seen[at]; at = (at + 1) & (all.nseen - 1))
		if (all.seen[at] == hash)
			return false;
	all.seen[at] = hash;
	return true;
}

static void note_state(uint32_t parent, const struct step *step)
{
	struct state *state = &all.state[all.nstates];

	if (all.nstates == all.room)
		return;
	state->parent = parent;
	state->depth = all.nstates ? all.state[parent].depth + 1 : 0;
	state->step = *step;
	all.nstates++;
}

/* A new world, in state @i. */
static void go_to(const struct scope *scope, uint32_t i)
{
	struct step way[PATH_MAX_STEPS];
	uint32_t n = 0;

	for (; i; i = all.state[i].parent)
		way[n++] = all.state[i].step;
	path->n = 0;
	world_begin(scope);
	while (n)
		take(&way[--n], false);
}

static void begin(uint64_t max_states)
{
	memset(&all, 0, sizeof(all));
	all.room = (uint32_t)max_states;
	for (all.nseen = 1024; all.nseen < 2 * max_states; all.nseen *= 2)
		;
	all.state = calloc(max_states, sizeof(*all.state));
	all.seen = calloc(all.nseen, sizeof(*all.seen));
	unit_expect(all.state && all.seen);
}

static void end(void)
{
	free(all.state);
	free(all.seen);
	path->n = 0;
}

/* Try every step from state @i. Return: how many. */
static size_t expand(const struct scope *scope, uint32_t i)
{
	static struct step steps[WORLD_STEPS];
	size_t n;

	go_to(scope, i);
	n = world_steps(steps);
	world_end();
	for (size_t k = 0; k < n; k++) {
		bool is_step;

		go_to(scope, i);
		is_step = take(&steps[k], true);
		if (is_step && note_hash(world_hash()))
			note_state(i, &steps[k]);
		world_end();
	}
	path->n = 0;
	return n;
}

struct explored explore(const struct scope *scope, uint64_t max_states)
{
	struct explored e = { 0 };
	uint32_t i;

	begin(max_states);
	world_begin(scope);
	note_hash(world_hash());
	world_end();
	note_state(0, &(struct step){ .job = 0 });
	for (i = 0; i < all.nstates; i++) {
		if (all.nstates == all.room)
			break;
		e.steps += expand(scope, i);
		e.depth = all.state[i].depth;
	}
	e.states = all.nstates;
	e.closed = i == all.nstates;
	end();
	return e;
}

void explore_walk(const struct scope *scope, uint64_t nsteps, uint64_t seed)
{
	static struct step steps[WORLD_STEPS];
	struct unit_random random = unit_random(seed);

	for (uint64_t done = 0; done < nsteps;) {
		path->n = 0;
		world_begin(scope);
		for (int i = 0; i < WALK_STEPS && done < nsteps; i++, done++)
			take(&steps[unit_below(&random, world_steps(steps))],
			     true);
		world_end();
	}
	path->n = 0;
}
