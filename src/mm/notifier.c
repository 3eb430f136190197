/* SPDX-License-Identifier: MIT */
/* notifier.c - tell drivers that pages of an mm changed (uhmm/notifier.h) */
#include <uhmm/notifier.h>

#include "mm/mm.h"

void uhmm_notifier_insert(struct uhmm_notifier *n, struct uhmm_mm *mm,
			  struct uhmm_range r)
{
	n->mm = mm;
	n->range = r;
	n->seq = 0;
	uhmm_list_add_tail(&mm->notifiers, &n->link);
	mm->kin.mirrored = true;
}

void uhmm_notifier_remove(struct uhmm_notifier *n)
{
	if (!n->mm)
		return;
	uhmm_list_del(&n->link);
	n->mm = NULL;
}

uint64_t uhmm_notifier_read_begin(const struct uhmm_notifier *n)
{
	return n->seq;
}

bool uhmm_notifier_read_retry(const struct uhmm_notifier *n, uint64_t seq)
{
	return n->seq != seq;
}

void uhmm_mm_invalidate(struct uhmm_mm *mm, struct uhmm_range r,
			enum uhmm_notify_event event, const void *owner)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &mm->notifiers) {
		struct uhmm_notifier *n =
			UHMM_CONTAINER_OF(node, struct uhmm_notifier, link);

		if (!uhmm_range_overlaps(r, n->range))
			continue;
		n->seq++;
		n->invalidate(n, r, event, owner);
	}
}
