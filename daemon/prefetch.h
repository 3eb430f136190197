/* SPDX-License-Identifier: MIT */
/* prefetch.h - more pages come home than the CPU has touched
 *
 * A fault costs what a wake-up of another process costs, whatever comes back. So
 * with --policy prefetch=N the pages around a touched one come back before it,
 * those of the same device among N that begin where N divides the address. The
 * device loses pages that nobody asked for; which is better only who runs the
 * program can know. Exclusive pages are left alone.
 *
 * Locks:  the core's.
 */
#ifndef UHMMD_PREFETCH_H
#define UHMMD_PREFETCH_H

#include <uhmm/types.h>

struct session;

/** prefetch_around() - (yields) a CPU of @s touched @vpn, which comes next */
void prefetch_around(struct session *s, uhmm_vpn_t vpn);

#endif
