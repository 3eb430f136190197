/* SPDX-License-Identifier: MIT */
/* file.c - read, write, lseek, fstat, fcntl, epoll_ctl of a device (file.h) */
#include "file.h"

#include "devfd.h"
#include "request.h"

/* Of the kernel's range for majors that are given out as drivers come. */
#define MAJOR 511
#define MODE (S_IFCHR | 0600)

/* Flags of the open(2); without a daemon to ask, @fallback. */
static int flags_of(struct uhmm_wire_token dev, int fallback)
{
	struct uhmm_wire_msg msg;

	uhmm_wire_init(&msg, UHMM_WIRE_getfl, 0, false);
	msg.body.getfl.open = dev;
	if (uhmm_request(&msg, NULL, UHMM_REQUEST_ATTACH))
		return fallback;
	return (int)msg.body.getfl_reply.flags;
}

/* A file that is not open for this says EBADF before any driver is asked. */
bool uhmm_file_refuses(int fd, bool write, int saved)
{
	struct uhmm_wire_token dev;
	int access;

	if (!uhmm_devfd_get(fd, &dev)) {
		errno = saved;
		return false;
	}
	access = flags_of(dev, O_RDWR) & O_ACCMODE;
	errno = access == (write ? O_RDONLY : O_WRONLY) ? EBADF : EINVAL;
	return true;
}

bool uhmm_file_refuses_epoll(int epoll, int fd)
{
	struct uhmm_wire_token dev;

	if (!uhmm_devfd_get(fd, &dev) ||
	    uhmm_sys2(SYS_fcntl, epoll, F_GETFD) < 0)
		return false;
	errno = EPERM;
	return true;
}

off_t uhmm_file_seek(int fd, off_t offset, int whence, int saved)
{
	struct uhmm_wire_token dev;
	struct uhmm_wire_msg msg;
	int err;

	if (!uhmm_devfd_get(fd, &dev))
		return -1;	/* ESPIPE it is */
	uhmm_wire_init(&msg, UHMM_WIRE_seek, 0, false);
	msg.body.seek.open = dev;
	msg.body.seek.offset_bytes = offset;
	msg.body.seek.whence = (uint32_t)whence;
	err = uhmm_request(&msg, NULL, UHMM_REQUEST_ATTACH);
	errno = err ? (err == -ENODEV ? EIO : -err) : saved;
	return err ? -1 : (off_t)msg.body.seek_reply.offset_bytes;
}

int uhmm_file_flags(int fd, int flags)
{
	struct uhmm_wire_token dev;

	if (!uhmm_devfd_get(fd, &dev))
		return flags;
	return (flags & ~O_ACCMODE) | (flags_of(dev, flags) & O_ACCMODE);
}

void uhmm_file_stat(int fd, struct stat *st)
{
	struct uhmm_wire_token dev;
	uint32_t minor;

	if (!S_ISSOCK(st->st_mode) || !uhmm_devfd_get_minor(fd, &dev, &minor))
		return;
	st->st_mode = MODE;
	st->st_rdev = makedev(MAJOR, minor);
}

void uhmm_file_statx(int fd, struct statx *st)
{
	struct uhmm_wire_token dev;
	uint32_t minor;

	if (!S_ISSOCK(st->stx_mode) || !uhmm_devfd_get_minor(fd, &dev, &minor))
		return;
	st->stx_mode = MODE;
	st->stx_rdev_major = MAJOR;
	st->stx_rdev_minor = minor;
}
