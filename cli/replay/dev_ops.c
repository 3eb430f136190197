/* SPDX-License-Identifier: MIT */
/* dev_ops.c - commands to the device
 *
 * Besides its answer a command tells whether it changed what it must not: the
 * struct, or the buffer of a command that failed.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ops.h"
#include "player.h"
#include "uhmm/hmm_ioctl.h"

#define CPAGES_BEFORE 77
#define FAULTS_BEFORE 88
#define BUFFER_BEFORE 0xa5
#define EINTR_TRIES 100

/** What a command does with its buffer. */
enum flow { FLOW_NONE, FLOW_DATA_OUT, FLOW_DATA_IN, FLOW_PROT_OUT };

/**
 * struct command - a command under way
 * @nr:     number of the command
 * @flow:   of what we look at; none for a raw one
 * @data:   the buffer
 * @cmd:    the struct as we keep it; @before: as it was
 */
struct command {
	unsigned int nr;
	enum flow flow;
	struct replay_data data;
	struct uhmm_dmirror_cmd cmd;
	struct uhmm_dmirror_cmd before;
};

#define NR_SNAPSHOT _IOC_NR(UHMM_DMIRROR_SNAPSHOT)

static enum flow flow_of(unsigned int nr)
{
	switch (UHMM_DMIRROR_IOCTL(nr)) {
	case UHMM_DMIRROR_READ:
	case UHMM_DMIRROR_MIGRATE_TO_DEV:
	case UHMM_DMIRROR_EXCLUSIVE:
		return FLOW_DATA_OUT;
	case UHMM_DMIRROR_WRITE:
		return FLOW_DATA_IN;
	case UHMM_DMIRROR_SNAPSHOT:
		return FLOW_PROT_OUT;
	default:
		return FLOW_NONE;
	}
}

/* Make the buffer what it shall be before the command. */
static void fill(const struct replay_player *p, const struct replay_op *op,
		 const struct command *c, uint64_t npages)
{
	unsigned char *good = p->buffers.data;

	if (!c->data.seen)
		return;
	if (c->flow != FLOW_DATA_IN) {
		memset(c->data.seen, BUFFER_BEFORE, c->data.bytes);
		return;
	}
	for (uint64_t i = 0; i < npages; i++)
		replay_pattern_page((uint64_t *)(void *)good +
					    i * REPLAY_PAGE_WORDS,
				    op->seed, i);
	memmove(c->data.seen, good, c->data.bytes);
}

static void prepare(struct replay_player *p, const struct replay_op *op,
		    struct command *c)
{
	uint64_t npages = op->npages[0] < REPLAY_BUFFER_PAGES ?
				  op->npages[0] :
				  REPLAY_BUFFER_PAGES;
	size_t bytes = c->nr == NR_SNAPSHOT ? npages :
					      npages * REPLAY_PAGE_BYTES;

	if (!replay_buffers_place(&p->buffers, op, bytes, &c->data))
		replay_player_broken(p, "too many pages");
	fill(p, op, c, npages);
	c->before = (struct uhmm_dmirror_cmd){
		.addr = op->addr[0] + replay_op_number(op, REPLAY_OPT_MIS, 0),
		.ptr = c->data.addr,
		.npages = op->npages[0],
		.cpages = CPAGES_BEFORE,
		.faults = FAULTS_BEFORE,
	};
	c->cmd = c->before;
}

static int issue(int fd, unsigned int nr, void *cmd)
{
	int ret, tries = 0;

	do
		ret = ioctl(fd, UHMM_DMIRROR_IOCTL(nr), cmd);
	while (ret < 0 && errno == EINTR && ++tries < EINTR_TRIES);
	return ret;
}

/* Issue it with the struct where it shall be. */
static int issue_at(struct replay_player *p, const struct replay_op *op,
		    struct command *c)
{
	int fd = replay_fds_get(&p->fds, op->fd[0]);

	switch (op->cmd_at) {
	case REPLAY_CMD_NULL:
		return issue(fd, c->nr, (void *)REPLAY_BAD_ADDRESS);
	case REPLAY_CMD_RO:
		replay_buffers_set_cmd(&p->buffers, &c->cmd, sizeof(c->cmd));
		return issue(fd, c->nr, p->buffers.cmd);
	default:
		return issue(fd, c->nr, &c->cmd);
	}
}

static void answer_cmd(struct replay_player *p, const struct replay_op *op,
		       const struct command *c, int ret)
{
	struct uhmm_dmirror_cmd want = c->before;
	const void *got = &c->cmd;

	replay_answer_ret(&p->answer, ret);
	if (op->cmd_at == REPLAY_CMD_RO)
		got = p->buffers.cmd;
	if (op->cmd_at == REPLAY_CMD_GOOD && ret >= 0) {
		want.cpages = c->cmd.cpages;
		want.faults = c->cmd.faults;
		replay_answer_word(&p->answer,
				   "cpages=%" PRIu64 " faults=%" PRIu64,
				   c->cmd.cpages, c->cmd.faults);
	}
	if (memcmp(got, &want, sizeof(want)) != 0)
		replay_answer_word(&p->answer, "cmd=MOD");
}

static void answer_unchanged(struct replay_player *p, const struct command *c)
{
	for (size_t i = 0; i < c->data.bytes; i++) {
		if (c->data.seen[i] == BUFFER_BEFORE)
			continue;
		replay_answer_word(&p->answer, "buf=MOD");
		return;
	}
}

static void answer_data(struct replay_player *p, const struct command *c)
{
	struct replay_sum sum = REPLAY_SUM_INIT;

	/* words are aligned; what we were given may be not */
	memmove(p->buffers.data, c->data.seen, c->data.bytes);
	replay_sum_add(&sum, (uint64_t *)(void *)p->buffers.data,
		       c->data.bytes / sizeof(uint64_t));
	replay_answer_sum(&p->answer, "data", &sum);
}

static void answer_buffer(struct replay_player *p, const struct command *c,
			  int ret)
{
	bool is_out = c->flow == FLOW_DATA_OUT || c->flow == FLOW_PROT_OUT;

	if (!c->data.seen || !is_out)
		return;
	if (ret < 0)
		answer_unchanged(p, c);
	else if (c->flow == FLOW_PROT_OUT)
		replay_answer_runs(&p->answer, "prot", c->data.seen,
				   c->data.bytes, NULL);
	else
		answer_data(p, c);
}

static void run(struct replay_player *p, const struct replay_op *op,
		struct command *c)
{
	int ret;

	prepare(p, op, c);
	ret = issue_at(p, op, c);
	answer_cmd(p, op, c, ret);
	answer_buffer(p, c, ret);
}

REPLAY_OP(command)
{
	struct command c = { .nr = op->verb->nr,
			     .flow = flow_of(op->verb->nr) };

	run(p, op, &c);
}

REPLAY_OP(raw)
{
	struct command c = { .nr = (unsigned int)op->value,
			     .flow = FLOW_NONE };

	run(p, op, &c);
}
