/* SPDX-License-Identifier: MIT */
/* hooks_file.c - hooks on calls that any descriptor may be the subject of
 *
 * In a program that never had a device one branch is all they add. In one that
 * has, what a socket refuses by itself is looked at only then, and of read and
 * write the descriptor is looked at first (a read would take the byte that
 * makes the device ready).
 */
#define UHMM_PRELOAD_DEFINES_HOOKS
#include "preload.h"

#include "debugger.h"
#include "devfd.h"
#include "file.h"
#include "io.h"

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's
 * headers have reserved names */

#define EXPORT __attribute__((visibility("default")))

/* Declared by libc only when fortified, or not any more. */
EXPORT ssize_t __read_chk(int fd, void *buf, size_t bytes, size_t room);
EXPORT ssize_t __pread_chk(int fd, void *buf, size_t bytes, off_t offset,
			   size_t room);
EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t bytes, off64_t offset,
			     size_t room);
EXPORT int __fxstat(int version, int fd, struct stat *st);
EXPORT int __fxstat64(int version, int fd, struct stat64 *st);

static bool refuses(int fd, bool write)
{
	return uhmm_devfd_seen() && uhmm_file_refuses(fd, write, errno);
}

/* A call with an offset: @ret, unless it failed for want of a position. */
static ssize_t judge(ssize_t ret, int fd, bool write)
{
	if (ret < 0 && uhmm_devfd_seen() && errno == ESPIPE)
		(void)uhmm_file_refuses(fd, write, errno);
	return ret;
}

/* Another's memory is read and written at a position or at the file's. */
static bool brings_here(ssize_t ret, int fd, size_t bytes, bool write)
{
	long at;

	if (ret >= 0 || errno != EIO)
		return false;
	at = uhmm_sys3(SYS_lseek, fd, 0, SEEK_CUR);
	return at >= 0 && uhmm_debugger_brings_to(fd, (uint64_t)at, bytes, write);
}

static bool brings(ssize_t ret, int fd, size_t bytes, off_t offset, bool write)
{
	return ret < 0 && errno == EIO &&
	       uhmm_debugger_brings_to(fd, (uint64_t)offset, bytes, write);
}

EXPORT ssize_t read(int fd, void *buf, size_t bytes)
{
	int saved = errno;
	ssize_t ret = refuses(fd, false) ? -1 : uhmm_io_read(fd, buf, bytes);

	if (brings_here(ret, fd, bytes, false)) {
		errno = saved;
		ret = uhmm_io_read(fd, buf, bytes);
	}
	return ret;
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t bytes, size_t room)
{
	return refuses(fd, false) ? -1 : uhmm_io_read_chk(fd, buf, bytes, room);
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	return refuses(fd, false) ? -1 : uhmm_io_iov(LIBC_READV, fd, iov, count);
}

EXPORT ssize_t write(int fd, const void *buf, size_t bytes)
{
	int saved = errno;
	ssize_t ret = refuses(fd, true) ? -1 : uhmm_io_write(fd, buf, bytes);

	if (brings_here(ret, fd, bytes, true)) {
		errno = saved;
		ret = uhmm_io_write(fd, buf, bytes);
	}
	return ret;
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return refuses(fd, true) ? -1 : uhmm_io_iov(LIBC_WRITEV, fd, iov, count);
}

static ssize_t any_pread(enum libc_name n, int fd, void *buf, size_t bytes,
			 off_t offset)
{
	int saved = errno;
	ssize_t ret = uhmm_io_pread(n, fd, buf, bytes, offset);

	if (brings(ret, fd, bytes, offset, false)) {
		errno = saved;
		ret = uhmm_io_pread(n, fd, buf, bytes, offset);
	}
	return judge(ret, fd, false);
}

static ssize_t any_pwrite(enum libc_name n, int fd, const void *buf,
			  size_t bytes, off_t offset)
{
	int saved = errno;
	ssize_t ret = uhmm_io_pwrite(n, fd, buf, bytes, offset);

	if (brings(ret, fd, bytes, offset, true)) {
		errno = saved;
		ret = uhmm_io_pwrite(n, fd, buf, bytes, offset);
	}
	return judge(ret, fd, true);
}

EXPORT ssize_t pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return any_pread(LIBC_PREAD, fd, buf, bytes, offset);
}

EXPORT ssize_t pread64(int fd, void *buf, size_t bytes, off64_t offset)
{
	return any_pread(LIBC_PREAD64, fd, buf, bytes, offset);
}

EXPORT ssize_t __pread_chk(int fd, void *buf, size_t bytes, off_t offset,
			   size_t room)
{
	return judge(uhmm_io_pread_chk(LIBC_PREAD_CHK, fd, buf, bytes, offset,
				    room), fd, false);
}

EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t bytes, off64_t offset,
			     size_t room)
{
	return judge(uhmm_io_pread_chk(LIBC_PREAD64_CHK, fd, buf, bytes, offset,
				    room), fd, false);
}

