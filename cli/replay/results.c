/* SPDX-License-Identifier: MIT */
#include "results.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define NAME_BYTES 256
#define SUFFIX ".trace"

static const char *last_slash(const char *path, const char *end)
{
	while (end > path && end[-1] != '/')
		end--;
	return end;
}

/* FOLDER/NAME of the trace at @path; without what JSON would need escaped */
static void name_of(const char *path, char name[NAME_BYTES])
{
	const char *end = path + strlen(path);
	const char *base = last_slash(path, end);
	const char *from = base > path ? last_slash(path, base - 1) : base;
	size_t len = strlen(SUFFIX);

	if ((size_t)(end - base) > len && !strcmp(end - len, SUFFIX))
		end -= len;
	snprintf(name, NAME_BYTES, "%.*s", (int)(end - from), from);
	for (; *name; name++)
		if (*name == '"' || *name == '\\' || (unsigned char)*name < ' ')
			*name = '_';
}

void replay_results_group(const char *path, char group[REPLAY_GROUP_BYTES])
{
	char name[NAME_BYTES], *end, *slash;

	name_of(path, name);
	slash = strrchr(name, '/');
	end = name + strlen(name);
	while (end > name && isdigit((unsigned char)end[-1]))
		end--;
	if (*end && end > name && end[-1] == '-')
		end[-1] = '\0';
	else if (slash)
		*slash = '\0';
	snprintf(group, REPLAY_GROUP_BYTES, "%s", name);
}

int replay_results_open(struct replay_results *r, const char *path)
{
	memset(r, 0, sizeof(*r));
	if (!path)
		return 0;
	r->file = fopen(path, "we");
	if (!r->file)
		return -errno;
	fprintf(r->file, "{\n\"traces\": [");
	return 0;
}

static struct replay_group *group_of(struct replay_results *r, const char *path)
{
	char name[REPLAY_GROUP_BYTES];
	size_t i = 0;

	replay_results_group(path, name);
	while (i < r->ngroups && strcmp(r->groups[i].name, name) != 0)
		i++;
	if (i == REPLAY_GROUPS_MAX)
		return &r->groups[i - 1];
	if (i == r->ngroups) {
		memcpy(r->groups[i].name, name, sizeof(name));
		r->ngroups++;
	}
	return &r->groups[i];
}

static void write_lines(FILE *file, const struct replay_tally *t)
{
	fprintf(file,
		"\"passed\": %lu, \"failed\": %lu, \"not_counted\": %lu, "
		"\"not_counted_differ\": %lu, \"not_reached\": %lu}",
		t->passed, t->failed, t->not_counted, t->differing,
		t->unreached);
}

static void write_traces(FILE *file, const struct replay_tally *t)
{
	fprintf(file, "\"traces\": %lu, \"traces_failed\": %lu, ", t->traces,
		t->traces_failed);
	write_lines(file, t);
}

void replay_results_add(struct replay_results *r, const char *path,
			const struct replay_tally *tally)
{
	struct replay_group *group = group_of(r, path);
	char name[NAME_BYTES];

	if (r->file) {
		name_of(path, name);
		fprintf(r->file,
			"%s\n{\"trace\": \"%s\", \"group\": \"%s\", "
			"\"result\": \"%s\", ",
			r->total.traces ? "," : "", name, group->name,
			replay_tally_result(tally));
		write_lines(r->file, tally);
		fflush(r->file);
	}
	replay_tally_add(&group->tally, tally);
	replay_tally_add(&r->total, tally);
}

int replay_results_close(struct replay_results *r)
{
	FILE *file = r->file;
	int error;

	if (!file)
		return 0;
	fprintf(file, "\n],\n\"groups\": [");
	for (size_t i = 0; i < r->ngroups; i++) {
		fprintf(file, "%s\n{\"group\": \"%s\", ", i ? "," : "",
			r->groups[i].name);
		write_traces(file, &r->groups[i].tally);
	}
	fprintf(file, "\n],\n\"total\": {");
	write_traces(file, &r->total);
	fprintf(file, "\n}\n");
	error = ferror(file);
	return fclose(file) || error ? -EIO : 0;
}
