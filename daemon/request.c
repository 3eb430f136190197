/* SPDX-License-Identifier: MIT */
/* request.c - what is asked, by whom, and the answer (request.h) */
#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uhmm/event.h>

#include "attach.h"
#include "base/log.h"
#include "channel.h"
#include "daemon.h"
#include "fault.h"
#include "fileops.h"
#include "fork.h"
#include "policy.h"
#include "session.h"
#include "trap.h"
#include "sys/pagesize.h"
#include "uaccess.h"
#include "vmcall.h"
#include "vmops.h"
#include "wire/fdpass.h"

/* A mapping of a device is ordinary memory: what one program may ask for. */
#define MMAP_BYTES_MAX (UINT64_C(1) << 34)

/* ---- handlers: 0 or -errno ---- */

static int handle_open(struct request *rq)
{
	const struct uhmm_msg_open *m = &rq->msg.body.open;

	fork_opened(rq->ch->session);
	return opens_add(&rq->ch->d->opens, rq->ch->session, m->minor, m->flags,
			 &rq->reply_fd);
}

static int handle_ioctl(struct request *rq)
{
	const struct uhmm_msg_ioctl *m = &rq->msg.body.ioctl;
	struct opens *opens = &rq->ch->d->opens;
	struct uaccess ua;
	struct session *owner;
	struct open *open;
	int64_t ret = -ENODEV;

	opens_settle(opens);
	open = opens_get(opens, &m->open);
	if (!open)
		return -EBADF;
	uaccess_init(&ua, rq->ch->session);
	owner = fork_begin_call(rq->ch->d, open->owner);
	if (owner && owner != rq->ch->session)
		fault_catch_up(owner);
	if (rq->ch->d->stopping)
		ret = -EIO;
	else if (!open->file.dev->pgmap.unplugged)
		ret = open->file.dev->ops->ioctl(&open->file, &ua.user, m->cmd,
						 m->arg);
	fork_end_call(owner);
	opens_put(open);
	if (ret < 0)
		return (int)ret;
	rq->reply.body.ioctl_reply.ret = ret;
	return 0;
}

/* The program closed a device fd. If that was the last reference, what the
 * driver does then has been done when close(2) returns. */
static int handle_closed(struct request *rq)
{
	opens_settle(&rq->ch->d->opens);
	return 0;
}

