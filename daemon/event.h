/* SPDX-License-Identifier: MIT */
/* event.h - what a loop's event says: who is ready
 *
 * The tag that travels through the kernel (io_uring user_data, epoll data) is
 * a type, a slot and a generation, never a pointer: a completion that arrives
 * after its source was taken out finds nothing.
 */
#ifndef UHMMD_EVENT_H
#define UHMMD_EVENT_H

#include <assert.h>
#include <stdint.h>

/** What kind of descriptor a source is; worker.c has the one switch over it. */
enum ev_type {
	EV_NONE,	/* nothing of ours: dropped */
	EV_KICK,	/* eventfd: another worker put work on our queue */
	EV_SIGNAL,	/* signalfd: SIGTERM, SIGINT */
	EV_LISTEN,	/* the socket programs connect to */
	EV_CHANNEL,	/* a connection of a program or of the command */
	EV_UFFD,	/* a userfaultfd: faults and events */
	EV_PIDFD,	/* a process ended */
	EV_OPENS,	/* epoll of all device ends: one was closed */
	EV_NR_TYPES
};

/** union uhmm_ev - the tag; u64 is what the kernel carries */
union uhmm_ev {
	struct {
		uint32_t generation;
		uint32_t slot : 24;
		uint32_t type : 8;	/* enum ev_type */
	};
	uint64_t u64;
};

static_assert(sizeof(union uhmm_ev) == 8, "fits user_data");

#endif
