/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "player.h"
#include "report.h"

/* A player has this long beyond the time of a line to say itself that it is
 * over; it cannot when a system call does not return. */
#define PATIENCE_MS 5000

static void become_player(const struct replay_settings *s,
			  const struct replay_trace *trace, int channel)
{
	static struct replay_player player;

	player.trace = trace;
	player.channel = channel;
	player.timeout_s = s->timeout_s;
	player.device = s->device;
	replay_play(&player);
}

static pid_t start(const struct replay_settings *s,
		   const struct replay_trace *trace, int *from)
{
	int ends[2], error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		close(ends[0]);
		become_player(s, trace, ends[1]);
	}
	error = errno;
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	else
		*from = ends[0];
	errno = error;
	return pid;
}

static void take(struct replay_report *r, const struct replay_record *record)
{
	switch (record->event) {
	case REPLAY_EVENT_ANSWER:
		replay_report_answer(r, record->line, record->text);
		break;
	case REPLAY_EVENT_TIMEOUT:
		replay_report_end(r, record->line, REPLAY_END_TIMEOUT, "");
		break;
	case REPLAY_EVENT_CRASH:
		replay_report_end(r, record->line, REPLAY_END_CRASHED, "");
		break;
	case REPLAY_EVENT_BROKEN:
		replay_report_end(r, record->line, REPLAY_END_BROKEN,
				  record->text);
		break;
	}
}

/* The line that is played after @line: what a player that is silent is at. */
static size_t following(const struct replay_trace *t, size_t line)
{
	do
		line++;
	while (line < t->nlines && (!t->lines[line].op.verb ||
				    replay_line_is_fork(&t->lines[line])));
	return line;
}

/* Until no player is left, or the last one is stuck. */
static void listen_to(struct replay_report *r, int from, pid_t pid)
{
	static char text[REPLAY_ANSWER_BYTES];
	struct replay_record record = { .line = (size_t)-1, .text = text };
	int timeout_ms = (int)r->settings->timeout_s * 1000 + PATIENCE_MS;
	int ret;

	while ((ret = replay_channel_receive(from, &record, sizeof(text),
					     timeout_ms)) > 0)
		take(r, &record);
	if (!ret)
		return;
	kill(pid, SIGKILL);
	replay_report_end(r, following(r->trace, record.line),
			  ret == -ETIMEDOUT ? REPLAY_END_TIMEOUT :
					      REPLAY_END_CRASHED,
			  ret == -ETIMEDOUT ? "stuck, killed" : "broken off");
}

/* A player that ends by itself has told why. */
static void judge_exit(struct replay_report *r, int status)
{
	char why[32];

	if (!WIFSIGNALED(status) || r->tally.end != REPLAY_END_DONE)
		return;
	snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(status));
	replay_report_end(r, r->trace->nlines, REPLAY_END_CRASHED, why);
}

static void play(const struct replay_settings *s, struct replay_report *r)
{
	int from, status = 0;
	pid_t pid;

	fflush(NULL); /* lest the child has it too */
	pid = start(s, r->trace, &from);
	if (pid < 0) {
		replay_report_end(r, 0, REPLAY_END_BROKEN, strerror(errno));
		return;
	}
	listen_to(r, from, pid);
	close(from);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	judge_exit(r, status);
}

void replay_session(const struct replay_settings *s, const char *path,
		    FILE *out, struct replay_tally *tally)
{
	struct replay_trace trace;
	struct replay_report r = { .settings = s, .trace = &trace, .out = out };

	memset(tally, 0, sizeof(*tally));
	if (replay_trace_load(&trace, path, s->base, out)) {
		tally->traces = tally->traces_failed = 1;
		tally->end = REPLAY_END_BROKEN;
		return;
	}
	play(s, &r);
	replay_report_close(&r);
	*tally = r.tally;
	replay_trace_fini(&trace);
}
