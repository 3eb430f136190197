/* SPDX-License-Identifier: MIT */
/* policy_conf.c - what a --policy says (policy_conf.h) */
#include "policy_conf.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* When chaos says nothing else. */
#define RATE_DEFAULT 20000
#define RATE_MOST 10000000
#define EXCLUSIVE_DEFAULT 10
#define HUGE_DEFAULT 2
#define DEVICES_DEFAULT 2
#define DEVICES_MOST 16

#define PREFETCH_MOST 512

#define LINE_BYTES 256
#define SECONDS_MOST 1e6

static const char *const names[POLICY_NR_KINDS] = {
	[POLICY_CHAOS] = "chaos",
	[POLICY_EVICT] = "evict",
	[POLICY_SCRIPT] = "script",
	[POLICY_PREFETCH] = "prefetch",
};

static const char *const ops[POLICY_NR_OPS] = {
	[POLICY_OP_TODEV] = "todev",	     [POLICY_OP_TOSYS] = "tosys",
	[POLICY_OP_EXCLUSIVE] = "exclusive", [POLICY_OP_READ] = "read",
	[POLICY_OP_RELEASE] = "release",
};

const char *policy_conf_name(enum policy_kind kind)
{
	return names[kind];
}

/* Digits up to the end of @bytes, at most @most. */
static bool parse_number(const char *word, size_t bytes, uint64_t most,
			 uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (word[i] < '0' || word[i] > '9' ||
		    n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(word[i] - '0');
	}
	*out = n;
	return bytes && n <= most;
}

/* ---- chaos, evict, prefetch ---- */

/* What a word of chaos sets, and its limit. */
static const struct {
	const char *name;
	uint64_t most;
} words[] = {
	{ "rate=", RATE_MOST }, { "seed=", UINT64_MAX }, { "exclusive=", 100 },
	{ "devices=", DEVICES_MOST }, { "huge=", 100 },
};

static void set_word(struct policy_conf *c, size_t which, uint64_t n)
{
	switch (which) {
	case 0:
		c->rate = n;
		break;
	case 1:
		c->seed = n;
		break;
	case 2:
		c->exclusive = (unsigned int)n;
		break;
	case 3:
		c->ndevices = (unsigned int)n;
		break;
	default:
		c->huge = (unsigned int)n;
	}
}

static bool take_word(struct policy_conf *c, const char *word, size_t bytes)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].name);
		uint64_t value;

		if (bytes <= n || strncmp(word, words[i].name, n) != 0)
			continue;
		if (!parse_number(word + n, bytes - n, words[i].most, &value))
			return false;
		set_word(c, i, value);
		return true;
	}
	return false;
}

static const char *parse_chaos(struct policy_conf *c, const char *rest)
{
	c->rate = RATE_DEFAULT;
	c->exclusive = EXCLUSIVE_DEFAULT;
	c->huge = HUGE_DEFAULT;
	c->ndevices = DEVICES_DEFAULT;
	while (*rest == ',') {
		size_t bytes = strcspn(++rest, ",");

		if (!take_word(c, rest, bytes))
			return "chaos knows rate=PAGES_PER_S, seed=N, "
			       "exclusive=PERCENT, devices=N, huge=PERCENT";
		rest += bytes;
	}
	if (!c->rate || !c->ndevices)
		return "rate and devices must not be 0";
	return NULL;
}

static const char *parse_evict(struct policy_conf *c, const char *rest)
{
	uint64_t n;

	if (!parse_number(rest, strlen(rest), 100, &n))
		return "evict=PERCENT, from 0 to 100";
	c->percent = (unsigned int)n;
	return NULL;
}

static const char *parse_prefetch(struct policy_conf *c, const char *rest)
{
	if (!parse_number(rest, strlen(rest), PREFETCH_MOST, &c->npages) ||
	    c->npages < 2)
		return "prefetch=NPAGES, from 2 to 512";
	return NULL;
}

/* ---- script ---- */

