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
	X(PRCTL, "prctl")                 \
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
	X(RECV, "recv")                    \
	X(RECV_CHK, "__recv_chk")          \
	X(SEND, "send")                    \
	X(RECVFROM, "recvfrom")            \
	X(SENDTO, "sendto")                \
	X(RECVMSG, "recvmsg")              \
	X(SENDMSG, "sendmsg")              \
	X(FREAD, "fread")                  \
	X(FREAD_UNLOCKED, "fread_unlocked") \
	X(FREAD_CHK, "__fread_chk")        \
	X(FREAD_UNLOCKED_CHK, "__fread_unlocked_chk") \
	X(FWRITE, "fwrite")                \
	X(FWRITE_UNLOCKED, "fwrite_unlocked") \
	X(GETRANDOM, "getrandom")          \
	X(PROCESS_VM_READV, "process_vm_readv") \
	X(PROCESS_VM_WRITEV, "process_vm_writev") \
	X(MLOCK, "mlock")                  \
	X(MLOCK2, "mlock2")                \
	X(MLOCKALL, "mlockall")            \
	X(ACCESS, "access")                \
	X(FACCESSAT, "faccessat")          \
	X(UNLINK, "unlink")                \
	X(READLINK, "readlink")            \
	X(STAT, "stat")                    \
	X(STAT64, "stat64")                \
	X(LSTAT, "lstat")                  \
	X(LSTAT64, "lstat64")              \
	X(FSTATAT, "fstatat")              \
	X(FSTATAT64, "fstatat64")          \
	X(EXECVE, "execve")                \
	X(EXECVPE, "execvpe")              \
	X(EXECV, "execv")                  \
	X(EXECVP, "execvp")                \
	X(POSIX_SPAWN, "posix_spawn")      \
	X(POSIX_SPAWNP, "posix_spawnp")    \
	X(VMSPLICE, "vmsplice")           \
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
	X(PTRACE, "ptrace")               \
	X(LSAN_IS_TURNED_OFF, "__lsan_is_turned_off")

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
