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
 * @uffd: the agent's, to move pages with; -1: this thread is another
 * Return: 0 answered, whatever the outcome; -errno the socket is of no use
 */
UHMM_CHECKED int uhmm_hands_serve(int sock, int uffd,
				  struct uhmm_wire_msg *msg);

#endif
