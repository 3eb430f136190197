/* SPDX-License-Identifier: MIT */
/* file_rmap.c - who else maps pages of a file (file_rmap.h) */
#include "mm/file_rmap.h"

#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>

/* A mapping that has some of the pages that are looked for. */
struct place {
	struct uhmm_mm *mm;
	struct uhmm_vma vma;
	struct uhmm_range range;	/* where it has them */
	uint32_t turn;			/* of its mm among all */
};

/* Pages [first, first + npages) of a file, that the kernel looks for: the walk
 * for one has ended at the until-th place of all, which are in its order. */
struct stretch {
	uint64_t file, first, npages;
	struct place *place;
	uint32_t nplaces, room;
	uint32_t until[UHMM_MIGRATE_NPAGES_MAX];
};

/* All mms, the mappings of one behind those of the other where they begin with
 * the same page of the file. */
struct order {
	struct uhmm_mm **mm;
	uint32_t n;
};

/* What of @s the mapping @vma has, as pages of the program; empty: nothing. */
static struct uhmm_range range_in(const struct uhmm_vma *vma,
				  const struct stretch *s)
{
	uint64_t end = vma->file_page + uhmm_range_npages(vma->range);
	uint64_t from = s->first > vma->file_page ? s->first : vma->file_page;
	uint64_t to = s->first + s->npages < end ? s->first + s->npages : end;

	if (vma->file != s->file || from >= to)
		return uhmm_range_of(vma->range.start, 0);
	return uhmm_range_of(UHMM_VPN(vma->range.start.val + from -
				      vma->file_page),
			     to - from);
}

/* The number in @s of the page that @vma has at @vpn. */
static uint64_t index_in(const struct stretch *s, const struct uhmm_vma *vma,
			 uhmm_vpn_t vpn)
{
	return vma->file_page + vpn.val - vma->range.start.val - s->first;
}

static int add_place(struct stretch *s, struct place place)
{
	if (s->nplaces == s->room) {
		uint32_t room = s->room ? s->room * 2 : 16;
		struct place *more = realloc(s->place, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->place = more;
		s->room = room;
	}
	s->place[s->nplaces++] = place;
	return 0;
}

/* Where the @turn-th mm has something of @s. */
static int find_places(const struct order *order, uint32_t turn,
		       struct stretch *s)
{
	struct place at = { .mm = order->mm[turn], .turn = turn };
	const struct uhmm_mm *mm = at.mm;
	uhmm_vpn_t vpn = UHMM_VPN(0);
	int err = 0;

	while (!err && !mm->gone && !mm->bare &&
	       !mm->ops->vma_find(mm->ops_ctx, vpn, &at.vma)) {
		/* what is guarded in parts is one mapping to the kernel */
		if (at.vma.by_fence)
			at.vma.range.end =
				mm->ops->mapping_end(mm->ops_ctx, &at.vma,
						     UHMM_VPN(UINT64_MAX));
		at.range = range_in(&at.vma, s);
		if (uhmm_range_npages(at.range))
			err = add_place(s, at);
		vpn = at.vma.range.end;
	}
	return err;
}

/* The kernel keeps the mappings of a file by the page they begin with.
 * Kernel: vma_interval_tree. */
static int by_first_page(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->vma.file_page != y->vma.file_page)
		return x->vma.file_page < y->vma.file_page ? -1 : 1;
	if (x->turn != y->turn)
		return x->turn < y->turn ? -1 : 1;
	return x->range.start.val < y->range.start.val ? -1 : 1;
}

static bool is_of_file(const struct uhmm_vma *vma, uint8_t pte)
{
	return (pte & UHMM_PTE_PRESENT) &&
	       (vma->shared || (pte & UHMM_PTE_FILE));
}

/* Of mappings of one mm that begin with the same page it is not known here which
 * comes first: behind all of those like the @k-th. */
static uint32_t behind_its_like(const struct stretch *s, uint32_t k)
{
	const struct place *at = &s->place[k];

	while (++k < s->nplaces && s->place[k].turn == at->turn &&
	       s->place[k].vma.file_page == at->vma.file_page)
		;
	return k;
}

/* The @k-th place has those of its pages that it maps. */
static void find_held(struct stretch *s, uint32_t k)
{
	const struct place *at = &s->place[k];
	uint8_t pte[UHMM_MIGRATE_NPAGES_MAX];
	uint64_t first = index_in(s, &at->vma, at->range.start);

	if (at->mm->ops->scan(at->mm->ops_ctx, at->range, pte))
		return;
	for (uint64_t i = 0; i < uhmm_range_npages(at->range); i++)
		if (is_of_file(&at->vma, pte[i]))
			s->until[first + i] = behind_its_like(s, k);
}

