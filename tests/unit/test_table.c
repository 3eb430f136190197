/* SPDX-License-Identifier: MIT */
/* test_table.c - src/arena/table.c, against a plain array */
#include "arena/table.h"

#include <errno.h>

#include "unit.h"

#define LAST_INDEX ((UINT64_C(1) << UHMM_TABLE_INDEX_BITS) - 1)

static const struct uhmm_store_limits small = {
	.dpfns = 512,
	.objects = { 40, 1, 1, 1, 1 },
};

static const uint64_t far_apart[] = {
	0, 1, 511, 512, UINT64_C(1) << 18, UINT64_C(1) << 27,
	UINT64_C(0x7fff12345), UINT64_C(1) << 36, LAST_INDEX,
};

START_TEST(test_table_get_of_empty)
{
	struct uhmm_store store;
	struct uhmm_table t = { 0 };
	uint64_t index = 0, word;

	unit_store_init(&store, &small);
	ck_assert_uint_eq(uhmm_table_get(&store, &t, far_apart[_i]), 0);
	ck_assert(!uhmm_table_next(&store, &t, &index, UINT64_MAX, &word));
	uhmm_table_clear(&store, &t, far_apart[_i]);
	uhmm_table_fini(&store, &t);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_table_set_one_and_clear)
{
	struct uhmm_store store;
	struct uhmm_table t = { 0 };
	uint64_t index = 0, word;

	unit_store_init(&store, &small);
	ck_assert_int_eq(uhmm_table_set(&store, &t, far_apart[_i], 7), 0);
	ck_assert_uint_eq(uhmm_table_get(&store, &t, far_apart[_i]), 7);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 5);
	ck_assert_uint_eq(t.count, 1);
	ck_assert(uhmm_table_next(&store, &t, &index, UINT64_MAX, &word));
	ck_assert_uint_eq(index, far_apart[_i]);
	ck_assert_uint_eq(word, 7);
	index++;
	ck_assert(!uhmm_table_next(&store, &t, &index, UINT64_MAX, &word));
	ck_assert_int_eq(uhmm_table_set(&store, &t, far_apart[_i], 0), 0);
	ck_assert_uint_eq(t.root | t.count, 0);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 0);
	unit_store_fini(&store);
}
END_TEST

/* Where words were is remembered; that node may be another table's by now: its
 * top, and the word there that was for 5 is a link. */
START_TEST(test_table_get_where_a_node_was)
{
	const uint64_t top_five = UINT64_C(5) << 36;
	struct uhmm_table t = { 0 }, other = { 0 };
	struct uhmm_store store;

	unit_store_init(&store, &small);
	ck_assert_int_eq(uhmm_table_set(&store, &t, 5, 7), 0);
	ck_assert_int_eq(uhmm_table_set(&store, &t, 5000, 8), 0);
	ck_assert_uint_eq(uhmm_table_get(&store, &t, 5), 7);
	ck_assert_uint_eq(uhmm_table_get(&store, &t, 6), 0);
	uhmm_table_clear(&store, &t, 5);
	ck_assert_int_eq(uhmm_table_set(&store, &other, top_five, 9), 0);
	ck_assert_uint_eq(uhmm_table_get(&store, &t, 5), 0);
	ck_assert_uint_eq(uhmm_table_get(&store, &other, top_five), 9);
	ck_assert_uint_eq(uhmm_table_get(&store, &t, 5000), 8);
	uhmm_table_fini(&store, &t);
	uhmm_table_fini(&store, &other);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_table_next_in_order)
{
	struct uhmm_store store;
	struct uhmm_table t = { 0 };
	uint64_t index = 0, word;

	unit_store_init(&store, &small);
	for (size_t i = 0; i < UNIT_COUNT(far_apart); i++)
		ck_assert_int_eq(uhmm_table_set(&store, &t, far_apart[i],
						i + 1), 0);
	for (size_t i = 0; i < UNIT_COUNT(far_apart); i++) {
		ck_assert(!uhmm_table_next(&store, &t, &index, far_apart[i],
					   &word));
		ck_assert(uhmm_table_next(&store, &t, &index,
					  far_apart[i] + 1, &word));
		ck_assert_uint_eq(index, far_apart[i]);
		ck_assert_uint_eq(word, i + 1);
		index++;
	}
	uhmm_table_fini(&store, &t);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_table_set_out_of_range)
{
	struct uhmm_store store;
	struct uhmm_table t = { 0 };

	unit_store_init(&store, &small);
	ck_assert_int_eq(uhmm_table_set(&store, &t, LAST_INDEX + 1, 1),
			 -EINVAL);
	ck_assert_int_eq(uhmm_table_set(&store, &t, UINT64_MAX, 1), -EINVAL);
	ck_assert(!uhmm_table_has_room(&store, &t, LAST_INDEX + 1));
	ck_assert_uint_eq(uhmm_table_get(&store, &t, LAST_INDEX + 1), 0);
	uhmm_table_clear(&store, &t, UINT64_MAX);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 0);
	unit_store_fini(&store);
}
END_TEST

