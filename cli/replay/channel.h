/* SPDX-License-Identifier: MIT */
/* channel.h - what players tell the session, through a pipe
 *
 * Records follow each other: a head, then as many bytes of text. Only one
 * process writes at a time. Sending is safe in a signal handler.
 */
#ifndef UHMM_CLI_REPLAY_CHANNEL_H
#define UHMM_CLI_REPLAY_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum replay_event {
	REPLAY_EVENT_ANSWER,  /* text: the answer */
	REPLAY_EVENT_TIMEOUT, /* the line took too long */
	REPLAY_EVENT_CRASH,   /* a fault where none is expected */
	REPLAY_EVENT_BROKEN,  /* text: why this machine cannot play it */
};

/** replay_channel_send() - @bytes of @text about line @line */
void replay_channel_send(int fd, enum replay_event event, size_t line,
			 const char *text, size_t bytes);

/**
 * struct replay_record - what was received
 * @text: ends with a null byte; room for the longest answer
 */
struct replay_record {
	enum replay_event event;
	size_t line;
	char *text;
};

/**
 * replay_channel_receive() - the next record
 * @timeout_ms: how long to wait for its begin
 * @room:       of @record->text
 *
 * Return: 1; 0 no player is left; -ETIMEDOUT; -EPROTO a record is broken off;
 * -errno
 */
int replay_channel_receive(int fd, struct replay_record *record, size_t room,
			   int timeout_ms);

#endif
