/* SPDX-License-Identifier: MIT */
/* fake.h - a daemon that does what a test tells it to
 *
 * A process of its own that speaks the real protocol over a real socket and
 * knows no semantics. What it saw is in shared memory for the test to judge;
 * what it shall do next comes as the command of an ioctl.
 */
#ifndef UHMM_TESTS_PRELOAD_FAKE_H
#define UHMM_TESTS_PRELOAD_FAKE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/wire.h"

#define FAKE_TAKE_PAGES 4
#define FAKE_TOLD 16

/** Commands of the fake's ioctl; what each takes and returns. */
enum fake_cmd {
	FAKE_ECHO = 1,		/* arg: returned */
	FAKE_FAIL,		/* arg: errno */
	FAKE_READ,		/* arg: address; its byte, by the mem fd */
	FAKE_ZAP,		/* arg: address; zapped by the caller */
	FAKE_ZAP_BY_AGENT,	/* arg: address */
	FAKE_FILL_READ,		/* arg: address; populated */
	FAKE_FILL_WRITE,
	FAKE_ZAP_BAD,		/* an address that is none: errno of hands */
	FAKE_BARRIER,		/* arg: n; answered when n have come */
	FAKE_TAKE,		/* arg: address of FAKE_TAKE_PAGES pages: it
				 * registers them and zaps the first */
	FAKE_DIE,		/* no answer */
	FAKE_DIE_LATER,		/* answers 0 first */
	FAKE_NONSENSE,		/* answers with another message's reply */
};

/** What a fork message or a hello of a child said. */
struct fake_fork {
	uint64_t fork_id;
	struct uhmm_wire_token session;
};

/** In shared memory. Counts, and the last of what was seen. */
struct fake_log {
	_Atomic uint32_t ready;		/* listening */
	_Atomic uint32_t starts;	/* of the daemon */
	_Atomic uint32_t respawn;	/* start again after a death */
	_Atomic uint32_t hellos, joins, agents, opens, ioctls;
	_Atomic uint32_t closeds;	/* closed messages... */
	_Atomic uint32_t closeds_hung;	/* ...whose device had hung up */
	_Atomic uint32_t protects, maps, prepares, parents;
	_Atomic uint32_t told[FAKE_TOLD]; /* advise, remap, mincore; by id */
	_Atomic uint32_t parts;		/* say to mremap that pages are mappings */
	_Atomic uint32_t bad;		/* whatever should not be */
	_Atomic uint32_t hellos_of_child; /* parent and fork id announced */
	_Atomic uint32_t hellos_of_raw_child; /* parent, no fork id */
	_Atomic uint32_t sessions_ended;
	struct uhmm_msg_hello hello;
	struct uhmm_msg_open open;
	struct uhmm_msg_protect protect;
	struct fake_fork prepared;
};

/** fake_log_create() - a zeroed one, shared with what is forked later */
struct fake_log *fake_log_create(void);

/**
 * fake_start() - start it, listening at abstract name @name
 * Return: pid of a process to kill in the end; it starts the daemon again
 * after each death when log->respawn is set
 */
pid_t fake_start(const char *name, struct fake_log *log);

#endif
