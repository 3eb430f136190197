/* SPDX-License-Identifier: MIT */
/* attach.h - the first message of a channel: hello and join
 *
 * hello hands a program's descriptors over. They are looked at as far as can
 * be told from outside: kinds of files, of procfs, open for what we need. What
 * they really show (whose memory) is the program's own business: it can only
 * harm itself.
 */
#ifndef UHMMD_ATTACH_H
#define UHMMD_ATTACH_H

#include "sys/engine.h"

struct request;

/** attach_hello() - a new session, or the one its fork made */
int attach_hello(struct request *rq);

/** attach_join() - one more channel of a session */
int attach_join(struct request *rq);

/** attach_check_fds() - are they what they are said to be? (@flags: of the
 *  hello.) 0; -EINVAL, said which is not */
UHMM_CHECKED int attach_check_fds(const struct uhmm_engine_fds *fds,
				  uint32_t flags);

#endif
