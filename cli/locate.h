/* SPDX-License-Identifier: MIT */
/* locate.h - where the other parts of uhmm are
 *
 * Relative to this very executable, so that a build directory and an installed
 * tree work alike, wherever they are. Environment overrides for developers.
 */
#ifndef UHMM_CLI_LOCATE_H
#define UHMM_CLI_LOCATE_H

#include <linux/limits.h>

/** cli_locate_daemon() - path of uhmmd. Return: 0; -ENOENT, told the user */
int cli_locate_daemon(char path[PATH_MAX]);

/**
 * cli_locate_preload() - path of the preload library, fit for LD_PRELOAD
 * Return: 0; -ENOENT or -EINVAL, told the user
 */
int cli_locate_preload(char path[PATH_MAX]);

#endif
