/* SPDX-License-Identifier: MIT */
#include "window_inside.h"

#include "../../preload/window.h"
#include "sys/pagesize.h"

bool is_for_window(unsigned int op)
{
	return op == UHMM_ENGINE_RESERVE || op == UHMM_ENGINE_SWEEP ||
	       op == PROG_MOVE;
}

struct prog_hands_reply do_window(int uffd, const struct prog_hands *cmd)
{
	struct uhmm_msg_hands h = { .nranges = cmd->n };
	struct uhmm_msg_hands_reply done = { .done = 0 };
	struct prog_hands_reply reply = { .error = 0 };

	for (unsigned int i = 0; i < cmd->n; i++) {
		h.range[i].addr = uhmm_addr_of(cmd->range[i].start);
		h.range[i].bytes =
			uhmm_bytes_of(uhmm_range_npages(cmd->range[i]));
	}
	if (cmd->op == PROG_MOVE)
		reply.error = (int)uhmm_window_move(uffd, &h, &done);
	for (unsigned int i = 0; cmd->op != PROG_MOVE && i < h.nranges &&
				 !reply.error; i++)
		reply.error = (int)(cmd->op == UHMM_ENGINE_RESERVE ?
					    uhmm_window_reserve(&h.range[i]) :
					    uhmm_window_sweep(&h.range[i]));
	reply.moved = done.moved;
	return reply;
}
