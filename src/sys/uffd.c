/* SPDX-License-Identifier: MIT */
#include "sys/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/pagesize.h"

static const char *const verdict_names[] = {
	[UHMM_UFFD_RETRY] = "retry",
	[UHMM_UFFD_PAGE_THERE] = "page there",
	[UHMM_UFFD_MAPPING_GONE] = "mapping gone",
	[UHMM_UFFD_MM_GONE] = "mm gone",
	[UHMM_UFFD_NOMEM] = "no memory",
	[UHMM_UFFD_REFUSED] = "refused",
	[UHMM_UFFD_BUG] = "bug",
};

enum uhmm_uffd_verdict uhmm_uffd_classify(int err)
{
	switch (err) {
	case -EAGAIN:
		return UHMM_UFFD_RETRY;
	case -EEXIST:
		return UHMM_UFFD_PAGE_THERE;
	case -ENOENT:
		return UHMM_UFFD_MAPPING_GONE;
	case -ESRCH:
		return UHMM_UFFD_MM_GONE;
	case -ENOMEM:
	case -ENOSPC:
		return UHMM_UFFD_NOMEM;
	case -EINVAL:
	case -EBUSY:
	case -EPERM:
		return UHMM_UFFD_REFUSED;
	default:
		return UHMM_UFFD_BUG;
	}
}

const char *uhmm_uffd_verdict_name(enum uhmm_uffd_verdict verdict)
{
	return verdict_names[verdict];
}

/* ioctl() as 0 or -errno. */
static int control(int uffd, unsigned long request, void *arg)
{
	int saved = errno;
	int err = ioctl(uffd, request, arg) < 0 ? -errno : 0;

	errno = saved;
	return err;
}

static struct uffdio_range bytes_of(struct uhmm_range r)
{
	return (struct uffdio_range){
		.start = uhmm_addr_of(r.start),
		.len = uhmm_bytes_of(uhmm_range_npages(r)),
	};
}

/* What the kernel reports as bytes done or -errno, as pages. */
static uint64_t pages_done(int64_t bytes)
{
	return bytes > 0 ? (uint64_t)bytes / uhmm_page_bytes() : 0;
}

int uhmm_uffd_register(int uffd, struct uhmm_range r, uint64_t mode,
		       uint64_t *ioctls)
{
	struct uffdio_register arg = { .range = bytes_of(r), .mode = mode };
	int err = control(uffd, UFFDIO_REGISTER, &arg);

	if (!err && ioctls)
		*ioctls = arg.ioctls;
	return err;
}

int uhmm_uffd_unregister(int uffd, struct uhmm_range r)
{
	struct uffdio_range arg = bytes_of(r);

	return control(uffd, UFFDIO_UNREGISTER, &arg);
}

int uhmm_uffd_writeprotect(int uffd, struct uhmm_range r, uint64_t mode)
{
	struct uffdio_writeprotect arg = {
		.range = bytes_of(r),
		.mode = mode,
	};

	return control(uffd, UFFDIO_WRITEPROTECT, &arg);
}

/* The kernel looks at that first, and only then at the range, which is none. */
bool uhmm_uffd_is_changing(int uffd)
{
	struct uffdio_writeprotect arg = { .mode = 0 };

	return control(uffd, UFFDIO_WRITEPROTECT, &arg) == -EAGAIN;
}

int uhmm_uffd_copy(int uffd, struct uhmm_range r, const void *src,
		   uint64_t mode, uint64_t *done)
{
	struct uffdio_range range = bytes_of(r);
	struct uffdio_copy arg = {
		.dst = range.start,
		.src = (uintptr_t)src,
		.len = range.len,
		.mode = mode,
	};
	int err = control(uffd, UFFDIO_COPY, &arg);

	*done = pages_done(arg.copy);
	return err;
}

int uhmm_uffd_zeropage(int uffd, struct uhmm_range r, uint64_t mode,
		       uint64_t *done)
{
	struct uffdio_zeropage arg = { .range = bytes_of(r), .mode = mode };
	int err = control(uffd, UFFDIO_ZEROPAGE, &arg);

	*done = pages_done(arg.zeropage);
	return err;
}

int uhmm_uffd_poison(int uffd, struct uhmm_range r, uint64_t mode,
		     uint64_t *done)
{
	struct uhmm_uffdio_poison arg = { .range = bytes_of(r), .mode = mode };
	int err = control(uffd, UHMM_UFFDIO_POISON, &arg);

	*done = pages_done(arg.updated);
	return err;
}

int uhmm_uffd_wake(int uffd, struct uhmm_range r)
{
	struct uffdio_range arg = bytes_of(r);

	return control(uffd, UFFDIO_WAKE, &arg);
}

/* The program shares the descriptor and may make it blocking at any time. The
 * kernel can be told not to wait all the same (6.10); before that, look. */
static ssize_t read_now(int uffd, struct uffd_msg *msg, size_t bytes)
{
	struct iovec iov = { msg, bytes };
	ssize_t ret = preadv2(uffd, &iov, 1, -1, RWF_NOWAIT);

	if (ret >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
		return ret;
	if (fcntl(uffd, F_GETFL) & O_NONBLOCK)
		return read(uffd, msg, bytes);
	errno = EINVAL;
	return -1;
}

int uhmm_uffd_read(int uffd, struct uffd_msg *msg, unsigned int n)
{
	int saved = errno;
	ssize_t bytes;
	int ret;

	do {
		bytes = read_now(uffd, msg, n * sizeof(*msg));
	} while (bytes < 0 && errno == EINTR);
	ret = bytes < 0 ? -errno : (int)((size_t)bytes / sizeof(*msg));
	errno = saved;
	return ret == -EAGAIN ? 0 : ret;
}
