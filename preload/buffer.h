/* SPDX-License-Identifier: MIT */
/* buffer.h - memory that a system call is about to use
 *
 * Theory of operation. A page that its protection guards stops no system call:
 * the call fails with EFAULT, or ends early. So does one that a userfaultfd
 * traps which serves user mode only. So the hooks on common calls have the
 * daemon bring such pages back first. To ask it each time would be dear, so
 * every region of which our hands ever took something, or that a request of
 * this program named, is remembered, by 2 MiB and for good: a set of bits that
 * says "maybe". Between that and the call another thread may send a page away
 * again: a call that fails with EFAULT is made again, a few times.
 *
 * In a program of which nothing was ever taken that way one branch is all.
 * No TLS in uhmm_buffer_note(): the agent's hands call it.
 */
#ifndef UHMM_PRELOAD_BUFFER_H
#define UHMM_PRELOAD_BUFFER_H

#include "preload.h"

/** uhmm_buffer_note() - pages of this range may be away from now on */
void uhmm_buffer_note(uint64_t addr, uint64_t bytes);

/** uhmm_buffer_matters() - can a page stop a system call in this program? Set
 *  when the session begins (@user_mode_only), or with the trap. */
void uhmm_buffer_user_mode_only(bool user_mode_only);
bool uhmm_buffer_matters(void);

/** uhmm_buffer_bring() - a system call is to read, or @write, this memory;
 *  whatever it is. Keeps errno. */
void uhmm_buffer_bring(const void *buf, size_t bytes, bool write);

/** uhmm_buffer_bring_iov() - the same of @count buffers; an array that cannot
 *  be read is the call's matter */
void uhmm_buffer_bring_iov(const struct iovec *iov, long count, bool write);

/** uhmm_buffer_bring_msg() - the same of all that a message is made of */
void uhmm_buffer_bring_msg(const struct msghdr *msg, bool write);

/** uhmm_buffer_bring_path() - the same of a string that is a path */
void uhmm_buffer_bring_path(const char *path);

/** uhmm_buffer_bring_strings() - and of all that a list ended by NULL names */
void uhmm_buffer_bring_strings(char *const *list);

/** uhmm_buffer_copy() - to our own memory, what may be no memory; true: all */
bool uhmm_buffer_copy(void *to, const void *from, size_t bytes);

/** uhmm_buffer_forget() - in a new process */
void uhmm_buffer_forget(void);

/** The attempts of one call. Zero: none yet. */
struct uhmm_attempts {
	unsigned int n;
	int saved;		/* errno before the first */
};

/**
 * uhmm_attempt() - (a loop's condition) make the call (again)?
 * @ret: of the attempt before
 */
bool uhmm_attempt(struct uhmm_attempts *a, ssize_t ret);

#endif
