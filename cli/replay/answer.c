/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void replay_answer_reset(struct replay_answer *a)
{
	a->len = 0;
	a->text[0] = '\0';
}

static void add(struct replay_answer *a, const char *fmt, va_list ap)
{
	size_t room = sizeof(a->text) - a->len;
	int n = vsnprintf(a->text + a->len, room, fmt, ap);

	if (n > 0)
		a->len += (size_t)n < room ? (size_t)n : room - 1;
}

__attribute__((format(printf, 2, 3)))
static void append(struct replay_answer *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(a, fmt, ap);
	va_end(ap);
}

void replay_answer_word(struct replay_answer *a, const char *fmt, ...)
{
	va_list ap;

	if (a->len)
		append(a, " ");
	va_start(ap, fmt);
	add(a, fmt, ap);
	va_end(ap);
}

const char *replay_error_name(int error)
{
	static char number[16];
	const char *name = strerrorname_np(error);

	if (name)
		return name;
	snprintf(number, sizeof(number), "E%d", error);
	return number;
}

void replay_answer_ret(struct replay_answer *a, long ret)
{
	if (ret < 0)
		replay_answer_word(a, "ret=-%s", replay_error_name(errno));
	else
		replay_answer_word(a, "ret=%ld", ret);
}

void replay_answer_sum(struct replay_answer *a, const char *key,
		       const struct replay_sum *sum)
{
	char text[REPLAY_SUM_TEXT_BYTES];

	replay_sum_text(sum, text);
	replay_answer_word(a, "%s=%s", key, text);
}

static size_t run_length(const unsigned char *values, size_t n)
{
	size_t run = 1;

	while (run < n && values[run] == values[0])
		run++;
	return run;
}

void replay_answer_runs(struct replay_answer *a, const char *key,
			const unsigned char *values, size_t n,
			const char *const *names)
{
	size_t run;

	replay_answer_word(a, "%s=", key);
	for (size_t i = 0; i < n; i += run) {
		run = run_length(values + i, n - i);
		if (i)
			append(a, ",");
		if (names)
			append(a, "%s", names[values[i]]);
		else
			append(a, "%02x", values[i]);
		if (run > 1)
			append(a, "*%zu", run);
	}
}
