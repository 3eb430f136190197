/* SPDX-License-Identifier: MIT */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sys/uapi.h"
#include "sys/zeropage.h"

/* What engine copy cannot do without. */
#define NEEDED \
	((uint64_t)UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_EVENT_REMAP | \
	 UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP)

static int by_syscall(int flags)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);
}

static int by_device(void)
{
	int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	int fd, saved;

	if (dev < 0)
		return -1;
	fd = ioctl(dev, UHMM_USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
	saved = errno;
	close(dev);
	errno = saved;
	return fd;
}

/* In the order of the preload library; notes what it meets. -1: none. */
static int open_uffd(struct cli_facts *f)
{
	int fd = by_syscall(0);
	int dev;

	f->uffd_error = fd < 0 ? errno : 0;
	dev = by_device();
	f->device_error = dev < 0 ? errno : 0;
	f->uffd = CLI_UFFD_FULL;
	if (fd >= 0) {
		if (dev >= 0)
			close(dev);
		return fd;
	}
	if (dev >= 0)
		return dev;
	fd = by_syscall(UHMM_UFFD_USER_MODE_ONLY);
	f->uffd = fd < 0 ? CLI_UFFD_NONE : CLI_UFFD_USER_MODE_ONLY;
	return fd;
}

/* A descriptor shakes hands once, so each question has one of its own. */
static bool handshake(struct cli_facts *f, uint64_t *features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = *features };
	int fd = open_uffd(f);
	bool ok;

	if (fd < 0)
		return false;
	ok = ioctl(fd, UFFDIO_API, &api) == 0;
	*features = api.features;
	close(fd);
	return ok;
}

static void look_at_uffd(struct cli_facts *f)
{
	uint64_t fork_too = NEEDED | UFFD_FEATURE_EVENT_FORK;

	f->uffd_features = 0;
	if (!handshake(f, &f->uffd_features))
		f->uffd_features = 0;
	f->event_fork = handshake(f, &fork_too);
}

/* A request on a file of /proc that a kernel without it does not know. */
static bool knows(const char *path, unsigned long request, void *arg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = ioctl(fd, request, arg) >= 0;
	close(fd);
	return ok;
}

static void look_at_proc(struct cli_facts *f)
{
	struct uhmm_procmap_query query = {
		.size = sizeof(query),
		.query_addr = (uintptr_t)f,
		.query_flags = UHMM_PROCMAP_COVERING_OR_NEXT,
	};
	struct uhmm_page_region region;
	uint64_t page = (uintptr_t)f & -(uint64_t)sysconf(_SC_PAGESIZE);
	struct uhmm_pm_scan_arg scan = {
		.size = sizeof(scan),
		.start = page,
		.end = page + (uint64_t)sysconf(_SC_PAGESIZE),
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_anyof_mask = UHMM_PAGE_IS_PRESENT,
		.return_mask = UHMM_PAGE_IS_PRESENT,
	};

	f->pagemap_scan = knows("/proc/self/pagemap", UHMM_PAGEMAP_SCAN, &scan);
	f->procmap_query = knows("/proc/self/maps", UHMM_PROCMAP_QUERY, &query);
}

static int uring_error(void)
{
	struct io_uring_params params;
	int fd;

	memset(&params, 0, sizeof(params));
	fd = (int)syscall(SYS_io_uring_setup, 4, &params);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int sysctl_value(const char *path)
{
	FILE *file = fopen(path, "re");
	int v = -1;

	if (file && fscanf(file, "%d", &v) != 1)
		v = -1;
	if (file)
		fclose(file);
	return v;
}

void cli_facts_gather(struct cli_facts *f)
{
	struct utsname name;

	memset(f, 0, sizeof(*f));
	if (uname(&name) == 0)
		snprintf(f->release, sizeof(f->release), "%s", name.release);
	look_at_uffd(f);
	look_at_proc(f);
	f->zero_page = uhmm_kernel_maps_zero_page();
	f->uring_error = uring_error();
	f->sysctl_uffd = sysctl_value("/proc/sys/vm/unprivileged_userfaultfd");
	f->sysctl_uring = sysctl_value("/proc/sys/kernel/io_uring_disabled");
}

enum cli_rung cli_facts_rung(const struct cli_facts *f)
{
	if (f->uffd == CLI_UFFD_NONE || (f->uffd_features & NEEDED) != NEEDED)
		return CLI_RUNG_NONE;
	if (f->uffd == CLI_UFFD_USER_MODE_ONLY)
		return CLI_RUNG_PLAIN;
	if (f->event_fork)
		return CLI_RUNG_PRIVILEGED;
	return f->uffd_error ? CLI_RUNG_DEVICE : CLI_RUNG_SYSCTL;
}

const char *cli_facts_engine(const struct cli_facts *f)
{
	if (cli_facts_rung(f) == CLI_RUNG_NONE)
		return "protect";
	return f->uffd_features & UHMM_UFFD_FEATURE_MOVE ? "move" : "copy";
}

const char *cli_facts_loop(const struct cli_facts *f)
{
	return f->uring_error ? "epoll" : "uring";
}
