/* SPDX-License-Identifier: MIT */
/* fds.h - the descriptors of a trace by their names */
#ifndef UHMM_CLI_REPLAY_FDS_H
#define UHMM_CLI_REPLAY_FDS_H

#include <stdbool.h>

#define REPLAY_FDS_MAX 64

/** Names belong to the trace and outlive this. */
struct replay_fds {
	struct {
		const char *name;
		int fd;
	} fd[REPLAY_FDS_MAX];
	int n;
};

/** replay_fds_get() - Return: -1 nothing is open under this name */
int replay_fds_get(const struct replay_fds *fds, const char *name);

/** replay_fds_set() - @name is @fd from now on. Return: is there room? */
bool replay_fds_set(struct replay_fds *fds, const char *name, int fd);

#endif
