/* SPDX-License-Identifier: MIT */
/* cpu_ops.c - the CPU reads and writes pages, one at a time */
#include "ops.h"
#include "player.h"
#include "trap.h"

/**
 * struct access - one page being accessed
 * @words: where it begins
 * @page:  its number in the range
 */
struct access {
	volatile uint64_t *words;
	uint64_t page;
	uint64_t seed;
	struct replay_sum sum;
};

static void read_word(void *arg)
{
	struct access *a = arg;

	replay_sum_add(&a->sum, a->words, 1);
}

static void read_page(void *arg)
{
	struct access *a = arg;

	replay_sum_add(&a->sum, a->words, REPLAY_PAGE_WORDS);
}

static void write_word(void *arg)
{
	const struct access *a = arg;

	replay_pattern_poke(a->words, a->seed, a->page);
}

static void write_page(void *arg)
{
	const struct access *a = arg;

	replay_pattern_page(a->words, a->seed, a->page);
}

/* Access every page of @op; how it went is per page in @p. */
static void each_page(struct replay_player *p, const struct replay_op *op,
		      struct access *a, void (*access)(void *arg))
{
	a->seed = op->seed;
	a->sum = REPLAY_SUM_INIT;
	for (a->page = 0; a->page < op->npages[0]; a->page++) {
		a->words = (volatile uint64_t *)(uintptr_t)(
			op->addr[0] + a->page * REPLAY_PAGE_BYTES);
		p->per_page[a->page] =
			(unsigned char)replay_trap_try(access, a);
	}
}

/* Only if one failed: how each went. */
static void answer_faults(struct replay_player *p, uint64_t npages)
{
	static const char *const names[] = { "ok", "SEGV", "BUS" };

	for (uint64_t i = 0; i < npages; i++) {
		if (p->per_page[i] == REPLAY_ACCESS_OK)
			continue;
		replay_answer_runs(&p->answer, "acc", p->per_page, npages,
				   names);
		return;
	}
}

static void read_range(struct replay_player *p, const struct replay_op *op,
		       void (*access)(void *arg))
{
	struct access a;

	each_page(p, op, &a, access);
	replay_answer_sum(&p->answer, "sum", &a.sum);
	answer_faults(p, op->npages[0]);
}

static void write_range(struct replay_player *p, const struct replay_op *op,
			void (*access)(void *arg))
{
	struct access a;

	each_page(p, op, &a, access);
	replay_answer_word(&p->answer, "ok");
	answer_faults(p, op->npages[0]);
}

REPLAY_OP(touchr)
{
	read_range(p, op, read_word);
}

REPLAY_OP(sum)
{
	read_range(p, op, read_page);
}

REPLAY_OP(touchw)
{
	write_range(p, op, write_page);
}

REPLAY_OP(poke)
{
	write_range(p, op, write_word);
}
