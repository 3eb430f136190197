/* SPDX-License-Identifier: MIT */
/* compare.h - is an answer the recorded one? */
#ifndef UHMM_CLI_REPLAY_COMPARE_H
#define UHMM_CLI_REPLAY_COMPARE_H

#include <stdbool.h>

/**
 * replay_is_same() - compare word by word
 * @ignore: keys (what is before =) that do not matter, joined by commas; or
 *          NULL
 *
 * How many blanks are between words does not matter.
 */
bool replay_is_same(const char *want, const char *got, const char *ignore);

#endif
