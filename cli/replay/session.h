/* SPDX-License-Identifier: MIT */
/* session.h - a trace is played in a process of its own */
#ifndef UHMM_CLI_REPLAY_SESSION_H
#define UHMM_CLI_REPLAY_SESSION_H

#include "settings.h"
#include "tally.h"

/**
 * replay_session() - play the trace at @path, print to @out, count in @tally
 *
 * Nothing of a trace is left when it returns: its processes are gone, and with
 * them their memory and devices.
 */
void replay_session(const struct replay_settings *s, const char *path,
		    FILE *out, struct replay_tally *tally);

#endif
