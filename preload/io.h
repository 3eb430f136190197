/* SPDX-License-Identifier: MIT */
/* io.h - the real functions of libc_file.h, for buffers that may be away
 *
 * Each brings back first what the call will use (buffer.h), and is otherwise
 * what its namesake is.
 */
#ifndef UHMM_PRELOAD_IO_H
#define UHMM_PRELOAD_IO_H

#include "libc_file.h"

ssize_t uhmm_io_read(int fd, void *buf, size_t bytes);
ssize_t uhmm_io_read_chk(int fd, void *buf, size_t bytes, size_t room);
ssize_t uhmm_io_write(int fd, const void *buf, size_t bytes);
ssize_t uhmm_io_pread(enum libc_name n, int fd, void *buf, size_t bytes,
		      off_t offset);
ssize_t uhmm_io_pread_chk(enum libc_name n, int fd, void *buf, size_t bytes,
			  off_t offset, size_t room);
ssize_t uhmm_io_pwrite(enum libc_name n, int fd, const void *buf, size_t bytes,
		       off_t offset);
ssize_t uhmm_io_iov(enum libc_name n, int fd, const struct iovec *iov,
		    int count);
ssize_t uhmm_io_piov(enum libc_name n, int fd, const struct iovec *iov,
		     int count, off_t offset);

#endif
