/* SPDX-License-Identifier: MIT */
/* ops.h - the operations; each plays @op and leaves its answer in @p->answer
 *
 * They use plain calls of libc, so that what serves the device by hooking
 * them sees what it would see of any program.
 */
#ifndef UHMM_CLI_REPLAY_OPS_H
#define UHMM_CLI_REPLAY_OPS_H

#include "op.h"

#define REPLAY_OP(name) \
	void replay_##name(struct replay_player *p, const struct replay_op *op)

REPLAY_OP(map);
REPLAY_OP(unmap);
REPLAY_OP(protect);
REPLAY_OP(remap);
REPLAY_OP(resize);
REPLAY_OP(advise);
REPLAY_OP(mlock);
REPLAY_OP(munlock);

REPLAY_OP(touchr);
REPLAY_OP(sum);
REPLAY_OP(touchw);
REPLAY_OP(poke);

REPLAY_OP(sysread);
REPLAY_OP(syswrite);
REPLAY_OP(pvread);
REPLAY_OP(pvwrite);
REPLAY_OP(pagemap);
REPLAY_OP(mincore);

REPLAY_OP(open);
REPLAY_OP(close);
REPLAY_OP(dup);
REPLAY_OP(fdop);

REPLAY_OP(command);
REPLAY_OP(raw);

REPLAY_OP(kill9);
REPLAY_OP(exit);

#endif
