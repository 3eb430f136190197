/* SPDX-License-Identifier: MIT */
/* verbs.c - every operation: its name, what it takes, who plays it */
#include <string.h>

#include "ops.h"

#define OPT(name) REPLAY_BIT(REPLAY_OPT_##name)

#define MAP_OPTS                                                           \
	(OPT(THP) | OPT(NOTHP) | OPT(OVER) | OPT(POPULATE) | OPT(LOCKED) | \
	 OPT(NORESERVE) | OPT(SEED) | OPT(FPAGES) | OPT(FOFF) | OPT(KEEP))
#define DEV_OPTS (OPT(MIS) | OPT(CMD) | OPT(PTR))

static const struct replay_verb verbs[] = {
	/* memory: map_ops.c */
	{ "map", "AnPK", MAP_OPTS, replay_map, 0 },
	{ "unmap", "AN", 0, replay_unmap, 0 },
	{ "protect", "ANP", 0, replay_protect, 0 },
	{ "remap", "ANA", OPT(DONTUNMAP) | OPT(NEW), replay_remap, 0 },
	{ "resize", "ANN", 0, replay_resize, 0 },
	{ "advise", "ANM", 0, replay_advise, 0 },
	{ "mlock", "AN", 0, replay_mlock, 0 },
	{ "munlock", "AN", 0, replay_munlock, 0 },

	/* the CPU: cpu_ops.c */
	{ "touchr", "An", 0, replay_touchr, 0 },
	{ "sum", "An", 0, replay_sum, 0 },
	{ "touchw", "AnS", 0, replay_touchw, 0 },
	{ "poke", "AnS", 0, replay_poke, 0 },

	/* system calls: sys_ops.c */
	{ "sysread", "ANS", 0, replay_sysread, 0 },
	{ "syswrite", "AN", 0, replay_syswrite, 0 },
	{ "pvread", "An", 0, replay_pvread, 0 },
	{ "pvwrite", "AnS", 0, replay_pvwrite, 0 },
	{ "pagemap", "An", 0, replay_pagemap, 0 },
	{ "mincore", "An", 0, replay_mincore, 0 },

	/* descriptors: fd_ops.c */
	{ "open", "FV", OPT(RO) | OPT(CLOEXEC), replay_open, 0 },
	{ "close", "F", 0, replay_close, 0 },
	{ "dup", "FF", 0, replay_dup, 0 },
	{ "fdop", "QF", 0, replay_fdop, 0 },

	/* device commands: dev_ops.c */
	{ "read", "FAN", DEV_OPTS, replay_command, 0 },
	{ "write", "FANS", DEV_OPTS, replay_command, 1 },
	{ "todev", "FAN", DEV_OPTS, replay_command, 2 },
	{ "tosys", "FAN", DEV_OPTS, replay_command, 3 },
	{ "snapshot", "FAN", DEV_OPTS, replay_command, 4 },
	{ "exclusive", "FAN", DEV_OPTS, replay_command, 5 },
	{ "checkexcl", "FAN", DEV_OPTS, replay_command, 6 },
	{ "release", "FAN", DEV_OPTS, replay_command, 7 },
	{ "flags", "FAN", DEV_OPTS, replay_command, 8 },
	{ "raw", "FVAN", DEV_OPTS, replay_raw, 0 },

	/* processes: play.c */
	{ "fork", "F{", 0, NULL, 0 },
	{ "}", "", 0, NULL, 0 },
	{ "kill9", "", 0, replay_kill9, 0 },
	{ "exit", "", 0, replay_exit, 0 },
};

const struct replay_verb *replay_verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}
