/* SPDX-License-Identifier: MIT */
/* preload.h - first include of every file of this folder: rules and map
 *
 * libuhmm-preload.so is loaded into programs that are not ours. A program that
 * never opens /dev/hmm_dmirrorN must not notice it: no thread, no descriptor,
 * no mapping but the library's own. One that does gets a session with the
 * daemon: its userfaultfd and memory handed over, requests on channels, hands
 * that do to the program's memory what only the program itself may do.
 *
 * RULES
 *  1. Include only libc headers, src/wire and src/base.
 *  2. Never call a hooked name: libc_x() in a hook's pass-through, a raw system
 *     call (base/rawsys.h) everywhere else.
 *  3. Before the constructor has run, and inside dlsym, pass straight through.
 *  4. errno is written once, by the function a hook returns from (device.c);
 *     what succeeds leaves it as the real call does. Raw calls do not touch it.
 *  5. No malloc, no stdio, no exit, no abort, no lock held across a call into
 *     libc or the program, no cancellation point but the real call. Storage is
 *     static; no mapping is ever made, so that none lands in a hole the program
 *     still counts on (the agent's stack is in .bss).
 *  6. All signals are blocked for the length of a request, of an attach, and
 *     for ever in the agent.
 *  7. After fork the child drops the parent's session and opens its own.
 *  8. A descriptor that is not ours passes through unchanged.
 *  9. Export exactly what exports.map lists.
 * 10. What the agent runs uses no TLS: no errno, no stack protector, no libc
 *     function. memcpy() and friends are ours (memory.c).
 *
 * MAP, in the order of a call
 *   hooks.c      the exported names; each one decides and delegates
 *   hooks_file.c those of calls that any descriptor may be the subject of
 *   libc.c       the real ones: the only dlsym
 *   libc_file.c  and those of hooks_file.c
 *   device.c     open, close, ioctl, mmap of a device; what the daemon is told
 *                of mprotect, madvise, mremap, mincore
 *   file.c       a device as a file: read, lseek, fstat and such
 *   devpath.c    is this path a device
 *   debugger.c   this program looks at another's memory
 *   devfd.c      is this descriptor a device, and which open of it
 *   request.c    a request on a channel of the session
 *   converse.c   one request, one reply, hands in between
 *   channel.c    the sockets requests travel on, one per waiting thread
 *   ownfd.c      descriptors of ours among the program's: high, verified
 *   errand.c     requests of a program that has no descriptor left
 *   session.c    what phase the session is in; attach
 *   uffd.c       make a userfaultfd with all the kernel offers
 *   vmcalls.c    mprotect, munmap, madvise, mremap of any memory (remap.c: of
 *                what the kernel moves in parts only)
 *   trap.c       the handler of SIGSEGV in front of the program's
 *   sigaction.c  signals as the program sets and sees them (hooks_signal.c,
 *                libc_signal.c, ksig.c, rearm.c)
 *   buffer.c     memory that a system call is about to use (hooks_buffer.c,
 *                hooks_path.c, libc_buffer.c, libc_path.c; io.c for
 *                hooks_file.c)
 *   hands.c      do what the daemon asks to this program's memory
 *   agent.c      a thread that lends hands when nobody waits
 *   orphan.c     the daemon is gone: nothing may hang or read zeros
 *   lifecycle.c  constructor, fork
 *   env.c        $UHMM_SOCKET, $UHMM_DEBUG; the lines we may write
 */
#ifndef UHMM_PRELOAD_PRELOAD_H
#define UHMM_PRELOAD_PRELOAD_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/rawsys.h"
#include "wire/fdpass.h"
#include "wire/wire.h"

/* Rule 2 and 5, enforced: a call of one of these does not compile. As macros
 * with arguments they leave alone what is merely named alike. hooks*.c define
 * the hooked ones, so they are excepted from those. */
