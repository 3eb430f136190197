/* SPDX-License-Identifier: MIT */
/* pattern.h - what traces write into pages, and how they say what they read
 *
 * Both are part of the trace format: a recorded answer holds a checksum, never
 * the data. All arithmetic is on unsigned 64-bit words and wraps.
 */
#ifndef UHMM_CLI_REPLAY_PATTERN_H
#define UHMM_CLI_REPLAY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_PAGE_BYTES 4096UL
#define REPLAY_PAGE_WORDS (REPLAY_PAGE_BYTES / sizeof(uint64_t))

/** replay_pattern_word() - word @i of the pattern of @seed */
uint64_t replay_pattern_word(uint64_t seed, uint64_t i);

/** replay_pattern_page() - page @page of the pattern of @seed, at @words */
void replay_pattern_page(volatile uint64_t *words, uint64_t seed,
			 uint64_t page);

/** replay_pattern_poke() - the one word that `poke` writes of page @page,
 *  where the page begins at @words */
void replay_pattern_poke(volatile uint64_t *words, uint64_t seed,
			 uint64_t page);

/**
 * struct replay_sum - a checksum under way
 * @hash:    so far
 * @nonzero: a word was not zero
 */
struct replay_sum {
	uint64_t hash;
	bool nonzero;
};

#define REPLAY_SUM_INIT \
	((struct replay_sum){ UINT64_C(1469598103934665603), false })
#define REPLAY_SUM_TEXT_BYTES 9

/** replay_sum_add() - take in @nwords words */
void replay_sum_add(struct replay_sum *sum, const volatile uint64_t *words,
		    size_t nwords);

/** replay_sum_text() - as answers have it: 8 hex digits, or "zero" */
void replay_sum_text(const struct replay_sum *sum,
		     char text[REPLAY_SUM_TEXT_BYTES]);

#endif
