/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <stddef.h>
#include <string.h>

struct word {
	const char *text;
	size_t len;
};

static bool is_ignored(const struct word *w, const char *ignore)
{
	const char *equals = memchr(w->text, '=', w->len);
	size_t len = equals ? (size_t)(equals - w->text) : w->len;

	while (ignore && *ignore) {
		size_t n = strcspn(ignore, ",");

		if (n == len && !strncmp(ignore, w->text, n))
			return true;
		ignore += n;
		ignore += *ignore == ',';
	}
	return false;
}

/* The next word at @at that matters. Return: where to go on; NULL no more */
static const char *next(const char *at, const char *ignore, struct word *w)
{
	do {
		w->text = at + strspn(at, " ");
		w->len = strcspn(w->text, " ");
		at = w->text + w->len;
	} while (w->len && is_ignored(w, ignore));
	return w->len ? at : NULL;
}

bool replay_is_same(const char *want, const char *got, const char *ignore)
{
	struct word a, b;

	for (;;) {
		want = next(want, ignore, &a);
		got = next(got, ignore, &b);
		if (!want || !got)
			return !want && !got;
		if (a.len != b.len || strncmp(a.text, b.text, a.len) != 0)
			return false;
	}
}