#ifndef UHMM_PRELOAD_DEFINES_HOOKS
#define open(...) rule_2_call_libc_open_or_sys
#define open64(...) rule_2_call_libc_open_or_sys
#define openat(...) rule_2_call_libc_open_or_sys
#define openat64(...) rule_2_call_libc_open_or_sys
#define close(...) rule_2_call_libc_close_or_sys
#define ioctl(...) rule_2_call_libc_ioctl_or_sys
#define mmap(...) rule_2_call_libc_mmap_or_sys
#define mmap64(...) rule_2_call_libc_mmap_or_sys
#define mprotect(...) rule_2_call_libc_mprotect_or_sys
#define madvise(...) rule_2_call_libc_madvise_or_sys
#define mremap(...) rule_2_call_libc_mremap_or_sys
#define mincore(...) rule_2_call_libc_mincore_or_sys
#define brk(...) rule_2_call_libc_brk_or_sys
#define sbrk(...) rule_2_call_libc_sbrk_or_sys
#define munmap(...) rule_2_call_libc_munmap_or_sys
#define sigprocmask(...) rule_2_call_libc_sigprocmask_or_sys
#define pthread_sigmask(...) rule_2_call_libc_sigprocmask_or_sys
#define read(...) rule_2_call_libc_read_or_sys
#define readv(...) rule_2_call_libc_iov_or_sys
#define pread(...) rule_2_call_libc_pread_or_sys
#define pread64(...) rule_2_call_libc_pread_or_sys
#define preadv(...) rule_2_call_libc_piov_or_sys
#define preadv64(...) rule_2_call_libc_piov_or_sys
#define write(...) rule_2_call_libc_write_or_sys
#define writev(...) rule_2_call_libc_iov_or_sys
#define pwrite(...) rule_2_call_libc_pwrite_or_sys
#define pwrite64(...) rule_2_call_libc_pwrite_or_sys
#define pwritev(...) rule_2_call_libc_piov_or_sys
#define pwritev64(...) rule_2_call_libc_piov_or_sys
#define lseek(...) rule_2_call_libc_lseek_or_sys
#define lseek64(...) rule_2_call_libc_lseek_or_sys
#define fstat(...) rule_2_call_libc_fstat_or_sys
#define fstat64(...) rule_2_call_libc_fstat_or_sys
#define statx(...) rule_2_call_libc_statx_or_sys
#define fcntl(...) rule_2_call_libc_fcntl_or_sys
#define fcntl64(...) rule_2_call_libc_fcntl_or_sys
#define epoll_ctl(...) rule_2_call_libc_epoll_ctl_or_sys
#define ptrace(...) rule_2_call_libc_ptrace_or_sys
#define recv(...) rule_2_call_libc_recv_or_sys
#define send(...) rule_2_call_libc_send_or_sys
#define recvfrom(...) rule_2_call_libc_recvfrom_or_sys
#define sendto(...) rule_2_call_libc_sendto_or_sys
#define recvmsg(...) rule_2_call_libc_recvmsg_or_sys
#define sendmsg(...) rule_2_call_libc_sendmsg_or_sys
#define fread(...) rule_2_call_libc_fread
#define fwrite(...) rule_2_call_libc_fwrite
#define getrandom(...) rule_2_call_libc_getrandom_or_sys
#define process_vm_readv(...) rule_2_call_libc_process_vm_or_sys
#define process_vm_writev(...) rule_2_call_libc_process_vm_or_sys
#define mlock(...) rule_2_call_libc_mlock_or_sys
#define syscall(...) rule_4_use_uhmm_sys
#endif
#define fork(...) rule_2_no_fork
#define poll(...) rule_5_use_uhmm_sys
#define malloc(...) rule_5_no_malloc
#define calloc(...) rule_5_no_malloc
#define realloc(...) rule_5_no_malloc
#define free(...) rule_5_no_malloc
#define strdup(...) rule_5_no_malloc
#define printf(...) rule_5_no_stdio
#define fprintf(...) rule_5_no_stdio
#define dprintf(...) rule_5_no_stdio
#define snprintf(...) rule_5_no_stdio
#define abort(...) rule_5_no_abort
#define exit(...) rule_5_no_exit
#define pthread_create(...) rule_5_the_agent_is_a_raw_thread
#define pthread_mutex_lock(...) rule_5_no_lock

/* May this thread not speak to the daemon any more (lockup.h)? */
extern __thread bool uhmm_thread_is_locked_up;
extern atomic_bool uhmm_all_are_locked_up;

static inline bool uhmm_is_locked_up(void)
{
	return uhmm_thread_is_locked_up ||
	       atomic_load_explicit(&uhmm_all_are_locked_up,
				    memory_order_relaxed);
}

/* Block every signal, those libc keeps for itself too (rule 6). */
struct uhmm_sigmask {
	uint64_t bits;
};

static inline struct uhmm_sigmask uhmm_signals_block(void)
{
	const struct uhmm_sigmask all = { ~0ull };
	struct uhmm_sigmask old = { 0 };

	if (uhmm_is_locked_up())
		return old;
	(void)uhmm_sys4(SYS_rt_sigprocmask, SIG_SETMASK, uhmm_ptr(&all),
			uhmm_ptr(&old), sizeof(old));
	return old;
}

/* And what was blocked before (sigaction.c). */
void uhmm_signals_restore(struct uhmm_sigmask old);

/* What may be no memory, or be away, to @to, from the @nfrom pieces @from: no
 * signal comes of it. Return: bytes from the start on, or -errno */
static inline long uhmm_read_own(const struct iovec *to,
				 const struct iovec *from, unsigned int nfrom)
{
	return uhmm_sys6(SYS_process_vm_readv, uhmm_sys0(SYS_getpid),
			 uhmm_ptr(to), 1, uhmm_ptr(from), nfrom, 0);
}

/* Sleep while *@word is @seen; may return early for no reason. */
static inline void uhmm_futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	(void)uhmm_sys4(SYS_futex, uhmm_ptr(word), FUTEX_WAIT_PRIVATE, seen, 0);
}

/* Wake at most @n who sleep on @word. */
static inline void uhmm_futex_wake(_Atomic uint32_t *word, int n)
{
	(void)uhmm_sys3(SYS_futex, uhmm_ptr(word), FUTEX_WAKE_PRIVATE, n);
}

#endif
