/* SPDX-License-Identifier: MIT */
/* orphan.h - the daemon is gone: nothing may hang, nothing may read zeros
 *
 * Theory of operation. What was on the device is lost. The memory it was in is
 * still registered with our userfaultfd: who touches it waits, and so does who
 * unmaps or moves it, until somebody reads the event. Once, in the agent:
 *
 *   for each private mapping that /proc says is registered, and not by the
 *   program:
 *     lift the write protection; poison every page that is not there (SIGBUS
 *     for who touches it), which wakes who waits for it
 *   again, until a whole walk found nothing to do and nothing has changed in
 *   the meantime (a mapping may move behind it); then close the userfaultfd
 *
 * Poison outlives the registration and is inherited by fork, and madvise, mmap
 * and munmap remove it, so from then on the program needs no help: it has
 * ordinary memory with holes that say so. Nothing is unregistered before all is
 * poisoned: that would not wait for an event, and a mapping that comes back in
 * that moment would read zeros. Where the kernel has no poison (before 6.6) the
 * pages become PROT_NONE and raise SIGSEGV instead.
 *
 * What the program drops meanwhile (madvise) reads zeros, as it should. A page
 * of a registered mapping that never was on the device but also never was
 * touched cannot be told apart and is poisoned too. So a daemon that ends a session in good order gives back its pages and
 * unregisters first: then nothing is found here, and not a word is said.
 *
 * Where /proc is not to be had, or where the program never stops changing its
 * mappings, faults are answered one by one, the same way, for as long as the
 * program lives.
 *
 * Runs in the agent: no TLS.
 */
#ifndef UHMM_PRELOAD_ORPHAN_H
#define UHMM_PRELOAD_ORPHAN_H

#include "preload.h"

/**
 * uhmm_orphan_run() - do all that; @uffd is closed when it returns
 * @for_ever: called when it will not return
 */
void uhmm_orphan_run(int uffd, unsigned long page_bytes,
		     void (*for_ever)(void));

#endif
