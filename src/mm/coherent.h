/* SPDX-License-Identifier: MIT */
/* coherent.h - pages of a device whose memory the CPU can reach
 *
 * Theory of operation. A page of a coherent device is present and used like any
 * other; what changes with a migration is whose page it is. Nothing a daemon
 * could do moves bytes to another memory behind the CPU's back, so they stay
 * where the program maps them, and an entry (DEVICE_COHERENT) says whose they
 * are. Its device page number is a place in the device's capacity, with room
 * for the bytes only while one has the page for itself (uhmm/exclusive.h).
 * What may be done with the page is what the CPU's page table says. Its mapping
 * is trapped as long as there are entries, so that what the program does to it
 * is told; pages that a fork shares are write-protected (uhmm/share.h), so that the
 * write that makes a copy is told, too: the copy is a system page.
 * Kernel: MEMORY_DEVICE_COHERENT.
 */
#ifndef UHMM_MM_COHERENT_H
#define UHMM_MM_COHERENT_H

#include "mm/mm.h"

/**
 * uhmm_coherent_break() - the pages of @r are about to be written by @mm: of
 * those that a fork shares it gets copies, which are no device's
 * Kernel: wp_page_copy().
 */
void uhmm_coherent_break(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_coherent_take() - (yields) coherent pages of @r, each of which @mm alone
 * has, leave the CPU and are device-exclusive then; those that cannot be taken
 * now stay what they are
 * @r: in one mapping
 * Return: 0, look at the entries; -ENOMEM; -ESRCH
 */
UHMM_CHECKED int uhmm_coherent_take(struct uhmm_mm *mm, struct uhmm_range r);

/**
 * uhmm_coherent_leave() - pages of @r become ordinary ones where they are: a
 * fork comes that shares them with somebody we cannot follow
 */
void uhmm_coherent_leave(struct uhmm_mm *mm, struct uhmm_range r);

#endif
