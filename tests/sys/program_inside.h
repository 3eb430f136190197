/* SPDX-License-Identifier: MIT */
/* program_inside.h - between the two sides of program.h, for them only */
#ifndef UHMM_TESTS_SYS_PROGRAM_INSIDE_H
#define UHMM_TESTS_SYS_PROGRAM_INSIDE_H

#include "program.h"

/** Descriptors handed over: userfaultfd, mem, pagemap, maps. */
#define PROG_NR_FDS 4

/** One call, on the channel of a thread; the answer is a long. */
struct prog_command {
	prog_fn fn;
	long arg[3];
};

/** What the hands do. A move is PROG_MOVE, with ranges as on the wire. */
struct prog_hands {
	unsigned int op;
	unsigned int n;
	struct uhmm_range range[UHMM_ENGINE_HANDS_MAX];
};

#define PROG_MOVE 1000

/** The answer. */
struct prog_hands_reply {
	int error;
	unsigned int moved;
};

/** prog_open_uffd() - a descriptor, or -1 with errno */
int prog_open_uffd(void);

/** prog_run() - be the program; does not return */
void prog_run(int *channel, int output, unsigned int flags);

#endif
