/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUG_VARIABLE "UHMM_DEBUG"

static const char *const part_names[] = {
	[UHMM_LOG_HOOKS] = "hooks",
	[UHMM_LOG_WIRE] = "wire",
	[UHMM_LOG_FAULT] = "fault",
	[UHMM_LOG_MIGRATE] = "migrate",
	[UHMM_LOG_LOOP] = "loop",
	[UHMM_LOG_SESSION] = "session",
	[UHMM_LOG_ENGINE] = "engine",
	[UHMM_LOG_DEVICE] = "device",
};
static_assert(sizeof(part_names) / sizeof(part_names[0]) == UHMM_NR_LOG_PARTS,
	      "every part has a name");

unsigned int uhmm_log_parts;
static const char *log_who = "uhmm";
static enum uhmm_log_level log_level = UHMM_LOG_WARN;

/* A line as it grows; what does not fit is dropped. */
struct line {
	char text[UHMM_LOG_LINE_MAX];
	size_t used;
};

__attribute__((format(printf, 2, 0)))
static void append_args(struct line *line, const char *fmt, va_list args)
{
	/* the last byte is kept for the newline */
	size_t room = sizeof(line->text) - line->used;
	int n = vsnprintf(line->text + line->used, room, fmt, args);

	if (n < 0)
		return;
	line->used += (size_t)n < room ? (size_t)n : room - 1;
}

__attribute__((format(printf, 2, 3)))
static void append(struct line *line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append_args(line, fmt, args);
	va_end(args);
}

static void append_error(struct line *line, int err)
{
	errno = err < 0 ? -err : err;
	append(line, ": %m");
}

static void put(struct line *line)
{
	ssize_t n;

	line->text[line->used++] = '\n';
	do {
		n = write(STDERR_FILENO, line->text, line->used);
	} while (n < 0 && errno == EINTR);
}

/* One message: "who: word: text: error". @word and @err may be absent. */
__attribute__((format(printf, 3, 0)))
static void emit(const char *word, int err, const char *fmt, va_list args)
{
	int saved = errno;
	struct line line = { .used = 0 };

	append(&line, "%s: ", log_who);
	if (word)
		append(&line, "%s: ", word);
	append_args(&line, fmt, args);
	if (err)
		append_error(&line, err);
	put(&line);
	errno = saved;
}

void uhmm_log_init(const char *who)
{
	log_who = who;
	uhmm_log_parts = uhmm_log_parse_parts(getenv(DEBUG_VARIABLE));
}

void uhmm_log_set_level(enum uhmm_log_level level)
{
	log_level = level;
}

/* Bits of the name [@name, +@len). */
static unsigned int part_bits(const char *name, size_t len)
{
	if (len == 3 && !strncmp(name, "all", len))
		return (1u << UHMM_NR_LOG_PARTS) - 1;
	for (unsigned int i = 0; i < UHMM_NR_LOG_PARTS; i++)
		if (strlen(part_names[i]) == len &&
		    !strncmp(name, part_names[i], len))
			return 1u << i;
	return 0;
}

unsigned int uhmm_log_parse_parts(const char *list)
{
	unsigned int bits = 0;

	while (list && *list) {
		size_t len = strcspn(list, ",");

		bits |= part_bits(list, len);
		list += len;
		if (*list == ',')
			list++;
	}
	return bits;
}

const char *uhmm_log_part_name(enum uhmm_log_part part)
{
	return (unsigned int)part < UHMM_NR_LOG_PARTS ? part_names[part] : "?";
}

/* The body of a public message function. */
#define EMIT(level, word, err) \
	do { \
		va_list args; \
 \
		if ((level) > log_level) \
			return; \
		va_start(args, fmt); \
		emit((word), (err), fmt, args); \
		va_end(args); \
	} while (0)

void uhmm_err(const char *fmt, ...)
{
	EMIT(UHMM_LOG_ERR, NULL, 0);
}

void uhmm_warn(const char *fmt, ...)
{
	EMIT(UHMM_LOG_WARN, "warning", 0);
}

void uhmm_info(const char *fmt, ...)
{
	EMIT(UHMM_LOG_INFO, NULL, 0);
}

void uhmm_err_errno(int err, const char *fmt, ...)
{
	EMIT(UHMM_LOG_ERR, NULL, err);
}

void uhmm_warn_errno(int err, const char *fmt, ...)
{
	EMIT(UHMM_LOG_WARN, "warning", err);
}

void uhmm_info_errno(int err, const char *fmt, ...)
{
	EMIT(UHMM_LOG_INFO, NULL, err);
}

void uhmm_log_dbg(enum uhmm_log_part part, const char *fmt, ...)
{
	EMIT(UHMM_LOG_ERR, uhmm_log_part_name(part), 0);
}

void uhmm_log_dbg_errno(enum uhmm_log_part part, int err, const char *fmt, ...)
{
	EMIT(UHMM_LOG_ERR, uhmm_log_part_name(part), err);
}
