/* SPDX-License-Identifier: MIT */
/* litter.h - what engine move leaves behind in a program is dropped in time
 *
 * Pages that were copied back stay in the program's window until its hands drop
 * them, and so do those of device pages that the program gave up. Both are
 * found by number, from time to time: when there are so many that it pays.
 */
#ifndef UHMMD_LITTER_H
#define UHMMD_LITTER_H

struct session;

/** litter_look() - is it time for the window of @s? Then a job does it. */
void litter_look(struct session *s);

#endif
