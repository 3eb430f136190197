/* SPDX-License-Identifier: MIT */
/* peek.h - look behind the device: the daemon's numbers, its pid
 *
 * Only for what the program itself cannot see. A real kernel has no daemon:
 * there peek_has_daemon() is false and the waits return at once.
 */
#ifndef UHMM_PROBE_PEEK_H
#define UHMM_PROBE_PEEK_H

#include <stdbool.h>
#include <sys/types.h>

/** peek_has_daemon() - is a daemon behind the device? */
bool peek_has_daemon(void);

/** peek_daemon_pid() - its pid; fails the probe if there is none */
pid_t peek_daemon_pid(void);

/** peek_number() - a number of its statistics; fails the probe if not there */
double peek_number(const char *path);

/** peek_await() - wait until @path of its statistics is @want, else fail */
void peek_await(const char *path, double want, const char *when);

/** peek_await_pages() - wait until devices hold @npages in all, else fail */
void peek_await_pages(unsigned long npages, const char *when);

#endif
