/* SPDX-License-Identifier: MIT */
/* bitmap.h - large sparse bitmap with O(log64 n) search both ways
 *
 * Level 0 is the bits. Above it stand two pyramids of summaries, 64 to 1:
 *
 *   any[k]   bit i: word i of any[k - 1] is not zero     (finds set bits)
 *   full[k]  bit i: word i of full[k - 1] is all ones    (finds clear bits)
 *
 * any[0] and full[0] are both the bits. A summary follows from the level
 * below: the bits alone are the truth. Should the process die between two
 * stores, any[] says too much rather than too little, and full[] too little:
 * searches find every set bit, and never a clear one that is set. Upper levels
 * lie first in memory, so that the few words every search reads are on few
 * pages.
 *
 * Pure offsets from a base, for use in the store. Zeroed memory is an empty
 * bitmap, and words that stand for bits never set are never touched, except
 * the one a search starts at.
 */
#ifndef UHMM_ARENA_BITMAP_H
#define UHMM_ARENA_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define UHMM_BITMAP_MAX_LEVELS 6	/* 64^6 bits */
#define UHMM_BITMAP_MAX_BITS (UINT64_C(1) << 36)

/** Where a bitmap is. In the store; all offsets in bytes from its base. */
struct uhmm_bitmap {
	uint64_t nbits;
	uint64_t nlevels;
	uint64_t any[UHMM_BITMAP_MAX_LEVELS];
	uint64_t full[UHMM_BITMAP_MAX_LEVELS];
};

/**
 * uhmm_bitmap_layout() - place a bitmap of @nbits bits from offset @at on
 * @b:     (out)
 * @nbits: 1 .. UHMM_BITMAP_MAX_BITS
 * @at:    multiple of 64
 * Return: the first offset behind it
 */
uint64_t uhmm_bitmap_layout(struct uhmm_bitmap *b, uint64_t nbits,
			    uint64_t at);

/** uhmm_bitmap_test() - is @bit set? */
static inline bool uhmm_bitmap_test(const unsigned char *base,
				    const struct uhmm_bitmap *b, uint64_t bit)
{
	const uint64_t *words = (const uint64_t *)(base + b->any[0]);

	return words[bit / 64] >> (bit % 64) & 1;
}

/** uhmm_bitmap_set() - set @bit, which may be set already */
void uhmm_bitmap_set(unsigned char *base, const struct uhmm_bitmap *b,
		     uint64_t bit);

/** uhmm_bitmap_clear() - clear @bit, which may be clear already */
void uhmm_bitmap_clear(unsigned char *base, const struct uhmm_bitmap *b,
		       uint64_t bit);

/**
 * uhmm_bitmap_next_set() - the first set bit in [*@bit, @end)
 * Return: true with *@bit; false there is none, *@bit untouched
 */
bool uhmm_bitmap_next_set(const unsigned char *base,
			  const struct uhmm_bitmap *b, uint64_t *bit,
			  uint64_t end);

/** uhmm_bitmap_next_clear() - the first clear bit in [*@bit, @end) */
bool uhmm_bitmap_next_clear(const unsigned char *base,
			    const struct uhmm_bitmap *b, uint64_t *bit,
			    uint64_t end);

/**
 * uhmm_bitmap_mend() - make the summaries above @bit say what is below
 * Done for each bit that was ever touched, all summaries are right.
 */
void uhmm_bitmap_mend(unsigned char *base, const struct uhmm_bitmap *b,
		      uint64_t bit);

/**
 * uhmm_bitmap_is_sound() - do the summaries above @bit say what is below?
 * True for each bit that was ever touched: true for the bitmap.
 */
bool uhmm_bitmap_is_sound(const unsigned char *base,
			  const struct uhmm_bitmap *b, uint64_t bit);

#endif
