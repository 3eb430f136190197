/* SPDX-License-Identifier: MIT */
/*
 * fact_uffd.h - userfaultfd for the kernel-fact tests
 *
 * One function per ioctl, answering 0 or -errno; then reading messages and
 * saying what the next one must be.
 */
#ifndef UHMM_TESTS_KERNEL_FACT_UFFD_H
#define UHMM_TESTS_KERNEL_FACT_UFFD_H

#include "fact.h"

/* userfaultfd(2), else what /dev/userfaultfd gives; -errno of the first */
static inline int fact_uffd_new(int flags)
{
	int fd = (int)syscall(SYS_userfaultfd, flags);
	int err = errno;
	int dev;

	if (fd >= 0)
		return fd;
	dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (dev >= 0) {
		fd = ioctl(dev, FACT_DEV_NEW, flags);
		close(dev);
	}
	return fd >= 0 ? fd : -err;
}

/* 0 or -errno */
static inline int fact_uffd_api(int uffd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	return ioctl(uffd, UFFDIO_API, &api) ? -errno : 0;
}

/**
 * fact_uffd_flags() - a userfaultfd of ours with exactly these @features
 * @flags: of userfaultfd(2), added to O_CLOEXEC and O_NONBLOCK
 *
 * Skips the test where the user may not have one, or where the kernel does
 * not know one of the features.
 */
static inline int fact_uffd_flags(uint64_t features, int flags)
{
	int uffd = fact_uffd_new(O_CLOEXEC | O_NONBLOCK | flags);
	int err;

	if (uffd == -ENOSYS)
		fact_skip("this kernel has no userfaultfd");
	if (uffd < 0)
		fact_skip("userfaultfd is not permitted (%s): be root, set "
			  "vm.unprivileged_userfaultfd=1 or give access to "
			  "/dev/userfaultfd",
			  strerror(-uffd));
	err = fact_uffd_api(uffd, features);
	if (err == -EPERM)
		fact_skip("a feature in %#llx needs CAP_SYS_PTRACE",
			  (unsigned long long)features);
	if (err)
		fact_skip("this kernel lacks a userfaultfd feature in %#llx "
			  "(%s)",
			  (unsigned long long)features, strerror(-err));
	return uffd;
}

static inline int fact_uffd(uint64_t features)
{
	return fact_uffd_flags(features, 0);
}

static inline int fact_register(int uffd, char *p, size_t npages, uint64_t mode)
{
	struct uffdio_register r = {
		.range = { (uintptr_t)p, npages * FACT_PAGE_SIZE },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &r) ? -errno : 0;
}

static inline int fact_unregister(int uffd, char *p, size_t npages)
{
	struct uffdio_range r = { (uintptr_t)p, npages * FACT_PAGE_SIZE };

	return ioctl(uffd, UFFDIO_UNREGISTER, &r) ? -errno : 0;
}

static inline int fact_wake(int uffd, char *p, size_t npages)
{
	struct uffdio_range r = { (uintptr_t)p, npages * FACT_PAGE_SIZE };

	return ioctl(uffd, UFFDIO_WAKE, &r) ? -errno : 0;
}

static inline int fact_protect_write(int uffd, char *p, size_t npages,
				     uint64_t mode)
{
	struct uffdio_writeprotect w = {
		.range = { (uintptr_t)p, npages * FACT_PAGE_SIZE },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &w) ? -errno : 0;
}

static inline int fact_wp(int uffd, char *p, size_t npages)
{
	return fact_protect_write(uffd, p, npages, UFFDIO_WRITEPROTECT_MODE_WP);
}

static inline int fact_unwp(int uffd, char *p, size_t npages)
{
	return fact_protect_write(uffd, p, npages, 0);
}

/* @done, unless NULL, gets what the kernel says it did: bytes or -errno. */
static inline int fact_copy_mode(int uffd, char *dst, const char *src,
				 size_t npages, uint64_t mode, long *done)
{
	struct uffdio_copy c = {
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.len = npages * FACT_PAGE_SIZE,
		.mode = mode,
	};
	int ret = ioctl(uffd, UFFDIO_COPY, &c) ? -errno : 0;

	if (done)
		*done = (long)c.copy;
	return ret;
}

static inline int fact_copy(int uffd, char *dst, const char *src, size_t npages)
{
	return fact_copy_mode(uffd, dst, src, npages, 0, NULL);
}

static inline int fact_copy_wp(int uffd, char *dst, const char *src,
			       size_t npages)
{
	return fact_copy_mode(uffd, dst, src, npages, UFFDIO_COPY_MODE_WP,
			      NULL);
}

