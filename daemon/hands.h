/* SPDX-License-Identifier: MIT */
/* hands.h - have a program do something to its own memory
 *
 * Theory of operation. Only the program itself can drop or populate its pages.
 * The thread whose request we serve lends its hands, since it waits anyway; if
 * nobody of that program waits for us, its agent does. The job sleeps until
 * the answer; a thread that zaps raises a removal, which the loop reads
 * meanwhile (zaps.h tells that it is ours).
 * One hands message per channel at a time, others queue. When a lending thread
 * hangs up in the middle the agent does it again: nothing we ask for does harm
 * twice.
 */
#ifndef UHMMD_HANDS_H
#define UHMMD_HANDS_H

#include <stdbool.h>

#include <uhmm/types.h>

struct channel;
struct session;
struct uhmm_engine_move;
struct uhmm_wire_msg;

/** hands_call() - (yields) struct uhmm_engine_env.hands; @ctx is a session
 *  Return: 0; -errno of the range that failed; -ESRCH the program is gone;
 *  -EIO nobody there to do it */
UHMM_CHECKED int hands_call(void *ctx, unsigned int op,
			    const struct uhmm_range *r, unsigned int n);

/** hands_move() - (yields) struct uhmm_engine_env.move; @ctx is a session.
 *  Only the agent can: it has the program's own userfaultfd. */
UHMM_CHECKED int hands_move(void *ctx, struct uhmm_range open,
			    const struct uhmm_engine_move *m, unsigned int n,
			    uint64_t *moved);

/**
 * hands_copy() - (yields) the thread of @s whose request this is copies @npages
 * pages from @from, which may be in the window, to @to, any address
 * Return: pages copied, fewer where one of them cannot be accessed, or nobody of
 * @s waits for us
 */
uint64_t hands_copy(struct session *s, uint64_t from, uint64_t to,
		    uint64_t npages);

/** hands_answer() - @msg came on @ch. Return: false: nobody asked */
bool hands_answer(struct channel *ch, const struct uhmm_wire_msg *msg);

/** hands_look() - @ch is closed, or its session closing: who waits for its
 *  hands must know */
void hands_look(struct channel *ch);

#endif
