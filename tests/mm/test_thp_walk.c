/* SPDX-License-Identifier: MIT */
/* test_thp_walk.c - everything at random to units and base pages, every value
 * checked (S3.6)
 *
 *   test_thp_walk                    what the suite does: some seconds
 *   test_thp_walk --steps 1000000    so many steps, each thousand in a world and
 *                                    with a seed of its own
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "thp.h"

#define UNITS 6
#define STEPS 1000
#define WALKS 4

/* What each page holds; HOLE: nothing is mapped there. */
#define HOLE UINT64_MAX
static uint64_t model[(UNITS + 1) * N];

struct walk {
	struct unit_random random;
	uint64_t next;		/* value to be written */
};

/* A range of the first UNITS units, often of whole ones. */
static struct uhmm_range pick(struct walk *w, uint64_t most)
{
	uint64_t npages = unit_below(&w->random, 2) ?
				  N * (1 + unit_below(&w->random, most)) :
				  1 + unit_below(&w->random, N);
	uint64_t room = UNITS * N - npages;
	uint64_t at = unit_below(&w->random, room + 1);

	if (unit_below(&w->random, 2))
		at -= at % N;
	return uhmm_range_of(UHMM_VPN(at), npages);
}

static void walk_fill(struct walk *w, struct uhmm_range r)
{
	for (uint64_t i = r.start.val; i < r.end.val; i++) {
		if (model[i] == HOLE || !rig.m->pte[i].kind.write)
			continue;
		fake_put(rig.m, i, 1, ++w->next);
		model[i] = w->next;
	}
	/* as khugepaged would */
	for (uint64_t i = r.start.val - r.start.val % N; i < r.end.val;
	     i += N) {
		uint64_t n = 0;

		for (uint64_t k = i; k < i + N; k++)
			n += (rig.m->pte[k].bits & UHMM_PTE_PRESENT) &&
			     rig.m->pte[k].page &&
			     !(rig.m->pte[k].bits & UHMM_PTE_WP);
		if (n == N &&
		    fake_same_mapping(rig.m, uhmm_range_of(UHMM_VPN(i), N)))
			fake_set_huge(rig.m, i, N, false);
	}
}

static void walk_forget(struct uhmm_range r, uint64_t value)
{
	for (uint64_t i = r.start.val; i < r.end.val; i++)
		if (value == HOLE || model[i] != HOLE)
			model[i] = value;
}

static void walk_remap(struct walk *w)
{
	struct uhmm_range r = pick(w, 2);
	uint64_t n = uhmm_range_npages(r), to = pick(w, 1).start.val;

	if (to + n > UNITS * N)
		to = UNITS * N - n;
	if (!(to + n <= r.start.val || r.end.val <= to) ||
	    !fake_same_mapping(rig.m, r))
		return;
	fake_remap(rig.m, r.start.val, to, n, false);
	memcpy(&model[to], &model[r.start.val], n * sizeof(model[0]));
	walk_forget(r, HOLE);
}

static void walk_fork(struct walk *w)
{
	struct fake_mm *child = fake_fork(rig.m);
	uint64_t at = pick(w, 1).start.val;

	if (unit_below(&w->random, 2))
		fake_unmap(child, at, 1 + unit_below(&w->random, N));
	for (int i = 0; i < 20; i++) {
		at = unit_below(&w->random, UNITS * N);
		if (child->pte[at].mapped)
			ck_assert_uint_eq(fake_get(child, at), model[at]);
	}
	for (int i = 0; i < 20; i++) {
		at = unit_below(&w->random, UNITS * N);
		if (child->pte[at].kind.write)
			fake_put(child, at, 1, 1);
	}
	fake_exit(child);
}

static void walk_device(struct walk *w, uint64_t nr)
{
	struct uhmm_range r = pick(w, 3);
	int err;

	if (unit_below(&w->random, 8) == 0)
		fail_alloc();
	err = rig_ioctl(rig.file, nr, r.start.val, uhmm_range_npages(r));
	if (err == -EBUSY && nr == RIG_EXCLUSIVE &&
	    uhmm_pagemap_used(&rig.exclusive) == RIG_NEXCLUSIVE)
		return;		/* there is no room for more of them */
	if (err && err != -EINVAL && err != -ENOENT && err != -EFAULT &&
	    err != -ENOMEM)
		ck_abort_msg("command %#" PRIx64 " answers %d", nr, err);
}

/* Fresh memory, on the device before the CPU has seen it. */
static void walk_unit(struct walk *w)
{
	uint64_t at = N * unit_below(&w->random, UNITS);

	fake_map(rig.m, at, N, &fake_rw);
	rig_ok(rig.file, RIG_TO_DEV, at, N, 0);
	rig_fill_buffer(N, w->next + 1);
	rig_ok(rig.file, RIG_WRITE, at, N, 0);
	for (uint64_t i = 0; i < N; i++)
		model[at + i] = ++w->next;
}

static void walk_step(struct walk *w)
{
	struct uhmm_range r = pick(w, 2);
	uint64_t n = uhmm_range_npages(r), at = r.start.val;

	switch (unit_below(&w->random, 20)) {
	case 0:
		fake_map(rig.m, at, n, &fake_rw);
		walk_forget(r, HOLE);
		memset(&model[at], 0, n * sizeof(model[0]));
		break;
	case 1:
		fake_unmap(rig.m, at, n);
		walk_forget(r, HOLE);
		break;
	case 2:
		fake_dontneed(rig.m, at, n);
		walk_forget(r, 0);
		break;
	case 3:
		fake_protect(rig.m, at, n, &fake_ro);
		break;
	case 4:
	case 5:
		fake_protect(rig.m, 0, UNITS * N, &fake_rw);
		walk_fill(w, r);
		break;
	case 6:
		walk_remap(w);
		break;
	case 7:
		walk_fork(w);
		break;
	case 8:
		walk_device(w, RIG_TO_SYS);
		break;
	case 9:
		walk_device(w, RIG_EXCLUSIVE);
		break;
	case 10:
		walk_device(w, RIG_READ);
		break;
	case 11:
		for (int i = 0; i < 10; i++) {
			at = unit_below(&w->random, UNITS * N);
			if (model[at] != HOLE)
				ck_assert_uint_eq(fake_get(rig.m, at),
						  model[at]);
		}
		break;
	case 12:
	case 13:
	case 14:
	case 15:
		walk_unit(w);
		break;
	default:
		walk_device(w, RIG_TO_DEV);
	}
}

START_TEST(test_random_walk)
{
	struct walk w = { .random = unit_random(1 + (uint64_t)_i) };
	uint64_t units = 0;

	memset(model, 0, sizeof(model));
	fake_map(rig.m, 0, UNITS * N, &fake_rw);
	for (int step = 0; step < STEPS; step++) {
		walk_step(&w);
		if (step % 16 == 0)
			fake_check_idle(&rig.f);
		for (uint64_t i = 0; i < UNITS; i++)
			units += is_unit(rig.m, i * N);
	}
	ck_assert_uint_gt(units, STEPS / 4);
	for (uint64_t i = 0; i < UNITS * N; i++)
		if (model[i] != HOLE)
			ck_assert_uint_eq(fake_get(rig.m, i), model[i]);
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "steps", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	struct unit_test test = UNIT_LOOP(test_random_walk, WALKS);
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c != 's')
			return 2;
		test.loops = (int)((strtoul(optarg, NULL, 0) + STEPS - 1) /
				   STEPS);
	}
	return unit_rig_main("thp_walk", &test, 1);
}
