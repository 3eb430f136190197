/* SPDX-License-Identifier: MIT */
/* hooks.c - the names the program calls; all that is exported
 *
 * Each decides whether the call is ours and delegates: to device.c, or to the
 * real function. An open() is the real one first, so that a program that opens
 * other files pays nothing and a bad path is the kernel's business.
 */
#define UHMM_PRELOAD_DEFINES_HOOKS
#include "preload.h"

#include "buffer.h"
#include "device.h"
#include "devfd.h"
#include "libc.h"
#include "lockup.h"
#include "vmcalls.h"

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's
 * headers have reserved names */

#define EXPORT __attribute__((visibility("default")))

/* Declared by libc only when fortified. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags);
EXPORT int __openat_2(int dir, const char *path, int flags);
EXPORT int __openat64_2(int dir, const char *path, int flags);
/* Declared by the sanitizers' headers. */
EXPORT int __lsan_is_turned_off(void);

/* The mode of an open(), when there is one. */
#define GET_MODE(mode, flags)                                        \
	do {                                                         \
		if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
			va_list ap;                                  \
			va_start(ap, flags);                         \
			(mode) = va_arg(ap, mode_t);                 \
			va_end(ap);                                  \
		}                                                    \
	} while (0)

EXPORT int open(const char *path, int flags, ...)
{
	int saved = errno, fd = -1;
	mode_t mode = 0;

	GET_MODE(mode, flags);
	uhmm_buffer_bring_path(path);
	if (!uhmm_device_hides(path, flags))
		fd = libc_open(path, flags, mode);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int open64(const char *path, int flags, ...)
{
	int saved = errno, fd = -1;
	mode_t mode = 0;

	GET_MODE(mode, flags);
	uhmm_buffer_bring_path(path);
	if (!uhmm_device_hides(path, flags))
		fd = libc_open64(path, flags, mode);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	int saved = errno, fd = -1;
	mode_t mode = 0;

	GET_MODE(mode, flags);
	uhmm_buffer_bring_path(path);
	if (!uhmm_device_hides(path, flags))
		fd = libc_openat(dir, path, flags, mode);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
	int saved = errno, fd = -1;
	mode_t mode = 0;

	GET_MODE(mode, flags);
	uhmm_buffer_bring_path(path);
	if (!uhmm_device_hides(path, flags))
		fd = libc_openat64(dir, path, flags, mode);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int __open_2(const char *path, int flags)
{
	int saved = errno, fd;

	uhmm_buffer_bring_path(path);
	fd = libc_open_2(path, flags);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int __open64_2(const char *path, int flags)
{
	int saved = errno, fd;

	uhmm_buffer_bring_path(path);
	fd = libc_open64_2(path, flags);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int __openat_2(int dir, const char *path, int flags)
{
	int saved = errno, fd;

	uhmm_buffer_bring_path(path);
	fd = libc_openat_2(dir, path, flags);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int __openat64_2(int dir, const char *path, int flags)
{
	int saved = errno, fd;

	uhmm_buffer_bring_path(path);
	fd = libc_openat64_2(dir, path, flags);
	return fd >= 0 ? fd : uhmm_device_open(path, flags, saved);
}

EXPORT int close(int fd)
{
	return uhmm_device_watches_close() ? uhmm_device_close(fd) :
					     libc_close(fd);
}

EXPORT int ioctl(int fd, unsigned long cmd, ...)
{
	struct uhmm_wire_token dev;
	unsigned long arg;
	int saved = errno, ret;
	va_list ap;

	va_start(ap, cmd);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	if (uhmm_devfd_get(fd, &dev))
		return uhmm_device_ioctl(dev, fd, cmd, arg);
	uhmm_device_yield(cmd, arg);
	ret = libc_ioctl(fd, cmd, arg);
	if (ret < 0 && uhmm_device_yields(cmd, arg)) {
		errno = saved;
		ret = libc_ioctl(fd, cmd, arg);
	}
	return ret;
}

/* Of a device, or the real one. */
/* NOLINTNEXTLINE(readability-function-size): as many as mmap has, and one */
static void *any_mmap(bool is_64, void *addr, size_t bytes, int prot, int flags,
		      int fd, off_t offset)
{
	struct uhmm_wire_token dev;

	if (!(flags & MAP_ANONYMOUS) && uhmm_devfd_get(fd, &dev))
		return uhmm_device_mmap(dev, addr, bytes, prot, flags, offset);
	return is_64 ? libc_mmap64(addr, bytes, prot, flags, fd, offset) :
		       libc_mmap(addr, bytes, prot, flags, fd, offset);
}

/* The same in the place of what may be there. */
/* NOLINTNEXTLINE(readability-function-size): as many as mmap has, and one */
static void *map(bool is_64, void *addr, size_t bytes, int prot, int flags,
		 int fd, off_t offset)
{
	struct uhmm_vm_call call;
	void *ret;

	if (!(flags & MAP_FIXED))
		return any_mmap(is_64, addr, bytes, prot, flags, fd, offset);
	uhmm_vm_begin(&call, addr, bytes, UHMM_VMCALL_UNMAP);
	ret = any_mmap(is_64, addr, bytes, prot, flags, fd, offset);
	uhmm_vm_end(&call, ret != MAP_FAILED);
	return ret;
}

EXPORT void *mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset)
{
	return map(false, addr, bytes, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t bytes, int prot, int flags, int fd,
		    off64_t offset)
{
	return map(true, addr, bytes, prot, flags, fd, offset);
}

EXPORT int mprotect(void *addr, size_t bytes, int prot)
{
	return uhmm_vm_protect(addr, bytes, prot);
}

EXPORT int munmap(void *addr, size_t bytes)
{
	return uhmm_vm_unmap(addr, bytes);
}

/* The heap becomes shorter like any mapping. libc's malloc() has its own way. */
EXPORT int brk(void *end)
{
	return uhmm_vm_brk(end);
}

EXPORT void *sbrk(intptr_t by)
{
	return uhmm_vm_sbrk(by);
}

EXPORT int prctl(int option, ...)
{
	enum uhmm_lockup lockup = UHMM_LOCKUP_NOTHING;
	unsigned long arg[4];
	va_list ap;
	int ret;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (option == PR_SET_SECCOMP)
		lockup = uhmm_lockup_begin(arg[0], arg[1], false);
	ret = libc_prctl(option, arg);
	uhmm_lockup_end(lockup, ret == 0);
	return ret;
}

/* seccomp(2) has no other function. */
EXPORT long syscall(long nr, ...)
{
	enum uhmm_lockup lockup = UHMM_LOCKUP_NOTHING;
	long arg[6], ret;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_seccomp)
		lockup = uhmm_lockup_begin_call(arg);
	ret = libc_syscall(nr, arg);
	uhmm_lockup_end(lockup, ret >= 0);
	return ret;
}

EXPORT int madvise(void *addr, size_t bytes, int advice)
{
	return uhmm_vm_advise(addr, bytes, advice);
}

EXPORT void *mremap(void *old, size_t old_bytes, size_t new_bytes, int flags,
		    ...)
{
	void *to = NULL;

	if (flags & MREMAP_FIXED) {
		va_list ap;

		va_start(ap, flags);
		to = va_arg(ap, void *);
		va_end(ap);
	}
	return uhmm_vm_remap(old, old_bytes, new_bytes, flags, to);
}

EXPORT int mincore(void *addr, size_t bytes, unsigned char *vec)
{
	int ret = libc_mincore(addr, bytes, vec);

	if (ret == 0)
		uhmm_device_mincore(addr, bytes, vec);
	return ret;
}

/* LeakSanitizer asks this right before it stops all threads, the agent's among
 * them, and reads the memory: none of it may be on its way then. */
EXPORT int __lsan_is_turned_off(void)
{
	uhmm_device_alone();
	return libc_lsan_is_turned_off();
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
