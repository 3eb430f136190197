/* SPDX-License-Identifier: MIT */
/* procmem.h - the bytes of a program, through its own /proc/PID/mem descriptor
 *
 * The program opened it, so no permission is needed. It reads PROT_NONE pages
 * and writes read-only private ones (a copy of the program's own is made). A
 * page that is missing in a trapped range, a marker, and a write to a
 * write-protected page end the transfer at once: it never waits for a
 * userfaultfd, unlike process_vm_readv(2).
 * Beware: reading a hole of an UNTRAPPED mapping maps the zero page there,
 * writing one allocates.
 *
 * Units:  byte addresses of the program.
 * Errors: bytes done, fewer than asked at the first page that cannot be
 *         (0: the first), or -ESRCH: the mm is gone. The caller's errno is
 *         left as it was.
 */
#ifndef UHMM_SYS_PROCMEM_H
#define UHMM_SYS_PROCMEM_H

#include <sys/uio.h>

#include <uhmm/types.h>

/** uhmm_procmem_read() - @bytes at @addr of the program to @buf */
UHMM_CHECKED int64_t uhmm_procmem_read(int mem, uint64_t addr, void *buf,
				       size_t bytes);

/** uhmm_procmem_write() - @bytes of @buf to @addr of the program */
UHMM_CHECKED int64_t uhmm_procmem_write(int mem, uint64_t addr,
					const void *buf, size_t bytes);

/**
 * uhmm_procmem_readv() - contiguous bytes at @addr, scattered to @iov
 * @iov:  changed by the call  @niov: any number
 */
UHMM_CHECKED int64_t uhmm_procmem_readv(int mem, uint64_t addr,
					struct iovec *iov, unsigned int niov);

#endif
