/* SPDX-License-Identifier: MIT */
/* vmcall.h - changes of mappings that no event tells of
 *
 * Theory of operation. What a userfaultfd has registered the kernel tells of;
 * a fence (sys/fence.h) it does not know. So hooks say before such a call that
 * it comes, and after it that it was done. In between nothing of that address
 * space goes to a device (fork.h holds the calls back), and nothing is on its
 * way in the range: what is found after the call is what was there before.
 * Changes that pass no hook are found out when a fence is next looked at.
 */
#ifndef UHMMD_VMCALL_H
#define UHMMD_VMCALL_H

#include <uhmm/types.h>

struct request;
struct session;

/** vmcall() - (yields) handler: munmap, MADV_DONTNEED, mremap. 0 or -errno */
int vmcall(struct request *rq);

/** vmcall_fence() - (yields) handler: mprotect, part by part. 0 or -errno */
int vmcall_fence(struct request *rq);

#endif
