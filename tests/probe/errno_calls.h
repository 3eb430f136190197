/* SPDX-License-Identifier: MIT */
/* errno_calls.h - calls of functions that the library stands in front of, and
 * what they leave in errno
 *
 * Each is called so that it succeeds and so that it fails, by the name that the
 * program would call. What is in memory that the library promises to bring back
 * (docs/privilege.md) is in pages that are away, if there is a device.
 */
#ifndef UHMM_PROBE_ERRNO_CALLS_H
#define UHMM_PROBE_ERRNO_CALLS_H

#include <dlfcn.h>
#include <errno.h>

#include "probe.h"

/** What errno is before each call: no error that any of them has. */
#define ERRNO_BEFORE EXFULL

/** Pages for what is away. */
#define ERRNO_PAGES 16

/** errno_note() - @name has been called, it failed or not, errno is @err now */
void errno_note(const char *name, bool failed, int err);

/** errno_page() - page @i, all zeros but for what the caller of errno_send()
 *  has put there; in memory */
void *errno_page(size_t i);

/** errno_send() - page @i goes to the device, if there is one. Return: it */
void *errno_send(size_t i);

/** errno_text() - @text in page @i, sent */
char *errno_text(size_t i, const char *text);

/** errno_function() - the function that the program finds as @name */
void *errno_function(const char *name);

/** TRY() - call @expr, which is -1 when it fails, as @name */
#define TRY(name, expr)                                        \
	do {                                                   \
		long try_ret;                                  \
							       \
		errno = ERRNO_BEFORE;                          \
		try_ret = (long)(expr);                        \
		errno_note(name, try_ret == -1, errno);        \
	} while (0)

/** TRY_VALUE() - the same of what returns the error, or as its error a value
 *  that is not @good */
#define TRY_VALUE(name, good, expr)                                          \
	do {                                                                 \
		long try_ret;                                                \
									     \
		errno = ERRNO_BEFORE;                                        \
		try_ret = (long)(expr);                                      \
		errno_note(name, try_ret != (long)(good),                    \
			   errno + (int)(try_ret != (long)(good) ?           \
						 1000 * (try_ret & 0xff) :   \
						 0));                        \
	} while (0)

/** errno_files() and so on - all the calls of one kind, in a fixed order */
void errno_files(void);
void errno_sockets(void);
void errno_paths(void);
void errno_memory(void);
void errno_signals(void);

#endif
