/* SPDX-License-Identifier: MIT */
/* conf.h - a table of cases, each in a process of its own
 *
 * A conformance program is an ordinary program that knows nothing of uhmm; it
 * would say the same on a kernel that has the device. A case looks at one rule
 * and ends by returning, or with probe_fail() or probe_skip(). What it leaves
 * behind goes with its process.
 *
 * Arguments: names of cases; none: all. With $CONF_RESULTS a file of that name
 * gets one line per case: "pass|fail|skip", the name, what it shows.
 * Exit status: 0; 1 a case failed; 77 all were skipped.
 */
#ifndef UHMM_CONFORMANCE_CONF_H
#define UHMM_CONFORMANCE_CONF_H

#include "../probe/probe.h"

/** One case. */
struct conf_case {
	const char *name;	/* one word */
	const char *what;	/* the rule, for docs/conformance.md */
	void (*run)(void);
};

/** conf_main() - run the cases of @program; what main() returns */
int conf_main(int argc, char **argv, const char *program,
	      const struct conf_case *cases, size_t ncases);

/** CONF_MAIN() - a main() for the table @cases */
#define CONF_MAIN(program, cases)                                            \
	int main(int argc, char **argv)                                      \
	{                                                                    \
		return conf_main(argc, argv, program, cases,                 \
				 sizeof(cases) / sizeof((cases)[0]));        \
	}

#endif
