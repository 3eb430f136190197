/* SPDX-License-Identifier: MIT */
/* vmops.c - what a program says of its mappings (vmops.h) */
#include "vmops.h"

#include <errno.h>
#include <sys/mman.h>

#include <uhmm/cpu_fault.h>
#include <uhmm/event.h>
#include <uhmm/migrate.h>

#include "channel.h"
#include "daemon.h"
#include "fault.h"
#include "fork.h"
#include "mm/cow.h"
#include "session.h"
#include "sys/pagesize.h"
#include "uaccess.h"

static struct uhmm_range range_of(uint64_t addr, uint64_t bytes)
{
	return (struct uhmm_range){ uhmm_vpn_of(addr),
				    uhmm_vpn_of(addr + bytes +
						uhmm_page_bytes() - 1) };
}

/* ---- mprotect ---- */

static bool changes(const struct uhmm_vma *vma, uint32_t prot)
{
	return vma->read != !!(prot & PROT_READ) ||
	       vma->write != !!(prot & PROT_WRITE) ||
	       vma->exec != !!(prot & PROT_EXEC);
}

/* The call goes from mapping to mapping and ends at a hole. Those that change are
 * noted until it is over: what has the protection already keeps its entries. */
static int before_protect(struct session *s, struct uhmm_range r, uint32_t prot,
			  struct uhmm_range *changed)
{
	struct uhmm_mm *mm = s->mm;
	struct uhmm_vma vma;

	*changed = (struct uhmm_range){ r.end, r.end };
	while (r.start.val < r.end.val && !mm->gone) {
		struct uhmm_range part;
		int err = mm->ops->vma_find(mm->ops_ctx, r.start, &vma);

		if (err == -ENOENT ||
		    (!err && !uhmm_range_has(vma.range, r.start)))
			return 0;
		if (err)
			return err;
		part = uhmm_range_clip(r, vma.range);
		if (changes(&vma, prot)) {
			err = uhmm_trapset_reserve(&s->protecting);
			if (err)
				return err;
			uhmm_trapset_add(&s->protecting, part);
			uhmm_event_protect(mm, part);
			if (!uhmm_range_npages(*changed))
				changed->start = part.start;
			changed->end = part.end;
		}
		r.start = part.end;
	}
	return 0;
}

/* Some parts of @r have another protection now. */
static int after_protect(struct session *s, struct uhmm_range r, uint32_t prot)
{
	struct uhmm_range part;
	int err = 0;

	while (!err && uhmm_trapset_next(&s->protecting, r, &part)) {
		uhmm_trapset_remove(&s->protecting, part);
		uhmm_mm_invalidate(s->mm, part, UHMM_NOTIFY_PROTECTION, NULL);
		if (prot & PROT_WRITE)
			err = uhmm_event_protected(s->mm, part);
	}
	return err;
}

int vmops_protect(struct request *rq)
{
	const struct uhmm_msg_protect *m = &rq->msg.body.protect;
	struct uhmm_range r = range_of(m->addr, m->bytes), changed;
	struct session *s = rq->ch->session;
	struct uhmm_wire_range *reply = &rq->reply.body.protect_reply.changes;
	int err;

	if (m->phase == UHMM_PHASE_AFTER)
		return after_protect(s, r, m->prot);
	err = before_protect(s, r, m->prot, &changed);
	if (err || !uhmm_range_npages(changed))
		return err;
	reply->addr = uhmm_addr_of(changed.start);
	reply->bytes = uhmm_bytes_of(uhmm_range_npages(changed));
	return 0;
}

/* ---- madvise ---- */

/* Linux 6.1. */
#define COLLAPSE 25

/* Every page comes back and the range is ordinary memory. */
static int make_plain(struct session *s, struct uhmm_range r)
{
	int64_t back = uhmm_migrate_to_ram(s->mm, r, NULL);
	uhmm_vpn_t at = r.start;
	uhmm_softleaf_t leaf;

	if (back < 0)
		return (int)back;
	uhmm_mm_invalidate(s->mm, r, UHMM_NOTIFY_CLEAR, NULL);
	if (uhmm_shadow_next(&s->mm->core->store, s->mm->slot, &at, r.end,
			     &leaf))
		return 0;
	if (uhmm_engine_has_fences(s->engine, r))
		return uhmm_engine_open(s->engine, r);
	return s->mm->ops->untrap(s->mm->ops_ctx, r);
}

/* The program's mapping around @vma, parts of which may be trapped or watched. */
static struct uhmm_range whole_mapping(const struct uhmm_mm *mm,
				       struct uhmm_vma vma)
{
	struct uhmm_range whole = {
		vma.range.start,
		mm->ops->mapping_end(mm->ops_ctx, &vma, UHMM_VPN(UINT64_MAX))
	};

