/* SPDX-License-Identifier: MIT */
/* hooks_path.c - hooks on calls that take the path of a file, or a program to
 * run: their strings may be in memory that is away (buffer.h)
 *
 * hooks.c does the same for open() and its kind.
 */
#define UHMM_PRELOAD_DEFINES_HOOKS
#include "preload.h"

#include <spawn.h>

#include "buffer.h"
#include "libc_path.h"

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's
 * headers have reserved names */

#define EXPORT __attribute__((visibility("default")))

EXPORT int access(const char *path, int mode)
{
	struct uhmm_attempts a = { 0 };
	int ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_path(path);
		ret = libc_access(path, mode);
	}
	return ret;
}

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
	struct uhmm_attempts a = { 0 };
	int ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_path(path);
		ret = libc_faccessat(dir, path, mode, flags);
	}
	return ret;
}

EXPORT int unlink(const char *path)
{
	struct uhmm_attempts a = { 0 };
	int ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_path(path);
		ret = libc_unlink(path);
	}
	return ret;
}

EXPORT ssize_t readlink(const char *restrict path, char *restrict buf,
			size_t bytes)
{
	struct uhmm_attempts a = { 0 };
	ssize_t ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_path(path);
		uhmm_buffer_bring(buf, bytes, true);
		ret = libc_readlink(path, buf, bytes);
	}
	return ret;
}

/* ---- stat: the struct is the same with and without 64 ---- */

static int any_stat(enum libc_name n, const char *path, void *st)
{
	struct uhmm_attempts a = { 0 };
	int ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_path(path);
		uhmm_buffer_bring(st, sizeof(struct stat), true);
		ret = libc_stat(n, path, st);
	}
	return ret;
}

static int any_fstatat(enum libc_name n, int dir, const char *path, void *st,
		       int flags)
{
	struct uhmm_attempts a = { 0 };
	int ret = -1;

	while (uhmm_attempt(&a, ret)) {
		uhmm_buffer_bring_path(path);
		uhmm_buffer_bring(st, sizeof(struct stat), true);
		ret = libc_fstatat(n, dir, path, st, flags);
	}
	return ret;
}

EXPORT int stat(const char *restrict path, struct stat *restrict st)
{
	return any_stat(LIBC_STAT, path, st);
}

EXPORT int stat64(const char *restrict path, struct stat64 *restrict st)
{
	return any_stat(LIBC_STAT64, path, st);
}

EXPORT int lstat(const char *restrict path, struct stat *restrict st)
{
	return any_stat(LIBC_LSTAT, path, st);
}

EXPORT int lstat64(const char *restrict path, struct stat64 *restrict st)
{
	return any_stat(LIBC_LSTAT64, path, st);
}

EXPORT int fstatat(int dir, const char *restrict path,
		   struct stat *restrict st, int flags)
{
	return any_fstatat(LIBC_FSTATAT, dir, path, st, flags);
}

EXPORT int fstatat64(int dir, const char *restrict path,
		     struct stat64 *restrict st, int flags)
{
	return any_fstatat(LIBC_FSTATAT64, dir, path, st, flags);
}

/* ---- exec ---- */

static void bring_program(const char *path, char *const argv[],
			  char *const envp[])
{
	uhmm_buffer_bring_path(path);
	uhmm_buffer_bring_strings(argv);
	uhmm_buffer_bring_strings(envp);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	bring_program(path, argv, envp);
	return libc_execve(LIBC_EXECVE, path, argv, envp);
}

EXPORT int execvpe(const char *path, char *const argv[], char *const envp[])
{
	bring_program(path, argv, envp);
	return libc_execve(LIBC_EXECVPE, path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
	bring_program(path, argv, environ);
	return libc_execv(LIBC_EXECV, path, argv);
}

EXPORT int execvp(const char *path, char *const argv[])
{
	bring_program(path, argv, environ);
	return libc_execv(LIBC_EXECVP, path, argv);
}

/* NOLINTNEXTLINE(readability-function-size): as many as it has */
EXPORT int posix_spawn(pid_t *restrict pid, const char *restrict path,
		       const posix_spawn_file_actions_t *restrict actions,
		       const posix_spawnattr_t *restrict attr,
		       char *const argv[restrict], char *const envp[restrict])
{
	bring_program(path, argv, envp);
	return libc_posix_spawn(LIBC_POSIX_SPAWN, pid, path, actions, attr,
				argv, envp);
}

/* NOLINTNEXTLINE(readability-function-size): as many as it has */
EXPORT int posix_spawnp(pid_t *restrict pid, const char *restrict path,
			const posix_spawn_file_actions_t *restrict actions,
			const posix_spawnattr_t *restrict attr,
			char *const argv[restrict], char *const envp[restrict])
{
	bring_program(path, argv, envp);
	return libc_posix_spawn(LIBC_POSIX_SPAWNP, pid, path, actions, attr,
				argv, envp);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
