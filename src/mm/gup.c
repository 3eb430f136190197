/* SPDX-License-Identifier: MIT */
/* gup.c - pages for somebody in the kernel (uhmm/gup.h) */
#include <uhmm/gup.h>

#include <errno.h>
#include <stdlib.h>

#include <uhmm/migrate.h>
#include <uhmm/range_fault.h>

#include "mm/mm.h"

/* How long one fights for a page that others take away. */
#define TIMEOUT_NS UINT64_C(1000000000)

static void ignore(struct uhmm_notifier *n, struct uhmm_range r,
		   enum uhmm_notify_event event, const void *owner)
{
	(void)n;
	(void)r;
	(void)event;
	(void)owner;
}

/* As one touch of the page. @word: what is there now */
static int touch(struct uhmm_mm *mm, uhmm_vpn_t vpn, bool write, uint64_t *word)
{
	struct uhmm_notifier notifier = { .invalidate = ignore };
	struct uhmm_range_fault range = {
		.notifier = &notifier,
		.range = uhmm_range_of(vpn, 1),
		.hmm_pfns = word,
		.default_flags = UHMM_HMM_PFN_REQ_FAULT |
				 (write ? UHMM_HMM_PFN_REQ_WRITE : 0),
	};
	uint64_t deadline = mm->core->ops->now_ns(mm->core) + TIMEOUT_NS;
	int err;

	uhmm_notifier_insert(&notifier, mm, range.range);
	do {
		range.notifier_seq = uhmm_notifier_read_begin(&notifier);
		err = uhmm_range_fault(&range);
	} while (err == -EBUSY &&
		 mm->core->ops->now_ns(mm->core) < deadline);
	uhmm_notifier_remove(&notifier);
	uhmm_mm_settle(mm);
	return err == -EPERM ? -EFAULT : err;
}

/* A coherent device's page becomes an ordinary one, whoever else has it.
 * Kernel: migrate_longterm_unpinnable_folios(). */
static int leave_device(struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	uint64_t src, dst;
	struct uhmm_migrate_vma args = {
		.mm = mm,
		.range = uhmm_range_of(vpn, 1),
		.src = &src,
		.dst = &dst,
		.flags = UHMM_MIGRATE_VMA_SELECT_DEVICE_COHERENT,
	};
	int err = uhmm_migrate_vma_setup(&args);

	if (err)
		return err == -EINVAL ? -EFAULT : err;
	if (src & UHMM_MIGRATE_PFN_MIGRATE)
		dst = UHMM_MIGRATE_PFN_SYSTEM;
	uhmm_migrate_vma_pages(&args);
	uhmm_migrate_vma_finalize(&args);
	return 0;
}

static int get_page(struct uhmm_mm *mm, uhmm_vpn_t vpn, unsigned int flags)
{
	uint64_t deadline = mm->core->ops->now_ns(mm->core) + TIMEOUT_NS;

	for (;;) {
		uint64_t word;
		int err = mm->gone ? -ESRCH :
				     touch(mm, vpn, flags & UHMM_FOLL_WRITE,
					   &word);

		if (err || !(flags & UHMM_FOLL_LONGTERM) ||
		    !(word & UHMM_HMM_PFN_DEVICE_COHERENT))
			return err;
		err = leave_device(mm, vpn);
		if (err)
			return err;
		if (mm->core->ops->now_ns(mm->core) >= deadline)
			return -EBUSY;
	}
}

int64_t uhmm_get_user_pages(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint64_t npages,
			    unsigned int flags)
{
	for (uint64_t i = 0; i < npages; i++) {
		int err = get_page(mm, UHMM_VPN(vpn.val + i), flags);

		if (err)
			return i ? (int64_t)i : err;
	}
	return (int64_t)npages;
}

/* ---- pins ---- */

static struct uhmm_range range_of(const struct uhmm_pin *pin)
{
	return uhmm_range_of(pin->start, pin->npages);
}

/* Another page may be at the place of one that was dropped or moved. */
static void let_go(struct uhmm_notifier *n, struct uhmm_range r,
		   enum uhmm_notify_event event, const void *owner)
{
	struct uhmm_pin *pin = UHMM_CONTAINER_OF(n, struct uhmm_pin, notifier);

	(void)owner;
	if (event != UHMM_NOTIFY_UNMAP && event != UHMM_NOTIFY_RELEASE)
		return;
	r = uhmm_range_clip(r, range_of(pin));
	for (uint64_t v = r.start.val; v < r.end.val; v++) {
		uint64_t i = v - pin->start.val;

		pin->held[i / 64] &= ~(UINT64_C(1) << (i % 64));
	}
}

/* Held while it is looked for, so that none slips away in between. */
static struct uhmm_pin *hold(struct uhmm_mm *mm, uhmm_vpn_t vpn,
			     uint64_t npages)
{
	uint64_t nwords = (npages + 63) / 64;
	struct uhmm_pin *pin = calloc(1, sizeof(*pin) +
						 nwords * sizeof(*pin->held));

	if (!pin)
		return NULL;
	pin->mm = mm;
	pin->start = vpn;
	pin->npages = npages;
	for (uint64_t i = 0; i < npages; i++)
		pin->held[i / 64] |= UINT64_C(1) << (i % 64);
	pin->notifier.invalidate = let_go;
	uhmm_notifier_insert(&pin->notifier, mm, range_of(pin));
	uhmm_list_add_tail(&mm->pins, &pin->link);
	return pin;
}

int uhmm_pin_user_pages(struct uhmm_mm *mm, uhmm_vpn_t vpn, uint64_t npages,
			unsigned int flags, struct uhmm_pin **pin)
{
	struct uhmm_pin *p = hold(mm, vpn, npages);
	int err;

	if (!p)
		return -ENOMEM;
	/* Or nobody would say when the program drops them. */
	err = mm->gone ? -ESRCH : mm->ops->watch(mm->ops_ctx, range_of(p));
	for (uint64_t i = 0; i < npages && !err; i++)
		err = get_page(mm, UHMM_VPN(vpn.val + i), flags);
	if (err) {
		uhmm_unpin_user_pages(p);
		return err;
	}
	*pin = p;
	return 0;
}

void uhmm_unpin_user_pages(struct uhmm_pin *pin)
{
	if (!pin)
		return;
	uhmm_list_del(&pin->link);
	uhmm_notifier_remove(&pin->notifier);
	uhmm_mm_settle(pin->mm);
	free(pin);
}

bool uhmm_pin_has(const struct uhmm_pin *pin, uhmm_vpn_t vpn)
{
	uint64_t i = vpn.val - pin->start.val;

	return uhmm_range_has(range_of(pin), vpn) &&
	       (pin->held[i / 64] >> (i % 64) & 1);
}

bool uhmm_mm_is_pinned(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &mm->pins)
		if (uhmm_pin_has(UHMM_CONTAINER_OF(node, struct uhmm_pin, link),
				 vpn))
			return true;
	return false;
}
