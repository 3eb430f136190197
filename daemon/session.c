/* SPDX-License-Identifier: MIT */
/* session.c - one attached program (session.h) */
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <uhmm/cpu_fault.h>
#include <uhmm/event.h>

#include "channel.h"
#include "daemon.h"
#include "fault.h"
#include "fork.h"
#include "hands.h"
#include "sys/pagesize.h"
#include "sys/ptes.h"
#include "sys/uffd.h"

/* How often one looks whether an mm is gone that nobody tells us about. */
#define WATCH_NS UINT64_C(100000000)
/* How long a program without channels may take to be gone, and how often it is
 * looked at meanwhile. */
#define LOST_NS UINT64_C(200000000)
#define WATCH_LOST_NS UINT64_C(2000000)

/* ---- state ---- */

static const char *const state_names[SESSION_NR_STATES] = {
	[SESSION_NEW] = "new",	       [SESSION_FORKED] = "forked",
	[SESSION_LIVE] = "live",       [SESSION_CLOSING] = "closing",
	[SESSION_DEAD] = "dead",
};

/* Where each state may go. */
static const unsigned int allowed[SESSION_NR_STATES] = {
	[SESSION_NEW] = 1 << SESSION_FORKED | 1 << SESSION_LIVE,
	[SESSION_FORKED] = 1 << SESSION_LIVE | 1 << SESSION_CLOSING |
			   1 << SESSION_DEAD,
	[SESSION_LIVE] = 1 << SESSION_CLOSING | 1 << SESSION_DEAD,
	[SESSION_CLOSING] = 1 << SESSION_DEAD,
};

void session_set_state(struct session *s, enum session_state state)
{
	assert(allowed[s->state] & 1u << state);
	session_dbg(s, "%s -> %s", state_names[s->state], state_names[state]);
	s->state = state;
}

bool session_is_open(const struct session *s)
{
	return s->state == SESSION_FORKED || s->state == SESSION_LIVE;
}

/* ---- locks and references ---- */

void session_get(struct session *s)
{
	s->refs++;
}

void session_put(struct session *s)
{
	assert(s->refs);
	s->refs--;	/* sessions_reap() frees it */
}

void session_unlock(struct session *s)
{
	s->outside++;
	core_unlock(&s->d->core);
}

void session_lock(struct session *s)
{
	core_lock(&s->d->core);
	s->outside--;
}

static void env_lock(void *ctx)
{
	session_lock(ctx);
}

static void env_unlock(void *ctx)
{
	session_unlock(ctx);
}

/* ---- fences (sys/engine.h) ---- */

static void env_wait(void *ctx)
{
	struct session *s = ctx;

	co_queue_wait(&s->fences_changed, 0);
}

static void env_wake(void *ctx)
{
	struct session *s = ctx;

	co_queue_wake(&s->fences_changed);
}

static void env_lost(void *ctx, struct uhmm_range r)
{
	struct session *s = ctx;

	uhmm_event_unmap(s->mm, r);
}

static void tidy_fences_job(void *arg)
{
	struct session *s = arg;

	s->tidying_fences = false;
	if (s->state != SESSION_DEAD)
		uhmm_engine_tidy_fences(s->engine);
	session_put(s);
}

static void env_tidy_fences(void *ctx)
{
	struct session *s = ctx;

	if (s->tidying_fences || s->state == SESSION_DEAD)
		return;
	session_get(s);
	s->tidying_fences = !co_spawn(&s->w->sched, tidy_fences_job, s);
	if (!s->tidying_fences)
		session_put(s);
}

/* ---- making one ---- */

/* Without events: of forks nothing is told, and no system call waits. */
static void do_without_uffd(struct session *s)
{
	s->hello_flags |= UHMM_HELLO_NO_UFFD;
	s->hello_flags &= ~(uint32_t)(UHMM_HELLO_EVENT_FORK |
				      UHMM_HELLO_USER_MODE_ONLY);
}

static int make_engine(struct session *s)
{
	struct uhmm_engine_env env = {
		.ctx = s,
		.hands = hands_call,
		.move = hands_move,
		.resume = fault_resume,
		.drain = fault_drain,
		.lock = env_lock,
		.unlock = env_unlock,
		.wait = env_wait,
		.wake = env_wake,
		.lost = env_lost,
		.tidy_fences = env_tidy_fences,
		.turn = &s->d->core.turn,
		.devmem = &s->d->core.devmem,
		.user_mode_only = s->hello_flags & UHMM_HELLO_USER_MODE_ONLY,
	};
	int err;

	core_pages(&s->d->core, &env.first, &env.npages);
	err = uhmm_engine_any_create(&s->engine, s->d->conf.engine, &s->fds,
				     s->uffd_features, &env);
	if (err)
		return err;
	if (!uhmm_engine_needs_uffd(s->engine))
		do_without_uffd(s);
	if (s->hello_flags & UHMM_HELLO_OWN_UFFD)
		uhmm_engine_note_uffd(s->engine);
	uhmm_engine_keep_off(s->engine, s->own);
	return 0;
}

