/* SPDX-License-Identifier: MIT */
/* list.h - intrusive doubly linked list
 *
 * A node is a member of the struct that is listed. The list itself is a node
 * too: an empty list points at itself, so no operation has a special case.
 * For ordinary memory only: what lives in the store has no pointers.
 */
#ifndef UHMM_LIST_H
#define UHMM_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct uhmm_list {
	struct uhmm_list *next;
	struct uhmm_list *prev;
};

/** UHMM_CONTAINER_OF() - the @type whose member @member is at @ptr */
#define UHMM_CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/** uhmm_list_init() - an empty list, or a node that is in none */
static inline void uhmm_list_init(struct uhmm_list *list)
{
	list->next = list;
	list->prev = list;
}

/** uhmm_list_is_empty() - also: is this node in no list? */
static inline bool uhmm_list_is_empty(const struct uhmm_list *list)
{
	return list->next == list;
}

/** uhmm_list_add_before() - @node, in no list, comes right before @at */
static inline void uhmm_list_add_before(struct uhmm_list *at,
					struct uhmm_list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

/** uhmm_list_add_tail() - @node becomes the last of @list */
static inline void uhmm_list_add_tail(struct uhmm_list *list,
				      struct uhmm_list *node)
{
	uhmm_list_add_before(list, node);
}

/** uhmm_list_add_head() - @node becomes the first of @list */
static inline void uhmm_list_add_head(struct uhmm_list *list,
				      struct uhmm_list *node)
{
	uhmm_list_add_before(list->next, node);
}

/** uhmm_list_del() - take @node out; harmless when it is in no list */
static inline void uhmm_list_del(struct uhmm_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	uhmm_list_init(node);
}

/** uhmm_list_pop() - take the first node out; NULL when there is none */
static inline struct uhmm_list *uhmm_list_pop(struct uhmm_list *list)
{
	struct uhmm_list *node = list->next;

	if (node == list)
		return NULL;
	uhmm_list_del(node);
	return node;
}

/** UHMM_LIST_EACH() - for each @node of @list; do not delete @node in it */
#define UHMM_LIST_EACH(node, list) \
	for ((node) = (list)->next; (node) != (list); (node) = (node)->next)

/** UHMM_LIST_EACH_SAFE() - the same; @node may be deleted, @after not */
#define UHMM_LIST_EACH_SAFE(node, after, list)              \
	for ((node) = (list)->next, (after) = (node)->next; \
	     (node) != (list);                              \
	     (node) = (after), (after) = (node)->next)

#endif
