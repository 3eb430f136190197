/* SPDX-License-Identifier: MIT */
/* table.h - sparse table: 45-bit index -> 64-bit word, 0 is "nothing"
 *
 * Owns:   its nodes, which are objects of UHMM_SLAB_NODE (512 words each,
 *         five levels, like a page table). Nodes that become empty are freed.
 *         A store that is to outlive its daemon holds the roots of all its
 *         tables (in mm records), or nodes are lost.
 * Links:  a word of an interior node is the index of the node below, and how
 *         many of that one's words are not 0:
 *
 *           63    48 47     32 31                 0
 *          |   0    |  count  |    node index      |
 *
 * Stores: one aligned 64-bit atomic store each (release), so that whoever
 *         maps the store later sees the old or the new word. A count is
 *         raised before and lowered after the word it counts: it is never
 *         less than the truth.
 */
#ifndef UHMM_ARENA_TABLE_H
#define UHMM_ARENA_TABLE_H

#include "arena/store.h"

#define UHMM_TABLE_LEVELS 5
#define UHMM_TABLE_LEVEL_BITS 9
#define UHMM_TABLE_INDEX_BITS (UHMM_TABLE_LEVELS * UHMM_TABLE_LEVEL_BITS)
static_assert(UHMM_TABLE_INDEX_BITS == UHMM_VPN_BITS, "every page has a place");
#define UHMM_TABLE_NODE_WORDS (1u << UHMM_TABLE_LEVEL_BITS)

/** All zero is an empty table. Lives in the store or in ordinary memory. */
struct uhmm_table {
	uint64_t root;	/* a link as above, 0: none */
	uint64_t count;	/* words that are not 0 */
};

/** uhmm_table_link_node() - the node that @link names; 0: none */
static inline uint32_t uhmm_table_link_node(uint64_t link)
{
	return (uint32_t)link;
}

/** uhmm_table_link_count() - words of it that are not 0 */
static inline uint32_t uhmm_table_link_count(uint64_t link)
{
	return (uint32_t)(link >> 32);
}

/** uhmm_table_get() - word at @index; 0 also for an index out of range */
uint64_t uhmm_table_get(const struct uhmm_store *store,
			const struct uhmm_table *t, uint64_t index);

/**
 * uhmm_table_set() - store @word at @index
 * Return: 0; -ENOMEM no node left (never when @word is 0 or replaces another);
 * -EINVAL index out of range
 */
UHMM_CHECKED int uhmm_table_set(struct uhmm_store *store, struct uhmm_table *t,
				uint64_t index, uint64_t word);

/** uhmm_table_has_room() - would uhmm_table_set() at @index find its nodes? */
bool uhmm_table_has_room(const struct uhmm_store *store,
			 const struct uhmm_table *t, uint64_t index);

/** uhmm_table_clear() - store 0 at @index */
void uhmm_table_clear(struct uhmm_store *store, struct uhmm_table *t,
		      uint64_t index);

/**
 * uhmm_table_next() - the first word that is not 0 in [*@index, @end)
 * Skips empty nodes, so a sparse range costs its nodes only.
 * Return: true, with *@index and *@word; false there is none
 */
bool uhmm_table_next(const struct uhmm_store *store, const struct uhmm_table *t,
		     uint64_t *index, uint64_t end, uint64_t *word);

/** uhmm_table_fini() - forget every word and free every node */
void uhmm_table_fini(struct uhmm_store *store, struct uhmm_table *t);

/**
 * uhmm_table_mend() - make the counts of @t say what is there, in a store
 * whose owner was killed; drop its empty nodes
 * @seen: by node index, marks of the nodes of this and other tables: who has
 *        mended all tables knows that the others belong to none
 * Return: 0; -EUCLEAN not a table, or one that shares a node with another
 */
UHMM_CHECKED int uhmm_table_mend(const struct uhmm_store *store,
				 struct uhmm_table *t, unsigned char *seen);

#endif
