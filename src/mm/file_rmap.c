/* SPDX-License-Identifier: MIT */
/* file_rmap.c - who else maps pages of a file (file_rmap.h) */
#include "mm/file_rmap.h"

#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>

/* Pages [first, first + npages) of a file, that the kernel looks for: the walk
 * for one has ended at the until-th mm of all. */
struct stretch {
	uint64_t file, first, npages;
	uint32_t until[UHMM_MIGRATE_NPAGES_MAX];
};

/* All mms in the order of the kernel's walk. */
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

/* Call @visit for whatever the @k-th mm has of @s. */
static void each_range(const struct order *order, uint32_t k, struct stretch *s,
		       void (*visit)(struct stretch *s, struct uhmm_mm *mm,
				     uint32_t k, const struct uhmm_vma *vma,
				     struct uhmm_range r))
{
	struct uhmm_mm *mm = order->mm[k];
	uhmm_vpn_t at = UHMM_VPN(0);
	struct uhmm_vma vma;

	while (!mm->gone && !mm->bare &&
	       !mm->ops->vma_find(mm->ops_ctx, at, &vma)) {
		struct uhmm_range r = range_in(&vma, s);

		if (uhmm_range_npages(r))
			visit(s, mm, k, &vma, r);
		at = vma.range.end;
	}
}

static bool is_of_file(const struct uhmm_vma *vma, uint8_t pte)
{
	return (pte & UHMM_PTE_PRESENT) &&
	       (vma->shared || (pte & UHMM_PTE_FILE));
}

/* The @k-th mm has those of @r that it maps. */
static void find_holders(struct stretch *s, struct uhmm_mm *mm, uint32_t k,
			 const struct uhmm_vma *vma, struct uhmm_range r)
{
	uint8_t pte[UHMM_MIGRATE_NPAGES_MAX];
	uint64_t first = index_in(s, vma, r.start);

	if (mm->ops->scan(mm->ops_ctx, r, pte))
		return;
	for (uint64_t i = 0; i < uhmm_range_npages(r); i++)
		if (is_of_file(vma, pte[i]))
			s->until[first + i] = k + 1;
}

/* The mirrors of the @k-th mm forget what was looked for there. */
static void tell(struct stretch *s, struct uhmm_mm *mm, uint32_t k,
		 const struct uhmm_vma *vma, struct uhmm_range r)
{
	uint64_t first = index_in(s, vma, r.start);

	for (uint64_t i = 0; i < uhmm_range_npages(r); i++)
		if (k < s->until[first + i])
			uhmm_mm_invalidate(
				mm, uhmm_range_of(UHMM_VPN(r.start.val + i), 1),
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

/* Look for @s as the kernel does, for @caller, whose page table is already
 * looked at. */
static void walk(const struct order *order, const struct uhmm_mm *caller,
		 struct stretch *s)
{
	for (uint64_t i = 0; i < s->npages; i++)
		s->until[i] = 0;
	for (uint32_t k = 0; k < order->n; k++)
		if (order->mm[k] != caller)
			each_range(order, k, s, find_holders);
	/* who has it is not known here: the walk passes all */
	for (uint64_t i = 0; i < s->npages; i++)
		if (!s->until[i])
			s->until[i] = order->n;
	for (uint32_t k = 0; k < order->n; k++)
		if (!uhmm_list_is_empty(&order->mm[k]->notifiers))
			each_range(order, k, s, tell);
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

	if (!is_any_looked_for(vma, n, pte))
		return 0;
	if (!make_order(mm->core, &order))
		return -ENOMEM;
	while (i < n) {
		uint64_t first = i;

		while (i < n && is_looked_for(vma, pte[i]))
			i++;
		if (i == first) {
			i++;
			continue;
		}
		s.first = vma->file_page + r.start.val + first -
			  vma->range.start.val;
		s.npages = i - first;
		walk(&order, mm, &s);
	}
	free(order.mm);
	return 0;
}
