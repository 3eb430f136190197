/* SPDX-License-Identifier: MIT */
#include "sys/memfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys/beside.h"
#include "sys/lines.h"
#include "sys/maps.h"

uint64_t uhmm_memfs_kernels(void)
{
	int saved = errno;
	int fd = memfd_create("uhmm-probe", MFD_CLOEXEC);
	uint64_t device = 0;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		device = uhmm_maps_device(major(st.st_dev), minor(st.st_dev));
	if (fd >= 0)
		close(fd);
	errno = saved;
	return device;
}

static bool is_kernels(uint64_t device)
{
	return device && uhmm_memfs_kernels() == device;
}

static bool is_memory_type(const char *type)
{
	return strncmp(type, "tmpfs ", 6) == 0 ||
	       strncmp(type, "ramfs ", 6) == 0 ||
	       strncmp(type, "rootfs ", 7) == 0;
}

/* "id parent major:minor root mountpoint options ... - type source ..." */
static bool is_mounted_memory(int maps, uint64_t device)
{
	struct uhmm_lines lines;
	bool is = false;
	char *line;
	int fd = uhmm_open_beside(maps, "mountinfo");

	if (fd < 0)
		return false;
	uhmm_lines_init(&lines, fd);
	while (!is && (line = uhmm_lines_next(&lines))) {
		unsigned int major, minor;
		const char *type = strstr(line, " - ");

		is = type && is_memory_type(type + 3) &&
		     sscanf(line, "%*u %*u %u:%u", &major, &minor) == 2 &&
		     uhmm_maps_device(major, minor) == device;
	}
	close(fd);
	return is;
}

bool uhmm_memfs_has(struct uhmm_memfs *memfs, int maps, uint64_t device)
{
	int saved = errno;

	if (!memfs->known || memfs->device != device)
		*memfs = (struct uhmm_memfs){
			.known = true,
			.device = device,
			.is_memory = is_kernels(device) ||
				     is_mounted_memory(maps, device),
		};
	errno = saved;
	return memfs->is_memory;
}
