/* SPDX-License-Identifier: MIT */
/* fault.c - what a userfaultfd says (fault.h) */
#include "fault.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <uhmm/cpu_fault.h>
#include <uhmm/event.h>

#include "daemon.h"
#include "fork.h"
#include "litter.h"
#include "mm/unit.h"
#include "policy.h"
#include "prefetch.h"
#include "session.h"
#include "sys/pagesize.h"
#include "sys/ptes.h"
#include "sys/uapi.h"
#include "sys/uffd.h"

/* Messages read in one system call. */
#define BATCH 32
/* Calls in a row after which one sleeps, and after which others may run. */
#define DRY_NAPS 16
#define DRY_MAX 1000
#define DRY_SLEEP_NS 20000
/* Without a call for so long the row is over. */
#define DRY_QUIET_NS 200000

/* ---- page faults ---- */

struct fault_job {
	struct session *s;
	uhmm_vpn_t vpn;
	bool write;
	uint32_t tid;		/* who touched it, 0: not known */
	uint64_t since_ns;
};

static int settle(const struct fault_job *job)
{
	struct session *s = job->s;
	int err = -ENOENT;

	if (fork_is_bare(s))
		return fork_bare_fault(s, job->vpn, job->write, job->tid);
	prefetch_around(s, job->vpn);
	if (uhmm_softleaf_is_migration(uhmm_mm_leaf(s->mm, job->vpn)))
		err = uhmm_engine_let_write(s->engine, job->vpn);
	return err == -ENOENT ? uhmm_cpu_fault(s->mm, job->vpn, job->write) :
				err;
}

static void serve(void *arg)
{
	struct fault_job *job = arg;
	struct session *s = job->s;
	int err = settle(job);

	if (err && err != -ESRCH)
		uhmm_err_errno(err, "fault of pid %u at %#llx", s->pid,
			       (unsigned long long)uhmm_addr_of(job->vpn));
	if (err == -ESRCH && !session_is_alive(s))
		session_gone(s);
	policy_faulted(s, job->vpn);
	stats_latency(&s->d->stats.fault_latency,
		      co_now_ns() - job->since_ns);
	session_put(s);
	free(job);
}

static void on_fault(struct session *s, const struct uffd_msg *msg)
{
	uint64_t flags = msg->arg.pagefault.flags;
	struct fault_job *job = malloc(sizeof(*job));
	uhmm_vpn_t vpn = uhmm_vpn_of(msg->arg.pagefault.address);

	uhmm_dbg(UHMM_LOG_FAULT, "fault pid=%u addr=%#llx flags=%#llx", s->pid,
		 (unsigned long long)msg->arg.pagefault.address,
		 (unsigned long long)flags);
	s->d->stats.faults++;
	if (job) {
		*job = (struct fault_job){
			.s = s,
			.vpn = vpn,
			.write = flags & (UFFD_PAGEFAULT_FLAG_WRITE |
					  UFFD_PAGEFAULT_FLAG_WP),
			.since_ns = co_now_ns(),
		};
		if (s->uffd_features & UFFD_FEATURE_THREAD_ID)
			job->tid = msg->arg.pagefault.feat.ptid;
		near_client(&s->w->near, s->pid, job->tid);
		session_get(s);
		if (!co_spawn(&s->w->sched, serve, job))
			return;
		session_put(s);
		free(job);
	}
	/* No memory: the thread looks again, and so do we, later. */
	s->d->stats.faults_deferred++;
	if (uhmm_uffd_wake(s->fds.uffd, uhmm_range_of(vpn, 1)))
		uhmm_err("out of memory: a thread of pid %u is stuck", s->pid);
}

/* ---- events ---- */

static struct uhmm_range range_of(uint64_t start, uint64_t end)
{
	return (struct uhmm_range){ uhmm_vpn_of(start), uhmm_vpn_of(end) };
}

/* Pages of @r were dropped: by us, or by the program. */
static void remove_pages(struct session *s, struct uhmm_range r)
{
	struct uhmm_range piece;
	bool ours;

	while (zaps_consume(&s->zaps, &r, &piece, &ours)) {
		uhmm_dbg(UHMM_LOG_FAULT,
			 "remove pid=%u addr=%#llx pages=%llu ours=%d", s->pid,
			 (unsigned long long)uhmm_addr_of(piece.start),
			 (unsigned long long)uhmm_range_npages(piece), ours);
		if (ours) {
			s->d->stats.removes_own++;
			continue;
		}
		s->d->stats.removes++;
		policy_changed(s, piece);
		uhmm_event_unmap(s->mm, piece);
	}
}

