/* SPDX-License-Identifier: MIT */
/* io.c - real functions for buffers that may be away (io.h) */
#include "io.h"

#include "buffer.h"

ssize_t uhmm_io_read(int fd, void *buf, size_t bytes)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, true);
		ret = libc_read(fd, buf, bytes);
	}
	return ret;
}

ssize_t uhmm_io_read_chk(int fd, void *buf, size_t bytes, size_t room)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes < room ? bytes : room, true);
		ret = libc_read_chk(fd, buf, bytes, room);
	}
	return ret;
}

ssize_t uhmm_io_write(int fd, const void *buf, size_t bytes)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, false);
		ret = libc_write(fd, buf, bytes);
	}
	return ret;
}

ssize_t uhmm_io_pread(enum libc_name n, int fd, void *buf, size_t bytes,
		      off_t offset)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, true);
		ret = libc_pread(n, fd, buf, bytes, offset);
	}
	return ret;
}

/* NOLINTNEXTLINE(readability-function-size): as many as it has */
ssize_t uhmm_io_pread_chk(enum libc_name n, int fd, void *buf, size_t bytes,
			  off_t offset, size_t room)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes < room ? bytes : room, true);
		ret = libc_pread_chk(n, fd, buf, bytes, offset, room);
	}
	return ret;
}

ssize_t uhmm_io_pwrite(enum libc_name n, int fd, const void *buf, size_t bytes,
		       off_t offset)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, false);
		ret = libc_pwrite(n, fd, buf, bytes, offset);
	}
	return ret;
}

ssize_t uhmm_io_iov(enum libc_name n, int fd, const struct iovec *iov,
		    int count)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_iov(iov, count, n == LIBC_READV);
		ret = libc_iov(n, fd, iov, count);
	}
	return ret;
}

ssize_t uhmm_io_piov(enum libc_name n, int fd, const struct iovec *iov,
		     int count, off_t offset)
{
	bool write = n == LIBC_PREADV || n == LIBC_PREADV64;
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_iov(iov, count, write);
		ret = libc_piov(n, fd, iov, count, offset);
	}
	return ret;
}
