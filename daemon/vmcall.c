/* SPDX-License-Identifier: MIT */
/* vmcall.c - changes of mappings that no event tells of (vmcall.h) */
#include "vmcall.h"

#include <errno.h>
#include <sys/mman.h>

#include <uhmm/cpu_fault.h>
#include <uhmm/event.h>

#include "channel.h"
#include "daemon.h"
#include "fork.h"
#include "session.h"
#include "sys/pagesize.h"

static struct uhmm_range range_of(uint64_t addr, uint64_t bytes)
{
	return (struct uhmm_range){ uhmm_vpn_of(addr),
				    uhmm_vpn_of(addr + bytes +
						uhmm_page_bytes() - 1) };
}

/* Nothing of @r is on its way when this returns, and nothing sets out. */
static void begin(struct request *rq, struct uhmm_range r)
{
	struct uhmm_mm *mm = rq->ch->session->mm;
	uhmm_softleaf_t leaf;

	fork_hold(rq->ch);
	for (; !mm->gone && uhmm_shadow_next(&mm->core->store, mm->slot,
					     &r.start, r.end, &leaf);
	     r.start.val++)
		uhmm_mm_wait_leaf(mm, r.start);
}

/* Of @r, what the kernel does not tell of is not there any more. */
static void dropped(struct session *s, struct uhmm_range r)
{
	struct uhmm_range told;

	while (r.start.val < r.end.val) {
		struct uhmm_range rest = r;

		if (uhmm_engine_next_trapped(s->engine, r, &told))
			rest.end = told.start;
		uhmm_event_unmap(s->mm, rest);
		r.start = rest.end.val < r.end.val ? told.end : r.end;
	}
}

/* The mapping is there, with its protection as it was. */
static int reopen(struct session *s, struct uhmm_range r)
{
	dropped(s, r);
	return uhmm_engine_open(s->engine, r);
}

/* The kernel moves one mapping as it is: make it that, until the call is over. */
static int make_plain(struct session *s, struct uhmm_range r)
{
	int err = uhmm_engine_has_fences(s->engine, r) ?
			  uhmm_cpu_fault_range(s->mm, r) :
			  0;

	uhmm_engine_keep(s->engine, true);
	if (!err)
		err = uhmm_engine_open(s->engine, r);
	return err ? err : uhmm_engine_join(s->engine, r);
}

/* What was in @r is at @to now. Of what is registered an event has told that;
 * what fences had is here, but may be a coherent device's. */
static void moved(struct session *s, struct uhmm_range r, struct uhmm_range to)
{
	uint64_t by = to.start.val - r.start.val;
	struct uhmm_range part, told;
	struct uhmm_vma vma;

	uhmm_mm_invalidate(s->mm, r, UHMM_NOTIFY_UNMAP, NULL);
	while (!s->mm->gone && to.start.val < to.end.val &&
	       !s->mm->ops->vma_find(s->mm->ops_ctx, to.start, &vma) &&
	       uhmm_range_has(vma.range, to.start)) {
		part = uhmm_range_clip(to, vma.range);
		if (vma.by_fence &&
		    !uhmm_engine_next_trapped(s->engine, part, &told))
			uhmm_event_remap(s->mm, UHMM_VPN(part.start.val - by),
					 part.start, uhmm_range_npages(part));
		to.start = part.end;
	}
}

int vmcall(struct request *rq)
{
	const struct uhmm_msg_vmcall *m = &rq->msg.body.vmcall;
	struct uhmm_range r = range_of(m->addr, m->bytes);
	struct session *s = rq->ch->session;
	int err = 0;

	if (m->phase == UHMM_PHASE_BEFORE) {
		begin(rq, r);
		return m->op == UHMM_VMCALL_REMAP ? make_plain(s, r) : 0;
	}
	if (m->done && m->op == UHMM_VMCALL_UNMAP) {
		dropped(s, r);
		uhmm_engine_forget_fences(s->engine, r);
	} else if (m->done && m->op == UHMM_VMCALL_DROP) {
		err = reopen(s, r);
	} else if (m->done) {
		moved(s, r, range_of(m->to, m->to_bytes));
	}
	if (m->op == UHMM_VMCALL_REMAP) {
		uhmm_engine_keep(s->engine, false);
		uhmm_mm_settle(s->mm);
	}
	fork_release(rq->ch);
	return err;
}

/* ---- mprotect ---- */

static void reply_range(struct request *rq, struct uhmm_range r)
{
	struct uhmm_wire_range *reply = &rq->reply.body.fence_reply.fence;

	reply->addr = uhmm_addr_of(r.start);
	reply->bytes = uhmm_bytes_of(uhmm_range_npages(r));
}

static int next(struct request *rq, struct uhmm_range r)
{
	struct uhmm_range part;
	int found = uhmm_engine_next_fence(rq->ch->session->engine, r, &part);

	if (found > 0)
		reply_range(rq, part);
	return found < 0 ? found : 0;
}

/* The fence at the start of @r has another protection from now on. One that the
 * kernel might refuse is the program's to ask for: then it is no fence. */
static int set(struct request *rq, struct uhmm_range r, uint8_t prot)
{
	struct session *s = rq->ch->session;
	struct uhmm_range part;
	struct uhmm_vma vma;
	int found = uhmm_engine_next_fence(s->engine, r, &part);
	int err;

	if (found <= 0 || part.start.val != r.start.val)
		return found < 0 ? found : 0;
	err = s->mm->ops->vma_find(s->mm->ops_ctx, part.start, &vma);
	if (err)
		return err;
	if ((prot & PROT_EXEC) && !vma.exec && !vma.anon) {
		err = uhmm_cpu_fault_range(s->mm, part);
		return err ? err : uhmm_engine_open(s->engine, part);
	}
	err = uhmm_engine_fence_prot(s->engine, part, prot);
	if (err)
		return err == -ENOENT ? 0 : err;
	reply_range(rq, part);
	return 0;
}

int vmcall_fence(struct request *rq)
{
	const struct uhmm_msg_fence *m = &rq->msg.body.fence;
	struct uhmm_range r = range_of(m->addr, m->bytes);

	switch (m->phase) {
	case UHMM_FENCE_BEFORE:
		begin(rq, r);
		return next(rq, r);
	case UHMM_FENCE_NEXT:
		return next(rq, r);
	case UHMM_FENCE_SET:
		return set(rq, r, (uint8_t)m->prot);
	default:
		fork_release(rq->ch);
		return 0;
	}
}
