/* SPDX-License-Identifier: MIT */
/* table.c - walk, set, clear, iterate
 *
 * A level is named by the index bits below it: level 0 holds the words,
 * level 4 is the root's.
 */
#include "arena/table.h"

#include <errno.h>
#include <string.h>

#define TOP (UHMM_TABLE_LEVELS - 1)
#define COUNT_ONE (UINT64_C(1) << 32)

static_assert(UHMM_TABLE_NODE_WORDS * sizeof(uint64_t) == UHMM_NODE_BYTES,
	      "a node is one object");

static bool in_range(uint64_t index)
{
	return index >> UHMM_TABLE_INDEX_BITS == 0;
}

static unsigned int slot_of(uint64_t index, unsigned int level)
{
	return (index >> (level * UHMM_TABLE_LEVEL_BITS)) &
	       (UHMM_TABLE_NODE_WORDS - 1);
}

static uint64_t *node_of(const struct uhmm_store *store, uint64_t link)
{
	return uhmm_slab_at(store, UHMM_SLAB_NODE, uhmm_table_link_node(link));
}

/*
 * Go down to the word of @index as far as there are nodes. path[level] is the
 * word of that level, path[UHMM_TABLE_LEVELS] the root link.
 * Return: the lowest level reached; 0 when the word itself was.
 */
static unsigned int walk(const struct uhmm_store *store,
			 const struct uhmm_table *t, uint64_t index,
			 uint64_t *path[UHMM_TABLE_LEVELS + 1])
{
	uint64_t *at = (uint64_t *)(uintptr_t)&t->root;
	unsigned int level = UHMM_TABLE_LEVELS;

	path[level] = at;
	while (level > 0 && *at) {
		level--;
		at = &node_of(store, *at)[slot_of(index, level)];
		path[level] = at;
	}
	return level;
}

/* Where what is known of the words around @index is noted; it is no part of what
 * a store holds. */
static struct uhmm_store_leaf *leaf_of(const struct uhmm_store *store,
				       uint32_t root, uint64_t above)
{
	struct uhmm_store *s = (struct uhmm_store *)(uintptr_t)store;

	return &s->leaf[(above ^ root) % UHMM_STORE_LEAVES];
}

/* A node is free, and may be made another's. */
static void forget_leaves(const struct uhmm_store *store)
{
	struct uhmm_store *s = (struct uhmm_store *)(uintptr_t)store;

	memset(s->leaf, 0, sizeof(s->leaf));
}

uint64_t uhmm_table_get(const struct uhmm_store *store,
			const struct uhmm_table *t, uint64_t index)
{
	uint32_t root = uhmm_table_link_node(t->root);
	uint64_t above = index >> UHMM_TABLE_LEVEL_BITS, word = t->root;
	struct uhmm_store_leaf *leaf;

	if (!in_range(index) || !root)
		return 0;
	leaf = leaf_of(store, root, above);
	if (leaf->words && leaf->above == above && leaf->root == root)
		return leaf->words[slot_of(index, 0)];
	for (int level = TOP; level > 0 && word; level--)
		word = node_of(store, word)[slot_of(index, level)];
	if (!word)
		return 0;
	*leaf = (struct uhmm_store_leaf){ .words = node_of(store, word),
					  .above = above, .root = root };
	return leaf->words[slot_of(index, 0)];
}

bool uhmm_table_has_room(const struct uhmm_store *store,
			 const struct uhmm_table *t, uint64_t index)
{
	uint32_t room = uhmm_slab_room(store, UHMM_SLAB_NODE);
	uint64_t *path[UHMM_TABLE_LEVELS + 1];

	if (!in_range(index))
		return false;
	return room >= UHMM_TABLE_LEVELS ||
	       room >= walk(store, t, index, path);
}

/* The word of @path[@level] is about to be something: count it. */
static void count_up(uint64_t *path[], unsigned int level)
{
	uhmm_store_put(path[level + 1], *path[level + 1] + COUNT_ONE);
}

/* Make the nodes below @level, for which there is room. */
static void grow(struct uhmm_store *store, uint64_t index, uint64_t *path[],
		 unsigned int level)
{
	for (; level > 0; level--) {
		uint32_t node = uhmm_slab_alloc(store, UHMM_SLAB_NODE);

		assert(node);
		if (level <= TOP)
			count_up(path, level);
		uhmm_store_put(path[level], node);
		path[level - 1] =
			&node_of(store, node)[slot_of(index, level - 1)];
	}
}