static int watch_fds(struct session *s)
{
	int err = s->hello_flags & UHMM_HELLO_NO_UFFD ?
			  0 :
			  loop_add(&s->w->loop, s->fds.uffd, EV_UFFD, s,
				   &s->uffd_ev);

	if (!err && s->fds.pidfd >= 0)
		err = loop_add(&s->w->loop, s->fds.pidfd, EV_PIDFD, s,
			       &s->pidfd_ev);
	if (err)
		loop_del(&s->w->loop, &s->uffd_ev);
	return err;
}

static struct session *new_session(struct worker *w,
				   const struct session_parts *parts)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->d = w->d;
	s->w = w;
	s->refs = 1;
	s->pid = parts->pid;
	s->hello_flags = parts->hello_flags;
	s->own = parts->own;
	s->fds = parts->fds;
	s->uffd_features = parts->uffd_features;
	uhmm_list_init(&s->channels);
	uhmm_list_init(&s->policies);
	co_queue_init(&s->left);
	co_queue_init(&s->agent_came);
	co_queue_init(&s->resumed);
	co_queue_init(&s->calmed);
	co_queue_init(&s->forks.over);
	co_queue_init(&s->forks.idle);
	co_queue_init(&s->fences_changed);
	return s;
}

int session_create(struct worker *w, const struct session_parts *parts,
		   struct session **out)
{
	struct daemon *d = w->d;
	struct session *s = new_session(w, parts);
	int err = -ENOMEM;

	if (!s)
		return err;
	if (getrandom(&s->secret, sizeof(s->secret), 0) !=
	    (ssize_t)sizeof(s->secret))
		goto free_session;
	err = make_engine(s);
	if (err)
		goto free_session;
	err = uhmm_mm_create(&d->core.hmm, uhmm_engine_ops(s->engine),
			     s->engine, s->pid, &s->mm);
	if (err)
		goto destroy_engine;
	err = slots_add(&d->session_table, s, &s->ref);
	if (err)
		goto put_mm;
	err = watch_fds(s);
	if (err)
		goto del_slot;
	uhmm_list_add_tail(&d->sessions, &s->link);
	d->stats.sessions++;
	d->stats.engine = uhmm_engine_name(s->engine);
	*out = s;
	return 0;

del_slot:
	slots_del(&d->session_table, s->ref);
put_mm:
	uhmm_mm_put(s->mm);
destroy_engine:
	uhmm_engine_destroy(s->engine);
free_session:
	free(s);
	return err;
}

struct uhmm_wire_token session_token(const struct session *s)
{
	return (struct uhmm_wire_token){ { s->secret,
					   (uint64_t)s->ref.generation << 32 |
						   s->ref.slot } };
}

struct session *session_find(struct daemon *d,
			     const struct uhmm_wire_token *token)
{
	struct slot_ref ref = { (uint32_t)token->word[1],
				(uint32_t)(token->word[1] >> 32) };
	struct session *s = slots_get(&d->session_table, ref);

	return s && s->secret == token->word[0] ? s : NULL;
}

/* ---- the end ---- */

bool session_is_alive(const struct session *s)
{
	const struct uhmm_ptes ptes = { .fd = s->fds.pagemap };

	if (s->fds.pagemap >= 0)
		return uhmm_ptes_alive(&ptes);
	/* Nothing of ours is ever there, so nothing happens. */
	return uhmm_uffd_writeprotect(s->fds.uffd,
				      uhmm_range_of(uhmm_vpn_of(1 << 20), 1),
				      0) != -ESRCH;
}

static void kill_channels(struct session *s, bool agents_too)
{
	struct uhmm_list *node;

	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is a ring */
	UHMM_LIST_EACH(node, &s->channels) {
		struct channel *ch =
			UHMM_CONTAINER_OF(node, struct channel, link);

		if (agents_too || ch->kind != CHANNEL_AGENT)
			channel_kill(ch);
	}
}

/* The last thing done for it on its own worker. */
static void bury(void *arg)
{
	struct session *s = arg;

	loop_del(&s->w->loop, &s->uffd_ev);
	loop_del(&s->w->loop, &s->pidfd_ev);
	session_put(s);
}

void session_gone(struct session *s)
{
	if (s->state == SESSION_DEAD)
		return;
	session_set_state(s, SESSION_DEAD);
	slots_del(&s->d->session_table, s->ref);
	s->d->ndead++;
	uhmm_mm_exit(s->mm);
	kill_channels(s, true);
	co_queue_wake(&s->agent_came);
	co_queue_wake(&s->resumed);
	co_queue_wake(&s->forks.over);
	co_queue_wake(&s->forks.idle);
	if (co_spawn(&s->w->sched, bury, s))
		uhmm_err("out of memory: session of pid %u is never freed",
			 s->pid);
}

