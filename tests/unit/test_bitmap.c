/* SPDX-License-Identifier: MIT */
/* test_bitmap.c - src/arena/bitmap.c against a plain array of bool */
#include "arena/bitmap.h"

#include <string.h>

#include "unit.h"

#define BASE 64		/* offset the bitmap is placed at */

static const uint64_t sizes[] = { 1, 2, 63, 64, 65, 127, 4095, 4096, 4097,
				  262144, 262145, 300000 };

struct pair {
	struct uhmm_bitmap b;
	unsigned char *base;
	bool *model;
};

static void pair_init(struct pair *p, uint64_t nbits)
{
	uint64_t end = uhmm_bitmap_layout(&p->b, nbits, BASE);

	p->base = aligned_alloc(64, end);
	p->model = calloc(nbits, sizeof(*p->model));
	ck_assert(p->base && p->model);
	memset(p->base, 0, end);
}

static void pair_fini(struct pair *p)
{
	free(p->base);
	free(p->model);
}

static void put(struct pair *p, uint64_t bit, bool value)
{
	p->model[bit] = value;
	if (value)
		uhmm_bitmap_set(p->base, &p->b, bit);
	else
		uhmm_bitmap_clear(p->base, &p->b, bit);
	unit_expect(uhmm_bitmap_test(p->base, &p->b, bit) == value);
	unit_expect(uhmm_bitmap_is_sound(p->base, &p->b, bit));
}

/* The first bit of @value in [@bit, @end) of the model; @end: none. */
static uint64_t model_next(const struct pair *p, uint64_t bit, uint64_t end,
			   bool value)
{
	while (bit < end && p->model[bit] != value)
		bit++;
	return bit;
}

static void compare_next(const struct pair *p, uint64_t start, uint64_t end)
{
	uint64_t want = model_next(p, start, end, true), got = start;
	bool found = uhmm_bitmap_next_set(p->base, &p->b, &got, end);

	unit_expect(found == (want < end));
	unit_expect(got == (found ? want : start));

	want = model_next(p, start, end, false);
	got = start;
	found = uhmm_bitmap_next_clear(p->base, &p->b, &got, end);
	unit_expect(found == (want < end));
	unit_expect(got == (found ? want : start));
}

/* Fill, empty, or flip a stretch; long stretches make summaries change. */
static void change(struct pair *p, struct unit_random *r)
{
	uint64_t start = unit_below(r, p->b.nbits);
	uint64_t n = 1 + unit_below(r, unit_below(r, 4) ? 8 : 5000);
	uint64_t how = unit_below(r, 3);

	for (uint64_t i = start; i < start + n && i < p->b.nbits; i++)
		put(p, i, how == 2 ? !p->model[i] : how == 1);
}

START_TEST(test_bitmap_next_like_model)
{
	struct unit_random r = unit_random(1 + (uint64_t)_i);
	uint64_t nbits = sizes[_i];
	struct pair p;

	pair_init(&p, nbits);
	for (int op = 0; op < 1000; op++) {
		uint64_t start = unit_below(&r, nbits);

		change(&p, &r);
		compare_next(&p, start,
			     start + unit_below(&r, nbits - start + 1));
		if (op % 50 == 0)
			compare_next(&p, 0, nbits);
	}
	pair_fini(&p);
}
END_TEST

START_TEST(test_bitmap_next_when_full)
{
	uint64_t nbits = sizes[_i], bit = 0;
	struct pair p;

	pair_init(&p, nbits);
	for (uint64_t i = 0; i < nbits; i++)
		put(&p, i, true);
	ck_assert(!uhmm_bitmap_next_clear(p.base, &p.b, &bit, nbits));
	/* an end beyond the bitmap finds no bit that is not one of it */
	ck_assert(!uhmm_bitmap_next_clear(p.base, &p.b, &bit, UINT64_MAX));
	put(&p, nbits - 1, false);
	ck_assert(uhmm_bitmap_next_clear(p.base, &p.b, &bit, nbits));
	ck_assert_uint_eq(bit, nbits - 1);
	pair_fini(&p);
}
END_TEST

START_TEST(test_bitmap_next_in_nothing)
{
	uint64_t bit = 100;
	struct pair p;

	pair_init(&p, 4096);
	put(&p, 100, true);
	ck_assert(!uhmm_bitmap_next_set(p.base, &p.b, &bit, 100));
	ck_assert(!uhmm_bitmap_next_set(p.base, &p.b, &bit, 50));
	ck_assert(!uhmm_bitmap_next_clear(p.base, &p.b, &bit, 101));
	bit = 4096;
	ck_assert(!uhmm_bitmap_next_clear(p.base, &p.b, &bit, 4096));
	ck_assert_uint_eq(bit, 4096);
	pair_fini(&p);
}
END_TEST

START_TEST(test_bitmap_set_twice_is_once)
{
	struct pair p;

	pair_init(&p, 65);
	for (int round = 0; round < 2; round++)
		for (uint64_t i = 0; i < 65; i++)
			put(&p, i, true);
	for (int round = 0; round < 2; round++)
		for (uint64_t i = 0; i < 65; i++)
			put(&p, i, false);
	compare_next(&p, 0, 65);
	pair_fini(&p);
}
END_TEST

START_TEST(test_bitmap_is_sound_sees_a_wrong_summary)
{
	struct pair p;

	pair_init(&p, 4096);
	put(&p, 70, true);
	*(uint64_t *)(void *)(p.base + p.b.any[1]) = 0;
	ck_assert(!uhmm_bitmap_is_sound(p.base, &p.b, 70));
	*(uint64_t *)(void *)(p.base + p.b.any[1]) = 2;
	ck_assert(uhmm_bitmap_is_sound(p.base, &p.b, 70));
	*(uint64_t *)(void *)(p.base + p.b.full[1]) = 2;
	ck_assert(!uhmm_bitmap_is_sound(p.base, &p.b, 70));
	uhmm_bitmap_mend(p.base, &p.b, 70);
	ck_assert(uhmm_bitmap_is_sound(p.base, &p.b, 70));
	pair_fini(&p);
}
END_TEST

UNIT_MAIN("bitmap", UNIT_TABLE(test_bitmap_next_like_model, sizes),
	  UNIT_TABLE(test_bitmap_next_when_full, sizes),
	  UNIT_TEST(test_bitmap_next_in_nothing),
	  UNIT_TEST(test_bitmap_set_twice_is_once),
	  UNIT_TEST(test_bitmap_is_sound_sees_a_wrong_summary))
