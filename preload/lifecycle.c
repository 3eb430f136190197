/* SPDX-License-Identifier: MIT */
/* lifecycle.c - the constructor, and fork
 *
 * No destructor: at exit the kernel closes everything, and a program that is
 * killed could not run one anyway.
 */
#include "preload.h"

#include "agent.h"
#include "env.h"
#include "libc.h"
#include "request.h"
#include "session.h"

static _Atomic uint64_t last_fork_id;

/* Of the fork this thread is in; the child, a copy of it, finds it too. */
static __thread uint64_t fork_id;

static int announce(enum uhmm_fork_phase phase)
{
	struct uhmm_wire_msg msg;

	uhmm_wire_init(&msg, UHMM_WIRE_fork, 0, false);
	msg.body.fork.phase = phase;
	msg.body.fork.fork_id = fork_id;
	return uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}

/* Without a daemon the copy is made when what was lost has been marked: the
 * child would read zeros in its place. */
static void before_fork(void)
{
	int err;

	fork_id = 0;
	if (!uhmm_session_exists() || uhmm_is_locked_up())
		return;
	fork_id = atomic_fetch_add(&last_fork_id, 1) + 1;
	err = announce(UHMM_FORK_PREPARE);
	if (err == -EIO || err == -ENODEV)
		uhmm_agent_wait_orphaned();
	if (err == -ENODEV)
		fork_id = 0;	/* no session after all */
}

static void after_fork_in_parent(void)
{
	if (fork_id)
		(void)!announce(UHMM_FORK_PARENT);
}

/* Errors are for who opens a device later. */
static void attach(void)
{
	struct uhmm_session_ref ref;
	struct uhmm_sigmask old = uhmm_signals_block();

	(void)!uhmm_session_need(&ref);
	/* The agent's is enough until something is asked, and the program may
	 * look at what descriptors it has. */
	uhmm_channel_close_idle();
	uhmm_signals_restore(old);
}

/* Before any code of the child runs its memory must be looked after again. If
 * that fails now, the next need tries again. */
static void after_fork_in_child(void)
{
	uhmm_session_forked(fork_id);
	if (fork_id)
		attach();
}

__attribute__((constructor)) static void start(void)
{
	uhmm_env_init();
	libc_find_all();
	(void)pthread_atfork(before_fork, after_fork_in_parent,
			     after_fork_in_child);
	if (uhmm_env_attach() && libc_is_behind())
		attach();
}
