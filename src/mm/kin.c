/* SPDX-License-Identifier: MIT */
/* kin.c - numbers of pages that forks share (kin.h) */
#include "mm/kin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mm.h"

#define SERIAL_BITS 48
#define SERIAL_MASK ((UINT64_C(1) << SERIAL_BITS) - 1)

static const uhmm_vpn_t end_of_mm = { UINT64_C(1) << UHMM_TABLE_INDEX_BITS };

static struct uhmm_table *table_of(const struct uhmm_mm *mm)
{
	struct uhmm_mm_record *record =
		uhmm_slab_at(&mm->core->store, UHMM_SLAB_MM, mm->slot);

	return &record->kin;
}

/* ---- descent ---- */

static uint16_t own_id(const struct uhmm_mm *mm)
{
	return mm->kin.line[mm->kin.depth - 1];
}

static bool descends_from(const struct uhmm_mm *mm, uint16_t id)
{
	for (uint32_t i = 0; i < mm->kin.depth; i++)
		if (mm->kin.line[i] == id)
			return true;
	return false;
}

/* The ancestors of @parent (NULL: none), and @id. */
static int make_line(struct uhmm_kin *kin, uint16_t id,
		     const struct uhmm_mm *parent)
{
	uint32_t above = parent ? parent->kin.depth : 0;
	uint16_t *line = malloc((above + 1) * sizeof(*line));

	if (!line)
		return -ENOMEM;
	if (parent)
		memcpy(line, parent->kin.line, above * sizeof(*line));
	line[above] = id;
	free(kin->line);
	kin->line = line;
	kin->depth = above + 1;
	return 0;
}

int uhmm_kin_init(struct uhmm_mm *mm)
{
	mm->kin.born = ++mm->core->kin_births;
	return make_line(&mm->kin, (uint16_t)mm->kin.born, NULL);
}

void uhmm_kin_fini(struct uhmm_mm *mm)
{
	uhmm_table_fini(&mm->core->store, table_of(mm));
	free(mm->kin.line);
	mm->kin = (struct uhmm_kin){ .line = NULL };
}

int uhmm_kin_fork(struct uhmm_mm *parent, struct uhmm_mm *child)
{
	int err = make_line(&child->kin, own_id(child), parent);
	uhmm_vpn_t vpn = { 0 };
	uint64_t number;

	child->kin.moved = parent->kin.moved;
	child->kin.mirrored = parent->kin.mirrored;
	for (; !err && uhmm_kin_next(parent, &vpn, end_of_mm, &number);
	     vpn.val++)
		if (parent->ops->is_forked(parent->ops_ctx, vpn))
			err = uhmm_table_set(&child->core->store,
					     table_of(child), vpn.val, number);
	return err;
}

/* ---- numbers ---- */

uint64_t uhmm_kin_get(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	return uhmm_table_get(&mm->core->store, table_of(mm), vpn.val);
}

uint64_t uhmm_kin_count(const struct uhmm_mm *mm)
{
	return table_of(mm)->count;
}

bool uhmm_kin_next(const struct uhmm_mm *mm, uhmm_vpn_t *vpn, uhmm_vpn_t end,
		   uint64_t *number)
{
	return uhmm_table_next(&mm->core->store, table_of(mm), &vpn->val,
			       end.val, number);
}

uint64_t uhmm_kin_last(const struct uhmm_store *store)
{
	uint64_t last = 0;

	for (uint32_t slot = uhmm_slab_next(store, UHMM_SLAB_MM, 0); slot;
	     slot = uhmm_slab_next(store, UHMM_SLAB_MM, slot)) {
		const struct uhmm_mm_record *record =
			uhmm_slab_at(store, UHMM_SLAB_MM, slot);
		uint64_t vpn = 0, number;

		for (; uhmm_table_next(store, &record->kin, &vpn,
				       end_of_mm.val, &number);
		     vpn++)
			if ((number & SERIAL_MASK) > last)
				last = number & SERIAL_MASK;
	}
	return last;
}

void uhmm_kin_number(struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	struct uhmm_core *core = mm->core;
	uint64_t serial = core->kin_serial + 1;

	if (uhmm_kin_get(mm, vpn) || serial > SERIAL_MASK)
		return;
	if (!uhmm_table_set(&core->store, table_of(mm), vpn.val,
			    (uint64_t)own_id(mm) << SERIAL_BITS | serial))
		core->kin_serial = serial;
}

void uhmm_kin_drop(struct uhmm_mm *mm, struct uhmm_range r)
{
	uint64_t number;

	while (uhmm_kin_next(mm, &r.start, r.end, &number))
		uhmm_table_clear(&mm->core->store, table_of(mm), r.start.val);
}

void uhmm_kin_move(struct uhmm_mm *mm, struct uhmm_range from, uhmm_vpn_t to)
{
	uhmm_vpn_t vpn = from.start;
	uint64_t number;

	uhmm_kin_drop(mm, uhmm_range_of(to, uhmm_range_npages(from)));
	for (; uhmm_kin_next(mm, &vpn, from.end, &number); vpn.val++) {
		uint64_t there = to.val + vpn.val - from.start.val;

		/* without memory it is nobody else's: that is all it costs */
		if (!uhmm_table_set(&mm->core->store, table_of(mm), there,
				    number))
			mm->kin.moved = true;
		uhmm_table_clear(&mm->core->store, table_of(mm), vpn.val);
	}
}

/* ---- who else ---- */

void uhmm_kin_tell(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint32_t until)
{
	uint64_t number = uhmm_kin_get(mm, vpn);
	uint16_t birth = number ? (uint16_t)(number >> SERIAL_BITS) :
				  own_id(mm);
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &mm->core->mms) {
		struct uhmm_mm *other =
			UHMM_CONTAINER_OF(node, struct uhmm_mm, link);

		if (other->kin.born <= until && descends_from(other, birth))
			uhmm_mm_invalidate(other, uhmm_range_of(vpn, 1),
					   UHMM_NOTIFY_CLEAR, NULL);
	}
}

bool uhmm_kin_is_shared(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	uint64_t number = uhmm_kin_get(mm, vpn);
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &mm->core->mms) {
		const struct uhmm_mm *other =
			UHMM_CONTAINER_OF(node, struct uhmm_mm, link);

		if (number && other != mm && !other->gone &&
		    uhmm_kin_get(other, vpn) == number)
			return true;
	}
	return false;
}

bool uhmm_kin_is_family(const struct uhmm_mm *a, const struct uhmm_mm *b)
{
	return a->kin.line[0] == b->kin.line[0];
}

bool uhmm_kin_is_wanted(const struct uhmm_mm *mm)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &mm->core->mms) {
		const struct uhmm_mm *other =
			UHMM_CONTAINER_OF(node, struct uhmm_mm, link);

		if (uhmm_kin_is_family(mm, other) && !other->gone &&
		    (!uhmm_list_is_empty(&other->notifiers) ||
		     uhmm_shadow_count(&mm->core->store, other->slot)))
			return true;
	}
	return false;
}
