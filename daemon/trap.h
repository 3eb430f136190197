/* SPDX-License-Identifier: MIT */
/* trap.h - faults that no userfaultfd tells of: the program asks
 *
 * A page that is guarded by its protection (sys/fence.h) raises SIGSEGV in the
 * thread that touches it, and the library in the program asks whether it is
 * ours. And before system calls that could not wait for us it asks for their
 * buffers.
 */
#ifndef UHMMD_TRAP_H
#define UHMMD_TRAP_H

struct request;

/** trap_fault() - (yields) serve the fault, if it is ours. 0 or -errno */
int trap_fault(struct request *rq);

/** trap_bring() - (yields) pages of a buffer that are away come back, what is
 *  protected may be written. 0 or -errno */
int trap_bring(struct request *rq);

#endif