/* MADV_FREE of @r, one mapping, is reported before it is found out that memory
 * with a file behind it cannot be freed: then nothing happens. */
static void free_pages(struct session *s, struct uhmm_range r)
{
	struct uhmm_vma vma;

	if (s->mm->ops->vma_find(s->mm->ops_ctx, r.start, &vma) == 0 &&
	    vma.anon && !vma.shared)
		uhmm_mm_invalidate(s->mm, r, UHMM_NOTIFY_CLEAR, NULL);
}

/* The kernel says the same of MADV_FREE, which drops nothing here. */
static void on_remove(struct session *s, const struct uffd_msg *msg)
{
	struct uhmm_range r = range_of(msg->arg.remove.start,
				       msg->arg.remove.end);
	struct uhmm_range piece;
	bool free_only;

	while (zaps_consume(&s->frees, &r, &piece, &free_only)) {
		if (free_only)
			free_pages(s, piece);
		else
			remove_pages(s, piece);
	}
}

static void unmap_pages(struct session *s, struct uhmm_range r)
{
	if (!uhmm_range_npages(r))
		return;
	policy_changed(s, r);
	uhmm_engine_note_unmap(s->engine, r);
	uhmm_event_unmap(s->mm, r);
}

/* Is the marker there that we left in the place of the page @vpn? */
static bool is_marked(const struct session *s, uhmm_vpn_t vpn)
{
	const struct uhmm_ptes ptes = { .fd = s->fds.pagemap };
	uint64_t word = 0;

	return s->fds.pagemap >= 0 &&
	       !uhmm_ptes_raw(&ptes, uhmm_range_of(vpn, 1), &word) &&
	       (word & UHMM_PM_UFFD_WP) && !(word & UHMM_PM_PRESENT);
}

/*
 * The kernel tells of a change after it has let go of the mappings. So another
 * thread may have moved pages to where some were unmapped, and that was told
 * first; or it is told next, and then what is kept here is replaced. What has
 * our marker is mapped.
 */
static void unmap_what_is_gone(struct session *s, struct uhmm_range r)
{
	struct uhmm_mm *mm = s->mm;
	uhmm_vpn_t at = r.start;
	uhmm_softleaf_t leaf;

	for (; !mm->gone && uhmm_shadow_next(&mm->core->store, mm->slot, &at,
					     r.end, &leaf);
	     at.val++) {
		if (!uhmm_softleaf_is_away(leaf) || !is_marked(s, at))
			continue;
		unmap_pages(s, (struct uhmm_range){ r.start, at });
		if (uhmm_unit_has(leaf))
			at.val += mm->core->pmd_npages - 1;
		r.start.val = at.val + 1;
	}
	if (r.start.val < r.end.val)
		unmap_pages(s, r);
}

static void on_unmap(struct session *s, const struct uffd_msg *msg)
{
	struct uhmm_range r = range_of(msg->arg.remove.start,
				       msg->arg.remove.end);

	uhmm_dbg(UHMM_LOG_FAULT, "unmap pid=%u addr=%#llx pages=%llu", s->pid,
		 (unsigned long long)uhmm_addr_of(r.start),
		 (unsigned long long)uhmm_range_npages(r));
	s->d->stats.unmaps++;
	uhmm_event_cut(s->mm, r);
	unmap_what_is_gone(s, r);
}

static void on_remap(struct session *s, const struct uffd_msg *msg)
{
	uhmm_vpn_t from = uhmm_vpn_of(msg->arg.remap.from);
	uhmm_vpn_t to = uhmm_vpn_of(msg->arg.remap.to);
	uint64_t npages = msg->arg.remap.len / uhmm_page_bytes();

	uhmm_dbg(UHMM_LOG_FAULT, "remap pid=%u from=%#llx to=%#llx pages=%llu",
		 s->pid, (unsigned long long)msg->arg.remap.from,
		 (unsigned long long)msg->arg.remap.to,
		 (unsigned long long)npages);
	s->d->stats.remaps++;
	policy_changed(s, uhmm_range_of(from, npages));
	policy_changed(s, uhmm_range_of(to, npages));
	uhmm_engine_note_remap(s->engine, from, to, npages);
	uhmm_event_remap(s->mm, from, to, npages);
}

static void on_fork(struct session *s, const struct uffd_msg *msg)
{
	s->d->stats.forks++;
	fork_seen(s, (int)msg->arg.fork.ufd);
}

