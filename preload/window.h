/* SPDX-License-Identifier: MIT */
/* window.h - the part of this program's address space that the daemon keeps the
 * bytes of device pages in; the agent's hands on it
 *
 * Theory of operation. The window is PROT_NONE. For a move the agent opens the
 * part that is concerned, has the kernel move pages (UFFDIO_MOVE, which wants
 * the same protection on both sides) and closes it. A place that is taken by a
 * page nobody needs is swept first: its pages are moved to the bin, memory of
 * ours behind the window that is dropped at once. Not dropped in the window
 * itself: that would raise an event there, which nobody reads during a move.
 * The bin is registered with a userfaultfd of its own, without events, because
 * a target of UFFDIO_MOVE must be with one.
 *
 * To hand data of the device over costs least where the program copies it, so a
 * thread that waits for it may be asked to: then the part is open for reading.
 *
 * The agent alone calls these but for uhmm_window_copy(), and it has the
 * descriptors in a table of its own. No TLS here. Signals are blocked.
 */
#ifndef UHMM_PRELOAD_WINDOW_H
#define UHMM_PRELOAD_WINDOW_H

#include "preload.h"

/** uhmm_window_has() - is [@start, @end) part of the window or the bin? It is
 *  not the program's. */
bool uhmm_window_has(uint64_t start, uint64_t end);

/** uhmm_window_forget() - a child of fork does not have it */
void uhmm_window_forget(void);

/**
 * uhmm_window_reserve() - the window is at @r from now on, and no other is
 * Return: 0; -EEXIST something is there; -ENOMEM, also when the program limits
 * its address space; -errno
 */
UHMM_CHECKED long uhmm_window_reserve(const struct uhmm_wire_range *r);

/** uhmm_window_sweep() - drop what pages are in @r, which is in the window */
UHMM_CHECKED long uhmm_window_sweep(const struct uhmm_wire_range *r);

/**
 * uhmm_window_move() - do what @h, a MOVE, says, with @uffd
 * @reply: (out) what was done
 * Return: 0; -errno of the pair that failed
 */
UHMM_CHECKED long uhmm_window_move(int uffd, const struct uhmm_msg_hands *h,
				   struct uhmm_msg_hands_reply *reply);

/**
 * uhmm_window_copy() - the bytes of @from, in the window or not, to @to, which is
 * as long and is not; on any thread but the agent's
 * Return: bytes copied, fewer where one of them cannot be accessed
 */
uint64_t uhmm_window_copy(const struct uhmm_wire_range *from,
			  const struct uhmm_wire_range *to);

#endif
