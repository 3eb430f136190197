/* SPDX-License-Identifier: MIT */
/* words.h - the words of a trace: numbers, addresses, and what has a name
 *
 * Every function returns whether the word is one; only then *out is set.
 */
#ifndef UHMM_CLI_REPLAY_WORDS_H
#define UHMM_CLI_REPLAY_WORDS_H

#include "op.h"

/** replay_word_number() - decimal, 0x hexadecimal, 0 octal; 64 bits */
bool replay_word_number(const char *word, uint64_t *out);

/** replay_word_region() - "rK", or "abs" for address 0 */
bool replay_word_region(const char *word, uint64_t base, uint64_t *out);

/** replay_word_prot() - "none", or letters of rwx */
bool replay_word_prot(const char *word, int *out);

/** replay_word_advice() - of madvise, without MADV_ */
bool replay_word_advice(const char *word, int *out);

/** replay_word_kind() - "anon", ...; "fd:NAME[:s]" too, cut behind NAME,
 *  which *@fd then points at */
bool replay_word_kind(char *word, enum replay_kind *out, const char **fd);

bool replay_word_fdop(const char *word, enum replay_fdop *out);
bool replay_word_cmd(const char *word, enum replay_cmd_at *out);

/** replay_word_ptr() - *@addr is set for one in a region, "rK:PAGE" */
bool replay_word_ptr(char *word, uint64_t base, enum replay_ptr_at *out,
		     uint64_t *addr);

#endif
