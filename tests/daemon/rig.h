/* SPDX-License-Identifier: MIT */
/* rig.h - the real daemon in a thread of the test, a device that does what the
 * test says, and a program that the test is itself
 *
 * The test hands its own descriptors over and does as hands what it is asked.
 * Nothing it touches itself is ever migrated, so it never waits for itself.
 */
#ifndef UHMM_TESTS_DAEMON_RIG_H
#define UHMM_TESTS_DAEMON_RIG_H

#include <pthread.h>
#include <semaphore.h>

#include "daemon.h"
#include "wire/fdpass.h"

struct rig {
	struct daemon d;
	struct conf conf;
	pthread_t thread;
	sem_t ready;
	int err;
};

/** Commands of the rig's device; each returns 0 or -errno. */
enum rig_cmd {
	RIG_ECHO = 1,	/* the 8 bytes at arg, plus one, back to arg */
	RIG_BLOCK,	/* waits until rig_unblock() */
	RIG_COPY_FROM,	/* @arg is a struct rig_copy: read from it */
	RIG_COPY_TO,	/* the same: fill it with RIG_BYTE */
	RIG_ZAP,	/* the page at arg is dropped by hands */
	RIG_UNMAPS,	/* unmappings read so far, 8 bytes to arg */
};

#define RIG_BYTE 0xa5

struct rig_copy {
	uint64_t addr;
	uint64_t bytes;
};

/** rig_start() - the daemon runs; rig_stop() - it ended in order */
void rig_start(struct rig *rig, unsigned int nworkers);
void rig_stop(struct rig *rig);

/** rig_unblock() - every RIG_BLOCK goes on */
void rig_unblock(struct rig *rig);

/** rig_blocked(), rig_released() - calls in RIG_BLOCK, opens released so far */
unsigned int rig_blocked(struct rig *rig);
unsigned int rig_released(struct rig *rig);

/** rig_removes() - removals that were news, and ours */
void rig_removes(struct rig *rig, uint64_t *news, uint64_t *ours);

/** rig_await_empty() - wait until no session and no connection is left */
void rig_await_empty(struct rig *rig);

/** rig_connect() - a connection to it */
int rig_connect(struct rig *rig);

/* ---- the program's side; all 0 or -errno ---- */

/** A program: descriptors, token of its session, an open device. */
struct rig_program {
	int sock;
	int uffd;
	struct uhmm_wire_token session;
	int dev_fd;
	struct uhmm_wire_token dev;
};

/** rig_is_possible() - may we have a userfaultfd at all? */
bool rig_is_possible(void);

/** rig_fds() - what hello hands over. false: no userfaultfd here */
bool rig_fds(int fds[5]);

/** rig_call() - send @msg with @fds, serve hands, receive the reply into
 *  @msg and *@fd (-1: none). -EPIPE the daemon hung up */
int rig_call(int sock, struct uhmm_wire_msg *msg, const int *fds,
	     unsigned int nfds, int *fd);

/** rig_is_hung_up() - does @sock end within a second? */
bool rig_is_hung_up(int sock);

int rig_hello(struct rig *rig, struct rig_program *p);
int rig_join(struct rig *rig, const struct rig_program *p, uint32_t role,
	     int *sock);
int rig_open(struct rig_program *p);
int rig_ioctl(const struct rig_program *p, int sock, uint64_t cmd,
	      const void *arg);
void rig_drop(struct rig_program *p);

/** rig_pause() - no event of @p is read until rig_resume() */
void rig_pause(struct rig *rig, const struct rig_program *p);
void rig_resume(struct rig *rig, const struct rig_program *p);

/** rig_serves() - a good program attaches, opens, calls, goes */
void rig_serves(struct rig *rig);

#endif
