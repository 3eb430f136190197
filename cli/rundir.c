/* SPDX-License-Identifier: MIT */
#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

#define SOCKET_FILE "uhmmd.sock"
#define LOG_FILE "uhmmd.log"
#define DIR_TEMPLATE "uhmm-XXXXXX"

/* True if @dir/@name is in @out, false if it is too long for a socket. */
static bool join(char out[CLI_SOCKET_BYTES], const char *dir, const char *name)
{
	int n = snprintf(out, CLI_SOCKET_BYTES, "%s/%s", dir, name);

	return n > 0 && n < CLI_SOCKET_BYTES;
}

static bool make_in(struct cli_rundir *rd, const char *base)
{
	if (!base || base[0] != '/' || !join(rd->dir, base, DIR_TEMPLATE) ||
	    !join(rd->socket, rd->dir, SOCKET_FILE) || !mkdtemp(rd->dir)) {
		rd->dir[0] = '\0';
		return false;
	}
	return join(rd->socket, rd->dir, SOCKET_FILE);
}

int cli_rundir_init(struct cli_rundir *rd)
{
	char user[64], log[CLI_SOCKET_BYTES];
	int ret;

	rd->log_fd = -1;
	snprintf(user, sizeof(user), "/run/user/%u", (unsigned int)getuid());
	if (!make_in(rd, getenv("XDG_RUNTIME_DIR")) && !make_in(rd, user) &&
	    !make_in(rd, "/tmp")) {
		ret = -errno;
		cli_say("no private directory, not even in /tmp: %s",
			strerror(-ret));
		return ret;
	}
	join(log, rd->dir, LOG_FILE);
	rd->log_fd = open(log, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
			  0600);
	if (rd->log_fd < 0) {
		ret = -errno;
		cli_say("%s: %s", log, strerror(-ret));
		cli_rundir_fini(rd);
		return ret;
	}
	return 0;
}

void cli_rundir_show_log(const struct cli_rundir *rd)
{
	char buf[4096];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(rd->log_fd, buf, sizeof(buf), at)) > 0) {
		fwrite(buf, 1, (size_t)n, stderr);
		at += n;
	}
}

void cli_rundir_fini(struct cli_rundir *rd)
{
	char log[CLI_SOCKET_BYTES];

	if (!rd->dir[0])
		return;
	if (rd->log_fd >= 0)
		close(rd->log_fd);
	if (join(log, rd->dir, LOG_FILE))
		unlink(log);
	unlink(rd->socket);
	rmdir(rd->dir);
	rd->dir[0] = '\0';
}

static void default_socket(char path[CLI_SOCKET_BYTES])
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	unsigned int uid = (unsigned int)getuid();
	char user[64];
	struct stat st;

	snprintf(user, sizeof(user), "/run/user/%u", uid);
	if (!base || base[0] != '/')
		base = stat(user, &st) == 0 ? user : NULL;
	if (base && join(path, base, "uhmm/" SOCKET_FILE))
		return;
	snprintf(path, CLI_SOCKET_BYTES, "/tmp/uhmm-%u/" SOCKET_FILE, uid);
}

const char *cli_which_socket(const char *given,
			     char fallback[CLI_SOCKET_BYTES])
{
	if (!given)
		given = getenv("UHMM_SOCKET");
	if (given && given[0])
		return given;
	default_socket(fallback);
	return fallback;
}
