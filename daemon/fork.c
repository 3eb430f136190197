/* SPDX-License-Identifier: MIT */
/* fork.c - a program forked (fork.h) */
#include "fork.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <uhmm/cpu_fault.h>
#include <uhmm/event.h>
#include <uhmm/migrate.h>
#include <uhmm/share.h>

#include "channel.h"
#include "daemon.h"
#include "fault.h"
#include "mm/coherent.h"
#include "mm/flight.h"
#include "mm/shadow.h"
#include "session.h"
#include "sys/maps.h"
#include "sys/pagesize.h"
#include "sys/ptes.h"
#include "sys/uffd.h"

/* Pages tried of each candidate before it is held for another's. */
#define PROBE_PAGES 64

/* How long a child whose fork was announced may take to say hello, before who
 * needs it goes on without. */
#define HELLO_NS UINT64_C(3000000000)

static struct uhmm_range whole_mm(void)
{
	return uhmm_range_of(UHMM_VPN(0),
			     UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
}

/* ---- the event ---- */

void fork_seen(struct session *parent, int uffd)
{
	struct session_parts parts = {
		.fds = { uffd, -1, -1, -1, -1 },
		.uffd_features = parent->uffd_features,
		.hello_flags = parent->hello_flags,
		.own = parent->own,
	};
	struct session *s;
	int err = session_create(worker_current(), &parts, &s);

	if (err) {
		uhmm_err_errno(err, "cannot follow a fork of pid %u: its child "
			       "reads zeros where device pages were",
			       parent->pid);
		close(uffd);
		return;
	}
	s->forks.parent = parent->ref;
	s->forks.unclaimed = true;
	s->forks.child = true;
	s->mm->bare = true;
	s->mm->coming = parent->forks.announced > 0;
	s->forks.since_ns = co_now_ns();
	session_set_state(s, SESSION_FORKED);
	session_dbg(parent, "forked session=%u", s->ref.slot);
	err = uhmm_event_fork(parent->mm, s->mm);
	if (!err)
		err = uhmm_engine_note_fork(s->engine, parent->engine);
	if (err) {
		s->forks.broken = true;
		uhmm_err_errno(err, "the child of pid %u must not run on",
			       parent->pid);
	}
	session_watch(s);
}

/* ---- from the userfaultfd alone to a whole session ---- */

/* On the session's own worker: its loop is nobody else's. */
static void watch_exit(void *arg)
{
	struct session *s = arg;

	if (s->state != SESSION_DEAD && !s->pidfd_ev.u64 &&
	    loop_add(&s->w->loop, s->fds.pidfd, EV_PIDFD, s, &s->pidfd_ev))
		session_watch(s);
	else
		s->watched = false;
	session_put(s);
}

/* Who was served in vain looks again. */
static void wake_all(struct session *s)
{
	struct uhmm_range rest = whole_mm(), piece;

	while (uhmm_engine_next_trapped(s->engine, rest, &piece)) {
		if (uhmm_uffd_wake(s->fds.uffd, piece))
			session_dbg(s, "cannot wake all");
		rest.start = piece.end;
	}
}

/* @fds but for the userfaultfd are the session's from now on. */
static void adopt(struct session *s, const struct uhmm_engine_fds *fds,
		  uint32_t pid)
{
	int uffd = s->fds.uffd;

	s->fds = *fds;
	s->fds.uffd = uffd;
	s->pid = pid;
	uhmm_engine_adopt(s->engine, &s->fds);
	session_set_state(s, SESSION_LIVE);
	s->mm->bare = false;
	uhmm_flight_look_again(s->mm);
	s->mm->core->ops->wake(s->mm->core, s->mm);
	session_get(s);
	if (co_spawn(&s->w->sched, watch_exit, s))
		session_put(s);
	wake_all(s);
}

static int open_proc(uint32_t tid, const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/%s", tid, file);
	return open(path, flags | O_CLOEXEC);
}

uint32_t fork_process_of(uint32_t tid)
{
	char line[128];
	unsigned int pid = 0;
	int fd = open_proc(tid, "status", O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "re");

	if (!f)
		return 0;
	while (!pid && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %u", &pid) != 1)
			pid = 0;
	fclose(f);
	return pid;
}

/* Open what the child did not hand over; the thread stands in its fault, so
 * the number is still its own. */
static bool adopt_by_thread(struct session *s, uint32_t tid)
{
	uint32_t pid = fork_process_of(tid);
	struct uhmm_engine_fds fds = { .uffd = -1 };

	if (!pid)
		return false;
	fds.mem = open_proc(pid, "mem", O_RDWR);
	fds.pagemap = open_proc(pid, "pagemap", O_RDONLY);
	fds.maps = open_proc(pid, "maps", O_RDONLY);
	fds.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fds.mem >= 0 && fds.pagemap >= 0 && fds.maps >= 0 &&
	    fds.pidfd >= 0) {
		adopt(s, &fds, pid);
		return true;
	}
	if (fds.mem >= 0)
		close(fds.mem);
	if (fds.pagemap >= 0)
		close(fds.pagemap);
	if (fds.maps >= 0)
		close(fds.maps);
	if (fds.pidfd >= 0)
		close(fds.pidfd);
	return false;
}

void fork_look(struct session *s)
{
	if (!s->mm->coming || co_now_ns() - s->forks.since_ns < HELLO_NS)
		return;
	s->mm->coming = false;
	s->mm->core->ops->wake(s->mm->core, s->mm);
}

/* ---- faults meanwhile ---- */

bool fork_is_bare(const struct session *s)
{
	return s->state == SESSION_FORKED;
}

/* A hole, or a page that is protected for nothing. */
static int give_nothing(struct session *s, uhmm_vpn_t vpn)
{
	struct uhmm_range r = uhmm_range_of(vpn, 1);
	uint64_t done;
	int err;

	for (;;) {
		err = uhmm_uffd_zeropage(s->fds.uffd, r, 0, &done);
		if (err == -EEXIST)
			err = uhmm_uffd_writeprotect(s->fds.uffd, r, 0);
		if (err != -EAGAIN)
			return err == -ENOENT ?
				       uhmm_uffd_wake(s->fds.uffd, r) :
				       err;
		err = fault_drain(s);
		if (err)
			return err;
	}
}

int fork_bare_fault(struct session *s, uhmm_vpn_t vpn, bool write, uint32_t tid)
{
	uhmm_softleaf_t leaf;

	if (s->forks.broken) {
		if (tid)
			kill((pid_t)tid, SIGKILL);
		return 0;
	}
	if (tid && adopt_by_thread(s, tid))
		return uhmm_cpu_fault(s->mm, vpn, write);
	leaf = uhmm_mm_wait_leaf(s->mm, vpn);
	if (s->mm->gone)
		return -ESRCH;
	return uhmm_softleaf_is_none(leaf) ? give_nothing(s, vpn) :
					     uhmm_cpu_fault(s->mm, vpn, write);
}

/* ---- hello ---- */

static int protect(struct session *s, uhmm_vpn_t vpn, bool on)
{
	uint64_t mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
	int err;

	do {
		err = uhmm_uffd_writeprotect(s->fds.uffd,
					     uhmm_range_of(vpn, 1), mode);
		if (err == -EAGAIN && fault_drain(s))
			return -ESRCH;
	} while (err == -EAGAIN);
	return err;
}

/* Does the page flip in @pagemap when we flip it through @s? 1; 0; -1: it
 * cannot be flipped */
static int flips(struct session *s, int pagemap, uhmm_vpn_t vpn)
{
	const uint64_t seen = UHMM_PM_UFFD_WP | UHMM_PM_SWAP;
	const struct uhmm_ptes ptes = { .fd = pagemap };
	struct uhmm_range r = uhmm_range_of(vpn, 1);
	uint64_t before, during;
	bool was;

	if (uhmm_ptes_raw(&ptes, r, &before))
		return 0;
	was = before & UHMM_PM_UFFD_WP;
	if (protect(s, vpn, !was))
		return -1;
	if (uhmm_ptes_raw(&ptes, r, &during))
		return 0;
	return !protect(s, vpn, was) && ((before ^ during) & seen);
}

/* What is watched in another way (shared memory) cannot be protected: the first
 * page behind the mapping of @vpn. */
static uhmm_vpn_t behind_mapping(int fd, uhmm_vpn_t vpn)
{
	struct uhmm_maps maps;
	struct uhmm_vma vma;

	uhmm_maps_init(&maps, fd);
	if (uhmm_maps_find(&maps, vpn, &vma) ||
	    !uhmm_range_has(vma.range, vpn))
		return UHMM_VPN(vpn.val + 1);
	return vma.range.end;
}

/* Does a PMD map it? Flipped alone it would be a base page afterwards. */
static bool is_huge(const struct uhmm_engine_fds *fds, uhmm_vpn_t vpn)
{
	struct uhmm_ptes ptes;
	uint8_t pte;

	uhmm_ptes_init(&ptes, fds->pagemap, fds->mem);
	return !uhmm_ptes_scan(&ptes, uhmm_range_of(vpn, 1), &pte) &&
	       (pte & UHMM_PTE_HUGE);
}

/* Are @fds of the mm that @s serves? (yields) @base: only base pages may tell */
static bool is_same(struct session *s, const struct uhmm_engine_fds *fds,
		    bool base)
{
	struct uhmm_range rest = whole_mm(), piece;
	unsigned int tries = 0;

	while (s->state != SESSION_DEAD && tries++ < PROBE_PAGES &&
	       uhmm_engine_next_trapped(s->engine, rest, &piece)) {
		int flip;

		if (base && is_huge(fds, piece.start)) {
			rest.start = piece.end;
			continue;
		}
		flip = flips(s, fds->pagemap, piece.start);
		if (flip > 0)
			return true;
		rest.start = flip < 0 ? behind_mapping(fds->maps, piece.start) :
					UHMM_VPN(piece.start.val + 1);
	}
	return false;
}

static bool is_present(int pagemap, uhmm_vpn_t vpn)
{
	const struct uhmm_ptes ptes = { .fd = pagemap };
	uint64_t word;

	return !uhmm_ptes_raw(&ptes, uhmm_range_of(vpn, 1), &word) &&
	       (word & UHMM_PM_PRESENT);
}

/* Where a hole can have no marker (before Linux 6.4) nothing flips when all that
 * was tried is away: then a page that is away comes back, and shows or not. */
static bool shows(struct session *s, const struct uhmm_engine_fds *fds)
{
	uhmm_vpn_t at = UHMM_VPN(0);
	uhmm_softleaf_t leaf;

	if (s->uffd_features & UHMM_UFFD_FEATURE_WP_UNPOPULATED ||
	    !uhmm_shadow_next(&s->mm->core->store, s->mm->slot, &at,
			      whole_mm().end, &leaf) ||
	    is_present(fds->pagemap, at))
		return false;
	return !uhmm_cpu_fault(s->mm, at, false) &&
	       is_present(fds->pagemap, at);
}

static bool is_same_mm(struct session *s, const struct uhmm_engine_fds *fds)
{
	return is_same(s, fds, true) || is_same(s, fds, false) ||
	       shows(s, fds);
}

static void close_own(const struct session_parts *parts, bool uffd_only)
{
	close(parts->fds.uffd);
	if (uffd_only)
		return;
	close(parts->fds.mem);
	close(parts->fds.pagemap);
	close(parts->fds.maps);
	close(parts->fds.pidfd);
}

static void claim(struct session *s, const struct session_parts *parts)
{
	bool bare = fork_is_bare(s);

	s->forks.unclaimed = false;
	s->hello_flags = parts->hello_flags;
	if (bare)
		adopt(s, &parts->fds, parts->pid);
	close_own(parts, bare);
}

struct session *fork_claim(struct daemon *d, const struct uhmm_msg_hello *m,
			   const struct session_parts *parts)
{
	struct slot_ref parent = { (uint32_t)m->parent.word[1],
				   (uint32_t)(m->parent.word[1] >> 32) };
	struct session *s;
	uint32_t at = 0;

	if (!parent.generation)
		return NULL;
	while ((s = slots_next(&d->session_table, &at))) {
		bool same;

		if (!s->forks.unclaimed || s->forks.parent.slot != parent.slot ||
		    s->forks.parent.generation != parent.generation)
			continue;
		session_get(s);
		same = is_same_mm(s, &parts->fds) &&
		       s->forks.unclaimed && session_is_open(s);
		session_put(s);
		if (!same)
			continue;
		claim(s, parts);
		return s;
	}
	return NULL;
}

/* ---- without the event ---- */

static bool is_told(const struct session *s)
{
	return s->hello_flags & UHMM_HELLO_EVENT_FORK;
}

void fork_hold(struct channel *ch)
{
	struct session *s = ch->session;

	ch->preparing++;
	s->forks.preparing++;
	while (s->forks.calls && session_is_open(s))
		co_queue_wait(&s->forks.idle, 0);
}

/* All of @r is back when this returns, also what somebody else has been bringing
 * back (the last close of a device by another process, say): that is waited for. */
static int bring_all(struct session *s, struct uhmm_range r)
{
	int err = uhmm_cpu_fault_range(s->mm, r);
	uhmm_softleaf_t leaf;

	while (!err && !s->mm->gone &&
	       uhmm_shadow_next(&s->mm->core->store, s->mm->slot, &r.start,
				r.end, &leaf)) {
		err = uhmm_cpu_fault(s->mm, r.start, false);
		r.start.val++;
	}
	return err;
}

/* From now on nothing of @s may go to a device; what is there comes back. */
static int prepare(struct channel *ch)
{
	int err;

	fork_hold(ch);
	err = bring_all(ch->session, whole_mm());
	uhmm_coherent_leave(ch->session->mm, whole_mm());
	uhmm_engine_tidy_fences(ch->session->engine);
	return err;
}

/* Fences are not told of by the event: none is left for the child to inherit,
 * until PARENT. */
static int clear_fences(struct channel *ch)
{
	struct session *s = ch->session;
	struct uhmm_range r;
	int found;

	fork_hold(ch);
	while ((found = uhmm_engine_next_fence(s->engine, whole_mm(), &r)) > 0) {
		int err = bring_all(s, r);

		if (!err)
			err = uhmm_engine_open(s->engine, r);
		if (err)
			return err;
	}
	return found;
}

static void finish(struct channel *ch)
{
	ch->preparing--;
	ch->session->forks.preparing--;
	co_queue_wake(&ch->session->forks.over);
}

/* The bytes of device pages that both will have leave the window that only one
 * has; what is exclusive comes back; pages that both will have are read-only
 * from now on. A program whose system calls cannot wait for us would see them
 * fail instead: it shares nothing. */
static int share(struct channel *ch)
{
	struct session *s = ch->session;
	int err;

	ch->announced++;
	s->forks.announced++;
	if (s->hello_flags & UHMM_HELLO_USER_MODE_ONLY)
		return 0;
	if (uhmm_engine_evacuate(s->engine, true))
		return -EIO;
	err = uhmm_engine_note_memory_files(s->engine);
	return err ? err : uhmm_mm_share(s->mm, s->own);
}

static void forget_announced(struct channel *ch)
{
	ch->announced--;
	ch->session->forks.announced--;
}

/* What a device knows of memory for fences, of which the child has copies. */
static int share_fenceable(struct session *s, bool late)
{
	struct uhmm_range rest = whole_mm(), piece;
	int err = 0;

	while (!err &&
	       uhmm_engine_next_fenceable(s->engine, rest, &piece)) {
		err = uhmm_mm_share_copies(s->mm, piece, late);
		rest.start = piece.end;
	}
	return err;
}

/* What was announced last has happened. It may have been on another channel. */
static int over(struct channel *ch)
{
	struct session *s = ch->session;
	struct uhmm_list *node;
	int err;

	if (!ch->announced)
		UHMM_LIST_EACH(node, &s->channels) {
			ch = UHMM_CONTAINER_OF(node, struct channel, link);
			if (ch->announced)
				break;
		}
	if (ch->announced)
		forget_announced(ch);
	if (s->forks.announced)
		return 0;
	err = uhmm_mm_shared(s->mm);
	return err ? err : share_fenceable(s, false);
}

void fork_opened(struct session *s)
{
	bool first = s->forks.child;

	s->forks.child = false;
	if (first && share_fenceable(s, true))
		session_dbg(s, "cannot protect what it shares");
}

int fork_request(struct request *rq)
{
	struct channel *ch = rq->ch;
	int err;

	if (rq->msg.body.fork.phase != UHMM_FORK_PREPARE) {
		fork_release(ch);
		return is_told(ch->session) ? over(ch) : 0;
	}
	if (!is_told(ch->session))
		return prepare(ch);
	err = uhmm_engine_fences(ch->session->engine) ? clear_fences(ch) : 0;
	return err ? err : share(ch);
}

/* The thread that began may have got another channel since: which of them
 * counts does not matter. */
void fork_release(struct channel *ch)
{
	struct uhmm_list *node;

	if (ch->preparing) {
		finish(ch);
		return;
	}
	UHMM_LIST_EACH(node, &ch->session->channels) {
		struct channel *other =
			UHMM_CONTAINER_OF(node, struct channel, link);

		if (!other->preparing)
			continue;
		finish(other);
		return;
	}
}

void fork_channel_closed(struct channel *ch)
{
	while (ch->preparing)
		finish(ch);
	while (ch->announced)
		forget_announced(ch);
}

struct session *fork_begin_call(struct daemon *d, struct slot_ref owner)
{
	struct session *s;

	while ((s = slots_get(&d->session_table, owner)) && s->forks.preparing)
		co_queue_wait(&s->forks.over, 0);
	if (!s)
		return NULL;
	session_get(s);
	s->forks.calls++;
	return s;
}

void fork_end_call(struct session *s)
{
	if (!s)
		return;
	if (--s->forks.calls == 0)
		co_queue_wake(&s->forks.idle);
	session_put(s);
}
