/* SPDX-License-Identifier: MIT */
/* fd_ops.c - descriptors of devices: opened, duplicated, used as files */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops.h"
#include "player.h"

/* What opened a descriptor: @fd, or errno. */
static void answer_opened(struct replay_player *p, const char *name, int fd)
{
	if (fd < 0) {
		replay_answer_ret(&p->answer, -1);
		return;
	}
	if (!replay_fds_set(&p->fds, name, fd))
		replay_player_broken(p, "too many descriptors");
	replay_answer_word(&p->answer, "ret=0");
}

REPLAY_OP(open)
{
	int flags = replay_op_has(op, REPLAY_OPT_RO) ? O_RDONLY : O_RDWR;
	char path[256];

	if (replay_op_has(op, REPLAY_OPT_CLOEXEC))
		flags |= O_CLOEXEC;
	snprintf(path, sizeof(path), "%s%" PRIu64, p->device, op->value);
	/* children of the trace inherit it; they execute nothing */
	answer_opened(p, op->fd[0],
		      open(path, flags)); /* NOLINT(android-cloexec-open) */
}

REPLAY_OP(close)
{
	replay_answer_ret(&p->answer,
			  close(replay_fds_get(&p->fds, op->fd[0])));
	replay_fds_set(&p->fds, op->fd[0], -1);
}

REPLAY_OP(dup)
{
	int fd = replay_fds_get(&p->fds, op->fd[0]);

	answer_opened(p, op->fd[1], dup(fd)); /* NOLINT(android-cloexec-dup) */
}

static void do_poll(struct replay_player *p, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLOUT };

	replay_answer_ret(&p->answer, poll(&pollfd, 1, 0));
	replay_answer_word(&p->answer, "revents=%x",
			   (unsigned int)(unsigned short)pollfd.revents);
}

static void do_fstat(struct replay_player *p, int fd)
{
	struct stat st;
	int ret = fstat(fd, &st);

	replay_answer_ret(&p->answer, ret);
	if (!ret)
		replay_answer_word(&p->answer, "type=%o", st.st_mode & S_IFMT);
}

static void do_getfl(struct replay_player *p, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		replay_answer_ret(&p->answer, flags);
	else
		replay_answer_word(&p->answer, "acc=%d", flags & O_ACCMODE);
}

/* Those that answer with what they return. */
static long call(enum replay_fdop fdop, int fd)
{
	char bytes[8] = { 0 };

	switch (fdop) {
	case REPLAY_FDOP_READ:
		return read(fd, bytes, sizeof(bytes));
	case REPLAY_FDOP_WRITE:
		return write(fd, bytes, sizeof(bytes));
	case REPLAY_FDOP_PREAD:
		return pread(fd, bytes, sizeof(bytes), 0);
	case REPLAY_FDOP_LSEEK:
		return lseek(fd, (off_t)REPLAY_PAGE_BYTES, SEEK_SET);
	case REPLAY_FDOP_FTRUNCATE:
		return ftruncate(fd, (off_t)REPLAY_PAGE_BYTES);
	case REPLAY_FDOP_FSYNC:
		return fsync(fd);
	default:
		errno = ENOSYS;
		return -1;
	}
}

REPLAY_OP(fdop)
{
	int fd = replay_fds_get(&p->fds, op->fd[0]);

	switch (op->fdop) {
	case REPLAY_FDOP_POLL:
		do_poll(p, fd);
		break;
	case REPLAY_FDOP_FSTAT:
		do_fstat(p, fd);
		break;
	case REPLAY_FDOP_GETFL:
		do_getfl(p, fd);
		break;
	default:
		replay_answer_ret(&p->answer, call(op->fdop, fd));
		break;
	}
}
