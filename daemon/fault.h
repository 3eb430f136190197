/* SPDX-License-Identifier: MIT */
/* fault.h - what a userfaultfd says: page faults and events
 *
 * Events (removal, unmap, remap, fork) have happened and are told to src/mm at
 * once, in the order the kernel gave them; the thread that raised one stands
 * still until we have read it, so nothing here waits. Each page fault becomes
 * a job: it may have to wait for a page that is on its way.
 * The kernel hands out faults before events that are older. That is no harm:
 * a fault's job runs after everything that could be read was read, and looks
 * at what stands at the page then.
 */
#ifndef UHMMD_FAULT_H
#define UHMMD_FAULT_H

#include <stdint.h>

#include <uhmm/types.h>

struct session;

/** fault_ready() - (EV_UFFD) read and handle everything that is there */
void fault_ready(struct session *s, uint32_t events);

/** fault_again() - the same without having been told that there is something
 *  Return: there was */
bool fault_again(struct session *s);

/** fault_drain() - (yields) struct uhmm_engine_env.drain; @ctx is a session:
 *  the same, and let whoever raised an event run on. 0; -EAGAIN others ran
 *  meanwhile, or an event changed an entry; -ESRCH */
UHMM_CHECKED int fault_drain(void *ctx);

/** fault_catch_up() - (yields) whatever the program of @s did to its mappings
 *  before this was called is known when it returns, if @s is still open */
void fault_catch_up(struct session *s);

/** fault_pause() - nothing of @s is read until fault_resume(), so that its
 *  program cannot finish a change of its mappings. Calls nest. */
void fault_pause(struct session *s);

/** fault_resume() - struct uhmm_engine_env.resume; @ctx is a session */
void fault_resume(void *ctx);

#endif
