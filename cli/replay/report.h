/* SPDX-License-Identifier: MIT */
/* report.h - what a session prints about one trace, and its numbers */
#ifndef UHMM_CLI_REPLAY_REPORT_H
#define UHMM_CLI_REPLAY_REPORT_H

#include <stdio.h>

#include "settings.h"
#include "tally.h"
#include "trace.h"

/**
 * struct replay_report - one trace being reported on
 * @printed: lines before it are printed (record)
 * @tally:   so far
 */
struct replay_report {
	const struct replay_settings *settings;
	const struct replay_trace *trace;
	FILE *out;
	size_t printed;
	struct replay_tally tally;
};

/** replay_report_answer() - line @i was answered with @got */
void replay_report_answer(struct replay_report *r, size_t i, const char *got);

/** replay_report_end() - a process ended in line @i, as @end and @why say */
void replay_report_end(struct replay_report *r, size_t i, enum replay_end end,
		       const char *why);

/** replay_report_close() - nothing more will come; the tally is final */
void replay_report_close(struct replay_report *r);

#endif
