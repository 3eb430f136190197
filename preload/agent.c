/* SPDX-License-Identifier: MIT */
/* agent.c - the raw thread and its loop */
#include "agent.h"

#include "channel.h"
#include "hands.h"
#include "orphan.h"
#include "thread.h"
#include "window.h"

#define STACK_BYTES 32768

static _Alignas(16) char stack[STACK_BYTES];

static struct {
	_Atomic uint32_t state;		/* enum uhmm_agent_state */
	_Atomic uint32_t tid;		/* 0: nobody is on the stack */
	_Atomic uint32_t started;
	struct uhmm_ownfd own;		/* its channel, while it is handed over */
	int uffd;
	unsigned long page_bytes;
} agent = { .own = UHMM_OWNFD_NONE };

static void set_state(enum uhmm_agent_state to)
{
	atomic_store(&agent.state, to);
	uhmm_futex_wake((_Atomic uint32_t *)&agent.state, INT_MAX);
}

enum uhmm_agent_state uhmm_agent_state(void)
{
	return (enum uhmm_agent_state)atomic_load(&agent.state);
}

void uhmm_agent_wait_orphaned(void)
{
	const struct timespec ms = { 0, 1000000 };

	for (int i = 0; i < 1000; i++) {
		if (atomic_load(&agent.state) != UHMM_AGENT_RUNNING)
			break;
		(void)uhmm_sys4(SYS_futex, uhmm_ptr(&agent.state),
				FUTEX_WAIT_PRIVATE, UHMM_AGENT_RUNNING,
				uhmm_ptr(&ms));
	}
	while (atomic_load(&agent.state) == UHMM_AGENT_ORPHANED)
		uhmm_futex_wait(&agent.state, UHMM_AGENT_ORPHANED);
}

/* Hands until the daemon is gone. */
static void serve(int sock, int uffd)
{
	struct uhmm_wire_msg msg;
	int fds[UHMM_WIRE_FDS_MAX];
	unsigned int nfds;

	while (uhmm_wire_recv(sock, &msg, fds, &nfds) == 0) {
		uhmm_wire_close_fds(fds, &nfds);
		if (msg.header.id != UHMM_WIRE_hands ||
		    (msg.header.flags & UHMM_WIRE_REPLY))
			break;
		if (uhmm_hands_serve(sock, uffd, &msg) < 0)
			break;
	}
	(void)uhmm_sys1(SYS_close, sock);
}

static void watch(void)
{
	set_state(UHMM_AGENT_WATCHING);
}

/* All of the thread. What is static is the next agent's once it is over. */
static void run(void *unused)
{
	static const char name[] = UHMM_AGENT_NAME;
	int sock = agent.own.fd;
	int uffd = agent.uffd;

	(void)unused;
	(void)uhmm_sys2(SYS_prctl, PR_SET_NAME, uhmm_ptr(name));
	uhmm_thread_keep_only(sock, uffd);
	atomic_store(&agent.started, 1);
	uhmm_futex_wake(&agent.started, 1);
	serve(sock, uffd);
	set_state(UHMM_AGENT_ORPHANED);
	uhmm_orphan_run(uffd, agent.page_bytes, watch);
	set_state(UHMM_AGENT_FINISHED);
}

/* The thread before may still be about to leave the stack. */
void uhmm_agent_wait_end(void)
{
	uint32_t tid;

	while ((tid = atomic_load(&agent.tid)) != 0 &&
	       uhmm_agent_state() != UHMM_AGENT_WATCHING)
		/* the kernel's wake at thread exit is not a private one */
		(void)uhmm_sys4(SYS_futex, uhmm_ptr(&agent.tid), FUTEX_WAIT,
				tid, 0);
}

int uhmm_agent_start(struct uhmm_wire_token token, int uffd)
{
	long ret;
	int err;

	uhmm_agent_wait_end();
	err = uhmm_channel_join(&agent.own, token, UHMM_ROLE_AGENT);
	if (err)
		return err;
	agent.uffd = uffd;
	agent.page_bytes = getauxval(AT_PAGESZ);
	atomic_store(&agent.started, 0);
	atomic_store(&agent.state, UHMM_AGENT_RUNNING);
	ret = uhmm_thread_start(stack + STACK_BYTES, &agent.tid, run, NULL);
	while (ret > 0 && !atomic_load(&agent.started))
		uhmm_futex_wait(&agent.started, 0);
	if (ret < 0)
		atomic_store(&agent.state, UHMM_AGENT_NONE);
	uhmm_ownfd_close(&agent.own);
	return ret < 0 ? (int)ret : 0;
}

bool uhmm_agent_owns(int fd)
{
	return uhmm_ownfd_has(&agent.own, fd);
}

bool uhmm_agent_is(long tid)
{
	return atomic_load(&agent.tid) == (uint32_t)tid;
}

void uhmm_agent_forget(void)
{
	uhmm_window_forget();
	uhmm_ownfd_close(&agent.own);
	atomic_store(&agent.tid, 0);
	atomic_store(&agent.state, UHMM_AGENT_NONE);
}
