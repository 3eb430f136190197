/* SPDX-License-Identifier: MIT */
/* trap.h - signals of a player: faults it expects, faults it does not, time
 *
 * State is per process, because that is what a signal finds.
 */
#ifndef UHMM_CLI_REPLAY_TRAP_H
#define UHMM_CLI_REPLAY_TRAP_H

/** How an access went; also the values of acc= in answers. */
enum replay_access { REPLAY_ACCESS_OK, REPLAY_ACCESS_SEGV, REPLAY_ACCESS_BUS };

/**
 * replay_trap_init() - catch SIGSEGV, SIGBUS and SIGALRM from now on
 * @crashed:   called in the handler for a fault nobody expects
 * @timed_out: called in the handler for SIGALRM
 *
 * Neither of them may return.
 */
void replay_trap_init(void (*crashed)(void), void (*timed_out)(void));

/**
 * replay_trap_try() - call @access, survive a fault in it
 *
 * What @access has in local variables is lost when it faults.
 */
enum replay_access replay_trap_try(void (*access)(void *arg), void *arg);

#endif
