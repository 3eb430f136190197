/* SPDX-License-Identifier: MIT */
/* libc_file.h - the real functions behind hooks_file.c, as in libc.h
 *
 * Those of one signature are one function here; @n says which is meant.
 */
#ifndef UHMM_PRELOAD_LIBC_FILE_H
#define UHMM_PRELOAD_LIBC_FILE_H

#include "libc_names.h"

ssize_t libc_read(int fd, void *buf, size_t bytes);
ssize_t libc_read_chk(int fd, void *buf, size_t bytes, size_t room);
ssize_t libc_write(int fd, const void *buf, size_t bytes);
/** LIBC_PREAD, LIBC_PREAD64 */
ssize_t libc_pread(enum libc_name n, int fd, void *buf, size_t bytes,
		   off_t offset);
/** LIBC_PREAD_CHK, LIBC_PREAD64_CHK */
ssize_t libc_pread_chk(enum libc_name n, int fd, void *buf, size_t bytes,
		       off_t offset, size_t room);
/** LIBC_PWRITE, LIBC_PWRITE64 */
ssize_t libc_pwrite(enum libc_name n, int fd, const void *buf, size_t bytes,
		    off_t offset);
/** LIBC_READV, LIBC_WRITEV */
ssize_t libc_iov(enum libc_name n, int fd, const struct iovec *iov, int count);
/** LIBC_PREADV, LIBC_PWRITEV, and their 64 */
ssize_t libc_piov(enum libc_name n, int fd, const struct iovec *iov, int count,
		  off_t offset);
/** LIBC_LSEEK, LIBC_LSEEK64 */
off_t libc_lseek(enum libc_name n, int fd, off_t offset, int whence);
/** LIBC_FSTAT, LIBC_FSTAT64: the structs are the same */
int libc_fstat(enum libc_name n, int fd, void *st);
/** LIBC_FXSTAT, LIBC_FXSTAT64 */
int libc_fxstat(enum libc_name n, int version, int fd, void *st);
int libc_statx(int dir, const char *path, int flags, unsigned int mask,
	       struct statx *st);
/** LIBC_FCNTL, LIBC_FCNTL64 */
int libc_fcntl(enum libc_name n, int fd, int cmd, unsigned long arg);
long libc_ptrace(long request, pid_t pid, void *addr, void *data);
int libc_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);

#endif
