/* SPDX-License-Identifier: MIT */
/* explore.c - every state that can be reached (explore.h)
 *
 * Of a state is kept which it came from, by which step: 8 bytes, and 8 for its
 * hash. One gets there from the beginning, or from a copy of the state before
 * (arena.h): states that come from the same one follow each other.
 */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "unit.h"

/* Steps of a walk in one world. */
#define WALK_STEPS 100
#define PATH_MAX_STEPS 1000

/** A state: how one gets there. */
struct state {
	uint32_t parent;
	uint32_t step;		/* packed */
};

static struct {
	struct state *state;
	uint32_t nstates, room;
	uint64_t *seen;		/* hashes; 0: free */
	uint64_t nseen;		/* a power of two */
	/* copies, NULL: there cannot be any */
	struct arena_copy *first, *before, *here;
	uint32_t before_is;	/* of which state */
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

static uint32_t pack(const struct step *step)
{
	const struct op *op = &step->op;

	return (uint32_t)op->kind | (uint32_t)op->p << 5 |
	       (uint32_t)op->v << 6 | (uint32_t)op->n << 7 |
	       (uint32_t)op->dev << 9 | (uint32_t)op->rights << 10 |
	       (uint32_t)op->failure << 12 | (uint32_t)step->job << 14 |
	       (uint32_t)step->stops << 16;
}

static struct step unpack(uint32_t word)
{
	return (struct step){
		.op = { .kind = word & 31,
			.p = word >> 5 & 1,
			.v = word >> 6 & 1,
			.n = word >> 7 & 3,
			.dev = word >> 9 & 1,
			.rights = word >> 10 & 3,
			.failure = word >> 12 & 3 },
		.job = word >> 14 & 3,
		.stops = word >> 16 & 1,
	};
}

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
	if (all.nstates == all.room)
		return;
	all.state[all.nstates++] = (struct state){ parent, pack(step) };
}

/* The way to state @i becomes the path. Return: how long it is */
static unsigned int find_way(uint32_t i)
{
	unsigned int n = 0;

	for (uint32_t k = i; k; k = all.state[k].parent)
		n++;
	unit_expect(n <= PATH_MAX_STEPS);
	path->n = n;
	for (; i; i = all.state[i].parent)
		path->step[--n] = unpack(all.state[i].step);
	return path->n;
}

/* Go the path's steps from number @from to before @to. */
static void go_way(unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		world_step(&path->step[from], false);
}

/* The world is in state @i. Return: how many steps away from the beginning */
static unsigned int go_to(const struct scope *scope, uint32_t i)
{
	unsigned int n = find_way(i);

	if (!all.first) {
		world_begin(scope);
		go_way(0, n);
		return n;
	}
	if (!n) {
		world_restore(all.first);
		return n;
	}
	if (all.before_is != all.state[i].parent) {
		world_restore(all.first);
		go_way(0, n - 1);
		arena_save(all.before);
		all.before_is = all.state[i].parent;
	} else {
		world_restore(all.before);
	}
	go_way(n - 1, n);
	return n;
}

static void begin(const struct scope *scope, uint64_t max_states)
{
	memset(&all, 0, sizeof(all));
	all.room = (uint32_t)max_states;
	for (all.nseen = 1024; all.nseen < max_states + max_states / 2;
	     all.nseen *= 2)
		;
	all.state = calloc(max_states, sizeof(*all.state));
	all.seen = calloc(all.nseen, sizeof(*all.seen));
	unit_expect(all.state && all.seen);
	all.first = arena_copy_new();
	all.before = arena_copy_new();
	all.here = arena_copy_new();
	all.before_is = UINT32_MAX;
	world_begin(scope);
	if (all.first)
		arena_save(all.first);
	note_hash(world_hash());
	world_end();
	note_state(0, &(struct step){ .job = 0 });
}

static void end(void)
{
	arena_copy_free(all.first);
	arena_copy_free(all.before);
	arena_copy_free(all.here);
	free(all.state);
	free(all.seen);
	path->n = 0;
}

/* A state that is new: prove it sound, and that all can end from there. */
static void found(uint32_t parent, const struct step *step)
{
	world_prove();
	note_state(parent, step);
	world_end();
}

/* Try every step from state @i, which is @n steps away. Return: how many. */
static size_t try_steps(const struct scope *scope, uint32_t i, unsigned int n)
{
	static struct step steps[WORLD_STEPS];
	size_t nsteps = world_steps(steps);

	for (size_t k = 0; k < nsteps; k++) {
		bool is_step;

		if (k && all.here)
			world_restore(all.here);
		else if (k)
			go_to(scope, i);
		path->n = n;
		is_step = take(&steps[k], true);
		if (is_step && note_hash(world_hash()))
			found(i, &steps[k]);
		else if (!all.here)
			world_end();
	}
	return nsteps;
}

static size_t expand(const struct scope *scope, uint32_t i)
{
	unsigned int n = go_to(scope, i);
	size_t nsteps;

	if (all.here)
		arena_save(all.here);
	nsteps = try_steps(scope, i, n);
	path->n = 0;
	return nsteps;
}

static void tell_progress(const struct explored *e, uint32_t i)
{
	if (i % 100000)
		return;
	printf("%u states looked at of %u, %" PRIu64 " steps\n", i,
	       all.nstates, e->steps);
	fflush(stdout);
}

struct explored explore(const struct scope *scope, uint64_t max_states)
{
	struct explored e = { 0 };
	uint32_t i;

	begin(scope, max_states);
	for (i = 0; i < all.nstates; i++) {
		if (all.nstates == all.room)
			break;
		e.steps += expand(scope, i);
		if (i)
			tell_progress(&e, i);
	}
	e.states = all.nstates;
	e.looked_at = i;
	e.depth = find_way(all.nstates - 1);
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
		for (int i = 0; i < WALK_STEPS && done < nsteps; i++, done++) {
			take(&steps[unit_below(&random, world_steps(steps))],
			     true);
			world_prove();
		}
		world_end();
	}
	path->n = 0;
}
