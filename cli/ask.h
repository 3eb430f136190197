/* SPDX-License-Identifier: MIT */
/* ask.h - requests of the command to a daemon
 *
 * Errors: 0 or -errno; nothing is printed here. A daemon that does not answer
 * within CLI_ASK_S seconds is -ETIMEDOUT.
 */
#ifndef UHMM_CLI_ASK_H
#define UHMM_CLI_ASK_H

#include <stdbool.h>

#define CLI_ASK_S 10

/** cli_ask_is_gone() - does error @ret of these say that nobody is there? */
bool cli_ask_is_gone(int ret);

/** cli_ask_connect() - a socket to the daemon at @path, or -errno */
int cli_ask_connect(const char *path);

/** cli_ask_stats() - its statistics, JSON, in *@text, to be freed */
int cli_ask_stats(int sock, char **text);

/** cli_ask_check() - what it finds wrong with itself in *@text, to be freed */
int cli_ask_check(int sock, char **text);

/** cli_ask_unplug() - pull device @node out: -ENODEV no such one;
 *  -EINVAL @node is no name of one */
int cli_ask_unplug(int sock, const char *node);

/** cli_ask_stop() - tell it to end */
int cli_ask_stop(int sock);

#endif
