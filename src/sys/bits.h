/* SPDX-License-Identifier: MIT */
/* bits.h - bits in words of memory, of which there are as many as needed */
#ifndef UHMM_SYS_BITS_H
#define UHMM_SYS_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define UHMM_BITS_WORD 64

/** uhmm_bits_words() - words that @nbits take */
static inline uint64_t uhmm_bits_words(uint64_t nbits)
{
	return (nbits + UHMM_BITS_WORD - 1) / UHMM_BITS_WORD;
}

/** uhmm_bits_test() - is bit @i set? */
static inline bool uhmm_bits_test(const uint64_t *bits, uint64_t i)
{
	return bits[i / UHMM_BITS_WORD] >> (i % UHMM_BITS_WORD) & 1;
}

static inline void uhmm_bits_set(uint64_t *bits, uint64_t i)
{
	bits[i / UHMM_BITS_WORD] |= UINT64_C(1) << (i % UHMM_BITS_WORD);
}

static inline void uhmm_bits_clear(uint64_t *bits, uint64_t i)
{
	bits[i / UHMM_BITS_WORD] &= ~(UINT64_C(1) << (i % UHMM_BITS_WORD));
}

/** uhmm_bits_next() - the first set bit from @i on below @n; @n: there is none */
static inline uint64_t uhmm_bits_next(const uint64_t *bits, uint64_t i,
				      uint64_t n)
{
	while (i < n) {
		uint64_t word = bits[i / UHMM_BITS_WORD] >>
				(i % UHMM_BITS_WORD);

		if (word) {
			i += (uint64_t)__builtin_ctzll(word);
			return i < n ? i : n;
		}
		i = (i / UHMM_BITS_WORD + 1) * UHMM_BITS_WORD;
	}
	return n;
}

#endif
