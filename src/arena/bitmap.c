/* SPDX-License-Identifier: MIT */
/* bitmap.c - set, clear, and the two searches, which are one */
#include "arena/bitmap.h"

#include <assert.h>
#include <stddef.h>

#define ALL_ONES UINT64_MAX

static uint64_t *word_at(const unsigned char *base, uint64_t offset,
			 uint64_t index)
{
	return (uint64_t *)(uintptr_t)(base + offset) + index;
}

uint64_t uhmm_bitmap_layout(struct uhmm_bitmap *b, uint64_t nbits,
			    uint64_t at)
{
	uint64_t nwords[UHMM_BITMAP_MAX_LEVELS];
	uint64_t n = nbits;

	assert(nbits > 0 && nbits <= UHMM_BITMAP_MAX_BITS && at % 64 == 0);
	*b = (struct uhmm_bitmap){ .nbits = nbits };
	do {
		n = (n + 63) / 64;
		nwords[b->nlevels++] = n;
	} while (n > 1);

	for (size_t k = b->nlevels - 1; k > 0; k--) {
		b->any[k] = at;
		at += nwords[k] * 8;
		b->full[k] = at;
		at += nwords[k] * 8;
	}
	/* a group of 512 bits is one cache line */
	at = (at + 63) & ~UINT64_C(63);
	b->any[0] = at;
	b->full[0] = at;
	return (at + nwords[0] * 8 + 63) & ~UINT64_C(63);
}

/* One store, in the order written here: see the head of bitmap.h. */
static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static uint64_t mask_of(uint64_t bit)
{
	return UINT64_C(1) << (bit % 64);
}

/*
 * How many levels of the pyramid @level change with the word of @bit: up to
 * the first word that is not @plain yet, that one included. A word that is
 * not, has told those above already.
 */
static size_t levels_up(const unsigned char *base,
			const struct uhmm_bitmap *b, const uint64_t *level,
			uint64_t bit, uint64_t plain)
{
	size_t k = 0;

	while (k + 1 < b->nlevels &&
	       *word_at(base, level[k], bit / 64) == plain) {
		bit /= 64;
		k++;
	}
	return k;
}

/* The word of @bit, all zero so far, is about to be something: top down. */
static void raise_any(unsigned char *base, const struct uhmm_bitmap *b,
		      uint64_t bit)
{
	for (size_t k = levels_up(base, b, b->any, bit, 0); k > 0; k--) {
		uint64_t at = bit >> (6 * k);
		uint64_t *word = word_at(base, b->any[k], at / 64);

		store(word, *word | mask_of(at));
	}
}

/* The word of @bit, all ones so far, is about to be less: top down. */
static void lower_full(unsigned char *base, const struct uhmm_bitmap *b,
		       uint64_t bit)
{
	for (size_t k = levels_up(base, b, b->full, bit, ALL_ONES); k > 0;
	     k--) {
		uint64_t at = bit >> (6 * k);
		uint64_t *word = word_at(base, b->full[k], at / 64);

		store(word, *word & ~mask_of(at));
	}
}

/* The word of @bit is all ones now: bottom up, while that fills words. */
static void raise_full(unsigned char *base, const struct uhmm_bitmap *b,
		       uint64_t bit)
{
	for (size_t k = 1; k < b->nlevels; k++) {
		uint64_t *word = word_at(base, b->full[k], (bit /= 64) / 64);

		store(word, *word | mask_of(bit));
		if (*word != ALL_ONES)
			return;
	}
}

/* The word of @bit is all zero now: bottom up, while that empties words. */
static void lower_any(unsigned char *base, const struct uhmm_bitmap *b,
		      uint64_t bit)
{
	for (size_t k = 1; k < b->nlevels; k++) {
		uint64_t *word = word_at(base, b->any[k], (bit /= 64) / 64);

		store(word, *word & ~mask_of(bit));
		if (*word)
			return;
	}
}

void uhmm_bitmap_set(unsigned char *base, const struct uhmm_bitmap *b,
		     uint64_t bit)
{
	uint64_t *word = word_at(base, b->any[0], bit / 64);

	assert(bit < b->nbits);
	if (!*word)
		raise_any(base, b, bit);
	store(word, *word | mask_of(bit));
	if (*word == ALL_ONES)
		raise_full(base, b, bit);
}

void uhmm_bitmap_clear(unsigned char *base, const struct uhmm_bitmap *b,
		       uint64_t bit)
{
	uint64_t *word = word_at(base, b->any[0], bit / 64);

	assert(bit < b->nbits);
	if (!(*word & mask_of(bit)))
		return;
	if (*word == ALL_ONES)
		lower_full(base, b, bit);
	store(word, *word & ~mask_of(bit));
	if (!*word)
		lower_any(base, b, bit);
}

/*
 * The first bit from *@bit on whose word, read through @flip (0, or all ones
 * to look for clear bits), is set. Climb until a word has one, then follow
 * the first one down. Words below a summary that says no are never read.
 */
static bool search(const unsigned char *base, const struct uhmm_bitmap *b,
		   const uint64_t *level, uint64_t flip, uint64_t *bit,
		   uint64_t end)
{
	uint64_t pos = *bit, word;
	size_t k = 0;

	if (end > b->nbits)
		end = b->nbits;
	while (pos << (6 * k) < end) {
		word = (*word_at(base, level[k], pos / 64) ^ flip) &
		       ALL_ONES << (pos % 64);
		if (!word) {
			pos = pos / 64 + 1;
			if (++k == b->nlevels)
				return false;
			continue;
		}
		pos = pos / 64 * 64 + (uint64_t)__builtin_ctzll(word);
		if (k == 0)
			break;
		/* one level down: the first bit of the word just chosen */
		pos *= 64;
		k--;
	}
	if (k > 0 || pos >= end)
		return false;
	*bit = pos;
	return true;
}

bool uhmm_bitmap_next_set(const unsigned char *base,
			  const struct uhmm_bitmap *b, uint64_t *bit,
			  uint64_t end)
{
	return search(base, b, b->any, 0, bit, end);
}

bool uhmm_bitmap_next_clear(const unsigned char *base,
			    const struct uhmm_bitmap *b, uint64_t *bit,
			    uint64_t end)
{
	return search(base, b, b->full, ALL_ONES, bit, end);
}

void uhmm_bitmap_mend(unsigned char *base, const struct uhmm_bitmap *b,
		      uint64_t bit)
{
	for (size_t k = 1; k < b->nlevels; k++) {
		uint64_t *any, *full, mask;

		bit /= 64;
		mask = mask_of(bit);
		any = word_at(base, b->any[k], bit / 64);
		full = word_at(base, b->full[k], bit / 64);
		*any &= ~mask;
		*full &= ~mask;
		if (*word_at(base, b->any[k - 1], bit))
			*any |= mask;
		if (*word_at(base, b->full[k - 1], bit) == ALL_ONES)
			*full |= mask;
	}
}

bool uhmm_bitmap_is_sound(const unsigned char *base,
			  const struct uhmm_bitmap *b, uint64_t bit)
{
	for (size_t k = 1; k < b->nlevels; k++) {
		uint64_t any, full;

		bit /= 64;
		any = *word_at(base, b->any[k - 1], bit);
		full = *word_at(base, b->full[k - 1], bit);
		if ((*word_at(base, b->any[k], bit / 64) >> (bit % 64) & 1) !=
		    (any != 0))
			return false;
		if ((*word_at(base, b->full[k], bit / 64) >> (bit % 64) & 1) !=
		    (full == ALL_ONES))
			return false;
	}
	return true;
}
