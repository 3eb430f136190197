/* SPDX-License-Identifier: MIT */
#include "locate.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The folder this executable is in; "" when /proc does not say. */
static void own_dir(char dir[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
}

/*
 * @env names a file outright; else the first of @places, folders relative to
 * ours, that has @file.
 */
static int locate(char path[PATH_MAX], const char *env, const char *file,
		  const char *const *places)
{
	const char *given = getenv(env);
	char dir[PATH_MAX];

	if (given && given[0]) {
		if (!realpath(given, path)) {
			cli_say("%s=%s: %s", env, given, strerror(errno));
			return -ENOENT;
		}
		return 0;
	}
	own_dir(dir);
	for (; *places; places++) {
		char full[2 * PATH_MAX];

		snprintf(full, sizeof(full), "%s/%s/%s", dir, *places, file);
		if (realpath(full, path))
			return 0;
	}
	cli_say("%s is neither beside %s/uhmm nor where it is installed; "
		"%s can name it",
		file, dir, env);
	return -ENOENT;
}

int cli_locate_daemon(char path[PATH_MAX])
{
	static const char *const places[] = { ".", "../libexec/uhmm", "../bin",
					      NULL };

	return locate(path, "UHMMD", "uhmmd", places);
}

int cli_locate_preload(char path[PATH_MAX])
{
	static const char installed[] = UHMM_LIBDIR_FROM_BINDIR "/uhmm";
	static const char *const places[] = { ".", installed,
					      UHMM_LIBDIR_FROM_BINDIR, NULL };
	int ret;

	ret = locate(path, "UHMM_PRELOAD", "libuhmm-preload.so", places);
	if (ret == 0 && strpbrk(path, " :")) {
		cli_say("%s: LD_PRELOAD cannot name a file whose path has "
			"blanks or colons",
			path);
		return -EINVAL;
	}
	return ret;
}
