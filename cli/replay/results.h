/* SPDX-License-Identifier: MIT */
/* results.h - results of every trace and every group of traces, as JSON
 *
 * One line per trace, written when it is known, so that the file is of use
 * even if the run is killed; then one line per group, then the total. Of what
 * a group is made, is in the names of the traces: the folder, and the profile
 * if the name is one with a number, as in gen/fork-12.trace.
 */
#ifndef UHMM_CLI_REPLAY_RESULTS_H
#define UHMM_CLI_REPLAY_RESULTS_H

#include <stdio.h>

#include "tally.h"

#define REPLAY_GROUP_BYTES 64
#define REPLAY_GROUPS_MAX 256

struct replay_group {
	char name[REPLAY_GROUP_BYTES];
	struct replay_tally tally;
};

struct replay_results {
	FILE *file; /* NULL: nobody wants them */
	struct replay_tally total;
	size_t ngroups;
	struct replay_group groups[REPLAY_GROUPS_MAX];
};

/** replay_results_open() - Return: 0; -errno. @path NULL: only count */
int replay_results_open(struct replay_results *r, const char *path);

/** replay_results_add() - the trace at @path is done */
void replay_results_add(struct replay_results *r, const char *path,
			const struct replay_tally *tally);

/** replay_results_close() - Return: 0; -errno not all could be written */
int replay_results_close(struct replay_results *r);

/** replay_results_group() - the group of the trace at @path */
void replay_results_group(const char *path, char group[REPLAY_GROUP_BYTES]);

#endif
