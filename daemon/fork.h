/* SPDX-License-Identifier: MIT */
/* fork.h - a program forked: the child's session before it says hello
 *
 * Theory of operation. With UFFD_FEATURE_EVENT_FORK the kernel reports a fork
 * while the parent stands still in it, and hands over a userfaultfd of the
 * child. At once the child's mm gets the parent's entries (both map the device
 * pages read-only) and a session in state FORKED, which serves the child's
 * faults from its first instruction on: pages are given through that
 * descriptor, no other is needed. A fault may also say who touched the page
 * (UFFD_FEATURE_THREAD_ID); then we open the child's /proc files ourselves, if
 * we may, and need no hello at all (a child made by a raw clone).
 *
 * A child that says hello names its parent's session. Which of the parent's
 * unclaimed children it is cannot be told from the order of events: threads
 * fork at the same time, children come in any order, raw forks come in
 * between. So it is asked of the kernel: we flip the write protection of a
 * page through the candidate's userfaultfd and look whether the page flips in
 * the pagemap that the child handed over. If it does they are one mm, and the
 * child gets that session; its own, fresh userfaultfd is closed. The numbers
 * of forks in PREPARE, PARENT and hello are not needed for that.
 * A candidate with nothing trapped has nothing to serve and is left to die.
 *
 * Without EVENT_FORK (it needs a privilege) the child's copy of a trapped
 * mapping is untrapped and its holes read zero. So between PREPARE and PARENT
 * there are none: PREPARE waits until no call works on the mm, brings every
 * page back and holds back calls that come; PARENT, or the end of that
 * thread's channel, lets them go on. Semantics differ from the kernel's in
 * that device pages are not shared by fork, only their data is.
 */
#ifndef UHMMD_FORK_H
#define UHMMD_FORK_H

#include <stdint.h>

#include <uhmm/types.h>

#include "slots.h"

struct channel;
struct daemon;
struct request;
struct session;
struct session_parts;
struct uhmm_msg_hello;

/** fork_seen() - event: @parent forked, @uffd is the child's; owned by us */
void fork_seen(struct session *parent, int uffd);

/** fork_look() - (now and then) is a child late that should have said hello? */
void fork_look(struct session *s);

/** fork_is_bare() - a child we know nothing of but its userfaultfd? */
bool fork_is_bare(const struct session *s);

/** fork_bare_fault() - (yields) serve a fault of such a child
 *  @tid: who touched the page, or 0.  Return: 0; -ESRCH */
UHMM_CHECKED int fork_bare_fault(struct session *s, uhmm_vpn_t vpn, bool write,
				 uint32_t tid);

/** fork_claim() - (yields) the session that the fork made for who says @m;
 *  then @parts are used up. NULL: there is none */
struct session *fork_claim(struct daemon *d, const struct uhmm_msg_hello *m,
			   const struct session_parts *parts);

/** fork_opened() - (yields) the program of @s opens a device: from now on it is
 *  asked what it shares with whom it was forked from */
void fork_opened(struct session *s);

/** fork_request() - (yields) handler: PREPARE and PARENT */
int fork_request(struct request *rq);

/**
 * fork_begin_call() - (yields) a call works on the mm of session @owner from
 * now on; waits while that forks
 * Return: what fork_end_call() wants; NULL the owner is gone, which is fine
 */
struct session *fork_begin_call(struct daemon *d, struct slot_ref owner);
void fork_end_call(struct session *s);

/**
 * fork_hold() - (yields) no call works on the mm of the session of @ch when
 * this returns, nor until fork_release(), or until @ch closes
 */
void fork_hold(struct channel *ch);
void fork_release(struct channel *ch);

/** fork_channel_closed() - a fork that @ch prepared is over */
void fork_channel_closed(struct channel *ch);

/** fork_process_of() - the process that thread @tid is of; 0 not known */
uint32_t fork_process_of(uint32_t tid);

#endif
