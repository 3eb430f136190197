/* SPDX-License-Identifier: MIT */
/* libc_path.h - the real functions behind hooks_path.c, as in libc.h
 *
 * Those of one signature are one function here; @n says which is meant. Where
 * this libc has no such function: ENOSYS.
 */
#ifndef UHMM_PRELOAD_LIBC_PATH_H
#define UHMM_PRELOAD_LIBC_PATH_H

#include "libc_names.h"

int libc_access(const char *path, int mode);
int libc_faccessat(int dir, const char *path, int mode, int flags);
int libc_unlink(const char *path);
ssize_t libc_readlink(const char *path, char *buf, size_t bytes);
/** LIBC_STAT, LIBC_LSTAT, and their 64 */
int libc_stat(enum libc_name n, const char *path, void *st);
/** LIBC_FSTATAT, LIBC_FSTATAT64 */
int libc_fstatat(enum libc_name n, int dir, const char *path, void *st,
		 int flags);
/** LIBC_EXECVE, LIBC_EXECVPE */
int libc_execve(enum libc_name n, const char *path, char *const *argv,
		char *const *envp);
/** LIBC_EXECV, LIBC_EXECVP */
int libc_execv(enum libc_name n, const char *path, char *const *argv);
/** LIBC_POSIX_SPAWN, LIBC_POSIX_SPAWNP: an error number */
/* NOLINTNEXTLINE(readability-function-size): as many as it has, and one */
int libc_posix_spawn(enum libc_name n, pid_t *pid, const char *path,
		     const void *actions, const void *attr, char *const *argv,
		     char *const *envp);

#endif
