/* SPDX-License-Identifier: MIT */
/* print.c - steps in words (world.h) */
#include <stdio.h>

#include "world_inside.h"

static const char *const kinds[OP_NR] = {
	[OP_READ] = "read", [OP_WRITE] = "write", [OP_TO_DEV] = "to device",
	[OP_TO_SYS] = "to system", [OP_MOVE] = "to the other device, from",
	[OP_EVICT] = "evict", [OP_UNPLUG] = "unplug",
	[OP_EXCLUSIVE] = "exclusive", [OP_DEV_WRITE] = "device writes",
	[OP_FORK] = "fork", [OP_EXIT] = "exit", [OP_MAP] = "map",
	[OP_UNMAP] = "unmap", [OP_DONTNEED] = "dontneed",
	[OP_PROTECT] = "protect", [OP_REMAP] = "remap",
};

static const char *const rights[] = {
	[MODEL_NONE] = "none", [MODEL_READ] = "read", [MODEL_WRITE] = "write",
};

static const char *const failures[FAILS_NR] = {
	[FAILS_NOT] = "", [FAILS_ALLOC] = ", no destination",
	[FAILS_ENGINE] = ", engine fails",
};

void world_print(const struct step *step)
{
	const struct op *op = &step->op;

	if (step->job)
		fprintf(stderr, "  job %d goes on", step->job);
	else
		fprintf(stderr, "  %s: program %d, page %d", kinds[op->kind],
			op->p, op->v);
	if (!step->job && op->n > 1)
		fprintf(stderr, " and %d", op->v + op->n - 1);
	if (!step->job && op->kind >= OP_TO_DEV && op->kind <= OP_DEV_WRITE)
		fprintf(stderr, ", device %d", op->dev);
	if (!step->job && op->kind == OP_PROTECT)
		fprintf(stderr, ", %s", rights[op->rights]);
	fprintf(stderr, "%s%s\n", step->job ? "" : failures[op->failure],
		step->stops ? ", and stops" : "");
}
