/* SPDX-License-Identifier: MIT */
#include "op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "words.h"

/**
 * struct parse - a line being parsed
 * @rest: where strtok_r() goes on
 * @nfd, @naddr, @nnpages: how many of each there were
 */
struct parse {
	struct replay_op *op;
	uint64_t base;
	const char **why;
	char *rest;
	int nfd, naddr, nnpages;
};

static char *next(struct parse *p)
{
	return strtok_r(NULL, " \t", &p->rest);
}

static int refuse(struct parse *p, const char *why)
{
	*p->why = why;
	return -EINVAL;
}

static int take_address(struct parse *p, const char *region)
{
	const char *page = next(p);
	uint64_t start, npages;

	if (!replay_word_region(region, p->base, &start))
		return refuse(p, "region");
	if (!page || !replay_word_number(page, &npages))
		return refuse(p, "page in the region");
	p->op->addr[p->naddr++] = start + npages * REPLAY_PAGE_BYTES;
	return 0;
}

static int take_npages(struct parse *p, const char *word, uint64_t most)
{
	uint64_t npages;

	if (!replay_word_number(word, &npages))
		return refuse(p, "number of pages");
	if (npages > most)
		return refuse(p, "too many pages");
	p->op->npages[p->nnpages++] = npages;
	return 0;
}

static int take_name(struct parse *p, const char *word)
{
	p->op->fd[p->nfd++] = word;
	return 0;
}

static int take_arg(struct parse *p, char letter, char *word)
{
	struct replay_op *op = p->op;
	bool good;

	switch (letter) {
	case 'F':
		return take_name(p, word);
	case 'A':
		return take_address(p, word);
	case 'N':
		return take_npages(p, word, UINT64_MAX);
	case 'n':
		return take_npages(p, word, REPLAY_PAGES_MAX);
	case 'S':
		good = replay_word_number(word, &op->seed);
		return good ? 0 : refuse(p, "seed");
	case 'V':
		good = replay_word_number(word, &op->value);
		return good ? 0 : refuse(p, "number");
	case 'P':
		good = replay_word_prot(word, &op->prot);
		return good ? 0 : refuse(p, "protection");
	case 'K':
		good = replay_word_kind(word, &op->kind, &op->fd[0]);
		return good ? 0 : refuse(p, "kind of mapping");
	case 'M':
		good = replay_word_advice(word, &op->advice);
		return good ? 0 : refuse(p, "advice");
	case 'Q':
		good = replay_word_fdop(word, &op->fdop);
		return good ? 0 : refuse(p, "operation on a descriptor");
	default:
		good = word[0] == letter && !word[1];
		return good ? 0 : refuse(p, "no block");
	}
}

static int take_args(struct parse *p)
{
	for (const char *letter = p->op->verb->args; *letter; letter++) {
		char *word = next(p);
		int ret;

		if (!word)
			return refuse(p, "argument missing");
		ret = take_arg(p, *letter, word);
		if (ret)
			return ret;
	}
	return 0;
}

static const struct {
	const char *name;
	char value; /* none, Number, Word, Cmd or Ptr */
} options[REPLAY_OPT_COUNT] = {
	[REPLAY_OPT_THP] = { "thp", 0 },
	[REPLAY_OPT_NOTHP] = { "nothp", 0 },
	[REPLAY_OPT_OVER] = { "over", 0 },
	[REPLAY_OPT_POPULATE] = { "populate", 0 },
	[REPLAY_OPT_LOCKED] = { "locked", 0 },
	[REPLAY_OPT_NORESERVE] = { "noreserve", 0 },
	[REPLAY_OPT_SEED] = { "seed", 'N' },
	[REPLAY_OPT_FPAGES] = { "fpages", 'N' },
	[REPLAY_OPT_FOFF] = { "foff", 'N' },
	[REPLAY_OPT_KEEP] = { "keep", 'W' },
	[REPLAY_OPT_DONTUNMAP] = { "dontunmap", 0 },
	[REPLAY_OPT_NEW] = { "new", 'N' },
	[REPLAY_OPT_RO] = { "ro", 0 },
	[REPLAY_OPT_CLOEXEC] = { "cloexec", 0 },
	[REPLAY_OPT_MIS] = { "mis", 'N' },
	[REPLAY_OPT_CMD] = { "cmd", 'C' },
	[REPLAY_OPT_PTR] = { "ptr", 'P' },
};

static bool take_value(struct parse *p, enum replay_opt opt, char *value)
{
	struct replay_op *op = p->op;

	switch (options[opt].value) {
	case 'N':
		return value && replay_word_number(value, &op->number[opt]);
	case 'W':
		op->keep = value;
		return value && *value;
	case 'C':
		return value && replay_word_cmd(value, &op->cmd_at);
	case 'P':
		return value && replay_word_ptr(value, p->base, &op->ptr_at,
						&op->ptr_addr);
	default:
		return !value;
	}
}

static int take_option(struct parse *p, char *word)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (int opt = 0; opt < REPLAY_OPT_COUNT; opt++) {
		if (strcmp(options[opt].name, word) != 0)
			continue;
		if (!(p->op->verb->opts & REPLAY_BIT(opt)))
			break;
		p->op->given |= REPLAY_BIT(opt);
		return take_value(p, (enum replay_opt)opt, value) ?
			       0 :
			       refuse(p, "value of an option");
	}
	return refuse(p, "option");
}

static int parse(struct parse *p)
{
	const char *verb = strtok_r(p->op->words, " \t", &p->rest);
	char *word;
	int ret;

	p->op->verb = verb ? replay_verb_find(verb) : NULL;
	if (!p->op->verb)
		return refuse(p, "operation");
	ret = take_args(p);
	while (!ret && (word = next(p)))
		ret = take_option(p, word);
	return ret;
}

int replay_op_parse(struct replay_op *op, const char *text, uint64_t base,
		    const char **why)
{
	struct parse p = { .op = op, .base = base, .why = why };
	int ret;

	memset(op, 0, sizeof(*op));
	op->words = strdup(text);
	if (!op->words)
		return -ENOMEM;
	ret = parse(&p);
	if (ret)
		replay_op_fini(op);
	return ret;
}

void replay_op_fini(struct replay_op *op)
{
	free(op->words);
	memset(op, 0, sizeof(*op));
}
