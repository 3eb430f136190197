/* SPDX-License-Identifier: MIT */
/* debugger.h - this program looks at another's memory
 *
 * ptrace(2) and /proc/PID/mem do not wait for a page that is away, or that a
 * fork shares with a device, they say EIO. When the other runs under the same
 * daemon, that brings the page back and the call is made again. Call these when
 * a call failed; errno says why.
 */
#ifndef UHMM_PRELOAD_DEBUGGER_H
#define UHMM_PRELOAD_DEBUGGER_H

#include "preload.h"

/** uhmm_debugger_brings() - may it be tried again? @bytes at @addr of @pid, to be
 *  read or to be written (@write). errno is left as it is when not. */
bool uhmm_debugger_brings(pid_t pid, uint64_t addr, uint64_t bytes, bool write);

/** uhmm_debugger_brings_to() - the same of @fd, if it is a /proc/PID/mem */
bool uhmm_debugger_brings_to(int fd, uint64_t addr, uint64_t bytes, bool write);

#endif
