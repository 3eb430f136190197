/* SPDX-License-Identifier: MIT */
/* cow.c - a write to a page that may be replaced by it (cow.h) */
#include "mm/cow.h"

#include "mm/coherent.h"
#include "mm/page.h"

/* Do others map the device page that @leaf is of? */
static bool is_shared_leaf(const struct uhmm_mm *mm, uhmm_softleaf_t leaf)
{
	return uhmm_softleaf_has_dpfn(leaf) &&
	       uhmm_page_mapcount(&mm->core->store,
				  uhmm_softleaf_to_dpfn(leaf)) > 1;
}

bool uhmm_cow_is_copied(const struct uhmm_mm *mm, uhmm_vpn_t vpn, uint8_t pte)
{
	if (!(pte & UHMM_PTE_PRESENT))
		return false;
	return (pte & (UHMM_PTE_ZERO | UHMM_PTE_FILE)) ||
	       !(pte & UHMM_PTE_EXCLUSIVE) || uhmm_kin_is_shared(mm, vpn) ||
	       is_shared_leaf(mm, uhmm_mm_leaf(mm, vpn));
}

void uhmm_cow_unshare(struct uhmm_mm *mm, struct uhmm_range r)
{
	uint64_t number;

	for (; !mm->gone && uhmm_kin_next(mm, &r.start, r.end, &number);
	     r.start.val++) {
		struct uhmm_range page = uhmm_range_of(r.start, 1);
		uhmm_softleaf_t leaf = uhmm_mm_leaf(mm, r.start);

		if (!uhmm_softleaf_is_none(leaf) &&
		    !uhmm_softleaf_is_device_coherent(leaf))
			continue;
		if (uhmm_kin_is_shared(mm, r.start))
			uhmm_mm_invalidate(mm, page, UHMM_NOTIFY_CLEAR, NULL);
		uhmm_coherent_break(mm, page);
		uhmm_kin_drop(mm, page);
	}
}

void uhmm_cow_break(struct uhmm_mm *mm, struct uhmm_range r,
		    const uint8_t *pte)
{
	for (uhmm_vpn_t v = r.start; v.val < r.end.val; v.val++)
		if (uhmm_cow_is_copied(mm, v, pte[v.val - r.start.val]))
			uhmm_mm_invalidate(mm, uhmm_range_of(v, 1),
					   UHMM_NOTIFY_CLEAR, NULL);
	uhmm_coherent_break(mm, r);
	uhmm_kin_drop(mm, r);
}
