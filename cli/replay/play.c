/* SPDX-License-Identifier: MIT */
/* play.c - a player goes through its lines, forks, and ends
 *
 * Every process of a trace dies with its parent, so that none is left when the
 * session gives up on the first.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "ops.h"
#include "player.h"
#include "trap.h"

/* For handlers of signals: the one player of this process. */
static const struct replay_player *self;

static void tell(const struct replay_player *p, enum replay_event event,
		 const char *text, size_t bytes)
{
	replay_channel_send(p->channel, event, p->line, text, bytes);
}

static void crashed(void)
{
	tell(self, REPLAY_EVENT_CRASH, "", 0);
	_exit(REPLAY_EXIT_CRASHED);
}

static void timed_out(void)
{
	tell(self, REPLAY_EVENT_TIMEOUT, "", 0);
	_exit(REPLAY_EXIT_TIMEOUT);
}

void replay_player_broken(struct replay_player *p, const char *why)
{
	alarm(0);
	tell(p, REPLAY_EVENT_BROKEN, why, strlen(why));
	_exit(REPLAY_EXIT_BROKEN);
}

static void answer(const struct replay_player *p)
{
	tell(p, REPLAY_EVENT_ANSWER, p->answer.text, p->answer.len);
}

static void answer_dash(struct replay_player *p)
{
	alarm(0);
	replay_answer_word(&p->answer, "-");
	answer(p);
}

REPLAY_OP(kill9)
{
	(void)op;
	answer_dash(p);
	kill(getpid(), SIGKILL);
}

REPLAY_OP(exit)
{
	(void)op;
	answer_dash(p);
	_exit(REPLAY_EXIT_DONE);
}

static void play_block(struct replay_player *p, size_t from, size_t to);

static void play_child(struct replay_player *p, size_t from, size_t to)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	play_block(p, from, to);
	_exit(REPLAY_EXIT_DONE);
}

static int wait_for(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* The child has no more time than its lines have; we wait for all of them. */
static void play_fork(struct replay_player *p, const struct replay_line *line)
{
	size_t first = p->line + 1;
	pid_t child;
	int status;

	alarm(0);
	child = fork();
	if (child < 0)
		replay_player_broken(p, "fork fails");
	if (!child)
		play_child(p, first, line->end);
	status = wait_for(child);
	p->line = line->end;
	if (WIFSIGNALED(status))
		replay_answer_word(&p->answer, "sig=%d", WTERMSIG(status));
	else
		replay_answer_word(&p->answer, "exit=%d", WEXITSTATUS(status));
}

static void play_line(struct replay_player *p, const struct replay_line *line)
{
	replay_answer_reset(&p->answer);
	alarm(p->timeout_s);
	if (replay_line_is_fork(line))
		play_fork(p, line);
	else
		line->op.verb->run(p, &line->op);
	alarm(0);
	answer(p);
}

static void play_block(struct replay_player *p, size_t from, size_t to)
{
	for (p->line = from; p->line < to; p->line++) {
		const struct replay_line *line = &p->trace->lines[p->line];

		if (line->op.verb)
			play_line(p, line);
	}
}

void replay_play(struct replay_player *p)
{
	self = p;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	replay_trap_init(crashed, timed_out);
	if (replay_buffers_init(&p->buffers))
		replay_player_broken(p, "no memory");
	play_block(p, 0, p->trace->nlines);
	_exit(REPLAY_EXIT_DONE);
}
