/* SPDX-License-Identifier: MIT */
/* libc.h - the functions the hooks stand in front of
 *
 * Each libc_x() is the next x after ours (libc's, or another preloaded
 * library's), errno and cancellation included. Found at first use, and safe
 * before any constructor; when there is none, or while the search itself calls
 * one of them, it is the bare system call.
 */
#ifndef UHMM_PRELOAD_LIBC_H
#define UHMM_PRELOAD_LIBC_H

#include "preload.h"

/**
 * libc_find_all() - look all of them up now
 * Later the loader's lock might be held by a thread that waits for us.
 */
void libc_find_all(void);

/** libc_is_behind() - do the program's calls come to us at all? Not when we were
 *  loaded by dlopen(). */
bool libc_is_behind(void);

/** libc_lsan_is_turned_off() - what another library than ours says; else 0 */
int libc_lsan_is_turned_off(void);

int libc_open(const char *path, int flags, mode_t mode);
int libc_open64(const char *path, int flags, mode_t mode);
int libc_openat(int dir, const char *path, int flags, mode_t mode);
int libc_openat64(int dir, const char *path, int flags, mode_t mode);
int libc_open_2(const char *path, int flags);
int libc_open64_2(const char *path, int flags);
int libc_openat_2(int dir, const char *path, int flags);
int libc_openat64_2(int dir, const char *path, int flags);
int libc_close(int fd);
int libc_ioctl(int fd, unsigned long cmd, unsigned long arg);
void *libc_mmap(void *addr, size_t bytes, int prot, int flags, int fd,
		off_t offset);
void *libc_mmap64(void *addr, size_t bytes, int prot, int flags, int fd,
		  off_t offset);
int libc_mprotect(void *addr, size_t bytes, int prot);
int libc_brk(void *end);
void *libc_sbrk(intptr_t by);
int libc_munmap(void *addr, size_t bytes);
int libc_madvise(void *addr, size_t bytes, int advice);
/* By no function: it has to do nothing but that. */
long libc_syscall(long nr, const long arg[6]);
int libc_prctl(int option, const unsigned long arg[4]);
void *libc_mremap(void *old, size_t old_bytes, size_t new_bytes, int flags,
		  void *to);
int libc_mincore(void *addr, size_t bytes, unsigned char *vec);

#endif