static void dispatch(struct session *s, const struct uffd_msg *msg)
{
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		on_fault(s, msg);
		break;
	case UFFD_EVENT_REMOVE:
		on_remove(s, msg);
		break;
	case UFFD_EVENT_UNMAP:
		on_unmap(s, msg);
		break;
	case UFFD_EVENT_REMAP:
		on_remap(s, msg);
		break;
	case UFFD_EVENT_FORK:
		on_fork(s, msg);
		break;
	default:
		uhmm_warn("unknown userfaultfd event %#x of pid %u",
			  msg->event, s->pid);
	}
}

/* Everything that is there now: what comes after a read that did not fill @msg
 * is reported anew. Return: messages handled; -errno */
static int drain(struct session *s)
{
	struct uffd_msg msg[BATCH];
	int n, all = 0;

	do {
		n = uhmm_uffd_read(s->fds.uffd, msg, BATCH);
		for (int i = 0; i < n && s->state != SESSION_DEAD; i++)
			dispatch(s, &msg[i]);
		all += n > 0 ? n : 0;
	} while (n == BATCH && s->state != SESSION_DEAD);
	if (s->mm->gone)
		session_gone(s);
	else
		litter_look(s);
	return n < 0 ? n : all;
}

void fault_ready(struct session *s, uint32_t events)
{
	int n;

	if (s->state == SESSION_DEAD)
		return;
	n = s->pauses ? 0 : drain(s);
	if (n >= 0 && !(events & POLLERR))
		return;
	uhmm_err_errno(n < 0 ? n : EIO, "userfaultfd of pid %u", s->pid);
	session_fail(s);
}

bool fault_again(struct session *s)
{
	/* what is wrong with it the loop reports, too */
	return s->state != SESSION_DEAD && !s->pauses && drain(s) > 0;
}

/*
 * Let the thread that raised the event run on: it stands in the kernel, awake,
 * and only needs a CPU. Meanwhile nothing else runs here, for an engine that
 * repeats its call does not look again at what stands at the page: if another
 * job put it on its way now, the repeated call would take the protection off a
 * page that is being copied. A program whose threads raise event after event
 * could hold up everybody that way, so patience ends.
 */
static void stand_aside(struct session *s)
{
	static const struct timespec nap = { .tv_nsec = DRY_SLEEP_NS };
	uint64_t now = co_now_ns();

	if (now - s->dry_ns > DRY_QUIET_NS)
		s->dry = 0;
	s->dry_ns = now;
	if (++s->dry > DRY_MAX)
		co_yield_until(now + DRY_SLEEP_NS);
	else if (s->dry > DRY_NAPS)
		nanosleep(&nap, NULL);
	else
		sched_yield();
}

int fault_drain(void *ctx)
{
	struct session *s = ctx;
	uint64_t before = s->mm->changes;
	int n;

	if (s->state == SESSION_DEAD || s->mm->gone)
		return -ESRCH;
	if (s->pauses) {
		co_queue_wait(&s->resumed, 0);
		return s->mm->gone ? -ESRCH : -EAGAIN;
	}
	n = drain(s);
	if (n < 0)
		session_dbg(s, "drain: %d", n);
	stand_aside(s);
	if (s->mm->gone)
		return -ESRCH;
	/* A page that was dropped must not be given now: who dropped it may be
	 * through with it. */
	return s->mm->changes == before ? 0 : -EAGAIN;
}

/* Towards a moment when no event is outstanding, one step; where several wait
 * for it one of them goes for all. (yields) */
static void wait_for_calm(struct session *s)
{
	if (s->catching_up) {
		co_queue_wait(&s->calmed, 0);
		return;
	}
	s->catching_up = true;
	if (s->pauses) {
		co_queue_wait(&s->resumed, 0);
	} else {
		(void)drain(s);
		co_yield_until(co_now_ns() + DRY_SLEEP_NS);
	}
	s->catching_up = false;
	s->calms += !uhmm_uffd_is_changing(s->fds.uffd);
	co_queue_wake(&s->calmed);
}

/* Whoever raised an event that we have not read stands still, but the mappings
 * are changed: another thread may have mapped memory of its own where pages
 * were that the shadow still has there, and ask for that. */
void fault_catch_up(struct session *s)
{
	uint64_t calms = s->calms;

	while (s->calms == calms && session_is_open(s) && !s->mm->gone &&
	       uhmm_uffd_is_changing(s->fds.uffd))
		wait_for_calm(s);
}

void fault_pause(struct session *s)
{
	s->pauses++;
}

void fault_resume(void *ctx)
{
	struct session *s = ctx;
	int n;

	if (--s->pauses)
		return;
	co_queue_wake(&s->resumed);
	if (s->state == SESSION_DEAD)
		return;
	n = drain(s);
	if (n < 0)
		session_dbg(s, "drain: %d", n);
}
