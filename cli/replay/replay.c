/* SPDX-License-Identifier: MIT */
/* replay.c - uhmm replay: play operation traces, compare or record answers
 *
 * A map of this folder:
 *
 *   settings.c   options
 *   trace.c      a trace and its lines; op.c one line; words.c its words;
 *                verbs.c all operations
 *   session.c    per trace: start a player, listen, give up on it if need be
 *   report.c     print and count what a trace answers; compare.c, tally.c,
 *                results.c (JSON)
 *
 *   play.c       the player: lines, forks, time; channel.c its way out
 *   map_ops.c, cpu_ops.c, sys_ops.c, fd_ops.c, dev_ops.c  the operations
 *   buffers.c, fds.c, file.c, trap.c, pattern.c, answer.c what they need
 *
 * The upper half runs in the process that was started, which never touches a
 * device, the lower half in a process per trace: whatever becomes of that, the
 * answers it gave are here and the next trace finds nothing of it.
 */
#include <stdio.h>
#include <string.h>

#include "../cli.h"
#include "results.h"
#include "session.h"

static struct replay_results results;

static void play_all(const struct replay_settings *s, FILE *out)
{
	struct replay_tally tally;

	for (char **path = s->traces; *path; path++) {
		replay_session(s, *path, out, &tally);
		replay_results_add(&results, *path, &tally);
	}
	if (!s->record)
		replay_tally_print(&results.total, out);
}

static int run(const struct replay_settings *s, FILE *out)
{
	int ret = replay_results_open(&results, s->json);

	if (ret) {
		cli_say("%s: %s", s->json, strerror(-ret));
		return CLI_USAGE;
	}
	play_all(s, out);
	ret = replay_results_close(&results);
	if (ret)
		cli_say("%s: %s", s->json, strerror(-ret));
	return ret ? CLI_USAGE : replay_tally_exit(&results.total);
}

int cli_replay(int argc, char **argv)
{
	struct replay_settings s;
	FILE *out = stdout;
	int status = replay_settings_parse(&s, argc, argv);

	if (status >= 0)
		return status;
	if (s.output)
		out = fopen(s.output, "we");
	if (!out) {
		cli_say("%s: %m", s.output);
		return CLI_USAGE;
	}
	status = run(&s, out);
	if (fflush(out)) {
		cli_say("not all could be printed: %m");
		return CLI_USAGE;
	}
	return status;
}
