/* SPDX-License-Identifier: MIT */
/* errand.h - requests of a program that has no descriptor left
 *
 * Theory of operation. A request travels on a channel, and that is a descriptor
 * of the program's. When it has none left and no channel is open, a thread with
 * an empty table of its own (thread.h) opens one there and asks in the caller's
 * place, hands included; the caller waits. What is not told in time is lost: the
 * child of a fork that was not announced reads zeros where device pages were.
 *
 * The thread stays, and keeps its channel: a fork that was announced on it is
 * over, to the daemon, when it is closed. One request at a time.
 *
 * A limit below 5 leaves no room even in an empty table.
 */
#ifndef UHMM_PRELOAD_ERRAND_H
#define UHMM_PRELOAD_ERRAND_H

#include "channel.h"

/**
 * uhmm_errand_run() - @msg to the daemon in session @ref, and its reply
 * Signals are blocked. The reply has no descriptor.
 * Return: as uhmm_request(); -EMFILE: it cannot be done this way either
 */
UHMM_CHECKED int uhmm_errand_run(const struct uhmm_session_ref *ref,
				 struct uhmm_wire_msg *msg);

/** uhmm_errand_keep_out() - a filter may forbid that the thread be started */
void uhmm_errand_keep_out(void);

/** uhmm_errand_end() - the session is over: no thread, when this returns */
void uhmm_errand_end(void);

/** uhmm_errand_runs() - is the thread there? */
bool uhmm_errand_runs(void);

/** uhmm_errand_is() - is @tid it? */
bool uhmm_errand_is(long tid);

/** uhmm_errand_forget() - in a new process, which has no such thread */
void uhmm_errand_forget(void);

#endif
