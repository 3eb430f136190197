/* SPDX-License-Identifier: MIT */
/* uffd.c - make a userfaultfd, probing what may be had at run time */
#include "uffd.h"

#include "uffd_abi.h"

/* Asked for where the kernel has them; EVENT_FORK needs a privilege too. */
#define WANTED                                                        \
	((uint64_t)UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | \
	 UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |       \
	 UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_THREAD_ID |    \
	 UHMM_UFFD_WP_UNPOPULATED | UHMM_UFFD_POISON | UHMM_UFFD_MOVE)

/* By /dev/userfaultfd, where a file mode is all the permission it takes. */
static long create_by_device(int flags)
{
	static const char path[] = "/dev/userfaultfd";
	long dev = uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
			     O_RDWR | O_CLOEXEC, 0);
	long fd;

	if (dev < 0)
		return dev;
	fd = uhmm_sys3(SYS_ioctl, dev, USERFAULTFD_IOC_NEW, flags);
	(void)uhmm_sys1(SYS_close, dev);
	return fd;
}

/* The most capable one; @hello gets USER_MODE_ONLY when it is not full. */
static long create(uint32_t *hello)
{
	const int flags = O_CLOEXEC | O_NONBLOCK;
	long fd = uhmm_sys1(SYS_userfaultfd, flags);

	if (fd >= 0 || fd == -EMFILE || fd == -ENFILE)
		return fd;
	fd = create_by_device(flags);
	if (fd >= 0)
		return fd;
	fd = uhmm_sys1(SYS_userfaultfd, flags | UFFD_USER_MODE_ONLY);
	*hello |= UHMM_HELLO_USER_MODE_ONLY;
	return fd;
}

/* Handshake asking for *@features; they become those the kernel knows. */
static long handshake(long fd, uint64_t *features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = *features };
	long ret = uhmm_sys3(SYS_ioctl, fd, (long)UFFDIO_API, uhmm_ptr(&api));

	if (ret == 0)
		*features = api.features;
	return ret;
}

/* A handshake is for ever, so the question is put to a throw-away one. */
static uint64_t supported(void)
{
	uint64_t features = 0;
	uint32_t ignored = 0;
	long fd = create(&ignored);

	if (fd < 0)
		return 0;
	if (handshake(fd, &features) < 0)
		features = 0;
	(void)uhmm_sys1(SYS_close, fd);
	return features;
}

int uhmm_uffd_create(uint64_t *features, uint32_t *flags)
{
	uint64_t want = supported() & WANTED;
	uint64_t told = want;
	long fd, ret;

	*flags = 0;
	fd = create(flags);
	if (fd < 0)
		return (int)fd;
	ret = handshake(fd, &told);
	if (ret == -EPERM && (want & UFFD_FEATURE_EVENT_FORK)) {
		want &= ~(uint64_t)UFFD_FEATURE_EVENT_FORK;
		told = want;
		ret = handshake(fd, &told);
	}
	if (ret < 0) {
		(void)uhmm_sys1(SYS_close, fd);
		return (int)ret;
	}
	*features = want;
	if (want & UFFD_FEATURE_EVENT_FORK)
		*flags |= UHMM_HELLO_EVENT_FORK;
	return (int)fd;
}
