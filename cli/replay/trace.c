/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

bool replay_line_is_fork(const struct replay_line *line)
{
	return line->op.verb && !strcmp(line->op.verb->name, "fork");
}

bool replay_line_is_end(const struct replay_line *line)
{
	return line->op.verb && !strcmp(line->op.verb->name, "}");
}

bool replay_line_is_marked(const struct replay_line *line)
{
	return line->note && (!strncmp(line->note, "old", 3) ||
			      !strncmp(line->note, "quirk", 5));
}

/* Cut @text at @mark. Return: what is behind it; NULL there is no mark */
static char *cut(char *text, const char *mark)
{
	char *at = strstr(text, mark);

	if (!at)
		return NULL;
	*at = '\0';
	return at + strlen(mark);
}

static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len && text[len - 1] == ' ')
		text[--len] = '\0';
}

static int parse_line(struct replay_line *line, const char *raw, uint64_t base,
		      const char **why)
{
	memset(line, 0, sizeof(*line));
	line->text = strdup(raw + strspn(raw, " \t"));
	if (!line->text)
		return -ENOMEM;
	if (line->text[0] == '#')
		return 0;
	line->note = cut(line->text, " # ");
	line->want = cut(line->text, " -> ");
	trim_end(line->text);
	if (!line->text[0])
		return 0;
	return replay_op_parse(&line->op, line->text, base, why);
}

/* Room for one line more; by doubling, at the powers of two. */
static struct replay_line *grow(struct replay_trace *t)
{
	size_t n = t->nlines;
	struct replay_line *lines = t->lines;

	if (!(n & (n - 1))) {
		lines = realloc(lines, (n ? 2 * n : 1) * sizeof(*lines));
		if (!lines)
			return NULL;
		t->lines = lines;
	}
	t->nlines = n + 1;
	return &lines[n];
}

static int refuse(const struct replay_trace *t, size_t i, const char *why,
		  FILE *errors)
{
	fprintf(errors, "%s:%zu: bad trace line (%s): %s\n", t->path, i + 1,
		why, t->lines[i].text);
	return -EINVAL;
}

static int read_lines(struct replay_trace *t, FILE *file, uint64_t base,
		      FILE *errors)
{
	const char *why = "";
	char *raw = NULL;
	size_t room = 0;
	int ret = 0;

	while (!ret && getline(&raw, &room, file) >= 0) {
		struct replay_line *line = grow(t);

		raw[strcspn(raw, "\r\n")] = '\0';
		ret = line ? parse_line(line, raw, base, &why) : -ENOMEM;
		if (ret == -EINVAL)
			refuse(t, t->nlines - 1, why, errors);
	}
	free(raw);
	return ret;
}

/* Find the end of every block. */
static int match_blocks(struct replay_trace *t, FILE *errors)
{
	size_t open[DEPTH_MAX], depth = 0;

	for (size_t i = 0; i < t->nlines; i++) {
		const struct replay_line *line = &t->lines[i];

		if (replay_line_is_fork(line)) {
			if (depth == DEPTH_MAX)
				return refuse(t, i, "too deep", errors);
			open[depth++] = i;
		} else if (replay_line_is_end(line)) {
			if (!depth)
				return refuse(t, i, "no block", errors);
			t->lines[open[--depth]].end = i;
		} else if (line->op.verb && !depth &&
			   !strcmp(line->op.verb->name, "kill9")) {
			return refuse(t, i, "not in a child", errors);
		}
	}
	return depth ? refuse(t, open[depth - 1], "no end", errors) : 0;
}

int replay_trace_load(struct replay_trace *t, const char *path, uint64_t base,
		      FILE *errors)
{
	FILE *file = fopen(path, "re");
	int ret;

	memset(t, 0, sizeof(*t));
	t->path = path;
	if (!file) {
		ret = -errno;
		fprintf(errors, "%s: %s\n", path, strerror(errno));
		return ret;
	}
	ret = read_lines(t, file, base, errors);
	fclose(file);
	if (!ret)
		ret = match_blocks(t, errors);
	if (ret)
		replay_trace_fini(t);
	return ret;
}

void replay_trace_fini(struct replay_trace *t)
{
	for (size_t i = 0; i < t->nlines; i++) {
		replay_op_fini(&t->lines[i].op);
		free(t->lines[i].text);
	}
	free(t->lines);
	memset(t, 0, sizeof(*t));
}
