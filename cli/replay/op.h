/* SPDX-License-Identifier: MIT */
/* op.h - one operation of a trace, parsed
 *
 * A line is a verb, its arguments in a fixed order, then options in any. What
 * a verb takes is one entry of the table in verbs.c; a line that does not fit
 * is refused before anything is played.
 */
#ifndef UHMM_CLI_REPLAY_OP_H
#define UHMM_CLI_REPLAY_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_player;
struct replay_op;

/** Region rK begins at base + K * this. */
#define REPLAY_REGION_BYTES 0x10000000UL
#define REPLAY_BASE 0x100000000000UL

/** Most pages of an operation that answers page by page. */
#define REPLAY_PAGES_MAX 65536UL

/** Options; a verb takes a set of them. */
enum replay_opt {
	REPLAY_OPT_THP,
	REPLAY_OPT_NOTHP,
	REPLAY_OPT_OVER,
	REPLAY_OPT_POPULATE,
	REPLAY_OPT_LOCKED,
	REPLAY_OPT_NORESERVE,
	REPLAY_OPT_SEED,
	REPLAY_OPT_FPAGES,
	REPLAY_OPT_FOFF,
	REPLAY_OPT_KEEP,
	REPLAY_OPT_DONTUNMAP,
	REPLAY_OPT_NEW,
	REPLAY_OPT_RO,
	REPLAY_OPT_CLOEXEC,
	REPLAY_OPT_MIS,
	REPLAY_OPT_CMD,
	REPLAY_OPT_PTR,
	REPLAY_OPT_COUNT
};

#define REPLAY_BIT(opt) (1U << (opt))

/** What `map` maps. */
enum replay_kind {
	REPLAY_KIND_ANON,
	REPLAY_KIND_SHARED,
	REPLAY_KIND_HUGE,
	REPLAY_KIND_MEMFD_PRIVATE,
	REPLAY_KIND_MEMFD_SHARED,
	REPLAY_KIND_FILE_PRIVATE,
	REPLAY_KIND_FILE_SHARED,
	REPLAY_KIND_FD_PRIVATE,
	REPLAY_KIND_FD_SHARED,
};

/** Where the struct of a device command is. */
enum replay_cmd_at { REPLAY_CMD_GOOD, REPLAY_CMD_NULL, REPLAY_CMD_RO };

/** Where the data of a device command is. */
enum replay_ptr_at {
	REPLAY_PTR_GOOD,
	REPLAY_PTR_NULL,
	REPLAY_PTR_NONE,   /* memory nobody may access */
	REPLAY_PTR_RO,	   /* a read-only page */
	REPLAY_PTR_ODD,	   /* good, not aligned */
	REPLAY_PTR_MID,	   /* its second half is not mapped */
	REPLAY_PTR_REGION, /* in a region of the trace */
};

/** What `fdop` does to a descriptor. */
enum replay_fdop {
	REPLAY_FDOP_READ,
	REPLAY_FDOP_WRITE,
	REPLAY_FDOP_PREAD,
	REPLAY_FDOP_LSEEK,
	REPLAY_FDOP_POLL,
	REPLAY_FDOP_FSTAT,
	REPLAY_FDOP_GETFL,
	REPLAY_FDOP_FTRUNCATE,
	REPLAY_FDOP_FSYNC,
};

/**
 * struct replay_verb - what a first word means
 * @name: the word
 * @args: one letter per argument:
 *        F name of a descriptor; A address (region and page in it);
 *        N number of pages; n the same, at most REPLAY_PAGES_MAX;
 *        S seed; V a number; P protection; K kind; M advice; Q of fdop;
 *        { a block begins
 * @opts: options it takes
 * @run:  plays it; NULL: starts or ends a block
 * @nr:   of the device command
 */
struct replay_verb {
	const char *name;
	const char *args;
	uint32_t opts;
	void (*run)(struct replay_player *p, const struct replay_op *op);
	unsigned int nr;
};

/** replay_verb_find() - Return: NULL there is no such verb */
const struct replay_verb *replay_verb_find(const char *name);

/**
 * struct replay_op - an operation; fields no argument speaks of are 0
 * @words:  what the names point into
 * @fd:     names of descriptors; also the name of a fork, and of map fd:NAME
 * @addr:   addresses
 * @npages: numbers of pages
 * @given:  options, REPLAY_BIT()
 * @number: values of the options that are numbers
 * @keep:   name for the file of a map
 * @ptr_addr: of REPLAY_PTR_REGION
 */
struct replay_op {
	const struct replay_verb *verb;
	char *words;
	const char *fd[2];
	uint64_t addr[2];
	uint64_t npages[2];
	uint64_t seed;
	uint64_t value;
	int prot;
	int advice;
	enum replay_kind kind;
	enum replay_fdop fdop;
	uint32_t given;
	uint64_t number[REPLAY_OPT_COUNT];
	const char *keep;
	enum replay_cmd_at cmd_at;
	enum replay_ptr_at ptr_at;
	uint64_t ptr_addr;
};

/**
 * replay_op_parse() - a line without answer and note
 * @base: address of region 0
 * @why:  set if it is refused
 *
 * Return: 0; -EINVAL refused; -ENOMEM
 */
int replay_op_parse(struct replay_op *op, const char *text, uint64_t base,
		    const char **why);
void replay_op_fini(struct replay_op *op);

static inline bool replay_op_has(const struct replay_op *op,
				 enum replay_opt opt)
{
	return op->given & REPLAY_BIT(opt);
}

static inline uint64_t replay_op_number(const struct replay_op *op,
					enum replay_opt opt, uint64_t otherwise)
{
	return replay_op_has(op, opt) ? op->number[opt] : otherwise;
}

#endif