static int make_memory(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int handle_mmap(struct request *rq)
{
	const struct uhmm_msg_mmap *m = &rq->msg.body.mmap;
	uint64_t page = uhmm_page_bytes();
	struct open *open = opens_get(&rq->ch->d->opens, &m->open);
	const struct uhmm_device_ops *ops;
	int fd;

	if (!open)
		return -EBADF;
	ops = open->file.dev->ops;
	if (!ops->mmap_name || open->file.dev->pgmap.unplugged)
		fd = -ENODEV;
	else if (!m->bytes || m->bytes > MMAP_BYTES_MAX)
		fd = -ENOMEM;
	else
		fd = make_memory(ops->mmap_name(&open->file),
				 (m->bytes + page - 1) / page * page);
	opens_put(open);
	if (fd < 0)
		return fd;
	rq->reply_fd = fd;
	return 0;
}

/* @text goes out as the memory it is in. */
static int reply_text(struct request *rq, const char *text, size_t bytes)
{
	int fd = make_memory("uhmm-text", 0);

	if (fd < 0)
		return fd;
	if (write(fd, text, bytes) != (ssize_t)bytes) {
		close(fd);
		return -EIO;
	}
	rq->reply_fd = fd;
	return 0;
}

static int handle_stats(struct request *rq)
{
	size_t bytes;
	char *text;
	int err = stats_json(rq->ch->d, &text, &bytes);

	if (err)
		return err;
	err = reply_text(rq, text, bytes);
	free(text);
	return err;
}

/* What is wrong with us, as text; empty: nothing. */
static int handle_check(struct request *rq)
{
	char why[256] = "";

	if (!uhmm_mm_check(&rq->ch->d->core.hmm, why, sizeof(why)))
		why[0] = '\0';
	if (!why[0] && rq->ch->d->policy_stats.mismatches)
		snprintf(why, sizeof(why),
			 "%llu device pages were not what a policy put there",
			 (unsigned long long)
				 rq->ch->d->policy_stats.mismatches);
	return reply_text(rq, why, strlen(why));
}

/* Its channels hang up: that is the reply. */
static int handle_leave(struct request *rq)
{
	session_fail(rq->ch->session);
	return 0;
}

static int handle_stop(struct request *rq)
{
	daemon_stop(rq->ch->d);
	return 0;
}

static int handle_unplug(struct request *rq)
{
	const char *node = rq->msg.body.unplug.node;
	struct uhmm_device *dev = core_device_named(&rq->ch->d->core, node);

	if (!dev || dev->pgmap.unplugged || rq->ch->d->stopping)
		return -ENODEV;
	uhmm_info("%s is unplugged", dev->node);
	uhmm_pagemap_unplug(&dev->pgmap);
	return 0;
}

/* ---- who may ask what ---- */

/** A request: who may make it, who answers it. */
struct handler {
	int (*handle)(struct request *rq);
	unsigned int from;	/* enum channel_kind */
	bool looks;		/* at what the program has mapped */
};

/* Nobody in particular becomes one by asking. */
#define CONTROLLER (CHANNEL_NEW | CHANNEL_CONTROL)

static const struct handler handlers[] = {
	[UHMM_WIRE_hello] = { attach_hello, CHANNEL_NEW, false },
	[UHMM_WIRE_join] = { attach_join, CHANNEL_NEW, false },
	[UHMM_WIRE_open] = { handle_open, CHANNEL_CALLER, false },
	[UHMM_WIRE_ioctl] = { handle_ioctl, CHANNEL_CALLER, true },
	[UHMM_WIRE_closed] = { handle_closed, CHANNEL_CALLER, false },
	[UHMM_WIRE_mmap] = { handle_mmap, CHANNEL_CALLER, false },
	[UHMM_WIRE_protect] = { vmops_protect, CHANNEL_CALLER, true },
	[UHMM_WIRE_advise] = { vmops_advise, CHANNEL_CALLER, true },
	[UHMM_WIRE_mincore] = { vmops_mincore, CHANNEL_CALLER, true },
	[UHMM_WIRE_remap] = { vmops_remap, CHANNEL_CALLER, true },
	[UHMM_WIRE_seek] = { fileops_seek, CHANNEL_CALLER, false },
	[UHMM_WIRE_getfl] = { fileops_getfl, CHANNEL_CALLER, false },
	[UHMM_WIRE_fault] = { trap_fault, CHANNEL_CALLER, true },
	[UHMM_WIRE_vmcall] = { vmcall, CHANNEL_CALLER, true },
	[UHMM_WIRE_fence] = { vmcall_fence, CHANNEL_CALLER, true },
	[UHMM_WIRE_bring] = { trap_bring, CHANNEL_CALLER, true },
	[UHMM_WIRE_peek] = { vmops_peek, CHANNEL_CALLER, false },
	[UHMM_WIRE_alone] = { policy_alone, CHANNEL_CALLER, false },
	[UHMM_WIRE_leave] = { handle_leave, CHANNEL_CALLER, false },
	[UHMM_WIRE_fork] = { fork_request, CHANNEL_CALLER, true },
	[UHMM_WIRE_stats] = { handle_stats, CONTROLLER, false },
	[UHMM_WIRE_check] = { handle_check, CONTROLLER, false },
	[UHMM_WIRE_unplug] = { handle_unplug, CONTROLLER, false },
	[UHMM_WIRE_stop] = { handle_stop, CONTROLLER, false },
};

static const struct handler *handler_of(const struct channel *ch, uint16_t id)
{
	if (id >= sizeof(handlers) / sizeof(handlers[0]) ||
	    !handlers[id].handle || !(handlers[id].from & ch->kind))
		return NULL;
	return &handlers[id];
}

/* ---- one request ---- */

static void send_reply(struct channel *ch, const struct uhmm_wire_msg *reply,
		       int fd)
{
	int err;

	if (ch->closed || ch->killed)
		return;
	if (ch->kind == CHANNEL_CALLER &&
	    uhmm_inject_pass(uhmm_core_inject(&ch->d->core.hmm),
			     UHMM_INJECT_REPLY)) {
		channel_kill(ch);
		return;
	}
	err = uhmm_wire_send(ch->fd, reply, &fd, fd >= 0);
	uhmm_dbg(UHMM_LOG_WIRE, "send fd=%d %s reply seq=%u error=%d", ch->fd,
		 uhmm_wire_name(reply->header.id), reply->header.seq,
		 reply->header.error);
	if (err == -EAGAIN)
		channel_fail(ch, "does not read its replies");
	else if (err)
		channel_kill(ch);
}

static void close_all(struct request *rq)
{
	for (unsigned int i = 0; i < rq->nfds; i++)
		if (rq->fds[i] >= 0)
			close(rq->fds[i]);
	if (rq->reply_fd >= 0)
		close(rq->reply_fd);
}

static void serve(void *arg)
{
	struct channel *ch = arg;
	struct request *rq = &ch->rq;
	const struct handler *h = handler_of(ch, rq->msg.header.id);
	int err = -ESRCH;

	co_set_local(rq);
	uhmm_wire_init_reply(&rq->reply, &rq->msg.header, 0);
	if (ch->session && h->looks)
		fault_catch_up(ch->session);
	if (!ch->session || ch->session->state == SESSION_LIVE)
		err = h->handle(rq);
	if (err)
		uhmm_wire_init_reply(&rq->reply, &rq->msg.header, err);
	rq->busy = false;
	send_reply(ch, &rq->reply, err ? -1 : rq->reply_fd);
	close_all(rq);
	if (rq->then_close)
		channel_kill(ch);
	channel_put(ch);
}

bool request_start(struct channel *ch, const struct uhmm_wire_msg *msg,
		   const int *fds, unsigned int nfds)
{
	struct request *rq = &ch->rq;

	if (rq->busy || !handler_of(ch, msg->header.id))
		return false;
	ch->d->stats.requests++;
	near_asked(&ch->w->near, msg->header.cpu - 1);
	if (!ch->session && handlers[msg->header.id].from & CHANNEL_CONTROL)
		ch->kind = CHANNEL_CONTROL;
	memcpy(&rq->msg, msg, uhmm_wire_bytes(msg->header.id, false));
	memcpy(rq->fds, fds, nfds * sizeof(*fds));
	rq->nfds = nfds;
	rq->reply_fd = -1;
	rq->then_close = false;
	rq->busy = true;
	channel_get(ch);
	if (co_spawn(&ch->w->sched, serve, ch)) {
		rq->busy = false;
		close_all(rq);
		request_refuse(ch, msg, -ENOMEM);
		channel_put(ch);
	}
	return true;
}

void request_refuse(struct channel *ch, const struct uhmm_wire_msg *msg,
		    int err)
{
	struct uhmm_wire_msg reply;

	uhmm_wire_init_reply(&reply, &msg->header, err);
	send_reply(ch, &reply, -1);
}
