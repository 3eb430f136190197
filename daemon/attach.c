/* SPDX-License-Identifier: MIT */
/* attach.c - hello and join (attach.h) */
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "channel.h"
#include "daemon.h"
#include "fork.h"
#include "policy.h"
#include "session.h"
#include "sys/pagesize.h"
#include "sys/ptes.h"

/* ---- are the descriptors what they are said to be? ---- */

/* What /proc says the file is: "anon_inode:[userfaultfd]". */
static bool link_begins(int fd, const char *with)
{
	char path[64], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	return n >= (ssize_t)strlen(with) && !strncmp(link, with, strlen(with));
}

static bool is_uffd(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK) &&
	       link_begins(fd, "anon_inode:[userfaultfd]");
}

/* A regular file of procfs, open for @mode: it answers without waiting. */
static bool is_procfs(int fd, int mode)
{
	struct statfs fs;
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fstatfs(fd, &fs) == 0 && fstat(fd, &st) == 0 &&
	       fs.f_type == PROC_SUPER_MAGIC && S_ISREG(st.st_mode) &&
	       ((flags & O_ACCMODE) == O_RDWR ||
		(flags & O_ACCMODE) == mode);
}

static bool is_pagemap(int fd)
{
	const struct uhmm_ptes ptes = { .fd = fd };

	return is_procfs(fd, O_RDONLY) && uhmm_ptes_alive(&ptes);
}

/* An anonymous inode until 6.8, then a file system of its own. */
static bool is_pidfd(int fd)
{
	return link_begins(fd, "anon_inode:[pidfd]") ||
	       link_begins(fd, "pidfd:");
}

int attach_check_fds(const struct uhmm_engine_fds *fds, uint32_t flags)
{
	const char *which = NULL;

	if (!(flags & UHMM_HELLO_NO_UFFD) && !is_uffd(fds->uffd))
		which = "a non-blocking userfaultfd";
	else if (!is_procfs(fds->mem, O_RDWR))
		which = "/proc/self/mem, read and write";
	else if (!is_pagemap(fds->pagemap))
		which = "/proc/self/pagemap";
	else if (!is_procfs(fds->maps, O_RDONLY))
		which = "/proc/self/maps";
	else if (!is_pidfd(fds->pidfd))
		which = "a pidfd";
	if (!which)
		return 0;
	uhmm_warn("a program's hello: one descriptor is not %s", which);
	return -EINVAL;
}

/* ---- hello ---- */

static int check_version(struct request *rq, uint32_t version)
{
	if (version == UHMM_WIRE_VERSION)
		return 0;
	uhmm_warn("a program speaks version %u of the protocol, this daemon "
		  "%u; use a preload library of the same uhmm", version,
		  UHMM_WIRE_VERSION);
	rq->then_close = true;
	return -EPROTONOSUPPORT;
}

/* Whole pages, those it shares with others included. */
static struct uhmm_range own_range(const struct uhmm_wire_range *own)
{
	uint64_t last = own->addr + own->bytes + uhmm_page_bytes() - 1;

	return (struct uhmm_range){ uhmm_vpn_of(own->addr),
				    uhmm_vpn_of(last) };
}

static struct session_parts parts_of(struct request *rq)
{
	const struct uhmm_msg_hello *m = &rq->msg.body.hello;

	return (struct session_parts){
		.fds = { .uffd = rq->fds[0], .mem = rq->fds[1],
			 .pagemap = rq->fds[2], .maps = rq->fds[3],
			 .pidfd = rq->fds[4] },
		.uffd_features = m->uffd_features,
		.hello_flags = m->flags,
		.own = own_range(&m->own),
		.pid = m->pid,
	};
}

static int check_hello(struct request *rq, const struct session_parts *parts)
{
	const struct uhmm_msg_hello *m = &rq->msg.body.hello;
	int err = check_version(rq, m->version);

	if (!err && m->page_bytes != uhmm_page_bytes())
		err = -EINVAL;
	if (!err)
		err = attach_check_fds(&parts->fds, m->flags);
	if (!err && rq->ch->d->stopping)
		err = -ENODEV;
	if (err)
		rq->then_close = true;
	return err;
}

int attach_hello(struct request *rq)
{
	struct session_parts parts = parts_of(rq);
	struct session *s;
	int err = check_hello(rq, &parts);

	if (err)
		return err;
	s = fork_claim(rq->ch->d, &rq->msg.body.hello, &parts);
	if (!s) {
		err = session_create(rq->ch->w, &parts, &s);
		if (err) {
			rq->then_close = true;
			return err;
		}
		session_set_state(s, SESSION_LIVE);
	}
	rq->nfds = 0;	/* they are the session's now */
	policy_attach(s);
	channel_attach(rq->ch, s, CHANNEL_CALLER);
	rq->reply.body.hello_reply.version = UHMM_WIRE_VERSION;
	rq->reply.body.hello_reply.session = session_token(s);
	rq->reply_fd = fcntl(s->fds.uffd, F_DUPFD_CLOEXEC, 0);
	rq->then_close = rq->reply_fd < 0;
	return rq->then_close ? -errno : 0;
}

/* ---- join ---- */

int attach_join(struct request *rq)
{
	const struct uhmm_msg_join *m = &rq->msg.body.join;
	struct session *s;
	int err = check_version(rq, m->version);

	if (err)
		return err;
	s = session_find(rq->ch->d, &m->session);
	if (!s || s->state != SESSION_LIVE ||
	    (m->role == UHMM_ROLE_AGENT && s->agent)) {
		rq->then_close = true;
		return s ? -EBUSY : -EACCES;
	}
	channel_attach(rq->ch, s,
		       m->role == UHMM_ROLE_AGENT ? CHANNEL_AGENT :
						    CHANNEL_CALLER);
	return 0;
}