	while (whole.start.val > 0 &&
	       !mm->ops->vma_find(mm->ops_ctx, UHMM_VPN(whole.start.val - 1),
				  &vma) &&
	       vma.range.end.val == whole.start.val &&
	       mm->ops->mapping_end(mm->ops_ctx, &vma, whole.end).val >=
		       whole.end.val)
		whole.start = vma.range.start;
	return whole;
}

/* Is there any place for a huge page in @r? */
static bool has_unit(const struct uhmm_mm *mm, struct uhmm_range r)
{
	uint64_t n = mm->core->pmd_npages;

	return (r.start.val + n - 1) / n < r.end.val / n;
}

/* Huge pages are made of plain memory. Of a mapping of which the call has no
 * place for one the kernel only asks whether it has any, so it sees it whole. */
static int before_collapse(struct session *s, struct uhmm_range r)
{
	const struct uhmm_mm *mm = s->mm;
	struct uhmm_vma vma;
	int err = 0;

	while (!err && !mm->gone && r.start.val < r.end.val) {
		struct uhmm_range whole, part;

		if (mm->ops->vma_find(mm->ops_ctx, r.start, &vma))
			return 0;
		whole = whole_mapping(mm, vma);
		part = uhmm_range_clip(r, whole);
		if (has_unit(mm, part))
			err = make_plain(s, part);
		else if (uhmm_range_npages(part))
			err = uhmm_engine_join(s->engine, whole);
		r.start = whole.end;
	}
	return err;
}

/* Are pages of coherent devices among these? They are neither reclaimed nor
 * made part of a huge page. */
static bool has_coherent(const struct uhmm_mm *mm, struct uhmm_range r)
{
	const struct uhmm_store *store = &mm->core->store;
	uhmm_softleaf_t leaf;

	for (; uhmm_shadow_next(store, mm->slot, &r.start, r.end, &leaf);
	     r.start.val++)
		if (uhmm_softleaf_is_device_coherent(leaf))
			return true;
	return false;
}

/* Memory of a file the kernel refuses to free. */
static bool is_of_file(const struct uhmm_mm *mm, uhmm_vpn_t vpn)
{
	struct uhmm_vma vma;

	return !mm->ops->vma_find(mm->ops_ctx, vpn, &vma) && !vma.anon;
}

/* MADV_FREE of such pages does nothing, but mirrors are told as of others. */
static int before_free(struct session *s, struct uhmm_range r)
{
	if (!has_coherent(s->mm, r) || is_of_file(s->mm, r.start))
		return zaps_expect(&s->frees, r);
	uhmm_mm_invalidate(s->mm, r, UHMM_NOTIFY_CLEAR, NULL);
	return -EALREADY;
}

/* From now on a fork does @what to @r instead of copying it, or does not. Where
 * what is beside it is of the other kind then, and was not, the mapping is cut. */
static int set_unforked(struct session *s, struct uhmm_range r,
			enum uhmm_engine_unforked what, bool on)
{
	const struct uhmm_mm *mm = s->mm;
	uhmm_vpn_t before = { r.start.val ? r.start.val - 1 : 0 };

	if (mm->ops->is_forked(mm->ops_ctx, r.start) == on &&
	    (mm->ops->is_forked(mm->ops_ctx, before) == on ||
	     mm->ops->is_forked(mm->ops_ctx, r.end) == on))
		uhmm_event_cut(s->mm, r);
	return uhmm_engine_note_unforked(s->engine, r, what, on);
}

/* MADV_WIPEONFORK goes from mapping to mapping, and ends at one that is shared or
 * of a file. */
static int set_wiped(struct session *s, struct uhmm_range r)
{
	const struct uhmm_mm *mm = s->mm;
	struct uhmm_vma vma;
	int err = 0;

	while (!err && !mm->gone && r.start.val < r.end.val) {
		struct uhmm_range part;

		err = mm->ops->vma_find(mm->ops_ctx, r.start, &vma);
		if (err)
			return err == -ENOENT ? 0 : err;
		part = uhmm_range_clip(r, vma.range);
		if (uhmm_range_npages(part) && (vma.shared || !vma.anon))
			return 0;
		if (uhmm_range_npages(part))
			err = set_unforked(s, part, UHMM_ENGINE_WIPEONFORK,
					   true);
		r.start = vma.range.end;
	}
	return err;
}

