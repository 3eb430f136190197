/* SPDX-License-Identifier: MIT */
/* answer.h - the answer to one operation, word by word
 *
 * An answer that grows too long is cut; it then matches no recorded one.
 */
#ifndef UHMM_CLI_REPLAY_ANSWER_H
#define UHMM_CLI_REPLAY_ANSWER_H

#include <stddef.h>

#include "pattern.h"

#define REPLAY_ANSWER_BYTES 65536

struct replay_answer {
	size_t len;
	char text[REPLAY_ANSWER_BYTES];
};

/** replay_answer_reset() - to begin with, and for the next operation */
void replay_answer_reset(struct replay_answer *a);

/** replay_answer_word() - a word more, a blank before all but the first */
void replay_answer_word(struct replay_answer *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** replay_answer_ret() - "ret=N"; if @ret is negative, by the name of errno */
void replay_answer_ret(struct replay_answer *a, long ret);

/** replay_answer_sum() - "KEY=CHECKSUM" */
void replay_answer_sum(struct replay_answer *a, const char *key,
		       const struct replay_sum *sum);

/**
 * replay_answer_runs() - "KEY=a*3,b": one value per page, by runs
 * @values: one byte per page
 * @names:  of the values; NULL: two hex digits
 */
void replay_answer_runs(struct replay_answer *a, const char *key,
			const unsigned char *values, size_t n,
			const char *const *names);

/** replay_error_name() - "ENOENT" */
const char *replay_error_name(int error);

#endif
