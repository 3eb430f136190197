/* SPDX-License-Identifier: MIT */
/* cli.h - what the files of the command `uhmm` share; a map of this folder
 *
 *   main.c       the table of sub-commands
 *   run.c        uhmm run, as it happens; run_opts.c its options
 *   program.c    can PROG be served at all? start it
 *   locate.c     where uhmmd and the preload library are
 *   rundir.c     the private directory of a run
 *   daemon.c     start and stop of the private daemon
 *   supervise.c  wait for PROG and its descendants, hand on signals
 *   children.c   who is a child of ours
 *   ask.c        requests to a daemon
 *   report.c     statistics as a table; json.c finds numbers in them
 *   status.c     uhmm status; unplug.c uhmm unplug
 *   doctor.c     uhmm doctor; facts.c what this machine allows
 *   replay/      uhmm replay; replay/replay.c has its map
 *
 * Only this folder talks to people: what goes wrong is said where it is
 * decided, in one line on stderr, and travels on as an exit status.
 */
#ifndef UHMM_CLI_H
#define UHMM_CLI_H

#include <stdbool.h>

/** Exit statuses of our own, as env(1), timeout(1) and shells have them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_USAGE = 2,
	CLI_FAILED = 125, /* ours, not PROG's */
	CLI_NOEXEC = 126,
	CLI_NOENT = 127,
	CLI_SIGNAL = 128, /* plus its number */
};

/** cli_say() - one line on stderr: "uhmm run: ..." */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** cli_name() - the name of the sub-command, for cli_say() */
void cli_name(const char *sub);

/* Each takes argv with the name of the sub-command first, returns the exit
 * status. */
int cli_run(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_unplug(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_replay(int argc, char **argv);

/* The texts of --help. */
extern const char cli_run_help[];
extern const char cli_status_help[];
extern const char cli_unplug_help[];
extern const char cli_doctor_help[];
extern const char cli_replay_help[];

#endif
