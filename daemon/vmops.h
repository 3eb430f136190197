/* SPDX-License-Identifier: MIT */
/* vmops.h - what a program says of its mappings, where the kernel says nothing
 * or says it badly: mprotect, madvise, mincore; and of another's, as a debugger
 */
#ifndef UHMMD_VMOPS_H
#define UHMMD_VMOPS_H

struct request;

/** vmops_protect() - (yields) before mprotect: entries of what really changes
 *  become READ; after it: mirrors that looked in between forget. 0 or -errno */
int vmops_protect(struct request *rq);

/** vmops_advise() - (yields) MADV_FREE is told by the kernel as a removal, but
 *  drops nothing here; MADV_COLLAPSE wants plain pages; what a fork leaves
 *  out is not told at all. 0; -EALREADY not to be done, for pages of coherent
 *  devices are there; -errno */
int vmops_advise(struct request *rq);

/** vmops_remap() - before mremap: a range that we trap in parts is one mapping
 *  again, since the kernel moves no more than one. 0 or -errno */
int vmops_remap(struct request *rq);

/** vmops_peek() - (yields) what is away of another program's range comes back.
 *  0; -ESRCH no such program */
int vmops_peek(struct request *rq);

/** vmops_mincore() - (yields) pages on devices are in core. 0 or -errno */
int vmops_mincore(struct request *rq);

#endif
