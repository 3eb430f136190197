/* SPDX-License-Identifier: MIT */
/* hooks_buffer.c - hooks on calls that use memory of the program and that no
 * other hook is about (buffer.h)
 *
 * hooks_file.c does the same for read, write and their kind.
 */
#define UHMM_PRELOAD_DEFINES_HOOKS
#include "preload.h"

#include "buffer.h"
#include "device.h"
#include "libc_buffer.h"
#include "session.h"

/* macros of libc's headers */
#undef fread_unlocked
#undef fwrite_unlocked

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's
 * headers have reserved names */

#define EXPORT __attribute__((visibility("default")))

/* Declared by libc only when fortified. */
EXPORT ssize_t __recv_chk(int fd, void *buf, size_t bytes, size_t room,
			  int flags);
EXPORT size_t __fread_chk(void *buf, size_t room, size_t size, size_t count,
			  FILE *file);
EXPORT size_t __fread_unlocked_chk(void *buf, size_t room, size_t size,
				   size_t count, FILE *file);

/* ---- sockets ---- */

EXPORT ssize_t recv(int fd, void *buf, size_t bytes, int flags)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, true);
		ret = libc_recv(fd, buf, bytes, flags);
	}
	return ret;
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t bytes, size_t room,
			  int flags)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes < room ? bytes : room, true);
		ret = libc_recv_chk(fd, buf, bytes, room, flags);
	}
	return ret;
}

EXPORT ssize_t send(int fd, const void *buf, size_t bytes, int flags)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, false);
		ret = libc_send(fd, buf, bytes, flags);
	}
	return ret;
}

/* The address is a union of pointers to libc's headers. */
EXPORT ssize_t recvfrom(int fd, void *restrict buf, size_t bytes, int flags,
			__SOCKADDR_ARG addr, socklen_t *restrict addr_bytes)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, true);
		uhmm_buffer_bring(addr.__sockaddr__,
				  sizeof(struct sockaddr_storage), true);
		uhmm_buffer_bring(addr_bytes, sizeof(*addr_bytes), true);
		ret = libc_recvfrom(fd, buf, bytes, flags, addr.__sockaddr__,
				    addr_bytes);
	}
	return ret;
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t bytes, int flags,
		      __CONST_SOCKADDR_ARG addr, socklen_t addr_bytes)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, false);
		uhmm_buffer_bring(addr.__sockaddr__, addr_bytes, false);
		ret = libc_sendto(fd, buf, bytes, flags, addr.__sockaddr__,
				  addr_bytes);
	}
	return ret;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_msg(msg, true);
		ret = libc_recvmsg(fd, msg, flags);
	}
	return ret;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_msg(msg, false);
		ret = libc_sendmsg(fd, msg, flags);
	}
	return ret;
}

/* ---- stdio: large ones are read and written without its own buffer ---- */

static void bring_items(const void *buf, size_t size, size_t count, bool write)
{
	size_t bytes;

	if (uhmm_buffer_matters() && !__builtin_mul_overflow(size, count, &bytes))
		uhmm_buffer_bring(buf, bytes, write);
}

EXPORT size_t fread(void *buf, size_t size, size_t count, FILE *file)
{
	bring_items(buf, size, count, true);
	return libc_fread(LIBC_FREAD, buf, size, count, file);
}

EXPORT size_t fread_unlocked(void *buf, size_t size, size_t count, FILE *file)
{
	bring_items(buf, size, count, true);
	return libc_fread(LIBC_FREAD_UNLOCKED, buf, size, count, file);
}

EXPORT size_t __fread_chk(void *buf, size_t room, size_t size, size_t count,
			  FILE *file)
{
	bring_items(buf, size, count, true);
	return libc_fread_chk(LIBC_FREAD_CHK, buf, room, size, count, file);
}

