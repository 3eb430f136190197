/* SPDX-License-Identifier: MIT */
/* fileops.h - what the kernel keeps of an open file, for a device fd that is a
 * socket: its position, the flags it was opened with
 *
 * The library in the program refuses by itself what needs nothing of this.
 */
#ifndef UHMMD_FILEOPS_H
#define UHMMD_FILEOPS_H

struct request;

/** fileops_seek() - as the kernel's default for a file of no length. 0; -EBADF;
 *  -ENXIO no data, no hole there; -EINVAL */
int fileops_seek(struct request *rq);

/** fileops_getfl() - flags of the open(2). 0; -EBADF */
int fileops_getfl(struct request *rq);

#endif
