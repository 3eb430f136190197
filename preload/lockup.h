/* SPDX-License-Identifier: MIT */
/* lockup.h - a program that limits the system calls it may make (seccomp)
 *
 * Theory of operation. Who may not speak to the daemon any more must not try:
 * filters kill. So before a filter is set it is asked what it says of the calls
 * that we make. Permits it those, nothing changes. Else
 *
 *   all threads are locked up, or there is one only: the session ends in good
 *   order, before; the program has all it had, and goes on without a device
 *
 *   one of several is: where pages are trapped by their protection all come
 *   back, since a touch would have to ask; then this thread tries no more. The
 *   device is there for the others, and their pages come to it as before.
 *
 * A thread that is started by one of these is not known to be locked up.
 */
#ifndef UHMM_PRELOAD_LOCKUP_H
#define UHMM_PRELOAD_LOCKUP_H

#include <linux/filter.h>

#include "preload.h"

/** What a filter changes for us. */
enum uhmm_lockup {
	UHMM_LOCKUP_NOTHING,
	UHMM_LOCKUP_THREAD,
	UHMM_LOCKUP_ALL,
};

/** uhmm_lockup_permits() - does @filter permit what we do? Calls without
 *  arguments are asked about. What no kernel would take permits all. */
bool uhmm_lockup_permits(const struct sock_fprog *filter);

/**
 * uhmm_lockup_begin() - a filter is about to be set; uhmm_lockup_end() follows
 * @mode:   SECCOMP_MODE_*
 * @filter: address of a sock_fprog, of SECCOMP_MODE_FILTER; or of nothing
 * @all:    for all threads
 */
enum uhmm_lockup uhmm_lockup_begin(unsigned long mode, unsigned long filter,
				   bool all);

/** uhmm_lockup_begin_call() - the same for what seccomp(2) was given */
enum uhmm_lockup uhmm_lockup_begin_call(const long arg[3]);

/** uhmm_lockup_end() - it was set, or (@set) not */
void uhmm_lockup_end(enum uhmm_lockup what, bool set);

#endif
