/* SPDX-License-Identifier: MIT */
/* threads.h - where the threads of a program keep what the kernel needs of them
 *
 * A thread that exits writes to its thread control block (the word that
 * pthread_join() waits for) and reads its list of robust mutexes, and at that
 * time the kernel waits for no userfaultfd: what is away then is not written.
 * The head of that list is in the control block, and the kernel tells where it
 * is: to the same user, which ptrace(2) calls PTRACE_MODE_READ.
 * Errors: 0 or -errno, the caller's errno is left as it was.
 */
#ifndef UHMM_SYS_THREADS_H
#define UHMM_SYS_THREADS_H

#include <stdint.h>

#include <uhmm/types.h>

/** struct uhmm_thread - one of them */
struct uhmm_thread {
	uint32_t tid;
	uint64_t block;		/* address in its control block; 0: it has said
				 * nothing yet, or never will */
};

/** struct uhmm_threads - all of a program; all zero: none */
struct uhmm_threads {
	struct uhmm_thread *thread;
	unsigned int n, room;
};

/** uhmm_threads_pid() - the process @pidfd is of, as this process sees it
 *  Return: its pid; -ESRCH it is gone, or not to be seen from here */
int uhmm_threads_pid(int pidfd);

/**
 * uhmm_threads_list() - who is there now
 * Return: 0; -ESRCH; -EPERM they are not ours to look at; -ENOMEM
 */
UHMM_CHECKED int uhmm_threads_list(struct uhmm_threads *t, int pid);

void uhmm_threads_fini(struct uhmm_threads *t);

#endif
