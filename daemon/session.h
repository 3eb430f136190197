/* SPDX-License-Identifier: MIT */
/* session.h - one attached program: its descriptors, engine, mm and channels
 *
 * Theory of operation. A session is one address space. Its life is one state,
 * moved by session_set_state() only:
 *
 *   FORKED   a fork was seen, the child has not said hello: faults are served
 *            through the userfaultfd the kernel made for it (fork.h)
 *   LIVE     the program handed its descriptors over: everything works
 *   CLOSING  it broke the protocol, or hung up, or the daemon ends, but it
 *            lives: its pages are being given back; requests are refused
 *   DEAD     no leaf is left and no event is looked at; the object waits for
 *            whoever still holds it
 *
 * It ends when the program does (the pidfd says so, also after SIGKILL), when
 * it replaced its address space (exec: every channel hangs up and the mm is
 * gone), or when it closed every channel: then its pages are given back, and a
 * later hello begins anew. When the process has ended but the mm is still there
 * (somebody shares it), it is looked at every WATCH_NS until it is not.
 *
 * References: one of the daemon (until DEAD), one per channel, one per job that
 * uses it. Descriptors are closed, engine and mm freed, when all are gone and
 * nobody is inside a system call without the lock (session_unlock()).
 * Locks: the core's.
 */
#ifndef UHMMD_SESSION_H
#define UHMMD_SESSION_H

#include <uhmm/list.h>

#include "base/log.h"
#include "co.h"
#include "event.h"
#include "mm/mm.h"
#include "slots.h"
#include "sys/engine.h"
#include "sys/trapset.h"
#include "wire/wire.h"
#include "zaps.h"

struct channel;
struct daemon;
struct worker;

enum session_state {
	SESSION_NEW,
	SESSION_FORKED,
	SESSION_LIVE,
	SESSION_CLOSING,
	SESSION_DEAD,
	SESSION_NR_STATES
};

/** The forks of a session that have begun and not ended (fork.h). */
struct session_forks {
	unsigned int preparing;		/* forks between PREPARE and PARENT */
	unsigned int calls;		/* ioctls that work on this mm */
	struct co_queue over;		/* wait until no fork is prepared */
	struct co_queue idle;		/* wait until no call is under way */
	struct slot_ref parent;		/* session this one was forked from */
	unsigned int announced;		/* of those told by the kernel */
	uint64_t since_ns;		/* when this one was forked */
	bool unclaimed;			/* it has not said hello yet */
	bool child;			/* ... nor opened a device */
	bool broken;			/* it lacks entries: must not run on */
};

struct session {
	struct uhmm_list link;		/* in daemon.sessions */
	struct daemon *d;
	struct worker *w;
	struct slot_ref ref;		/* in daemon.session_table */
	uint64_t secret;		/* with ref: the token */
	enum session_state state;
	unsigned int refs;
	unsigned int outside;		/* in a system call without the lock */
	bool watched;			/* a job looks whether it is gone */
	uint32_t pid;			/* as the program sees it */
	uint32_t hello_flags;		/* enum uhmm_hello_flags */
	struct uhmm_range own;		/* the library's memory in there */
	struct uhmm_engine_fds fds;	/* -1: not there */
	uint64_t uffd_features;
	union uhmm_ev uffd_ev;
	union uhmm_ev pidfd_ev;
	struct uhmm_engine *engine;
	struct uhmm_mm *mm;
	struct uhmm_list channels;	/* of channel.link */
	struct channel *agent;		/* one of them, or NULL */
	struct co_queue agent_came;
	struct zaps zaps;		/* removals we asked for */
	struct zaps frees;		/* removals that drop nothing */
	struct uhmm_trapset protecting;	/* an mprotect of these is under way */
	struct session_forks forks;
	struct co_queue fences_changed;	/* wait until nobody changes one */
	bool tidying_fences;		/* a job is to tidy fences */
	unsigned int pauses;		/* > 0: its events are not read */
	struct co_queue resumed;	/* ... wait until they are */
	bool catching_up;		/* somebody waits for a calm moment */
	struct co_queue calmed;		/* ... and others, for that one */
	uint64_t calms;			/* such moments that were waited for */
	bool cleaning;			/* a job is to clean its window */
	uint64_t prefetch_npages;	/* 0: what is touched, no more */
	struct uhmm_list policies;	/* of policy.link */
	bool alone;			/* no policy any more ... */
	struct co_queue left;		/* ... wait until the last has ended */
	unsigned int dry;		/* drains in a row (fault.c) */
	uint64_t dry_ns;		/* when the last was */
};

#define session_dbg(s, fmt, ...)                                         \
	uhmm_dbg(UHMM_LOG_SESSION, "session=%u pid=%u " fmt, (s)->ref.slot, \
		 (s)->pid, ##__VA_ARGS__)

/** What a session is made of. */
struct session_parts {
	struct uhmm_engine_fds fds;	/* owned by the session on success */
	uint64_t uffd_features;
	uint32_t hello_flags;
	struct uhmm_range own;
	uint32_t pid;
};

/**
 * session_create() - a session at worker @w, the calling one; NEW
 * Return: 0; -ENOMEM; -EOPNOTSUPP no engine can work with these descriptors
 */
UHMM_CHECKED int session_create(struct worker *w,
				const struct session_parts *parts,
				struct session **out);

/** session_find() - the one @token names, not DEAD; or NULL */
struct session *session_find(struct daemon *d,
			     const struct uhmm_wire_token *token);

/** session_token() - its name for the program; whoever knows it may join */
struct uhmm_wire_token session_token(const struct session *s);

void session_get(struct session *s);
void session_put(struct session *s);

/** session_set_state() - the one mover; asserts that the move is allowed */
void session_set_state(struct session *s, enum session_state state);

/** session_is_open() - may it be worked for? (FORKED, LIVE) */
bool session_is_open(const struct session *s);

/** session_is_alive() - does the address space exist? One system call. */
bool session_is_alive(const struct session *s);

/** session_exited() - (EV_PIDFD) the process ended */
void session_exited(struct session *s);

/** session_has_channel() - @ch joined; session_lost_channel() - it hung up */
void session_has_channel(struct session *s, struct channel *ch);
void session_lost_channel(struct session *s, struct channel *ch);

/** session_fail() - no more of it: give back, then end; harmless when it ends
 *  already */
void session_fail(struct session *s);

/** session_gone() - its mm is: drop every page of it */
void session_gone(struct session *s);

/** session_watch() - look from time to time whether the mm is gone */
void session_watch(struct session *s);

/** sessions_reap() - free DEAD sessions that nobody holds any more */
void sessions_reap(struct daemon *d);

/** session_unlock(), session_lock() - drop the core's lock for a system call
 *  on the descriptors of @s, which stay open meanwhile */
void session_unlock(struct session *s);
void session_lock(struct session *s);

#endif
