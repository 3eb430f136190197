/* SPDX-License-Identifier: MIT */
/* player.h - the process that plays a trace
 *
 * It holds nothing but what the operations need. Answers leave it by a pipe
 * (channel.h) at once, so nothing is lost when it is killed; children of the
 * trace are copies of it and use the same pipe, one at a time, because a
 * parent waits for its child.
 */
#ifndef UHMM_CLI_REPLAY_PLAYER_H
#define UHMM_CLI_REPLAY_PLAYER_H

#include "answer.h"
#include "buffers.h"
#include "fds.h"
#include "trace.h"

/** Exit statuses of a player; a trace sees those of its children. */
enum replay_exit {
	REPLAY_EXIT_DONE = 0,
	REPLAY_EXIT_BROKEN = 2,
	REPLAY_EXIT_TIMEOUT = 3,
	REPLAY_EXIT_CRASHED = 4,
};

/**
 * struct replay_player - a process
 * @trace:     what it plays
 * @line:      the line being played
 * @channel:   where answers go
 * @timeout_s: for one line
 * @device:    a number behind it makes the path of a device
 * @answer:    of the current line
 * @per_page:  one value per page, for operations that answer so
 */
struct replay_player {
	const struct replay_trace *trace;
	size_t line;
	int channel;
	unsigned int timeout_s;
	const char *device;
	struct replay_answer answer;
	struct replay_fds fds;
	struct replay_buffers buffers;
	unsigned char per_page[REPLAY_PAGES_MAX];
};

/** replay_play() - play all lines; does not return */
void replay_play(struct replay_player *p) __attribute__((noreturn));

/** replay_player_broken() - this machine cannot play it, @why says; the end */
void replay_player_broken(struct replay_player *p, const char *why)
	__attribute__((noreturn));

#endif
