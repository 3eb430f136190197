/* SPDX-License-Identifier: MIT */
/* fence.h - pages that the kernel guards more than the program asked for
 *
 * Theory of operation. Where no userfaultfd can trap a page, its mapping's
 * protection does: no access while the page is away, no writing where a write
 * must be told of. Such a range is a fence: it remembers what the program set,
 * which is what every permission check goes by, and what is withheld of it in
 * the kernel. The set is sorted, fences do not overlap, and those that touch
 * and say the same are one.
 *
 * Units:  pages; protections are PROT_READ | PROT_WRITE | PROT_EXEC.
 * Errors: room is reserved first, so that a change cannot fail half-way.
 */
#ifndef UHMM_SYS_FENCE_H
#define UHMM_SYS_FENCE_H

#include <sys/mman.h>

#include <uhmm/types.h>

/** struct uhmm_fence - one range and its two protections */
struct uhmm_fence {
	struct uhmm_range range;
	uint8_t prot;	/* as the program set it */
	uint8_t less;	/* what of it the kernel does not allow */
};

/** A fence that withholds everything: there may be no page behind it. */
#define UHMM_FENCE_ALL 7

/** uhmm_fence_now() - the protection that the kernel has. What may be written
 *  may be read, whatever the program asked for: so it stays. */
static inline uint8_t uhmm_fence_now(const struct uhmm_fence *f)
{
	uint8_t now = f->prot & (uint8_t)~f->less;

	if ((f->prot & f->less & PROT_WRITE) && !(f->less & PROT_READ))
		now |= PROT_READ;
	return now;
}

/** struct uhmm_fences - all zero is the empty set */
struct uhmm_fences {
	struct uhmm_fence *fence;
	unsigned int n;
	unsigned int room;
};

/** uhmm_fences_fini() - free it; it is the empty set again */
void uhmm_fences_fini(struct uhmm_fences *set);

/** uhmm_fences_reserve() - room for one more set. 0; -ENOMEM */
UHMM_CHECKED int uhmm_fences_reserve(struct uhmm_fences *set);

/** uhmm_fences_set() - @f is so, whatever its range was; room is reserved */
void uhmm_fences_set(struct uhmm_fences *set, struct uhmm_fence f);

/** uhmm_fences_clear() - @r is no fence any more */
void uhmm_fences_clear(struct uhmm_fences *set, struct uhmm_range r);

/** uhmm_fences_next() - the first piece of @within that is a fence, clipped to
 *  it; false: there is none */
bool uhmm_fences_next(const struct uhmm_fences *set, struct uhmm_range within,
		      struct uhmm_fence *f);

/** uhmm_fences_at() - the fence that holds @vpn, all of it; false: none does */
bool uhmm_fences_at(const struct uhmm_fences *set, uhmm_vpn_t vpn,
		    struct uhmm_fence *f);

/** uhmm_fences_before() - the end of the last fence that ends at or before
 *  @vpn; page 0: there is none */
uhmm_vpn_t uhmm_fences_before(const struct uhmm_fences *set, uhmm_vpn_t vpn);

#endif