/* The program lives, but we are through with it: give it all it has. */
static void close_session(void *arg)
{
	struct session *s = arg;
	struct uhmm_range all = uhmm_range_of(
		UHMM_VPN(0), UINT64_C(1) << UHMM_TABLE_INDEX_BITS);
	int err = 0;

	if (session_is_alive(s))
		err = uhmm_cpu_fault_range(s->mm, all);
	if (!err)
		uhmm_engine_tidy_fences(s->engine);
	if (err && err != -ESRCH)
		uhmm_err_errno(err, "pages of pid %u are lost", s->pid);
	uhmm_engine_close(s->engine);
	session_gone(s);
	session_put(s);
}

void session_fail(struct session *s)
{
	if (!session_is_open(s))
		return;
	session_set_state(s, SESSION_CLOSING);
	/* what fences hold needs the agent's hands until the end */
	kill_channels(s, false);
	if (s->agent)
		hands_look(s->agent);
	session_get(s);
	if (co_spawn(&s->w->sched, close_session, s)) {
		session_put(s);
		session_gone(s);
	}
}

/* ---- signs of the end ---- */

static void watch_job(void *arg)
{
	struct session *s = arg;

	while (s->state != SESSION_DEAD && s->watched) {
		co_yield_until(co_now_ns() + WATCH_NS);
		if (s->state != SESSION_DEAD && !session_is_alive(s))
			session_gone(s);
		fork_look(s);
		if (s->d->stopping && s->state == SESSION_FORKED)
			session_fail(s);
	}
	s->watched = false;
	session_put(s);
}

void session_watch(struct session *s)
{
	if (s->watched)
		return;
	s->watched = true;
	session_get(s);
	if (co_spawn(&s->w->sched, watch_job, s)) {
		s->watched = false;
		session_put(s);
	}
}

static void maybe_gone(struct session *s)
{
	if (s->state == SESSION_DEAD)
		return;
	if (session_is_alive(s))
		session_watch(s);
	else
		session_gone(s);
}

void session_exited(struct session *s)
{
	session_dbg(s, "exited");
	loop_del(&s->w->loop, &s->pidfd_ev);
	maybe_gone(s);
}

void session_has_channel(struct session *s, struct channel *ch)
{
	if (ch->kind != CHANNEL_AGENT)
		return;
	s->agent = ch;
	co_queue_wake(&s->agent_came);
}

/* A program that exits closes its channels a moment before its last thread has
 * left the mm. To give its pages back then would take those that it shares by
 * fork from the others, too. So wait a little for its death. */
static void lost_job(void *arg)
{
	struct session *s = arg;
	uint64_t deadline = co_now_ns() + LOST_NS;

	while (session_is_open(s) && uhmm_list_is_empty(&s->channels) &&
	       session_is_alive(s) && co_now_ns() < deadline)
		co_yield_until(co_now_ns() + WATCH_LOST_NS);
	if (s->state != SESSION_DEAD && !session_is_alive(s))
		session_gone(s);
	else if (session_is_open(s) && uhmm_list_is_empty(&s->channels))
		session_fail(s);
	session_put(s);
}

void session_lost_channel(struct session *s, struct channel *ch)
{
	if (s->agent == ch)
		s->agent = NULL;
	if (!uhmm_list_is_empty(&s->channels))
		return;
	if (!session_is_alive(s)) {
		session_gone(s);
		return;
	}
	session_get(s);
	if (co_spawn(&s->w->sched, lost_job, s)) {
		session_put(s);
		session_fail(s);
	}
}

/* ---- freeing ---- */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void free_session(struct session *s)
{
	uhmm_list_del(&s->link);
	uhmm_mm_put(s->mm);
	uhmm_engine_destroy(s->engine);
	zaps_fini(&s->zaps);
	zaps_fini(&s->frees);
	uhmm_trapset_fini(&s->protecting);
	close_fd(s->fds.uffd);
	close_fd(s->fds.mem);
	close_fd(s->fds.pagemap);
	close_fd(s->fds.maps);
	close_fd(s->fds.pidfd);
	free(s);
}

void sessions_reap(struct daemon *d)
{
	struct uhmm_list *node, *after;

	if (!d->ndead)
		return;
	UHMM_LIST_EACH_SAFE(node, after, &d->sessions) {
		struct session *s =
			UHMM_CONTAINER_OF(node, struct session, link);

		/* Whoever else holds the mm (an open that was inherited, a
		 * page on its way) may still ask its engine something. */
		if (s->state != SESSION_DEAD || s->refs || s->outside ||
		    s->mm->refs > 1)
			continue;
		free_session(s);
		d->ndead--;
	}
}
