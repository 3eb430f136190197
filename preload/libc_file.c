/* SPDX-License-Identifier: MIT */
/* libc_file.c - call the real functions of hooks_file.c */
#include "libc_file.h"

_Static_assert(sizeof(struct stat) == sizeof(struct stat64) &&
		       sizeof(off_t) == sizeof(off64_t),
	       "one function does for both names");

/* Which system call stands in where there is no function. */
static long number_of(enum libc_name n)
{
	switch (n) {
	case LIBC_READV:
		return SYS_readv;
	case LIBC_WRITEV:
		return SYS_writev;
	case LIBC_PREADV:
	case LIBC_PREADV64:
		return SYS_preadv;
	default:
		return SYS_pwritev;
	}
}

ssize_t libc_read(int fd, void *buf, size_t bytes)
{
	ssize_t (*fn)(int, void *, size_t) =
		(ssize_t(*)(int, void *, size_t))libc_find(LIBC_READ);

	return fn ? fn(fd, buf, bytes) :
		    libc_result(uhmm_sys3(SYS_read, fd, uhmm_ptr(buf),
					  (long)bytes));
}

ssize_t libc_read_chk(int fd, void *buf, size_t bytes, size_t room)
{
	ssize_t (*fn)(int, void *, size_t, size_t) = (ssize_t(*)(
		int, void *, size_t, size_t))libc_find(LIBC_READ_CHK);

	return fn ? fn(fd, buf, bytes, room) :
		    libc_result(uhmm_sys3(SYS_read, fd, uhmm_ptr(buf),
					  (long)bytes));
}

ssize_t libc_write(int fd, const void *buf, size_t bytes)
{
	ssize_t (*fn)(int, const void *, size_t) =
		(ssize_t(*)(int, const void *, size_t))libc_find(LIBC_WRITE);

	return fn ? fn(fd, buf, bytes) :
		    libc_result(uhmm_sys3(SYS_write, fd, uhmm_ptr(buf),
					  (long)bytes));
}

ssize_t libc_pread(enum libc_name n, int fd, void *buf, size_t bytes,
		   off_t offset)
{
	ssize_t (*fn)(int, void *, size_t, off_t) =
		(ssize_t(*)(int, void *, size_t, off_t))libc_find(n);

	return fn ? fn(fd, buf, bytes, offset) :
		    libc_result(uhmm_sys4(SYS_pread64, fd, uhmm_ptr(buf),
					  (long)bytes, offset));
}

ssize_t libc_pread_chk(enum libc_name n, int fd, void *buf, size_t bytes,
		       off_t offset, size_t room)
{
	ssize_t (*fn)(int, void *, size_t, off_t, size_t) =
		(ssize_t(*)(int, void *, size_t, off_t, size_t))libc_find(n);

	return fn ? fn(fd, buf, bytes, offset, room) :
		    libc_result(uhmm_sys4(SYS_pread64, fd, uhmm_ptr(buf),
					  (long)bytes, offset));
}

ssize_t libc_pwrite(enum libc_name n, int fd, const void *buf, size_t bytes,
		    off_t offset)
{
	ssize_t (*fn)(int, const void *, size_t, off_t) =
		(ssize_t(*)(int, const void *, size_t, off_t))libc_find(n);

	return fn ? fn(fd, buf, bytes, offset) :
		    libc_result(uhmm_sys4(SYS_pwrite64, fd, uhmm_ptr(buf),
					  (long)bytes, offset));
}

ssize_t libc_iov(enum libc_name n, int fd, const struct iovec *iov, int count)
{
	ssize_t (*fn)(int, const struct iovec *, int) =
		(ssize_t(*)(int, const struct iovec *, int))libc_find(n);

	return fn ? fn(fd, iov, count) :
		    libc_result(uhmm_sys3(number_of(n), fd, uhmm_ptr(iov),
					  count));
}

ssize_t libc_piov(enum libc_name n, int fd, const struct iovec *iov, int count,
		  off_t offset)
{
	ssize_t (*fn)(int, const struct iovec *, int, off_t) =
		(ssize_t(*)(int, const struct iovec *, int, off_t))libc_find(n);

	return fn ? fn(fd, iov, count, offset) :
		    libc_result(uhmm_sys5(number_of(n), fd, uhmm_ptr(iov),
					  count, offset, 0));
}

off_t libc_lseek(enum libc_name n, int fd, off_t offset, int whence)
{
	off_t (*fn)(int, off_t, int) = (off_t(*)(int, off_t, int))libc_find(n);

	return fn ? fn(fd, offset, whence) :
		    libc_result(uhmm_sys3(SYS_lseek, fd, offset, whence));
}

int libc_fstat(enum libc_name n, int fd, void *st)
{
	int (*fn)(int, void *) = (int (*)(int, void *))libc_find(n);

	return fn ? fn(fd, st) :
		    (int)libc_result(uhmm_sys2(SYS_fstat, fd, uhmm_ptr(st)));
}

int libc_fxstat(enum libc_name n, int version, int fd, void *st)
{
	int (*fn)(int, int, void *) = (int (*)(int, int, void *))libc_find(n);

	return fn ? fn(version, fd, st) :
		    (int)libc_result(uhmm_sys2(SYS_fstat, fd, uhmm_ptr(st)));
}

int libc_statx(int dir, const char *path, int flags, unsigned int mask,
	       struct statx *st)
{
	int (*fn)(int, const char *, int, unsigned int, struct statx *) =
		(int (*)(int, const char *, int, unsigned int,
			 struct statx *))libc_find(LIBC_STATX);

	return fn ? fn(dir, path, flags, mask, st) :
		    (int)libc_result(uhmm_sys5(SYS_statx, dir, uhmm_ptr(path),
					       flags, mask, uhmm_ptr(st)));
}

int libc_fcntl(enum libc_name n, int fd, int cmd, unsigned long arg)
{
	int (*fn)(int, int, ...) = (int (*)(int, int, ...))libc_find(n);

	return fn ? fn(fd, cmd, arg) :
		    (int)libc_result(uhmm_sys3(SYS_fcntl, fd, cmd, (long)arg));
}

int libc_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	int (*fn)(int, int, int, struct epoll_event *) = (int (*)(
		int, int, int, struct epoll_event *))libc_find(LIBC_EPOLL_CTL);

	return fn ? fn(epoll, op, fd, event) :
		    (int)libc_result(uhmm_sys4(SYS_epoll_ctl, epoll, op, fd,
					       uhmm_ptr(event)));
}

/* glibc hands back the word by its return value, the kernel by an address. */
static long bare_ptrace(long request, pid_t pid, void *addr, void *data)
{
	bool peeks = request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA ||
		     request == PTRACE_PEEKUSER;
	long word = 0, ret;

	ret = libc_result(uhmm_sys4(SYS_ptrace, request, pid, uhmm_ptr(addr),
				    uhmm_ptr(peeks ? &word : data)));
	if (ret < 0 || !peeks)
		return ret;
	errno = 0;
	return word;
}

long libc_ptrace(long request, pid_t pid, void *addr, void *data)
{
	long (*fn)(long, ...) = (long (*)(long, ...))libc_find(LIBC_PTRACE);

	return fn ? fn(request, pid, addr, data) :
		    bare_ptrace(request, pid, addr, data);
}
