/* SPDX-License-Identifier: MIT */
/* opens.h - opens of a device and the sockets that stand for them
 *
 * Theory of operation. The device fd a program holds is one end of a socket
 * pair; we hold the other. dup, fork, exec and descriptor passing are the
 * kernel's business, and the last close, also by SIGKILL, is a hang-up of our
 * end: only then the driver's release runs (in a job; it may evict pages).
 * Our end is bound to an abstract name that says which open it is, so that
 * whoever holds the fd can ask the kernel; one byte waits in it for ever, so
 * that poll(2) says the device is ready. What a program writes into the fd is
 * read and ignored.
 *
 * Order: a program that closed the device and then asks something must find it
 * closed (a child's exit evicts before waitpid() returns in the parent). So
 * all our ends are in one epoll of their own, which is looked at before each
 * ioctl (opens_settle()), not only when the loop comes to it.
 *
 * Locks: the core's.
 */
#ifndef UHMMD_OPENS_H
#define UHMMD_OPENS_H

#include <uhmm/device.h>
#include <uhmm/list.h>

#include "co.h"
#include "event.h"
#include "slots.h"
#include "wire/wire.h"

struct daemon;
struct session;

/** struct open - one open of a device */
struct open {
	struct uhmm_list link;	/* in opens.hung, once hung up */
	struct daemon *d;
	struct slot_ref ref;	/* in opens.table */
	uint64_t secret;	/* with ref: the token */
	struct uhmm_file file;
	struct slot_ref owner;	/* session that opened it */
	int sock;		/* our end */
	int64_t position;	/* of lseek(2), in bytes; nothing reads it */
	unsigned int users;	/* calls under way */
	uint64_t order;		/* of the hang-up */
	bool releasing;		/* its job is under way */
};

struct opens {
	struct daemon *d;
	struct slots table;	/* of struct open */
	int epoll_fd;
	union uhmm_ev ev;
	struct uhmm_list hung;	/* of open.link, by order */
	struct co_queue released;	/* wait for one to go */
	uint64_t order;		/* of the last hang-up */
};

/** opens_init() - 0 or -errno; worker 0 is open */
UHMM_CHECKED int opens_init(struct opens *o, struct daemon *d);

/** opens_fini() - no open is left. Accepts a zeroed one. */
void opens_fini(struct opens *o);

/**
 * opens_add() - @s opens the device @minor
 * @fd: (out) the program's end
 * Return: 0; -ENXIO no such device, or unplugged; -ENOMEM; -EMFILE; the driver's -errno
 */
UHMM_CHECKED int opens_add(struct opens *o, struct session *s, uint32_t minor,
			   uint32_t flags, int *fd);

/** opens_get() - the open of @token for one call, or NULL; opens_put() ends
 *  the call */
struct open *opens_get(struct opens *o, const struct uhmm_wire_token *token);
void opens_put(struct open *open);

/** opens_poll() - (EV_OPENS) begin to release what hung up */
void opens_poll(struct opens *o);

/** opens_settle() - (yields) what hung up before is released */
void opens_settle(struct opens *o);

/** opens_hang_up() - hang up every open ourselves: the daemon ends */
void opens_hang_up(struct opens *o);

#endif
