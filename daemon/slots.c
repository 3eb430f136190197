/* SPDX-License-Identifier: MIT */
/* slots.c - objects named by number and generation (slots.h) */
#include "slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Slots fit 24 bits (event.h). */
#define SLOTS_MAX (UINT32_C(1) << 24)

static int grow(struct slots *s)
{
	uint32_t room = s->room ? s->room * 2 : 16;
	struct slot *at;

	if (room > SLOTS_MAX)
		return -ENOMEM;
	at = realloc(s->at, room * sizeof(*at));
	if (!at)
		return -ENOMEM;
	memset(at + s->room, 0, (room - s->room) * sizeof(*at));
	s->at = at;
	for (uint32_t i = room; i-- > s->room;) {
		at[i].next_free = s->free;
		s->free = i + 1;
	}
	s->room = room;
	return 0;
}

int slots_add(struct slots *s, void *obj, struct slot_ref *ref)
{
	struct slot *slot;

	if (!s->free && grow(s))
		return -ENOMEM;
	slot = &s->at[s->free - 1];
	ref->slot = s->free - 1;
	s->free = slot->next_free;
	if (++slot->generation == 0)
		slot->generation = 1;
	ref->generation = slot->generation;
	slot->obj = obj;
	s->used++;
	return 0;
}

void *slots_get(const struct slots *s, struct slot_ref ref)
{
	if (ref.slot >= s->room || !ref.generation ||
	    s->at[ref.slot].generation != ref.generation)
		return NULL;
	return s->at[ref.slot].obj;
}

void slots_del(struct slots *s, struct slot_ref ref)
{
	if (!slots_get(s, ref))
		return;
	s->at[ref.slot].obj = NULL;
	s->at[ref.slot].next_free = s->free;
	s->free = ref.slot + 1;
	s->used--;
}

void *slots_next(const struct slots *s, uint32_t *at)
{
	while (*at < s->room) {
		void *obj = s->at[(*at)++].obj;

		if (obj)
			return obj;
	}
	return NULL;
}

void slots_fini(struct slots *s)
{
	free(s->at);
	memset(s, 0, sizeof(*s));
}
