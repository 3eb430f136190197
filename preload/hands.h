/* SPDX-License-Identifier: MIT */
/* hands.h - do to this program's memory what the daemon asks for
 *
 * The daemon decides; some things only the program itself may do. No TLS here:
 * the agent runs it.
 */
#ifndef UHMM_PRELOAD_HANDS_H
#define UHMM_PRELOAD_HANDS_H

#include "preload.h"

/**
 * uhmm_hands_serve() - do what @msg, a hands request from @sock, says; answer
 * @uffd: to move pages with; -1: this thread cannot
 * Return: 0 answered, whatever the outcome; -errno the socket is of no use
 */
UHMM_CHECKED int uhmm_hands_serve(int sock, int uffd,
				  struct uhmm_wire_msg *msg);

/** uhmm_hands_is_window() - is [@start, @end) part of what we reserved for the
 *  daemon? It is not the program's. */
bool uhmm_hands_is_window(uint64_t start, uint64_t end);

/** uhmm_hands_forget() - a child of fork does not have it */
void uhmm_hands_forget(void);

#endif
