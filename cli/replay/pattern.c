/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t replay_pattern_word(uint64_t seed, uint64_t i)
{
	uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) +
		     (i + 1) * UINT64_C(0xd1342543de82ef95);

	z ^= z >> 29;
	z *= UINT64_C(0xbf58476d1ce4e5b9);
	return z ^ z >> 32;
}

void replay_pattern_page(volatile uint64_t *words, uint64_t seed, uint64_t page)
{
	for (uint64_t i = 0; i < REPLAY_PAGE_WORDS; i++)
		words[i] = replay_pattern_word(seed,
					       page * REPLAY_PAGE_WORDS + i);
}

void replay_pattern_poke(volatile uint64_t *words, uint64_t seed, uint64_t page)
{
	words[(seed * 7 + page) % REPLAY_PAGE_WORDS] =
		replay_pattern_word(seed, page);
}

void replay_sum_add(struct replay_sum *sum, const volatile uint64_t *words,
		    size_t nwords)
{
	struct replay_sum s = *sum;

	for (size_t i = 0; i < nwords; i++) {
		uint64_t word = words[i];

		s.nonzero |= word != 0;
		s.hash = (s.hash ^ word) * UINT64_C(0x100000001b3);
		s.hash ^= s.hash >> 31;
	}
	/* a fault on the way leaves it as it was: such a page does not count */
	*sum = s;
}

void replay_sum_text(const struct replay_sum *sum,
		     char text[REPLAY_SUM_TEXT_BYTES])
{
	uint32_t low = (uint32_t)(sum->hash ^ sum->hash >> 32);

	if (sum->nonzero)
		snprintf(text, REPLAY_SUM_TEXT_BYTES, "%08" PRIx32, low);
	else
		snprintf(text, REPLAY_SUM_TEXT_BYTES, "zero");
}
