/* SPDX-License-Identifier: MIT */
/* libc.c - find and call the real functions; the only dlsym */
#include "libc.h"
#include "libc_names.h"

static const char *const names[LIBC_NAMES] = {
#define X(name, text) [LIBC_##name] = text,
	LIBC_NAME_LIST(X)
#undef X
};

static void *_Atomic found[LIBC_NAMES];

/* dlsym is running on this thread, and may call what we stand in front of. */
static __thread bool searching;

void *libc_find(enum libc_name n)
{
	void *fn = atomic_load_explicit(&found[n], memory_order_relaxed);

	if (fn || searching)
		return fn;
	searching = true;
	fn = dlsym(RTLD_NEXT, names[n]);
	searching = false;
	atomic_store_explicit(&found[n], fn, memory_order_relaxed);
	return fn;
}

void libc_find_all(void)
{
	for (int n = 0; n < LIBC_NAMES; n++)
		(void)libc_find((enum libc_name)n);
}

bool libc_is_behind(void)
{
	/* one that nobody else stands in front of */
	return dlsym(RTLD_DEFAULT, names[LIBC_BRK]) != libc_find(LIBC_BRK);
}

long libc_result(long ret)
{
	if (!uhmm_sys_failed(ret))
		return ret;
	errno = (int)-ret;
	return -1;
}

static int bare_openat(int dir, const char *path, int flags, mode_t mode)
{
	return (int)libc_result(uhmm_sys4(SYS_openat, dir, uhmm_ptr(path), flags,
				      (long)mode));
}

static int any_open(enum libc_name n, const char *path, int flags, mode_t mode)
{
	int (*fn)(const char *, int, ...) =
		(int (*)(const char *, int, ...))libc_find(n);

	return fn ? fn(path, flags, mode) :
		    bare_openat(AT_FDCWD, path, flags, mode);
}

static int any_openat(enum libc_name n, int dir, const char *path, int flags,
		      mode_t mode)
{
	int (*fn)(int, const char *, int, ...) =
		(int (*)(int, const char *, int, ...))libc_find(n);

	return fn ? fn(dir, path, flags, mode) :
		    bare_openat(dir, path, flags, mode);
}

static int any_open_2(enum libc_name n, const char *path, int flags)
{
	int (*fn)(const char *, int) = (int (*)(const char *, int))libc_find(n);

	return fn ? fn(path, flags) : bare_openat(AT_FDCWD, path, flags, 0);
}

static int any_openat_2(enum libc_name n, int dir, const char *path, int flags)
{
	int (*fn)(int, const char *, int) =
		(int (*)(int, const char *, int))libc_find(n);

	return fn ? fn(dir, path, flags) : bare_openat(dir, path, flags, 0);
}

int libc_open(const char *path, int flags, mode_t mode)
{
	return any_open(LIBC_OPEN, path, flags, mode);
}

int libc_open64(const char *path, int flags, mode_t mode)
{
	return any_open(LIBC_OPEN64, path, flags, mode);
}

int libc_openat(int dir, const char *path, int flags, mode_t mode)
{
	return any_openat(LIBC_OPENAT, dir, path, flags, mode);
}

int libc_openat64(int dir, const char *path, int flags, mode_t mode)
{
	return any_openat(LIBC_OPENAT64, dir, path, flags, mode);
}

int libc_open_2(const char *path, int flags)
{
	return any_open_2(LIBC_OPEN_2, path, flags);
}

int libc_open64_2(const char *path, int flags)
{
	return any_open_2(LIBC_OPEN64_2, path, flags);
}

int libc_openat_2(int dir, const char *path, int flags)
{
	return any_openat_2(LIBC_OPENAT_2, dir, path, flags);
}

int libc_openat64_2(int dir, const char *path, int flags)
{
	return any_openat_2(LIBC_OPENAT64_2, dir, path, flags);
}

int libc_close(int fd)
{
	int (*fn)(int) = (int (*)(int))libc_find(LIBC_CLOSE);

	return fn ? fn(fd) : (int)libc_result(uhmm_sys1(SYS_close, fd));
}

int libc_ioctl(int fd, unsigned long cmd, unsigned long arg)
{
	int (*fn)(int, unsigned long, ...) =
		(int (*)(int, unsigned long, ...))libc_find(LIBC_IOCTL);

	return fn ? fn(fd, cmd, arg) :
		    (int)libc_result(uhmm_sys3(SYS_ioctl, fd, (long)cmd,
					   (long)arg));
}

