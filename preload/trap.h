/* SPDX-License-Identifier: MIT */
/* trap.h - pages that their protection guards: SIGSEGV is ours first
 *
 * Theory of operation. The daemon has hands take the protection of pages away
 * that no userfaultfd can trap. Before the first time the trap is set: our
 * handler is installed, in front of the program's, and from then on a thread
 * that meets such a page asks the daemon, waits, and goes on. Any other fault is
 * the program's: its handler is called as the kernel would have called it, or
 * it dies as it would have died. What the program sets and asks goes to what it
 * thinks is set (sigaction.h, sigmask.h).
 *
 *   OFF -> SETTING -> ON     for good; a child made by fork has it, too
 *
 * Calls that the trap changes the meaning of (signals, mappings) say so while
 * they do it the plain way, and the trap waits for them.
 *
 * A program that no device page of that kind was ever asked of notices nothing.
 */
#ifndef UHMM_PRELOAD_TRAP_H
#define UHMM_PRELOAD_TRAP_H

#include "ksig.h"

/** uhmm_trap_set() - set it, if it is not; signals are blocked. No TLS. */
void uhmm_trap_set(void);

/** uhmm_trap_is_set() - as far as a glance tells; being set counts, too */
bool uhmm_trap_is_set(void);

/**
 * uhmm_trap_plain() - a call is to be done as if there were no trap
 * Return: true, and uhmm_trap_plain_end() must follow it; false: the trap is
 * set, and has been altogether
 */
bool uhmm_trap_plain(void);
void uhmm_trap_plain_end(void);

/** uhmm_trap_forked() - in a new process, alone */
void uhmm_trap_forked(void);

/** uhmm_trap_is_owner() - is this the process, not a vfork child in its
 *  memory? */
bool uhmm_trap_is_owner(void);

/** uhmm_trap_action() - replace what the program has set for SIGSEGV, masks as
 *  the kernel may have them. @act: NULL no change.  @old: what it was */
void uhmm_trap_action(const struct uhmm_ksig *act, struct uhmm_ksig *old);

/** uhmm_trap_unblocked() - this thread has SIGSEGV unblocked: one that was sent
 *  meanwhile comes now */
void uhmm_trap_unblocked(void);

/** uhmm_trap_pending() - was one sent? */
bool uhmm_trap_pending(void);

#endif
