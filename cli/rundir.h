/* SPDX-License-Identifier: MIT */
/* rundir.h - the private directory of one run: socket and log of its daemon
 *
 * Mode 0700 and a name of its own: in $XDG_RUNTIME_DIR, else /run/user/UID,
 * else /tmp, the first that can be written to and leaves room for a socket's
 * name.
 */
#ifndef UHMM_CLI_RUNDIR_H
#define UHMM_CLI_RUNDIR_H

#define CLI_SOCKET_BYTES 108 /* sun_path */

struct cli_rundir {
	char dir[CLI_SOCKET_BYTES]; /* "" when there is none */
	char socket[CLI_SOCKET_BYTES];
	int log_fd;
};

/** cli_rundir_init() - make it. Return: 0; -errno, told the user */
int cli_rundir_init(struct cli_rundir *rd);

/** cli_rundir_show_log() - what the daemon wrote there, on stderr */
void cli_rundir_show_log(const struct cli_rundir *rd);

/** cli_rundir_fini() - remove it and what is in it */
void cli_rundir_fini(struct cli_rundir *rd);

/** cli_which_socket() - where the daemon for many programs listens that is meant:
 *  @given (NULL: not), else $UHMM_SOCKET, else in @fallback the default */
const char *cli_which_socket(const char *given,
			     char fallback[CLI_SOCKET_BYTES]);

#endif
