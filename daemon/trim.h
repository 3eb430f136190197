/* SPDX-License-Identifier: MIT */
/* trim.h - memory of exclusive pages goes back to the system
 *
 * A device has the memory that it has. Exclusive pages are the program's, and
 * the room for them is for all programs together: what is not used any more is
 * given back, when it is so much that it pays.
 */
#ifndef UHMMD_TRIM_H
#define UHMMD_TRIM_H

struct worker;

/** trim_look() - is it time? Then a job of @w does it. Costs next to nothing. */
void trim_look(struct worker *w);

#endif
