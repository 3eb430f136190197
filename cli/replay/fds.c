/* SPDX-License-Identifier: MIT */
#include "fds.h"

#include <string.h>

static int find(const struct replay_fds *fds, const char *name)
{
	int i = 0;

	while (i < fds->n && strcmp(fds->fd[i].name, name) != 0)
		i++;
	return i;
}

int replay_fds_get(const struct replay_fds *fds, const char *name)
{
	int i = find(fds, name);

	return i < fds->n ? fds->fd[i].fd : -1;
}

bool replay_fds_set(struct replay_fds *fds, const char *name, int fd)
{
	int i = find(fds, name);

	if (i == REPLAY_FDS_MAX)
		return false;
	if (i == fds->n)
		fds->n++;
	fds->fd[i].name = name;
	fds->fd[i].fd = fd;
	return true;
}