static inline int fact_zeropage(int uffd, char *p, size_t npages, long *done)
{
	struct uffdio_zeropage z = {
		.range = { (uintptr_t)p, npages * FACT_PAGE_SIZE },
	};
	int ret = ioctl(uffd, UFFDIO_ZEROPAGE, &z) ? -errno : 0;

	if (done)
		*done = (long)z.zeropage;
	return ret;
}

static inline int fact_poison(int uffd, char *p, size_t npages)
{
	struct fact_uffd_poison a = {
		.start = (uintptr_t)p,
		.len = npages * FACT_PAGE_SIZE,
	};

	return ioctl(uffd, FACT_UFFDIO_POISON, &a) ? -errno : 0;
}

static inline int fact_move_mode(int uffd, char *dst, char *src, size_t npages,
				 uint64_t mode)
{
	struct fact_uffd_move m = {
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.len = npages * FACT_PAGE_SIZE,
		.mode = mode,
	};

	return ioctl(uffd, FACT_UFFDIO_MOVE, &m) ? -errno : 0;
}

static inline int fact_move(int uffd, char *dst, char *src, size_t npages)
{
	return fact_move_mode(uffd, dst, src, npages, 0);
}

/* @npages registered for missing and write-protect faults */
static inline char *fact_map_registered(int uffd, size_t npages)
{
	char *p = fact_map(npages);

	NEED(!fact_register(uffd, p, npages, FACT_MISSING_WP), "register");
	return p;
}

/* --- messages of a userfaultfd ------------------------------------------- */

static inline bool fact_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLIN);
}

/* Does @uffd have nothing to say, although it had the time? */
static inline bool fact_silent(int uffd)
{
	return !fact_readable(uffd, FACT_STILL_MS);
}

/*
 * The next message, waiting for it. What poll announced may be gone by the
 * time of the read, when the one who waited does not wait any more.
 */
static inline struct uffd_msg fact_next(int uffd)
{
	struct uffd_msg msg = { 0 };
	ssize_t n;

	do {
		NEED(fact_readable(uffd, FACT_SOON_MS),
		     "no userfaultfd message came");
		n = read(uffd, &msg, sizeof(msg));
	} while (n < 0 && errno == EAGAIN);
	NEED(n == sizeof(msg), "read(uffd)");
	return msg;
}

/* Is @msg a fault in the page @p, with exactly these @flags? */
static inline bool fact_is_fault(const struct uffd_msg *msg, const char *p,
				 uint64_t flags)
{
	uint64_t page = msg->arg.pagefault.address & ~(FACT_PAGE_SIZE - 1);

	return msg->event == UFFD_EVENT_PAGEFAULT && page == (uintptr_t)p &&
	       msg->arg.pagefault.flags == flags;
}

/* Is @msg of kind @event (REMOVE or UNMAP) about exactly these pages? */
static inline bool fact_is_event(const struct uffd_msg *msg, int event,
				 const char *p, size_t npages)
{
	return msg->event == event && msg->arg.remove.start == (uintptr_t)p &&
	       msg->arg.remove.end == (uintptr_t)p + npages * FACT_PAGE_SIZE;
}

static inline bool fact_is_remap(const struct uffd_msg *msg, const char *from,
				 const char *to, size_t npages)
{
	return msg->event == UFFD_EVENT_REMAP &&
	       msg->arg.remap.from == (uintptr_t)from &&
	       msg->arg.remap.to == (uintptr_t)to &&
	       msg->arg.remap.len == npages * FACT_PAGE_SIZE;
}

/* flags of a fault */
#define FACT_READ 0
#define FACT_WRITE UFFD_PAGEFAULT_FLAG_WRITE
#define FACT_WRITE_WP (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP)

/* FACT_FAULT() - the next message must be a fault in page @p with @flags */
#define FACT_FAULT(uffd, p, flags, fact) \
	do { \
		struct uffd_msg fact_msg_ = fact_next(uffd); \
		FACT(fact_is_fault(&fact_msg_, p, flags), fact); \
	} while (0)

/* FACT_EVENT() - the next message must be this REMOVE or UNMAP */
#define FACT_EVENT(uffd, event, p, npages, fact) \
	do { \
		struct uffd_msg fact_msg_ = fact_next(uffd); \
		FACT(fact_is_event(&fact_msg_, event, p, npages), fact); \
	} while (0)

/* FACT_REMAP() - the next message must be this REMAP */
#define FACT_REMAP(uffd, from, to, npages, fact) \
	do { \
		struct uffd_msg fact_msg_ = fact_next(uffd); \
		FACT(fact_is_remap(&fact_msg_, from, to, npages), fact); \
	} while (0)

#endif /* UHMM_TESTS_KERNEL_FACT_UFFD_H */
