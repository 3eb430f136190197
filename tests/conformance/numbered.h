/* SPDX-License-Identifier: MIT */
/* numbered.h - pages that say which they are
 *
 * Every word of a page follows from one number; of number 0 all are zero, as
 * memory is at first. For programs that keep a model of what is where.
 */
#ifndef UHMM_CONFORMANCE_NUMBERED_H
#define UHMM_CONFORMANCE_NUMBERED_H

#include "conf.h"

/** numbered_word() - word @i of a page of number @number */
static inline uint32_t numbered_word(uint32_t number, size_t i)
{
	return number ? number * 0x9e3779b1u + (uint32_t)i * 0x85ebca6bu : 0;
}

/** numbered_fill() - @page has number @number now */
static inline void numbered_fill(void *page, uint32_t number)
{
	uint32_t *w = page;

	for (size_t i = 0; i < page_bytes / sizeof(*w); i++)
		w[i] = numbered_word(number, i);
}

#endif