EXPORT ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	return judge(uhmm_io_piov(LIBC_PREADV, fd, iov, count, offset), fd, false);
}

EXPORT ssize_t preadv64(int fd, const struct iovec *iov, int count,
			off64_t offset)
{
	return judge(uhmm_io_piov(LIBC_PREADV64, fd, iov, count, offset), fd,
		     false);
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t bytes, off_t offset)
{
	return any_pwrite(LIBC_PWRITE, fd, buf, bytes, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t bytes, off64_t offset)
{
	return any_pwrite(LIBC_PWRITE64, fd, buf, bytes, offset);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	return judge(uhmm_io_piov(LIBC_PWRITEV, fd, iov, count, offset), fd, true);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int count,
			 off64_t offset)
{
	return judge(uhmm_io_piov(LIBC_PWRITEV64, fd, iov, count, offset), fd,
		     true);
}

static off_t any_lseek(enum libc_name n, int fd, off_t offset, int whence)
{
	int saved = errno;
	off_t ret = libc_lseek(n, fd, offset, whence);

	if (ret < 0 && uhmm_devfd_seen() && errno == ESPIPE)
		return uhmm_file_seek(fd, offset, whence, saved);
	return ret;
}

EXPORT off_t lseek(int fd, off_t offset, int whence)
{
	return any_lseek(LIBC_LSEEK, fd, offset, whence);
}

EXPORT off64_t lseek64(int fd, off64_t offset, int whence)
{
	return any_lseek(LIBC_LSEEK64, fd, offset, whence);
}

EXPORT int fstat(int fd, struct stat *st)
{
	int ret = libc_fstat(LIBC_FSTAT, fd, st);

	if (!ret && uhmm_devfd_seen())
		uhmm_file_stat(fd, st);
	return ret;
}

EXPORT int fstat64(int fd, struct stat64 *st)
{
	int ret = libc_fstat(LIBC_FSTAT64, fd, st);

	if (!ret && uhmm_devfd_seen())
		uhmm_file_stat(fd, (struct stat *)st);
	return ret;
}

EXPORT int __fxstat(int version, int fd, struct stat *st)
{
	int ret = libc_fxstat(LIBC_FXSTAT, version, fd, st);

	if (!ret && uhmm_devfd_seen())
		uhmm_file_stat(fd, st);
	return ret;
}

EXPORT int __fxstat64(int version, int fd, struct stat64 *st)
{
	int ret = libc_fxstat(LIBC_FXSTAT64, version, fd, st);

	if (!ret && uhmm_devfd_seen())
		uhmm_file_stat(fd, (struct stat *)st);
	return ret;
}

/* Does the path at @address mean the descriptor itself? (None at all does since
 * 6.11, whatever libc's headers say.) */
static bool is_nothing(long address)
{
	const char *path = (const char *)address;

	return !path || !path[0];
}

EXPORT int statx(int dir, const char *path, int flags, unsigned int mask,
		 struct statx *st)
{
	int ret = libc_statx(dir, path, flags, mask, st);

	/* the kernel has read the path */
	if (!ret && uhmm_devfd_seen() && (flags & AT_EMPTY_PATH) &&
	    is_nothing(uhmm_ptr(path)))
		uhmm_file_statx(dir, st);
	return ret;
}

static int any_fcntl(enum libc_name n, int fd, int cmd, unsigned long arg)
{
	int ret = libc_fcntl(n, fd, cmd, arg);

	if (cmd == F_GETFL && uhmm_devfd_seen() && ret >= 0)
		ret = uhmm_file_flags(fd, ret);
	return ret;
}

EXPORT int fcntl(int fd, int cmd, ...)
{
	unsigned long arg;
	va_list ap;

	va_start(ap, cmd);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	return any_fcntl(LIBC_FCNTL, fd, cmd, arg);
}

EXPORT int fcntl64(int fd, int cmd, ...)
{
	unsigned long arg;
	va_list ap;

	va_start(ap, cmd);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	return any_fcntl(LIBC_FCNTL64, fd, cmd, arg);
}

EXPORT int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	if (uhmm_devfd_seen() && uhmm_file_refuses_epoll(epoll, fd))
		return -1;
	return libc_epoll_ctl(epoll, op, fd, event);
}

static bool writes_memory(long request)
{
	return request == PTRACE_POKETEXT || request == PTRACE_POKEDATA;
}

static bool touches_memory(long request)
{
	return request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA ||
	       writes_memory(request);
}

EXPORT long ptrace(enum __ptrace_request request, ...)
{
	void *addr, *data;
	int saved = errno;
	pid_t pid;
	va_list ap;
	long ret;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	ret = libc_ptrace(request, pid, addr, data);
	if (ret == -1 && touches_memory(request) &&
	    uhmm_debugger_brings(pid, (uintptr_t)addr, sizeof(long),
				 writes_memory(request))) {
		errno = saved;
		ret = libc_ptrace(request, pid, addr, data);
	}
	return ret;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
