/* SPDX-License-Identifier: MIT */
/* file_rmap.c - who else maps pages of a file (file_rmap.h) */
#include "mm/file_rmap.h"

/* Pages [first, first + npages) of a file. */
struct stretch {
	uint64_t file, first, npages;
};

/* What of @s the mapping @vma has, as pages of the program; empty: nothing. */
static struct uhmm_range range_in(const struct uhmm_vma *vma, struct stretch s)
{
	uint64_t end = vma->file_page + uhmm_range_npages(vma->range);
	uint64_t from = s.first > vma->file_page ? s.first : vma->file_page;
	uint64_t to = s.first + s.npages < end ? s.first + s.npages : end;

	if (vma->file != s.file || from >= to)
		return uhmm_range_of(vma->range.start, 0);
	return uhmm_range_of(UHMM_VPN(vma->range.start.val + from -
				      vma->file_page),
			     to - from);
}

/* The mirrors of @mm forget @s wherever it is mapped. */
static void tell_mm(struct uhmm_mm *mm, struct stretch s)
{
	uhmm_vpn_t at = UHMM_VPN(0);
	struct uhmm_vma vma;

	while (!mm->gone && !mm->bare &&
	       !mm->ops->vma_find(mm->ops_ctx, at, &vma)) {
		struct uhmm_range r = range_in(&vma, s);

		if (uhmm_range_npages(r))
			uhmm_mm_invalidate(mm, r, UHMM_NOTIFY_CLEAR, NULL);
		at = vma.range.end;
	}
}

static void tell_all(struct uhmm_core *core, struct stretch s)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &core->mms) {
		struct uhmm_mm *mm =
			UHMM_CONTAINER_OF(node, struct uhmm_mm, link);

		if (!uhmm_list_is_empty(&mm->notifiers))
			tell_mm(mm, s);
	}
}

static bool is_shared(const struct uhmm_vma *vma, uint8_t pte)
{
	return (pte & UHMM_PTE_PRESENT) && !(pte & UHMM_PTE_EXCLUSIVE) &&
	       (vma->shared || (pte & UHMM_PTE_FILE));
}

void uhmm_file_rmap_tell(struct uhmm_mm *mm, const struct uhmm_vma *vma,
			 struct uhmm_range r, const uint8_t *pte)
{
	uint64_t n = uhmm_range_npages(r), i = 0, first;

	while (vma->file && i < n) {
		first = i;
		while (i < n && is_shared(vma, pte[i]))
			i++;
		if (i == first)
			i++;
		else
			tell_all(mm->core,
				 (struct stretch){
					 vma->file,
					 vma->file_page + r.start.val + first -
						 vma->range.start.val,
					 i - first });
	}
}
