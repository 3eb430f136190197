/* SPDX-License-Identifier: MIT */
#include "sys/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/pagesize.h"

/* Everything but errno's preservation. */
static int attach(struct uhmm_memfd *m, int fd)
{
	struct stat st;
	void *base;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || (size_t)st.st_size % uhmm_page_bytes())
		return -EINVAL;
	base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	/* a core dump would make a page of each hole */
	(void)madvise(base, (size_t)st.st_size, MADV_DONTDUMP);
	*m = (struct uhmm_memfd){
		.fd = fd,
		.base = base,
		.bytes = (size_t)st.st_size,
	};
	return 0;
}

static int make(const char *name, size_t bytes)
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

int uhmm_memfd_init(struct uhmm_memfd *m, const char *name, size_t bytes)
{
	int saved = errno;
	int err;
	int fd;

	if (!bytes || bytes % uhmm_page_bytes())
		return -EINVAL;
	fd = make(name, bytes);
	err = fd < 0 ? fd : attach(m, fd);
	if (err && fd >= 0)
		close(fd);
	errno = saved;
	return err;
}

int uhmm_memfd_attach(struct uhmm_memfd *m, int fd)
{
	int saved = errno;
	int err = attach(m, fd);

	errno = saved;
	return err;
}

void uhmm_memfd_detach(struct uhmm_memfd *m)
{
	int saved = errno;

	if (m->base)
		munmap(m->base, m->bytes);
	*m = (struct uhmm_memfd){ .fd = -1 };
	errno = saved;
}

void uhmm_memfd_fini(struct uhmm_memfd *m)
{
	int saved = errno;
	int fd = m->base ? m->fd : -1;

	uhmm_memfd_detach(m);
	if (fd >= 0)
		close(fd);
	errno = saved;
}

int uhmm_memfd_discard(struct uhmm_memfd *m, size_t offset, size_t bytes)
{
	int saved = errno;
	int err = 0;

	if (offset > m->bytes || bytes > m->bytes - offset)
		return -EINVAL;
	if (bytes && fallocate(m->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, (off_t)offset,
			       (off_t)bytes) < 0)
		err = -errno;
	errno = saved;
	return err;
}

uint64_t uhmm_memfd_resident_bytes(const struct uhmm_memfd *m)
{
	int saved = errno;
	struct stat st;
	uint64_t bytes = 0;

	if (m->base && fstat(m->fd, &st) == 0)
		bytes = (uint64_t)st.st_blocks * 512;
	errno = saved;
	return bytes;
}
