/* SPDX-License-Identifier: MIT */
/* libc_buffer.c - call the real functions of hooks_buffer.c (libc_buffer.h)
 *
 * They are found when the library is loaded. Nothing of libc that could run
 * before calls them by a name that is hooked.
 */
#include "libc_buffer.h"

static long absent(void)
{
	return libc_result(-ENOSYS);
}

ssize_t libc_recv(int fd, void *buf, size_t bytes, int flags)
{
	ssize_t (*fn)(int, void *, size_t, int) =
		(ssize_t(*)(int, void *, size_t, int))libc_find(LIBC_RECV);

	return fn ? fn(fd, buf, bytes, flags) : absent();
}

ssize_t libc_recv_chk(int fd, void *buf, size_t bytes, size_t room, int flags)
{
	ssize_t (*fn)(int, void *, size_t, size_t, int) = (ssize_t(*)(
		int, void *, size_t, size_t, int))libc_find(LIBC_RECV_CHK);

	return fn ? fn(fd, buf, bytes, room, flags) : absent();
}

ssize_t libc_send(int fd, const void *buf, size_t bytes, int flags)
{
	ssize_t (*fn)(int, const void *, size_t, int) = (ssize_t(*)(
		int, const void *, size_t, int))libc_find(LIBC_SEND);

	return fn ? fn(fd, buf, bytes, flags) : absent();
}

ssize_t libc_recvfrom(int fd, void *buf, size_t bytes, int flags, void *addr,
		      socklen_t *addr_bytes)
{
	ssize_t (*fn)(int, void *, size_t, int, void *, socklen_t *) =
		(ssize_t(*)(int, void *, size_t, int, void *,
			    socklen_t *))libc_find(LIBC_RECVFROM);

	return fn ? fn(fd, buf, bytes, flags, addr, addr_bytes) : absent();
}

ssize_t libc_sendto(int fd, const void *buf, size_t bytes, int flags,
		    const void *addr, socklen_t addr_bytes)
{
	ssize_t (*fn)(int, const void *, size_t, int, const void *, socklen_t) =
		(ssize_t(*)(int, const void *, size_t, int, const void *,
			    socklen_t))libc_find(LIBC_SENDTO);

	return fn ? fn(fd, buf, bytes, flags, addr, addr_bytes) : absent();
}

ssize_t libc_recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t (*fn)(int, struct msghdr *, int) =
		(ssize_t(*)(int, struct msghdr *, int))libc_find(LIBC_RECVMSG);

	return fn ? fn(fd, msg, flags) : absent();
}

ssize_t libc_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t (*fn)(int, const struct msghdr *, int) = (ssize_t(*)(
		int, const struct msghdr *, int))libc_find(LIBC_SENDMSG);

	return fn ? fn(fd, msg, flags) : absent();
}

size_t libc_fread(enum libc_name n, void *buf, size_t size, size_t count,
		  FILE *file)
{
	size_t (*fn)(void *, size_t, size_t, FILE *) =
		(size_t(*)(void *, size_t, size_t, FILE *))libc_find(n);

	return fn ? fn(buf, size, count, file) : 0;
}

size_t libc_fread_chk(enum libc_name n, void *buf, size_t room, size_t size,
		      size_t count, FILE *file)
{
	size_t (*fn)(void *, size_t, size_t, size_t, FILE *) =
		(size_t(*)(void *, size_t, size_t, size_t, FILE *))libc_find(n);

	return fn ? fn(buf, room, size, count, file) : 0;
}

size_t libc_fwrite(enum libc_name n, const void *buf, size_t size, size_t count,
		   FILE *file)
{
	size_t (*fn)(const void *, size_t, size_t, FILE *) =
		(size_t(*)(const void *, size_t, size_t, FILE *))libc_find(n);

	return fn ? fn(buf, size, count, file) : 0;
}

ssize_t libc_vmsplice(int fd, const struct iovec *iov, size_t count,
		      unsigned int flags)
{
	ssize_t (*fn)(int, const struct iovec *, size_t, unsigned int) =
		(ssize_t(*)(int, const struct iovec *, size_t,
			    unsigned int))libc_find(LIBC_VMSPLICE);

	return fn ? fn(fd, iov, count, flags) : absent();
}

ssize_t libc_getrandom(void *buf, size_t bytes, unsigned int flags)
{
	ssize_t (*fn)(void *, size_t, unsigned int) = (ssize_t(*)(
		void *, size_t, unsigned int))libc_find(LIBC_GETRANDOM);

	return fn ? fn(buf, bytes, flags) : absent();
}

/* NOLINTNEXTLINE(readability-function-size): as many as it has */
ssize_t libc_process_vm(enum libc_name n, pid_t pid, const struct iovec *here,
			unsigned long nhere, const struct iovec *there,
			unsigned long nthere, unsigned long flags)
{
	ssize_t (*fn)(pid_t, const struct iovec *, unsigned long,
		      const struct iovec *, unsigned long, unsigned long) =
		(ssize_t(*)(pid_t, const struct iovec *, unsigned long,
			    const struct iovec *, unsigned long,
			    unsigned long))libc_find(n);

	return fn ? fn(pid, here, nhere, there, nthere, flags) : absent();
}

int libc_mlock(const void *addr, size_t bytes)
{
	int (*fn)(const void *, size_t) =
		(int (*)(const void *, size_t))libc_find(LIBC_MLOCK);

	return fn ? fn(addr, bytes) : (int)absent();
}

int libc_mlock2(const void *addr, size_t bytes, unsigned int flags)
{
	int (*fn)(const void *, size_t, unsigned int) = (int (*)(
		const void *, size_t, unsigned int))libc_find(LIBC_MLOCK2);

	return fn ? fn(addr, bytes, flags) : (int)absent();
}

int libc_mlockall(int flags)
{
	int (*fn)(int) = (int (*)(int))libc_find(LIBC_MLOCKALL);

	return fn ? fn(flags) : (int)absent();
}
