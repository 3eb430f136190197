/* SPDX-License-Identifier: MIT */
/* dmirror_exclusive.c - pages the device has for itself (dmirror.h) */
#include <errno.h>

#include <uhmm/exclusive.h>

#include "device/dmirror.h"

/* Tag the pages that are exclusive now as this mirror's. One that is no longer
 * was touched while those behind it were taken. */
static int tag(struct dmirror *m, struct uhmm_range r)
{
	int err = 0;

	m->dev->count.exclusive_pages += uhmm_range_npages(r);
	for (uhmm_vpn_t v = r.start; !err && v.val < r.end.val; v.val++)
		if (uhmm_softleaf_is_device_exclusive(uhmm_mm_leaf(m->mm, v)))
			err = uhmm_dmirror_store(
				m, v,
				DMIRROR_ENTRY_VALID | DMIRROR_ENTRY_ATOMIC);
	return err;
}

static int take_piece(struct dmirror *m, struct uhmm_range r)
{
	uint64_t done;
	int err = uhmm_make_device_exclusive(m->mm, r, &done);
	int tagged = tag(m, uhmm_range_of(r.start, done));

	if (err == -ESRCH)
		return -EINVAL;
	return err ? err : tagged;
}

int uhmm_dmirror_exclusive(struct dmirror_call *call)
{
	struct uhmm_range rest = call->range;

	if (uhmm_mm_is_gone(call->mirror->mm))
		return -EINVAL;
	while (rest.start.val < rest.end.val) {
		struct uhmm_range piece = uhmm_range_clip(
			uhmm_range_of(rest.start, DMIRROR_PIECE), rest);
		int err = take_piece(call->mirror, piece);

		if (err)
			return err;
		rest.start = piece.end;
	}
	call->cmd.cpages = uhmm_range_npages(call->range);
	return uhmm_dmirror_read_back(call);
}

int uhmm_dmirror_check_exclusive(struct dmirror_call *call)
{
	uhmm_vpn_t at = call->range.start;

	for (; uhmm_dmirror_next(call->mirror, &at, call->range.end); at.val++)
		if (uhmm_dmirror_entry(call->mirror, at) & DMIRROR_ENTRY_ATOMIC)
			return -EPERM;
	return 0;
}
