/* SPDX-License-Identifier: MIT */
/* tally.h - what became of the lines of a trace, of a group, of a run
 *
 * Lines without a recorded answer are in none of the numbers.
 */
#ifndef UHMM_CLI_REPLAY_TALLY_H
#define UHMM_CLI_REPLAY_TALLY_H

#include <stdio.h>

/** How the playing of a trace ended; the worst of many counts. */
enum replay_end {
	REPLAY_END_DONE,
	REPLAY_END_BROKEN,
	REPLAY_END_TIMEOUT,
	REPLAY_END_CRASHED,
};

/**
 * struct replay_tally - numbers of traces and lines
 * @passed:      the answer is the recorded one
 * @failed:      it is not
 * @not_counted: marked as depending on the kernel
 * @differing:   of these, where it is another one
 * @unreached:   never played: their process was gone
 */
struct replay_tally {
	unsigned long traces, traces_failed;
	unsigned long passed, failed, not_counted, differing, unreached;
	enum replay_end end;
};

/** replay_tally_add() - @more is a part of @sum */
void replay_tally_add(struct replay_tally *sum,
		      const struct replay_tally *more);

/** replay_tally_print() - one line for people */
void replay_tally_print(const struct replay_tally *t, FILE *out);

/** replay_tally_result() - one word: "pass", "fail", "timeout", ... */
const char *replay_tally_result(const struct replay_tally *t);

/** replay_tally_exit() - the exit status for it */
int replay_tally_exit(const struct replay_tally *t);

#endif
