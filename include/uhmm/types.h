/* SPDX-License-Identifier: MIT */
/* types.h - the value types that everything else is written in
 *
 * A page number of a program and a page number of a device are different
 * things and must not mix: both are one-member structs, so the compiler
 * refuses the wrong one.
 *
 * Units:  "page" is always the base page of the machine. Ranges are half-open.
 */
#ifndef UHMM_TYPES_H
#define UHMM_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/** Callers must look at the result. */
#define UHMM_CHECKED __attribute__((warn_unused_result))

/** Around declarations that libuhmm exports, and uhmmd to the drivers that it
 *  loads; everything else is hidden. */
#define UHMM_EXPORTS_BEGIN _Pragma("GCC visibility push(default)")
#define UHMM_EXPORTS_END _Pragma("GCC visibility pop")

/** Virtual page number: address / page size, in some program's mm. */
typedef struct {
	uint64_t val;
} uhmm_vpn_t;

/** Page numbers of a program are below 2 to this. */
#define UHMM_VPN_BITS 45

/**
 * Device page number: a number in the device private address space, which has
 * nothing to do with physical addresses. 0 is never a page.
 */
typedef struct {
	uint64_t val;
} uhmm_dpfn_t;

/** Pages of a PMD-sized unit, and the order a device's pages are asked for with
 *  to get one. Ranges of devices begin at a multiple of it. */
#define UHMM_UNIT_ORDER 9
#define UHMM_UNIT_NPAGES (UINT64_C(1) << UHMM_UNIT_ORDER)

/** Pages [start, end) of an mm. Empty when start == end. */
struct uhmm_range {
	uhmm_vpn_t start;
	uhmm_vpn_t end;
};

#define UHMM_VPN(v) ((uhmm_vpn_t){ .val = (v) })
#define UHMM_DPFN(v) ((uhmm_dpfn_t){ .val = (v) })

/** uhmm_range_of() - the @npages pages from @start on */
static inline struct uhmm_range uhmm_range_of(uhmm_vpn_t start,
					      uint64_t npages)
{
	return (struct uhmm_range){ start, UHMM_VPN(start.val + npages) };
}

/** uhmm_range_all() - every page number there can be */
static inline struct uhmm_range uhmm_range_all(void)
{
	return uhmm_range_of(UHMM_VPN(0), UINT64_C(1) << UHMM_VPN_BITS);
}

/** uhmm_range_npages() - length of @r in pages */
static inline uint64_t uhmm_range_npages(struct uhmm_range r)
{
	return r.end.val - r.start.val;
}

/** uhmm_range_has() - is @vpn in @r? */
static inline bool uhmm_range_has(struct uhmm_range r, uhmm_vpn_t vpn)
{
	return vpn.val >= r.start.val && vpn.val < r.end.val;
}

/** uhmm_range_overlaps() - do @a and @b share a page? */
static inline bool uhmm_range_overlaps(struct uhmm_range a,
				       struct uhmm_range b)
{
	return a.start.val < b.end.val && b.start.val < a.end.val;
}

/** uhmm_range_clip() - what of @r lies in @by; empty when nothing does */
static inline struct uhmm_range uhmm_range_clip(struct uhmm_range r,
						struct uhmm_range by)
{
	if (r.start.val < by.start.val)
		r.start = by.start;
	if (r.end.val > by.end.val)
		r.end = by.end;
	if (r.end.val < r.start.val)
		r.end = r.start;
	return r;
}

#endif