int uhmm_table_set(struct uhmm_store *store, struct uhmm_table *t,
		   uint64_t index, uint64_t word)
{
	uint64_t *path[UHMM_TABLE_LEVELS + 1];
	unsigned int level;

	if (!in_range(index))
		return -EINVAL;
	if (!word) {
		uhmm_table_clear(store, t, index);
		return 0;
	}
	level = walk(store, t, index, path);
	if (level > uhmm_slab_room(store, UHMM_SLAB_NODE))
		return -ENOMEM;
	grow(store, index, path, level);
	if (!*path[0]) {
		t->count++;
		count_up(path, 0);
	}
	uhmm_store_put(path[0], word);
	return 0;
}

void uhmm_table_clear(struct uhmm_store *store, struct uhmm_table *t,
		      uint64_t index)
{
	uint64_t *path[UHMM_TABLE_LEVELS + 1];

	if (!in_range(index) || walk(store, t, index, path) > 0 || !*path[0])
		return;
	uhmm_store_put(path[0], 0);
	t->count--;
	for (unsigned int level = 1; level <= UHMM_TABLE_LEVELS; level++) {
		uint64_t link = *path[level] - COUNT_ONE;

		if (uhmm_table_link_count(link)) {
			uhmm_store_put(path[level], link);
			return;
		}
		uhmm_store_put(path[level], 0);
		forget_leaves(store);
		uhmm_slab_free_clean(store, UHMM_SLAB_NODE,
				     uhmm_table_link_node(link));
	}
}

/* The slot behind the last one of a node that holds *@index for which indexes
 * below @end, which is above it, matter. */
static unsigned int slots_until(uint64_t index, uint64_t end,
				unsigned int level)
{
	unsigned int above = (level + 1) * UHMM_TABLE_LEVEL_BITS;

	return index >> above == (end - 1) >> above ?
		       slot_of(end - 1, level) + 1 :
		       UHMM_TABLE_NODE_WORDS;
}

/*
 * The first word of @node at or after *@index, and for less than @end, that is
 * not 0. *@index becomes the first index below that word, or what is behind.
 */
static uint64_t scan(const uint64_t *node, unsigned int level, uint64_t *index,
		     uint64_t end)
{
	unsigned int shift = level * UHMM_TABLE_LEVEL_BITS;
	unsigned int last = slots_until(*index, end, level);
	unsigned int first = slot_of(*index, level), i = first;

	while (i < last && !node[i])
		i++;
	if (i > first)
		*index = ((*index >> shift) + (i - first)) << shift;
	return i < last ? node[i] : 0;
}

bool uhmm_table_next(const struct uhmm_store *store, const struct uhmm_table *t,
		     uint64_t *index, uint64_t end, uint64_t *word)
{
	uint64_t at = *index;

	if (!in_range(end))
		end = UINT64_C(1) << UHMM_TABLE_INDEX_BITS;
	while (t->root && at < end) {
		uint64_t w = t->root;
		unsigned int level = UHMM_TABLE_LEVELS;

		/* a node with nothing left moves @at behind it: from the top */
		while (level > 0 && w) {
			level--;
			w = scan(node_of(store, w), level, &at, end);
		}
		if (w && at < end) {
			*index = at;
			*word = w;
			return true;
		}
	}
	return false;
}

static void free_node(struct uhmm_store *store, uint64_t link,
		      unsigned int level)
{
	const uint64_t *node = node_of(store, link);

	for (unsigned int i = 0; level > 0 && i < UHMM_TABLE_NODE_WORDS; i++)
		if (node[i])
			free_node(store, node[i], level - 1);
	forget_leaves(store);
	uhmm_slab_free(store, UHMM_SLAB_NODE, uhmm_table_link_node(link));
}

void uhmm_table_fini(struct uhmm_store *store, struct uhmm_table *t)
{
	uint64_t root = t->root;

	uhmm_store_put(&t->root, 0);
	t->count = 0;
	if (root)
		free_node(store, root, TOP);
}

static int mend_link(const struct uhmm_store *store, uint64_t *at,
		     unsigned int level, unsigned char *seen, uint64_t *count)
{
	uint32_t index = uhmm_table_link_node(*at);
	uint64_t *node, used = 0;

	if (!uhmm_slab_has(store, UHMM_SLAB_NODE, index) || seen[index])
		return -EUCLEAN;
	seen[index] = 1;
	node = node_of(store, index);
	for (unsigned int i = 0; i < UHMM_TABLE_NODE_WORDS; i++) {
		if (node[i] && level > 0) {
			int rc = mend_link(store, &node[i], level - 1, seen,
					   count);

			if (rc < 0)
				return rc;
		}
		used += node[i] != 0;
	}
	*count += level == 0 ? used : 0;
	seen[index] = used > 0;
	uhmm_store_put(at, used ? used * COUNT_ONE | index : 0);
	return 0;
}

int uhmm_table_mend(const struct uhmm_store *store, struct uhmm_table *t,
		    unsigned char *seen)
{
	t->count = 0;
	forget_leaves(store);
	return t->root ? mend_link(store, &t->root, TOP, seen, &t->count) : 0;
}