/* NOLINTNEXTLINE(readability-function-size): as many as mmap has, and one */
static void *any_mmap(enum libc_name n, void *addr, size_t bytes, int prot,
		      int flags, int fd, off_t offset)
{
	void *(*fn)(void *, size_t, int, int, int, off_t) =
		(void *(*)(void *, size_t, int, int, int, off_t))libc_find(n);

	if (fn)
		return fn(addr, bytes, prot, flags, fd, offset);
	return (void *)libc_result(uhmm_sys6(SYS_mmap, uhmm_ptr(addr), (long)bytes,
					 prot, flags, fd, offset));
}

void *libc_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		off_t offset)
{
	return any_mmap(LIBC_MMAP, addr, bytes, prot, flags, fd, offset);
}

void *libc_mmap64(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset)
{
	return any_mmap(LIBC_MMAP64, addr, bytes, prot, flags, fd, offset);
}

int libc_mprotect(void *addr, size_t bytes, int prot)
{
	int (*fn)(void *, size_t, int) =
		(int (*)(void *, size_t, int))libc_find(LIBC_MPROTECT);

	return fn ? fn(addr, bytes, prot) :
		    (int)libc_result(uhmm_sys3(SYS_mprotect, uhmm_ptr(addr),
					   (long)bytes, prot));
}

/* Without libc's word of where the heap ends nothing can be done. */
int libc_brk(void *end)
{
	int (*fn)(void *) = (int (*)(void *))libc_find(LIBC_BRK);

	return fn ? fn(end) : (int)libc_result(-ENOMEM);
}

void *libc_sbrk(intptr_t by)
{
	void *(*fn)(intptr_t) = (void *(*)(intptr_t))libc_find(LIBC_SBRK);

	return fn ? fn(by) : (void *)libc_result(-ENOMEM);
}

int libc_munmap(void *addr, size_t bytes)
{
	int (*fn)(void *, size_t) =
		(int (*)(void *, size_t))libc_find(LIBC_MUNMAP);

	return fn ? fn(addr, bytes) :
		    (int)libc_result(uhmm_sys2(SYS_munmap, uhmm_ptr(addr),
					       (long)bytes));
}

int libc_prctl(int option, const unsigned long arg[4])
{
	int (*fn)(int, ...) = (int (*)(int, ...))libc_find(LIBC_PRCTL);

	if (fn)
		return fn(option, arg[0], arg[1], arg[2], arg[3]);
	return (int)libc_result(uhmm_sys5(SYS_prctl, option, (long)arg[0],
					  (long)arg[1], (long)arg[2],
					  (long)arg[3]));
}

long libc_syscall(long nr, const long arg[6])
{
	return libc_result(uhmm_sys6(nr, arg[0], arg[1], arg[2], arg[3], arg[4],
				     arg[5]));
}

int libc_madvise(void *addr, size_t bytes, int advice)
{
	int (*fn)(void *, size_t, int) =
		(int (*)(void *, size_t, int))libc_find(LIBC_MADVISE);

	return fn ? fn(addr, bytes, advice) :
		    (int)libc_result(uhmm_sys3(SYS_madvise, uhmm_ptr(addr),
					   (long)bytes, advice));
}

int libc_mincore(void *addr, size_t bytes, unsigned char *vec)
{
	int (*fn)(void *, size_t, unsigned char *) = (int (*)(
		void *, size_t, unsigned char *))libc_find(LIBC_MINCORE);

	return fn ? fn(addr, bytes, vec) :
		    (int)libc_result(uhmm_sys3(SYS_mincore, uhmm_ptr(addr),
					   (long)bytes, uhmm_ptr(vec)));
}

void *libc_mremap(void *old, size_t old_bytes, size_t new_bytes, int flags,
		  void *to)
{
	void *(*fn)(void *, size_t, size_t, int, ...) =
		(void *(*)(void *, size_t, size_t, int, ...))libc_find(LIBC_MREMAP);

	return fn ? fn(old, old_bytes, new_bytes, flags, to) :
		    (void *)libc_result(uhmm_sys5(SYS_mremap, uhmm_ptr(old),
					      (long)old_bytes, (long)new_bytes,
					      flags, uhmm_ptr(to)));
}

int libc_lsan_is_turned_off(void)
{
	int (*fn)(void) = (int (*)(void))libc_find(LIBC_LSAN_IS_TURNED_OFF);

	return fn ? fn() : 0;
}