EXPORT size_t __fread_unlocked_chk(void *buf, size_t room, size_t size,
				   size_t count, FILE *file)
{
	bring_items(buf, size, count, true);
	return libc_fread_chk(LIBC_FREAD_UNLOCKED_CHK, buf, room, size, count,
			      file);
}

EXPORT size_t fwrite(const void *buf, size_t size, size_t count, FILE *file)
{
	bring_items(buf, size, count, false);
	return libc_fwrite(LIBC_FWRITE, buf, size, count, file);
}

EXPORT size_t fwrite_unlocked(const void *buf, size_t size, size_t count,
			      FILE *file)
{
	bring_items(buf, size, count, false);
	return libc_fwrite(LIBC_FWRITE_UNLOCKED, buf, size, count, file);
}

/* ---- others ---- */

EXPORT ssize_t getrandom(void *buf, size_t bytes, unsigned int flags)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring(buf, bytes, true);
		ret = libc_getrandom(buf, bytes, flags);
	}
	return ret;
}

EXPORT ssize_t vmsplice(int fd, const struct iovec *iov, size_t count,
			unsigned int flags)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_iov(iov, (long)count, true);
		ret = libc_vmsplice(fd, iov, count, flags);
	}
	return ret;
}

/* So many @bytes of the @n pieces @iov of this process were read that way. */
static void pinned(const struct iovec *iov, unsigned long n, size_t bytes)
{
	struct iovec one = { NULL, 0 };

	for (; n-- && bytes && uhmm_session_exists(); bytes -= one.iov_len) {
		if (!uhmm_buffer_copy(&one, iov++, sizeof(one)))
			return;
		if (one.iov_len > bytes)
			one.iov_len = bytes;
		if (one.iov_len)
			uhmm_device_pinned(one.iov_base, one.iov_len);
	}
}

/* Of this process both sides are its own. */
/* NOLINTNEXTLINE(readability-function-size): as many as it has */
static ssize_t any_process_vm(enum libc_name n, pid_t pid,
			      const struct iovec *here, unsigned long nhere,
			      const struct iovec *there, unsigned long nthere,
			      unsigned long flags)
{
	struct uhmm_attempts a = { 0 };
	bool reads = n == LIBC_PROCESS_VM_READV;
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_iov(here, (long)nhere, reads);
		if (uhmm_buffer_matters() && pid == uhmm_sys0(SYS_getpid))
			uhmm_buffer_bring_iov(there, (long)nthere, !reads);
		ret = libc_process_vm(n, pid, here, nhere, there, nthere,
				      flags);
	}
	if (reads && ret > 0 && pid == uhmm_sys0(SYS_getpid))
		pinned(there, nthere, (size_t)ret);
	return ret;
}

EXPORT ssize_t process_vm_readv(pid_t pid, const struct iovec *here,
				unsigned long nhere, const struct iovec *there,
				unsigned long nthere, unsigned long flags)
{
	return any_process_vm(LIBC_PROCESS_VM_READV, pid, here, nhere, there,
			      nthere, flags);
}

EXPORT ssize_t process_vm_writev(pid_t pid, const struct iovec *here,
				 unsigned long nhere, const struct iovec *there,
				 unsigned long nthere, unsigned long flags)
{
	return any_process_vm(LIBC_PROCESS_VM_WRITEV, pid, here, nhere, there,
			      nthere, flags);
}

EXPORT int mlock(const void *addr, size_t bytes)
{
	uhmm_buffer_bring(addr, bytes, false);
	return libc_mlock(addr, bytes);
}

EXPORT int mlock2(const void *addr, size_t bytes, unsigned int flags)
{
	uhmm_buffer_bring(addr, bytes, false);
	return libc_mlock2(addr, bytes, flags);
}

EXPORT int mlockall(int flags)
{
	const uintptr_t page = getauxval(AT_PAGESZ);

	/* all there is: whatever lies above is not mapped */
	if (flags & MCL_CURRENT)
		uhmm_buffer_bring((void *)page, (size_t)1 << 56, false);
	return libc_mlockall(flags);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
