/* SPDX-License-Identifier: MIT */
/* agent.h - a thread that lends the program's hands when nobody waits
 *
 * Theory of operation. A raw clone(), not pthread_create(): no malloc, libc
 * does not count it (a program whose last pthread ends still ends), and
 * setuid() broadcasts do not look for it. It shares the memory but has its own
 * table of descriptors with two in it, its channel and a duplicate of the
 * userfaultfd: a program that closes all descriptors, by whatever means, cannot
 * take the userfaultfd away and so turn pages that are on the device into
 * zeros.
 *
 * It ends when the daemon is gone and the memory is safe (orphan.h), or with
 * the program.
 */
#ifndef UHMM_PRELOAD_AGENT_H
#define UHMM_PRELOAD_AGENT_H

#include "preload.h"

enum uhmm_agent_state {
	UHMM_AGENT_NONE = 0,	/* never started in this process */
	UHMM_AGENT_RUNNING,	/* the daemon is there */
	UHMM_AGENT_ORPHANED,	/* it is gone, memory is being made safe */
	UHMM_AGENT_WATCHING,	/* the same, one fault at a time, for ever */
	UHMM_AGENT_FINISHED,	/* it is gone, memory is ordinary again */
};

/**
 * uhmm_agent_start() - start it for the session @token
 * @uffd: userfaultfd; duplicated
 * Return: 0; -errno: not started
 */
UHMM_CHECKED int uhmm_agent_start(struct uhmm_wire_token token, int uffd);

enum uhmm_agent_state uhmm_agent_state(void);

/**
 * uhmm_agent_wait_orphaned() - the daemon is gone: wait until memory is safe
 * The agent will notice in a moment; when it does not within a second (the
 * daemon is there, it dropped one channel only), so be it.
 */
void uhmm_agent_wait_orphaned(void);

/** uhmm_agent_wait_end() - until it has ended, if it will */
void uhmm_agent_wait_end(void);

/** uhmm_agent_owns() - is @fd its channel, on the way to it? */
bool uhmm_agent_owns(int fd);

/** uhmm_agent_is() - is @tid it? */
bool uhmm_agent_is(long tid);

/** uhmm_agent_forget() - in a new process, which has no agent */
void uhmm_agent_forget(void);

#endif
