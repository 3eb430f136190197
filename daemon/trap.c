/* SPDX-License-Identifier: MIT */
/* trap.c - faults that no userfaultfd tells of (trap.h) */
#include "trap.h"

#include <errno.h>

#include <uhmm/cpu_fault.h>

#include "channel.h"
#include "daemon.h"
#include "mm/shadow.h"
#include "prefetch.h"
#include "session.h"
#include "sys/pagesize.h"

/* May the program do this where @vma is, as far as it knows? The hardware
 * cannot write or execute without reading. */
static bool allows(const struct uhmm_vma *vma, uint32_t access)
{
	if (access & UHMM_FAULT_WRITE)
		return vma->write;
	if (access & UHMM_FAULT_EXEC)
		return vma->exec;
	return vma->read || vma->write || vma->exec;
}

/* Where one page cannot be opened (there are too many mappings), all of the
 * fence can: then there are fewer. */
static void open_wider(struct session *s, uhmm_vpn_t vpn)
{
	uhmm_softleaf_t leaf;
	struct uhmm_vma vma;
	uhmm_vpn_t at;
	int err;

	if (!uhmm_softleaf_is_none(uhmm_mm_leaf(s->mm, vpn)) ||
	    !uhmm_engine_is_shut(s->engine, vpn) ||
	    s->mm->ops->vma_find(s->mm->ops_ctx, vpn, &vma) || !vma.fenced)
		return;
	uhmm_dbg(UHMM_LOG_FAULT, "pid=%u: all of a fence comes back", s->pid);
	err = uhmm_cpu_fault_range(s->mm, vma.range);
	at = vma.range.start;
	if (!err && !uhmm_shadow_next(&s->mm->core->store, s->mm->slot, &at,
				      vma.range.end, &leaf))
		err = uhmm_engine_open(s->engine, vma.range);
	if (err)
		session_dbg(s, "no fence could be opened");
}

static void serve(struct session *s, uhmm_vpn_t vpn, bool write)
{
	uint64_t since_ns = co_now_ns();

	s->d->stats.faults++;
	prefetch_around(s, vpn);
	if (!uhmm_cpu_fault(s->mm, vpn, write) && !s->mm->gone)
		open_wider(s, vpn);
	stats_latency(&s->d->stats.fault_latency, co_now_ns() - since_ns);
}

int trap_fault(struct request *rq)
{
	const struct uhmm_msg_fault *m = &rq->msg.body.fault;
	struct session *s = rq->ch->session;
	uhmm_vpn_t vpn = uhmm_vpn_of(m->addr);
	struct uhmm_vma vma;
	int err;

	err = s->mm->gone ? -ESRCH :
			    s->mm->ops->vma_find(s->mm->ops_ctx, vpn, &vma);
	uhmm_dbg(UHMM_LOG_FAULT, "trap pid=%u addr=%#llx access=%u fenced=%d",
		 s->pid, (unsigned long long)m->addr, m->access,
		 !err && vma.fenced);
	if (err || !uhmm_range_has(vma.range, vpn) || !allows(&vma, m->access))
		return err == -ENOENT ? 0 : err;
	/* what is no fence any more was opened a moment ago */
	rq->reply.body.fault_reply.ours = vma.fenced ? UHMM_FAULT_SERVED :
						       UHMM_FAULT_NOTHING;
	if (vma.fenced)
		serve(s, vpn, m->access & UHMM_FAULT_WRITE);
	return 0;
}

/* ---- buffers of system calls ---- */

/* The first part of @r that we trap in any way. */
static bool next_trapped(struct session *s, struct uhmm_range r,
			 struct uhmm_range *part)
{
	struct uhmm_range fence;
	bool found = uhmm_engine_next_trapped(s->engine, r, part);

	if (uhmm_engine_next_fence(s->engine, r, &fence) > 0 &&
	    (!found || fence.start.val < part->start.val)) {
		*part = fence;
		found = true;
	}
	return found;
}

/* A call ends at the first page it may not use: what is left of @r before. */
static struct uhmm_range usable(const struct session *s, struct uhmm_range r,
				bool write)
{
	uhmm_vpn_t at = r.start;
	struct uhmm_vma vma;

	while (at.val < r.end.val && !s->mm->gone &&
	       !s->mm->ops->vma_find(s->mm->ops_ctx, at, &vma) &&
	       uhmm_range_has(vma.range, at) &&
	       allows(&vma, write ? UHMM_FAULT_WRITE : 0))
		at = vma.range.end;
	return uhmm_range_clip(r, (struct uhmm_range){ r.start, at });
}

int trap_bring(struct request *rq)
{
	const struct uhmm_msg_bring *m = &rq->msg.body.bring;
	struct session *s = rq->ch->session;
	struct uhmm_range r =
		usable(s,
		       (struct uhmm_range){
			       uhmm_vpn_of(m->addr),
			       uhmm_vpn_of(m->addr + m->bytes +
					   uhmm_page_bytes() - 1) },
		       m->write);
	struct uhmm_range part;
	int err = uhmm_cpu_fault_range(s->mm, r);

	while (!err && !s->mm->gone && next_trapped(s, r, &part)) {
		for (uhmm_vpn_t v = part.start; !err && v.val < part.end.val;
		     v.val++)
			err = uhmm_cpu_fault(s->mm, v, m->write);
		r.start = part.end;
	}
	return err;
}
