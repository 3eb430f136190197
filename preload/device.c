/* SPDX-License-Identifier: MIT */
/* device.c - a device's open, close, ioctl, mmap; mprotect */
#include "device.h"

#include "buffer.h"
#include "devfd.h"
#include "devmap.h"
#include "devpath.h"
#include "libc.h"
#include "request.h"
#include "session.h"
#include "uffd_abi.h"

/* errno and -1, as libc functions end. */
static int fail(int err)
{
	errno = -err;
	return -1;
}

/* ---- open ---- */

bool uhmm_device_hides(const char *path, int flags)
{
	if (!(flags & O_CREAT) || uhmm_devpath_minor_unchecked(path) < 0)
		return false;
	if (uhmm_sys3(SYS_faccessat, AT_FDCWD, uhmm_ptr(path), F_OK) == 0)
		return false;	/* a real one */
	errno = ENOENT;
	return true;
}

/* Would a device that is there have given one of these? */
static bool is_absence(int err)
{
	return err == ENOENT || err == ENXIO || err == ENODEV || err == EACCES;
}

/* What open(2) refuses before a driver is asked. */
static int check_open_flags(int flags)
{
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	return flags & O_DIRECTORY ? -ENOTDIR : 0;
}

static void apply_open_flags(int fd, int flags)
{
	if (!(flags & O_CLOEXEC))
		(void)uhmm_sys3(SYS_fcntl, fd, F_SETFD, 0);
	if (flags & O_NONBLOCK)
		(void)uhmm_sys3(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

int uhmm_device_open(const char *path, int flags, int saved)
{
	struct uhmm_wire_msg msg;
	int minor, fd, err;

	/* an absent file's path was read by the kernel, so it can be read */
	if (!is_absence(errno) || (minor = uhmm_devpath_minor(path)) < 0)
		return -1;
	err = check_open_flags(flags);
	if (err)
		return fail(err);
	uhmm_wire_init(&msg, UHMM_WIRE_open, 0, false);
	msg.body.open.minor = (uint32_t)minor;
	msg.body.open.flags = (uint32_t)flags;
	err = uhmm_request(&msg, &fd, UHMM_REQUEST_ATTACH);
	if (err)
		return fail(err);
	apply_open_flags(fd, flags);
	atomic_store_explicit(&uhmm_devfd_was_seen, true, memory_order_relaxed);
	errno = saved;
	return fd;
}

/* ---- ioctl ---- */

/* The kernel answers these for any file, before its driver. */
static bool is_generic(unsigned long cmd)
{
	return cmd == FIOCLEX || cmd == FIONCLEX || cmd == FIONBIO;
}

/* ENODEV: the device is gone, or cannot do that; or nobody answers? */
static int device_error(int err, const struct uhmm_wire_msg *msg)
{
	return err == -ENODEV && !(msg->header.flags & UHMM_WIRE_REPLY) ? -EIO :
									  err;
}

/* The driver's commands begin with the range they are about. */
static void note_range(unsigned long cmd, unsigned long arg)
{
	struct {
		uint64_t addr, ptr, npages;
	} named = { .addr = 0 };

	if (uhmm_buffer_matters() && _IOC_SIZE(cmd) >= sizeof(named) &&
	    uhmm_buffer_copy(&named, (void *)arg, sizeof(named)) &&
	    named.npages < UINT64_MAX / getauxval(AT_PAGESZ))
		uhmm_buffer_note(named.addr,
				 named.npages * getauxval(AT_PAGESZ));
}

int uhmm_device_ioctl(struct uhmm_wire_token dev, int fd, unsigned long cmd,
		      unsigned long arg)
{
	struct uhmm_wire_msg msg;
	int err;

	if (is_generic(cmd))
		return libc_ioctl(fd, cmd, arg);
	uhmm_wire_init(&msg, UHMM_WIRE_ioctl, 0, false);
	msg.body.ioctl.open = dev;
	msg.body.ioctl.cmd = (uint32_t)cmd;	/* as the kernel takes it */
	msg.body.ioctl.arg = arg;
	err = uhmm_request(&msg, NULL, UHMM_REQUEST_ATTACH);
	note_range(cmd, arg);
	if (err)
		return fail(device_error(err, &msg));
	return (int)msg.body.ioctl_reply.ret;
}

/* Ours shall be out of the way of the program's: @phase of the attempt. */
static int yield(const struct uffdio_register *reg, uint32_t phase)
{
	struct uhmm_wire_msg msg;

	uhmm_wire_init(&msg, UHMM_WIRE_advise, 0, false);
	msg.body.advise.addr = reg->range.start;
	msg.body.advise.bytes = reg->range.len;
	msg.body.advise.advice = UHMM_ADVISE_YIELD;
	msg.body.advise.phase = phase;
	return uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}

void uhmm_device_yield(unsigned long cmd, unsigned long arg)
{
	struct uffdio_register reg = { .mode = 0 };

	if (cmd != UFFDIO_REGISTER)
		return;
	uhmm_session_note_uffd();
	if (uhmm_session_exists() &&
	    uhmm_buffer_copy(&reg, (void *)arg, sizeof(reg)))
		(void)!yield(&reg, UHMM_PHASE_BEFORE);
}

bool uhmm_device_yields(unsigned long cmd, unsigned long arg)
{
	struct uffdio_register reg = { .mode = 0 };

	return cmd == UFFDIO_REGISTER && errno == EBUSY &&
	       uhmm_session_exists() &&
	       uhmm_buffer_copy(&reg, (void *)arg, sizeof(reg)) &&
	       !yield(&reg, UHMM_PHASE_AFTER);
}

/* ---- mmap ---- */

static void *fail_map(int err)
{
	errno = -err;
	return MAP_FAILED;
}

/* The driver puts its pages in at once, read-only where they may be copied. */
static void populate(void *addr, size_t bytes, int prot)
{
	if (prot & PROT_READ)
		(void)uhmm_sys3(SYS_madvise, uhmm_ptr(addr), (long)bytes,
				MADV_POPULATE_READ);
}

void *uhmm_device_mmap(struct uhmm_wire_token dev, void *addr, size_t bytes,
		       int prot, int flags, off_t offset)
{
	struct uhmm_wire_msg msg;
	int fd, err;
	void *map;

	if (!bytes || offset & (off_t)(getauxval(AT_PAGESZ) - 1))
		return fail_map(-EINVAL);
	uhmm_wire_init(&msg, UHMM_WIRE_mmap, 0, false);
	msg.body.mmap.open = dev;
	msg.body.mmap.bytes = bytes;
	msg.body.mmap.offset_bytes = (uint64_t)offset;
	msg.body.mmap.prot = (uint32_t)prot;
	msg.body.mmap.flags = (uint32_t)flags;
	err = uhmm_request(&msg, &fd, UHMM_REQUEST_ATTACH);
	if (err)
		return fail_map(device_error(err, &msg));
	map = libc_mmap(addr, bytes, prot, flags & ~MAP_POPULATE, fd, 0);
	(void)uhmm_sys1(SYS_close, fd);
	if (map != MAP_FAILED) {
		uhmm_devmap_note();
		populate(map, bytes, prot);
	}
	return map;
}

/* ---- close ---- */

bool uhmm_device_watches_close(void)
{
	return uhmm_session_exists();
}

int uhmm_device_close(int fd)
{
	struct uhmm_wire_token dev;
	struct uhmm_wire_msg msg;
	bool is_device;
	int ret;

	if (uhmm_session_owns(fd))
		return fail(-EBADF);
	is_device = uhmm_devfd_get(fd, &dev);
	ret = libc_close(fd);
	if (!is_device)
		return ret;
	uhmm_wire_init(&msg, UHMM_WIRE_closed, 0, false);
	msg.body.closed.open = dev;
	/* The hang-up tells a daemon that does not get this. */
	(void)!uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
	return ret;
}

/* ---- mprotect, madvise, mincore ---- */

/* @addr and @bytes as whole pages; empty when no call can be right. */
static struct uhmm_wire_range pages_of(void *addr, size_t bytes)
{
	uintptr_t page = getauxval(AT_PAGESZ), at = (uintptr_t)addr;
	uint64_t all = (bytes + page - 1) & ~(page - 1);

	if (!bytes || all < bytes || at & (page - 1) || at + all <= at)
		return (struct uhmm_wire_range){ 0, 0 };
	return (struct uhmm_wire_range){ at, all };
}

/* Best effort: what the real call does stands. */
static bool tell_protect(struct uhmm_wire_msg *msg, struct uhmm_wire_range r,
			 int prot, enum uhmm_phase phase)
{
	uhmm_wire_init(msg, UHMM_WIRE_protect, 0, false);
	msg->body.protect.addr = r.addr;
	msg->body.protect.bytes = r.bytes;
	msg->body.protect.prot = (uint32_t)prot;
	msg->body.protect.phase = phase;
	return !uhmm_request(msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}

struct uhmm_wire_range uhmm_device_before_protect(void *addr, size_t bytes,
						  int prot)
{
	struct uhmm_wire_range r = pages_of(addr, bytes);
	struct uhmm_wire_msg msg;

	if (r.bytes && uhmm_session_exists() &&
	    tell_protect(&msg, r, prot, UHMM_PHASE_BEFORE))
		return msg.body.protect_reply.changes;
	return (struct uhmm_wire_range){ 0, 0 };
}

void uhmm_device_after_protect(struct uhmm_wire_range changes, int prot)
{
	struct uhmm_wire_msg msg;

	if (changes.bytes)
		(void)!tell_protect(&msg, changes, prot, UHMM_PHASE_AFTER);
}

/* Linux 6.1. */
#define UHMM_MADV_COLLAPSE 25

/* No advice of any kernel: EINVAL. */
#define UHMM_MADV_REFUSED (-1)

/* Return: 0; -EALREADY not to be done to these pages; another -errno */
static int tell_advise(void *addr, size_t bytes, int advice,
		       enum uhmm_phase phase)
{
	struct uhmm_wire_range r = pages_of(addr, bytes);
	struct uhmm_wire_msg msg;

	if (!r.bytes)
		return -EINVAL;
	uhmm_wire_init(&msg, UHMM_WIRE_advise, 0, false);
	msg.body.advise.addr = r.addr;
	msg.body.advise.bytes = r.bytes;
	msg.body.advise.advice = (uint32_t)advice;
	msg.body.advise.phase = phase;
	return uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}

static bool before_advise(void *addr, size_t bytes, int *advice)
{
	int err;

	if (!uhmm_session_exists())
		return false;
	err = tell_advise(addr, bytes, *advice, UHMM_PHASE_BEFORE);
	if (err == -EALREADY)
		*advice = *advice == MADV_FREE ? MADV_COLD : UHMM_MADV_REFUSED;
	return !err;
}

bool uhmm_device_before_advise(void *addr, size_t bytes, int *advice)
{
	switch (*advice) {
	case MADV_FREE:
	case MADV_PAGEOUT:
	case UHMM_MADV_COLLAPSE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return before_advise(addr, bytes, advice);
	default:
		return false;
	}
}

void uhmm_device_after_advise(void *addr, size_t bytes, int advice)
{
	(void)tell_advise(addr, bytes, advice, UHMM_PHASE_AFTER);
}

void uhmm_device_pinned(const void *addr, size_t bytes)
{
	uintptr_t off = (uintptr_t)addr & (getauxval(AT_PAGESZ) - 1);

	if (uhmm_session_exists())
		(void)tell_advise((char *)(uintptr_t)addr - off, bytes + off,
				  (int)UHMM_ADVISE_PINNED, UHMM_PHASE_AFTER);
}

size_t uhmm_device_before_remap(void *addr, size_t bytes)
{
	struct uhmm_wire_range r = pages_of(addr, bytes);
	struct uhmm_wire_msg msg;

	if (!r.bytes || !uhmm_session_exists())
		return 0;
	uhmm_wire_init(&msg, UHMM_WIRE_remap, 0, false);
	msg.body.remap.addr = r.addr;
	msg.body.remap.bytes = r.bytes;
	if (uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED))
		return 0;
	return msg.body.remap_reply.part_bytes;
}

void uhmm_device_mincore(void *addr, size_t bytes, unsigned char *vec)
{
	struct uhmm_wire_range r = pages_of(addr, bytes);
	struct uhmm_wire_msg msg;

	if (!r.bytes || !uhmm_session_exists())
		return;
	uhmm_wire_init(&msg, UHMM_WIRE_mincore, 0, false);
	msg.body.mincore.addr = r.addr;
	msg.body.mincore.bytes = r.bytes;
	msg.body.mincore.vec = (uintptr_t)vec;
	(void)!uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}

void uhmm_device_alone(void)
{
	struct uhmm_wire_msg msg;

	uhmm_wire_init(&msg, UHMM_WIRE_alone, 0, false);
	(void)!uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}
