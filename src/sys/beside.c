/* SPDX-License-Identifier: MIT */
#include "sys/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int uhmm_open_beside(int maps, const char *name)
{
	char link[32], path[64], file[96];
	ssize_t n;
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", maps);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	if (n < 5 || strcmp(path + n - 5, "/maps") != 0)
		return -EINVAL;
	path[n - 4] = '\0';
	snprintf(file, sizeof(file), "%s%s", path, name);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	/* cppcheck-suppress resourceLeak ; it is the caller's */
	return fd < 0 ? -errno : fd;
}
