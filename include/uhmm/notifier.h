/* SPDX-License-Identifier: MIT */
/* notifier.h - tell drivers that pages of an mm changed under them
 *
 * Kernel: mmu_interval_notifier. A driver that keeps a copy of what a range is
 * (its own page table) subscribes; it reads a sequence number, looks, and
 * before it stores asks whether anything was invalidated since.
 */
#ifndef UHMM_NOTIFIER_H
#define UHMM_NOTIFIER_H

#include <uhmm/list.h>
#include <uhmm/types.h>

struct uhmm_mm;
struct uhmm_notifier;

enum uhmm_notify_event {
	UHMM_NOTIFY_UNMAP,	/* munmap, mremap, MADV_DONTNEED */
	UHMM_NOTIFY_CLEAR,	/* entry restored or zapped, COW */
	UHMM_NOTIFY_PROTECTION,	/* mprotect, fork */
	UHMM_NOTIFY_MIGRATE,	/* owner says whose migration */
	UHMM_NOTIFY_EXCLUSIVE,
	UHMM_NOTIFY_RELEASE,	/* the mm is gone */
};

/** One subscription, over the whole mm or a part. Caller's storage. */
struct uhmm_notifier {
	struct uhmm_list link;		/* in uhmm_mm.notifiers */
	struct uhmm_mm *mm;
	struct uhmm_range range;
	uint64_t seq;			/* of the last invalidation of it */
	/**
	 * invalidate() - forget what is known of @r
	 * @owner: of a MIGRATE event, the pagemap owner on whose behalf, else
	 * NULL. Must not yield.
	 */
	void (*invalidate)(struct uhmm_notifier *n, struct uhmm_range r,
			   enum uhmm_notify_event event, const void *owner);
};

UHMM_EXPORTS_BEGIN

/** uhmm_notifier_insert() - subscribe; fields other than invalidate are set */
void uhmm_notifier_insert(struct uhmm_notifier *n, struct uhmm_mm *mm,
			  struct uhmm_range r);

/** uhmm_notifier_remove() - unsubscribe; accepts a zeroed one */
void uhmm_notifier_remove(struct uhmm_notifier *n);

/** uhmm_notifier_read_begin() - sequence to hand to read_retry */
uint64_t uhmm_notifier_read_begin(const struct uhmm_notifier *n);

/** uhmm_notifier_read_retry() - was it invalidated since @seq was read? */
bool uhmm_notifier_read_retry(const struct uhmm_notifier *n, uint64_t seq);

/** uhmm_mm_invalidate() - call every subscriber of @mm that overlaps @r */
void uhmm_mm_invalidate(struct uhmm_mm *mm, struct uhmm_range r,
			enum uhmm_notify_event event, const void *owner);

UHMM_EXPORTS_END

#endif
