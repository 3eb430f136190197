/* SPDX-License-Identifier: MIT */
/* trace.h - a trace: its lines, parsed, with the recorded answers
 *
 *     OP ARGS [-> ANSWER] [# NOTE]
 *
 * Lines are numbered from 0 here, from 1 in what is said to people.
 */
#ifndef UHMM_CLI_REPLAY_TRACE_H
#define UHMM_CLI_REPLAY_TRACE_H

#include <stdio.h>

#include "op.h"

/**
 * struct replay_line - one line
 * @text: without leading blanks, answer and note; what @want and @note are in
 * @want: the recorded answer; NULL: executed, not compared
 * @note: NULL if there is none
 * @op:   op.verb is NULL for comments and empty lines
 * @end:  of a fork: the line that ends its block
 */
struct replay_line {
	char *text;
	const char *want;
	const char *note;
	struct replay_op op;
	size_t end;
};

struct replay_trace {
	const char *path;
	struct replay_line *lines;
	size_t nlines;
};

/**
 * replay_trace_load() - read and parse the trace at @path
 * @base:   address of region 0
 * @errors: where what is wrong with it is told
 *
 * Return: 0; -errno, with nothing to be freed
 */
int replay_trace_load(struct replay_trace *t, const char *path, uint64_t base,
		      FILE *errors);
void replay_trace_fini(struct replay_trace *t);

/** replay_line_is_fork() - does a block begin here? */
bool replay_line_is_fork(const struct replay_line *line);

/** replay_line_is_end() - does a block end here? */
bool replay_line_is_end(const struct replay_line *line);

/** replay_line_is_marked() - known to depend on the kernel, says the note */
bool replay_line_is_marked(const struct replay_line *line);

#endif
