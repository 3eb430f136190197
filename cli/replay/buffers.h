/* SPDX-License-Identifier: MIT */
/* buffers.h - the memory of the player that device commands work on */
#ifndef UHMM_CLI_REPLAY_BUFFERS_H
#define UHMM_CLI_REPLAY_BUFFERS_H

#include <stddef.h>

#include "op.h"
#include "pattern.h"

/** Pages of data the player looks at; a command may name more. */
#define REPLAY_BUFFER_PAGES 4096UL

/** Most pages of data of ptr=mid. */
#define REPLAY_EDGE_PAGES 16UL

/**
 * struct replay_buffers - memory for data, good and bad
 * @data: good; a page more for ptr=odd, behind it memory nobody may access
 * @edge: half of REPLAY_EDGE_PAGES, behind it nothing is mapped
 * @ro:   a page that may only be read
 * @none: as much as ptr=mid has, which nobody may access
 * @cmd:  a page for the struct of a command, read-only but when it is set
 */
struct replay_buffers {
	unsigned char *data;
	unsigned char *edge;
	unsigned char *ro;
	unsigned char *none;
	unsigned char *cmd;
};

/** An address below everything that can be mapped. */
#define REPLAY_BAD_ADDRESS 0x1000UL

/** replay_buffers_init() - Return: 0; -errno */
int replay_buffers_init(struct replay_buffers *b);

/** replay_buffers_set_cmd() - put @bytes into the read-only page cmd */
void replay_buffers_set_cmd(const struct replay_buffers *b, const void *from,
			    size_t bytes);

/**
 * struct replay_data - where the data of one command is
 * @addr:  what the command names
 * @seen:  the part the player may look at itself; NULL: none
 * @bytes: length of @seen
 */
struct replay_data {
	uint64_t addr;
	unsigned char *seen;
	size_t bytes;
};

/** replay_buffers_place() - the data of @op, @bytes of it. Return: false if
 *  there are too many for where it shall be */
bool replay_buffers_place(const struct replay_buffers *b,
			  const struct replay_op *op, size_t bytes,
			  struct replay_data *data);

#endif
