/* SPDX-License-Identifier: MIT */
/* libc_buffer.h - the real functions behind hooks_buffer.c, as in libc.h
 *
 * Those of one signature are one function here; @n says which is meant. Where
 * this libc has no such function: ENOSYS.
 */
#ifndef UHMM_PRELOAD_LIBC_BUFFER_H
#define UHMM_PRELOAD_LIBC_BUFFER_H

#include "libc_names.h"

/** LIBC_RECV */
ssize_t libc_recv(int fd, void *buf, size_t bytes, int flags);
ssize_t libc_recv_chk(int fd, void *buf, size_t bytes, size_t room, int flags);
ssize_t libc_send(int fd, const void *buf, size_t bytes, int flags);
/* NOLINTNEXTLINE(readability-function-size): as many as it has */
ssize_t libc_recvfrom(int fd, void *buf, size_t bytes, int flags, void *addr,
		      socklen_t *addr_bytes);
/* NOLINTNEXTLINE(readability-function-size): as many as it has */
ssize_t libc_sendto(int fd, const void *buf, size_t bytes, int flags,
		    const void *addr, socklen_t addr_bytes);
ssize_t libc_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t libc_sendmsg(int fd, const struct msghdr *msg, int flags);
/** LIBC_FREAD, LIBC_FREAD_UNLOCKED */
size_t libc_fread(enum libc_name n, void *buf, size_t size, size_t count,
		  FILE *file);
/** LIBC_FREAD_CHK, LIBC_FREAD_UNLOCKED_CHK */
size_t libc_fread_chk(enum libc_name n, void *buf, size_t room, size_t size,
		      size_t count, FILE *file);
/** LIBC_FWRITE, LIBC_FWRITE_UNLOCKED */
size_t libc_fwrite(enum libc_name n, const void *buf, size_t size,
		   size_t count, FILE *file);
ssize_t libc_getrandom(void *buf, size_t bytes, unsigned int flags);
ssize_t libc_vmsplice(int fd, const struct iovec *iov, size_t count,
		      unsigned int flags);
/** LIBC_PROCESS_VM_READV, LIBC_PROCESS_VM_WRITEV */
/* NOLINTNEXTLINE(readability-function-size): as many as it has */
ssize_t libc_process_vm(enum libc_name n, pid_t pid, const struct iovec *here,
			unsigned long nhere, const struct iovec *there,
			unsigned long nthere, unsigned long flags);
int libc_mlock(const void *addr, size_t bytes);
int libc_mlock2(const void *addr, size_t bytes, unsigned int flags);
int libc_mlockall(int flags);

#endif
