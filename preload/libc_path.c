/* SPDX-License-Identifier: MIT */
/* libc_path.c - call the real functions of hooks_path.c (libc_path.h)
 *
 * They are found when the library is loaded. Nothing of libc that could run
 * before calls them by a name that is hooked.
 */
#include "libc_path.h"

static long absent(void)
{
	return libc_result(-ENOSYS);
}

int libc_access(const char *path, int mode)
{
	int (*fn)(const char *, int) =
		(int (*)(const char *, int))libc_find(LIBC_ACCESS);

	return fn ? fn(path, mode) : (int)absent();
}

int libc_faccessat(int dir, const char *path, int mode, int flags)
{
	int (*fn)(int, const char *, int, int) =
		(int (*)(int, const char *, int, int))libc_find(LIBC_FACCESSAT);

	return fn ? fn(dir, path, mode, flags) : (int)absent();
}

int libc_unlink(const char *path)
{
	int (*fn)(const char *) = (int (*)(const char *))libc_find(LIBC_UNLINK);

	return fn ? fn(path) : (int)absent();
}

ssize_t libc_readlink(const char *path, char *buf, size_t bytes)
{
	ssize_t (*fn)(const char *, char *, size_t) = (ssize_t(*)(
		const char *, char *, size_t))libc_find(LIBC_READLINK);

	return fn ? fn(path, buf, bytes) : absent();
}

int libc_stat(enum libc_name n, const char *path, void *st)
{
	int (*fn)(const char *, void *) =
		(int (*)(const char *, void *))libc_find(n);

	return fn ? fn(path, st) : (int)absent();
}

int libc_fstatat(enum libc_name n, int dir, const char *path, void *st,
		 int flags)
{
	int (*fn)(int, const char *, void *, int) =
		(int (*)(int, const char *, void *, int))libc_find(n);

	return fn ? fn(dir, path, st, flags) : (int)absent();
}

int libc_execve(enum libc_name n, const char *path, char *const *argv,
		char *const *envp)
{
	int (*fn)(const char *, char *const *, char *const *) = (int (*)(
		const char *, char *const *, char *const *))libc_find(n);

	return fn ? fn(path, argv, envp) : (int)absent();
}

int libc_execv(enum libc_name n, const char *path, char *const *argv)
{
	int (*fn)(const char *, char *const *) =
		(int (*)(const char *, char *const *))libc_find(n);

	return fn ? fn(path, argv) : (int)absent();
}

/* NOLINTNEXTLINE(readability-function-size): as many as it has, and one */
int libc_posix_spawn(enum libc_name n, pid_t *pid, const char *path,
		     const void *actions, const void *attr, char *const *argv,
		     char *const *envp)
{
	int (*fn)(pid_t *, const char *, const void *, const void *,
		  char *const *, char *const *) =
		(int (*)(pid_t *, const char *, const void *, const void *,
			 char *const *, char *const *))libc_find(n);

	return fn ? fn(pid, path, actions, attr, argv, envp) : ENOSYS;
}