int vmops_advise(struct request *rq)
{
	const struct uhmm_msg_advise *m = &rq->msg.body.advise;
	struct uhmm_range r = range_of(m->addr, m->bytes);
	struct session *s = rq->ch->session;
	bool after = m->phase == UHMM_PHASE_AFTER;

	switch (m->advice) {
	case MADV_FREE:
		if (!after)
			return before_free(s, r);
		zaps_forget(&s->frees, r);
		return 0;
	case MADV_PAGEOUT:
		if (after)
			uhmm_event_pageout(s->mm, r);
		return 0;
	case COLLAPSE:
		if (!after && has_coherent(s->mm, r))
			return -EALREADY;
		return after ? 0 : before_collapse(s, r);
	case UHMM_ADVISE_PINNED:
		uhmm_cow_unshare(s->mm, r);
		return 0;
	case UHMM_ADVISE_PLAIN:
		return make_plain(s, r);
	case UHMM_ADVISE_YIELD:
		s->hello_flags |= UHMM_HELLO_OWN_UFFD;
		uhmm_engine_note_uffd(s->engine);
		return after || uhmm_engine_has_fences(s->engine, r) ?
			       make_plain(s, r) : 0;
	case MADV_DONTFORK:
	case MADV_DOFORK:
		return after ? set_unforked(s, r, UHMM_ENGINE_DONTFORK,
					    m->advice == MADV_DONTFORK) :
			       0;
	case MADV_WIPEONFORK:
		return after ? set_wiped(s, r) : 0;
	case MADV_KEEPONFORK:
		return after ? set_unforked(s, r, UHMM_ENGINE_WIPEONFORK,
					    false) :
			       0;
	default:
		return -EINVAL;
	}
}

/* ---- mremap ---- */

/* The pages at the start of @r, one mapping to the program, that are a mapping
 * of their own to the kernel; 0: that has @r as one, or it is none. */
static uint64_t first_part(const struct session *s, struct uhmm_range r)
{
	const struct uhmm_mm *mm = s->mm;
	struct uhmm_vma vma;
	uhmm_vpn_t end;

	if (mm->ops->vma_find(mm->ops_ctx, r.start, &vma) ||
	    !uhmm_range_has(vma.range, r.start) ||
	    mm->ops->mapping_end(mm->ops_ctx, &vma, r.end).val < r.end.val)
		return 0;
	end = uhmm_engine_part_end(s->engine, r.start);
	return end.val < r.end.val ? end.val - r.start.val : 0;
}

int vmops_remap(struct request *rq)
{
	const struct uhmm_msg_remap *m = &rq->msg.body.remap;
	struct uhmm_range r = range_of(m->addr, m->bytes);
	struct session *s = rq->ch->session;
	int err = uhmm_engine_join(s->engine, r);

	if (!err)
		rq->reply.body.remap_reply.part_bytes =
			uhmm_bytes_of(first_part(s, r));
	return err;
}

/* ---- mincore ---- */

int vmops_mincore(struct request *rq)
{
	static const unsigned char in_core = 1;
	const struct uhmm_msg_mincore *m = &rq->msg.body.mincore;
	struct uhmm_range r = range_of(m->addr, m->bytes);
	struct session *s = rq->ch->session;
	uhmm_vpn_t at = r.start;
	uhmm_softleaf_t leaf;
	struct uaccess ua;
	int err = 0;

	uaccess_init(&ua, s);
	for (; !err && !s->mm->gone &&
	       uhmm_shadow_next(&s->mm->core->store, s->mm->slot, &at, r.end,
				&leaf);
	     at.val++)
		if (uhmm_softleaf_is_away(leaf))
			err = ua.user.copy_to(&ua.user,
					      m->vec + at.val - r.start.val,
					      &in_core, 1);
	return err;
}

/* ---- a debugger ---- */

static struct session *find_by_pid(struct daemon *d, uint32_t pid)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &d->sessions) {
		struct session *s =
			UHMM_CONTAINER_OF(node, struct session, link);

		if (s->pid == pid && s->state == SESSION_LIVE)
			return s;
	}
	return NULL;
}

int vmops_peek(struct request *rq)
{
	const struct uhmm_msg_peek *m = &rq->msg.body.peek;
	struct uhmm_range r = range_of(m->addr, m->bytes);
	struct session *s = find_by_pid(rq->ch->d, m->pid);
	uhmm_vpn_t at;
	int err;

	if (!s)	/* debuggers speak of threads */
		s = find_by_pid(rq->ch->d, fork_process_of(m->pid));
	if (!s)
		return -ESRCH;
	session_get(s);
	fault_catch_up(s);
	err = uhmm_cpu_fault_range(s->mm, r);
	/* A hole in trapped memory is away, too, and what is protected stops who
	 * writes. It is the first page that stopped the debugger, or the other
	 * one that a word is on. */
	for (at = r.start; !err && at.val < r.end.val && at.val < r.start.val + 2;
	     at.val++)
		err = uhmm_cpu_fault(s->mm, at, m->write);
	session_put(s);
	return err;
}