static bool parse_op(const char *word, enum policy_op *op)
{
	for (int i = 0; i < POLICY_NR_OPS; i++)
		if (!strcmp(word, ops[i])) {
			*op = (enum policy_op)i;
			return true;
		}
	return false;
}

/* "r3", or "heap". */
static bool parse_region(const char *word, uint32_t *region)
{
	uint64_t n;

	if (!strcmp(word, "heap")) {
		*region = POLICY_REGION_HEAP;
		return true;
	}
	if (word[0] != 'r' ||
	    !parse_number(word + 1, strlen(word + 1), UINT32_MAX - 1, &n))
		return false;
	*region = (uint32_t)n;
	return true;
}

static bool parse_device(const char *word, uint32_t *device)
{
	uint64_t n;

	if (word[0] != 'f' || !parse_number(word + 1, strlen(word + 1), 15, &n))
		return false;
	*device = (uint32_t)n;
	return true;
}

/* "SECONDS OP fDEVICE rREGION FIRST NPAGES"; release ends after fDEVICE. */
static bool parse_line(const char *text, struct policy_line *line)
{
	char op[16], device[16], region[16], first[24], npages[24];
	double seconds;
	int n = sscanf(text, "%lf %15s %15s %15s %23s %23s", &seconds, op,
		       device, region, first, npages);

	if (n < 3 || !(seconds >= 0 && seconds <= SECONDS_MOST) ||
	    !parse_op(op, &line->op) || !parse_device(device, &line->device))
		return false;
	line->at_ns = (uint64_t)(seconds * 1e9);
	if (line->op == POLICY_OP_RELEASE)
		return n == 3;
	return n == 6 && parse_region(region, &line->region) &&
	       parse_number(first, strlen(first), UINT64_MAX >> 12,
			    &line->first) &&
	       parse_number(npages, strlen(npages), UINT64_C(1) << 20,
			    &line->npages) &&
	       line->npages;
}

static const char *add_line(struct policy_conf *c, const char *text)
{
	static char why[LINE_BYTES + 64];
	struct policy_line line = { .at_ns = 0 }, *more;

	if (text[strspn(text, " \t\n")] == '\0' || text[0] == '#')
		return NULL;
	if (!parse_line(text, &line) ||
	    (c->nlines && line.at_ns < c->line[c->nlines - 1].at_ns)) {
		snprintf(why, sizeof(why),
			 "expected SECONDS OP fDEVICE rREGION FIRST NPAGES, by "
			 "time: %.*s", (int)strcspn(text, "\n"), text);
		return why;
	}
	more = realloc(c->line, (c->nlines + 1) * sizeof(*more));
	if (!more)
		return "out of memory";
	c->line = more;
	c->line[c->nlines++] = line;
	return NULL;
}

static const char *parse_script(struct policy_conf *c, const char *path)
{
	char text[LINE_BYTES];
	const char *why = NULL;
	FILE *f = fopen(path, "re");

	if (!f)
		return strerror(errno);
	while (!why && fgets(text, sizeof(text), f))
		why = add_line(c, text);
	fclose(f);
	if (why)
		policy_conf_fini(c);
	return why;
}

const char *policy_conf_parse(const char *word, struct policy_conf *conf)
{
	*conf = (struct policy_conf){ .kind = POLICY_CHAOS };
	if (!strcmp(word, "chaos") || !strncmp(word, "chaos,", 6))
		return parse_chaos(conf, word + strlen("chaos"));
	if (!strncmp(word, "evict=", 6)) {
		conf->kind = POLICY_EVICT;
		return parse_evict(conf, word + 6);
	}
	if (!strncmp(word, "script=", 7)) {
		conf->kind = POLICY_SCRIPT;
		return parse_script(conf, word + 7);
	}
	if (!strncmp(word, "prefetch=", 9)) {
		conf->kind = POLICY_PREFETCH;
		return parse_prefetch(conf, word + 9);
	}
	return "must be chaos, evict=PERCENT, script=FILE or prefetch=NPAGES";
}

void policy_conf_fini(struct policy_conf *conf)
{
	free(conf->line);
	conf->line = NULL;
	conf->nlines = 0;
}