/* With room for @_i nodes: what does not fit changes nothing. */
START_TEST(test_table_set_without_nodes)
{
	struct uhmm_store_limits limits = small;
	struct uhmm_store store;
	struct uhmm_table t = { 0 };
	uint32_t nodes = (uint32_t)_i + 1;
	int want = nodes < 5 ? -ENOMEM : 0;

	limits.objects[UHMM_SLAB_NODE] = nodes;
	unit_store_init(&store, &limits);
	ck_assert(uhmm_table_has_room(&store, &t, 5) == !want);
	ck_assert_int_eq(uhmm_table_set(&store, &t, 5, 1), want);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE),
			  want ? 0 : 5);
	if (!want) {
		/* its neighbour needs no node, one in the next node one */
		ck_assert_int_eq(uhmm_table_set(&store, &t, 6, 1), 0);
		ck_assert_int_eq(uhmm_table_set(&store, &t, 512, 1),
				 nodes < 6 ? -ENOMEM : 0);
		ck_assert_int_eq(uhmm_table_set(&store, &t, 5, 2), 0);
	}
	unit_store_fini(&store);
}
END_TEST

static const char room_cases[8] __attribute__((unused));

/*
 * Model: words of 64 clusters of 64 neighbours each. A cluster begins where
 * the nodes of each level come to an end, so that all levels grow and shrink.
 */
#define NCLUSTERS UINT64_C(64)
#define CLUSTER UINT64_C(64)
#define NWORDS (NCLUSTERS * CLUSTER)

struct model {
	uint64_t word[NWORDS];
	uint64_t count;
};

/* The index of model word @i; larger for larger @i. */
static uint64_t index_of(unsigned int i)
{
	unsigned int cluster = i / CLUSTER;
	uint64_t base = (uint64_t)(cluster / 16) << 43 |
			(uint64_t)(cluster / 8 % 2) << 35 |
			(uint64_t)(cluster / 4 % 2) << 26 |
			(uint64_t)(cluster / 2 % 2) << 17 |
			(uint64_t)(cluster % 2) << 9;

	return base + 480 + i % CLUSTER;
}

/* Nodes a table with the model's words needs. */
static uint32_t model_nodes(const struct model *m)
{
	uint32_t nodes = 0;

	for (unsigned int level = 1; level <= UHMM_TABLE_LEVELS; level++) {
		uint64_t last = UINT64_MAX;

		for (unsigned int i = 0; i < NWORDS; i++) {
			uint64_t node = index_of(i) >>
					(level * UHMM_TABLE_LEVEL_BITS);

			if (m->word[i] && node != last) {
				nodes++;
				last = node;
			}
		}
	}
	return nodes;
}

static void set_both(struct uhmm_store *store, struct uhmm_table *t,
		     struct model *m, unsigned int i, uint64_t word)
{
	uint64_t old = m->word[i];
	int rc = uhmm_table_set(store, t, index_of(i), word);

	m->word[i] = word;
	if (rc == -ENOMEM) {
		unit_expect(word && !old);
		unit_expect(model_nodes(m) > small.objects[0]);
		m->word[i] = 0;
	} else {
		unit_expect(rc == 0);
		m->count += !!word;
		m->count -= !!old;
	}
	unit_expect(uhmm_table_get(store, t, index_of(i)) == m->word[i]);
	unit_expect(t->count == m->count);
}

static void compare_next(const struct uhmm_store *store,
			 const struct uhmm_table *t, const struct model *m,
			 unsigned int i, unsigned int end)
{
	uint64_t index = index_of(i), word;
	uint64_t end_index = end < NWORDS ? index_of(end) : UINT64_MAX;
	bool found = uhmm_table_next(store, t, &index, end_index, &word);

	while (i < end && !m->word[i])
		i++;
	unit_expect(found == (i < end));
	if (found) {
		unit_expect(index == index_of(i));
		unit_expect(word == m->word[i]);
	}
}

START_TEST(test_table_like_model)
{
	struct unit_random r = unit_random(42);
	struct uhmm_store store;
	struct uhmm_table t = { 0 };
	static struct model m;

	unit_store_init(&store, &small);
	for (int op = 0; op < 100000; op++) {
		unsigned int i = unit_below(&r, NWORDS);
		/* times of growth and times of decline */
		bool grow = unit_below(&r, 100) < (op / 20000 % 2 ? 20 : 70);
		uint64_t word = grow ? 1 + unit_below(&r, UINT32_MAX) : 0;

		set_both(&store, &t, &m, i, word);
		i = unit_below(&r, NWORDS);
		compare_next(&store, &t, &m, i,
			     i + unit_below(&r, NWORDS - i + 1));
		if (op % 500 == 0)
			unit_expect(model_nodes(&m) ==
				    uhmm_slab_used(&store, UHMM_SLAB_NODE));
	}
	uhmm_table_fini(&store, &t);
	ck_assert_uint_eq(uhmm_slab_used(&store, UHMM_SLAB_NODE), 0);
	unit_store_fini(&store);
}
END_TEST

START_TEST(test_table_fini_leaves_clean_nodes)
{
	struct uhmm_store store;
	struct uhmm_table t = { 0 };

	unit_store_init(&store, &small);
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 2000; i++) {
			ck_assert_uint_eq(uhmm_table_get(&store, &t, i), 0);
			ck_assert_int_eq(uhmm_table_set(&store, &t, i, i + 1),
					 0);
		}
		uhmm_table_fini(&store, &t);
	}
	unit_store_fini(&store);
}
END_TEST

UNIT_MAIN("table", UNIT_TABLE(test_table_get_of_empty, far_apart),
	  UNIT_TABLE(test_table_set_one_and_clear, far_apart),
	  UNIT_TEST(test_table_get_where_a_node_was),
	  UNIT_TEST(test_table_next_in_order),
	  UNIT_TEST(test_table_set_out_of_range),
	  UNIT_TABLE(test_table_set_without_nodes, room_cases),
	  UNIT_TEST(test_table_like_model),
	  UNIT_TEST(test_table_fini_leaves_clean_nodes))
