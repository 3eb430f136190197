/* SPDX-License-Identifier: MIT */
/* conf.h - a table of cases, each in a process of its own
 *
 * A conformance program is an ordinary program that knows nothing of uhmm; it
 * would say the same on a kernel that has the device. A case looks at one rule
 * and ends by returning, or with probe_fail() or probe_skip(). What it leaves
 * behind goes with its process.
 *
 * Arguments: names of cases; none: all; --list: say which there are. With $CONF_RESULTS a file of that name
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

/** The cases of one program. */
struct conf_table {
	const char *program;		/* one word */
	void (*set_up)(void);		/* before each case, or NULL */
	const struct conf_case *cases;
	size_t ncases;
};

/** conf_main() - run the cases; what main() returns */
int conf_main(int argc, char **argv, const struct conf_table *table);

/** CONF_MAIN() - a main() for the array @cases */
#define CONF_MAIN(program, set_up, cases)                               \
	int main(int argc, char **argv)                                 \
	{                                                               \
		const struct conf_table table = {                       \
			program, set_up, cases,                         \
			sizeof(cases) / sizeof((cases)[0])              \
		};                                                      \
									\
		return conf_main(argc, argv, &table);                   \
	}

#endif
