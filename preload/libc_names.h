/* SPDX-License-Identifier: MIT */
/* libc_names.h - the names that are hooked, for libc*.c only */
#ifndef UHMM_PRELOAD_LIBC_NAMES_H
#define UHMM_PRELOAD_LIBC_NAMES_H

#include "preload.h"

/** X(what we call it, the name) */
#define LIBC_NAME_LIST(X)                 \
	X(OPEN, "open")                   \
	X(OPEN64, "open64")               \
	X(OPENAT, "openat")               \
	X(OPENAT64, "openat64")           \
	X(OPEN_2, "__open_2")             \
	X(OPEN64_2, "__open64_2")         \
	X(OPENAT_2, "__openat_2")         \
	X(OPENAT64_2, "__openat64_2")     \
	X(CLOSE, "close")                 \
	X(IOCTL, "ioctl")                 \
	X(MMAP, "mmap")                   \
	X(MMAP64, "mmap64")               \
	X(MPROTECT, "mprotect")           \
	X(MADVISE, "madvise")             \
	X(MINCORE, "mincore")             \
	X(MREMAP, "mremap")               \
	X(READ, "read")                   \
	X(READ_CHK, "__read_chk")         \
	X(READV, "readv")                 \
	X(PREAD, "pread")                 \
	X(PREAD64, "pread64")             \
	X(PREAD_CHK, "__pread_chk")       \
	X(PREAD64_CHK, "__pread64_chk")   \
	X(PREADV, "preadv")               \
	X(PREADV64, "preadv64")           \
	X(WRITE, "write")                 \
	X(WRITEV, "writev")               \
	X(PWRITE, "pwrite")               \
	X(PWRITE64, "pwrite64")           \
	X(PWRITEV, "pwritev")             \
	X(PWRITEV64, "pwritev64")         \
	X(LSEEK, "lseek")                 \
	X(LSEEK64, "lseek64")             \
	X(FSTAT, "fstat")                 \
	X(FSTAT64, "fstat64")             \
	X(FXSTAT, "__fxstat")             \
	X(FXSTAT64, "__fxstat64")         \
	X(STATX, "statx")                 \
	X(FCNTL, "fcntl")                 \
	X(FCNTL64, "fcntl64")             \
	X(EPOLL_CTL, "epoll_ctl")         \
	X(MUNMAP, "munmap")               \
	X(BRK, "brk")                     \
	X(SBRK, "sbrk")                   \
	X(SIGACTION, "sigaction")         \
	X(SIGNAL, "signal")               \
	X(SYSV_SIGNAL, "sysv_signal")     \
	X(SIGSET, "sigset")               \
	X(SIGPROCMASK, "sigprocmask")     \
	X(PTHREAD_SIGMASK, "pthread_sigmask") \
	X(SIGHOLD, "sighold")             \
	X(SIGRELSE, "sigrelse")           \
	X(SIGIGNORE, "sigignore")         \
	X(SIGBLOCK, "sigblock")           \
	X(SIGSETMASK, "sigsetmask")       \
	X(SIGSUSPEND, "sigsuspend")       \
	X(SIGPENDING, "sigpending")       \
	X(PPOLL, "ppoll")                 \
	X(PPOLL_CHK, "__ppoll_chk")       \
	X(PSELECT, "pselect")             \
	X(EPOLL_PWAIT, "epoll_pwait")     \
	X(PTRACE, "ptrace")

enum libc_name {
#define X(name, text) LIBC_##name,
	LIBC_NAME_LIST(X)
#undef X
	LIBC_NAMES
};

/** libc_find() - the real one; NULL: none, or inside dlsym */
void *libc_find(enum libc_name n);

/** libc_result() - a bare call's result as libc gives it, with errno */
long libc_result(long ret);

#endif