/* The mirrors of the @k-th place forget what was looked for there. */
static void tell(const struct stretch *s, uint32_t k)
{
	const struct place *at = &s->place[k];
	uint64_t first = index_in(s, &at->vma, at->range.start);

	for (uint64_t i = 0; i < uhmm_range_npages(at->range); i++)
		if (k < s->until[first + i])
			uhmm_mm_invalidate(
				at->mm,
				uhmm_range_of(UHMM_VPN(at->range.start.val + i),
					      1),
				UHMM_NOTIFY_CLEAR, NULL);
}

/* The kernel puts the mapping of a child right behind that of its parent: later
 * children come before earlier ones. Kernel: vma_interval_tree_insert_after().
 */
static int by_walk(const void *a, const void *b)
{
	const struct uhmm_kin *x = &(*(struct uhmm_mm *const *)a)->kin;
	const struct uhmm_kin *y = &(*(struct uhmm_mm *const *)b)->kin;

	for (uint32_t i = 0; i < x->depth && i < y->depth; i++)
		if (x->line[i] != y->line[i])
			return (x->line[i] < y->line[i]) == (i == 0) ? -1 : 1;
	return x->depth < y->depth ? -1 : x->depth > y->depth;
}

static bool make_order(struct uhmm_core *core, struct order *order)
{
	struct uhmm_list *node;
	uint32_t n = 0;

	UHMM_LIST_EACH(node, &core->mms)
		n++;
	*order = (struct order){ n ? malloc(n * sizeof(struct uhmm_mm *)) : NULL,
				 0 };
	if (!order->mm)
		return false;
	UHMM_LIST_EACH(node, &core->mms)
		order->mm[order->n++] =
			UHMM_CONTAINER_OF(node, struct uhmm_mm, link);
	qsort(order->mm, order->n, sizeof(struct uhmm_mm *), by_walk);
	return true;
}

static bool is_migrating(const struct place *at, const struct uhmm_mm *caller,
			 uhmm_vpn_t vpn)
{
	return at->mm == caller && uhmm_range_has(at->vma.range, vpn);
}

/* Look for @s as the kernel does, for who migrates it from @vpn of @caller, the
 * page table of which is already looked at. */
static int walk(const struct order *order, const struct uhmm_mm *caller,
		uhmm_vpn_t vpn, struct stretch *s)
{
	int err = 0;

	s->nplaces = 0;
	for (uint64_t i = 0; i < s->npages; i++)
		s->until[i] = 0;
	for (uint32_t i = 0; i < order->n && !err; i++)
		err = find_places(order, i, s);
	if (err)
		return err;
	if (s->nplaces > 1)
		qsort(s->place, s->nplaces, sizeof(*s->place), by_first_page);
	for (uint32_t k = 0; k < s->nplaces; k++)
		if (!is_migrating(&s->place[k], caller, vpn))
			find_held(s, k);
	/* who has it is not known here: the walk passes all */
	for (uint64_t i = 0; i < s->npages; i++)
		if (!s->until[i])
			s->until[i] = s->nplaces;
	for (uint32_t k = 0; k < s->nplaces; k++)
		if (!uhmm_list_is_empty(&s->place[k].mm->notifiers))
			tell(s, k);
	return 0;
}

static bool is_looked_for(const struct uhmm_vma *vma, uint8_t pte)
{
	return is_of_file(vma, pte) && !(pte & UHMM_PTE_EXCLUSIVE);
}

static bool is_any_looked_for(const struct uhmm_vma *vma, uint64_t n,
			      const uint8_t *pte)
{
	for (uint64_t i = 0; vma->file && i < n; i++)
		if (is_looked_for(vma, pte[i]))
			return true;
	return false;
}

int uhmm_file_rmap_tell(struct uhmm_mm *mm, const struct uhmm_vma *vma,
			struct uhmm_range r, const uint8_t *pte)
{
	uint64_t n = uhmm_range_npages(r), i = 0;
	struct stretch s = { .file = vma->file };
	struct order order;
	int err = 0;

	if (!is_any_looked_for(vma, n, pte))
		return 0;
	if (!make_order(mm->core, &order))
		return -ENOMEM;
	while (i < n && !err) {
		uhmm_vpn_t vpn = UHMM_VPN(r.start.val + i);
		uint64_t first = i;

		while (i < n && is_looked_for(vma, pte[i]))
			i++;
		if (i == first) {
			i++;
			continue;
		}
		s.first = vma->file_page + vpn.val - vma->range.start.val;
		s.npages = i - first;
		err = walk(&order, mm, vpn, &s);
	}
	free(s.place);
	free(order.mm);
	return err;
}
