/* SPDX-License-Identifier: MIT */
/* ranges.h - memory in the states that a VM operation may meet
 *
 * A range is NPAGES pages of private memory, filled by probe_fill() with SEED,
 * in one of the states below. Its data is known, whatever the state.
 */
#ifndef UHMM_CONFORMANCE_RANGES_H
#define UHMM_CONFORMANCE_RANGES_H

#include "conf.h"

#define RANGE_NPAGES 16
#define RANGE_SEED 21u

enum range_state {
	RANGE_ON_DEVICE,	/* every page */
	RANGE_EXCLUSIVE,	/* every page, for device 0 */
	RANGE_MIXED,		/* device 0, device 1, memory, exclusive, ... */
	RANGE_STATES
};

/** Descriptors of devices 0 and 1, opened by range_set_up(). */
extern int dev0, dev1;

/** range_set_up() - of every case: open the devices */
void range_set_up(void);

/** range_make() - a new range in @state */
unsigned char *range_make(enum range_state state);

/** range_put() - a range of the caller's, filled already, into @state */
void range_put(unsigned char *p, size_t npages, enum range_state state);

/** range_away() - pages of @p that the CPU has not: on a device, exclusive */
size_t range_away(const unsigned char *p, size_t npages);

/** range_each() - @test with a new range, once for each state; what it leaves
 *  of the range is unmapped */
void range_each(void (*test)(unsigned char *p, enum range_state state));

/** range_is() - the pages [@first, +@npages) of the range are at @p */
void range_is(const unsigned char *p, size_t first, size_t npages,
	      const char *when);

/** range_readable() - the device reads there what the CPU should find */
void range_readable(const unsigned char *p, size_t first, size_t npages);

/** range_at() - page @i of what begins at @p */
static inline unsigned char *range_at(unsigned char *p, size_t i)
{
	return p + i * page_bytes;
}

#endif
