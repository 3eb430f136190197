/* SPDX-License-Identifier: MIT */
/* session.h - what binds this process' memory to the daemon
 *
 * Theory of operation. There is at most one session in a process. It is made
 * when it is first needed, by whichever thread comes first; the others wait.
 *
 *   NONE -> ATTACHING -> READY      READY -> NONE   the daemon was gone, all is
 *        <-------------                             ordinary memory again
 *
 * A new process (fork, raw clone) must not use its parent's: a page of ours is
 * wiped by the kernel in every child that has its own memory, and each entry
 * looks at it. A vfork child has the parent's memory and so rightly the
 * parent's session.
 */
#ifndef UHMM_PRELOAD_SESSION_H
#define UHMM_PRELOAD_SESSION_H

#include "channel.h"

/**
 * uhmm_session_need() - the session, made now if there is none
 * Signals must be blocked.
 * Return: 0 and *@ref; -ENODEV no daemon, or no way to have one here; -EMFILE,
 * -ENFILE, -ENOMEM
 */
UHMM_CHECKED int uhmm_session_need(struct uhmm_session_ref *ref);

/** uhmm_session_have() - the session, if there is one. 0 or -ENODEV */
UHMM_CHECKED int uhmm_session_have(struct uhmm_session_ref *ref);

/** uhmm_session_notice() - find out whether this is a new process */
void uhmm_session_notice(void);

/** uhmm_session_exists() - is there one, as far as a glance tells? */
bool uhmm_session_exists(void);

/** uhmm_session_note_uffd() - the program uses a userfaultfd of its own: the
 *  daemon is to be told when the session begins */
void uhmm_session_note_uffd(void);

/** uhmm_session_leave() - end it in good order: all pages come back first, and
 *  the agent has ended. Other threads may make a new one. */
void uhmm_session_leave(void);

/** uhmm_session_owns() - is @fd a descriptor of ours? */
bool uhmm_session_owns(int fd);

/**
 * uhmm_session_forked() - in the child: drop the parent's session
 * @fork_id: number of the fork that was announced; 0 none
 * The next attach names the parent.
 */
void uhmm_session_forked(uint64_t fork_id);

#endif
