/* SPDX-License-Identifier: MIT */
/* vmcalls.h - what the program does to mappings of any memory
 *
 * Each does what the libc function of that name does, and tells the daemon
 * what the kernel would not: before the trap is set (trap.h), what no
 * userfaultfd event says; from then on, that the call comes and that it is
 * over, since memory that protection guards raises no event at all.
 */
#ifndef UHMM_PRELOAD_VMCALLS_H
#define UHMM_PRELOAD_VMCALLS_H

#include "preload.h"

int uhmm_vm_protect(void *addr, size_t bytes, int prot);
int uhmm_vm_unmap(void *addr, size_t bytes);
int uhmm_vm_brk(void *end);
void *uhmm_vm_sbrk(intptr_t by);
int uhmm_vm_advise(void *addr, size_t bytes, int advice);
void *uhmm_vm_remap(void *old, size_t old_bytes, size_t new_bytes, int flags,
		    void *to);

/**
 * uhmm_vm_locked() - what this thread may ask for is about to be limited
 * (seccomp): with the trap set a page that is away would end it, so all come
 * back. Keeps errno.
 */
void uhmm_vm_locked(void);

/** One call between its two messages. */
struct uhmm_vm_call {
	struct uhmm_wire_range range;
	struct uhmm_wire_range to;	/* where it is when it is over, if it
					 * has moved */
	uint32_t op;			/* enum uhmm_vmcall_op; 0: not told */
	bool plain;			/* the trap is not set */
	struct uhmm_sigmask old;
};

/**
 * uhmm_vm_begin() - a call of kind @op comes; uhmm_vm_end() must follow it
 * Signals are blocked in between if there is anybody to tell.
 */
void uhmm_vm_begin(struct uhmm_vm_call *call, void *addr, size_t bytes,
		   enum uhmm_vmcall_op op);

/** uhmm_vm_end() - it is over; @done: and did something. Keeps errno. */
void uhmm_vm_end(struct uhmm_vm_call *call, bool done);

#endif
