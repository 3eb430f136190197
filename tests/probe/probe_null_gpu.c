/* SPDX-License-Identifier: MIT */
/* probe_null_gpu.c - a driver that was loaded: its nodes, its commands, its
 * memory that is full: the coldest pages go back
 *
 * /dev/null_gpu0 and 1 have 64 MiB each and are a driver's of its own
 * (examples/null_gpu); /dev/hmm_dmirror0 is there beside them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "null_gpu.h"
#include "probe.h"

#define NPAGES 64
#define DEVICE_BYTES ((size_t)64 << 20)

static int gpu, mirror;

static int range(unsigned long cmd, void *at, size_t npages, uint64_t value,
		 uint64_t *done)
{
	struct null_gpu_cmd r = { (uintptr_t)at, npages, value, 0 };

	if (ioctl(gpu, cmd, &r))
		return -errno;
	*done = r.result;
	return 0;
}

static void expect(unsigned long cmd, void *at, size_t npages, uint64_t value,
		   uint64_t want)
{
	uint64_t done = 0;
	int err = range(cmd, at, npages, value, &done);

	CHECK(!err && done == want, "%s, %lu pages, not %lu", strerror(-err),
	      done, want);
}

static void computes(void)
{
	uint64_t *data = probe_map(NPAGES, PROT_READ | PROT_WRITE);
	size_t n = NPAGES * page_bytes / sizeof(*data);

	for (size_t i = 0; i < n; i++)
		data[i] = i;
	expect(NULL_GPU_TO_DEVICE, data, NPAGES, 0, NPAGES);
	expect(NULL_GPU_LAUNCH, data, NPAGES, 7, NPAGES);
	expect(NULL_GPU_TO_SYSTEM, data, NPAGES, 0, NPAGES);
	for (size_t i = 0; i < n; i++)
		CHECK(data[i] == i + 7, "word %zu is %lu", i, data[i]);
	expect(NULL_GPU_TO_SYSTEM, data, NPAGES, 0, 0);
	probe_unmap(data, NPAGES);
}

static void is_no_device(const char *path)
{
	CHECK(open(path, O_RDWR | O_CLOEXEC) == -1 && errno == ENOENT, "%s",
	      path);
}

static void refuses(void)
{
	uint64_t *data = probe_map(2, PROT_READ | PROT_WRITE), done;
	struct null_gpu_cmd add = { .addr = (uintptr_t)data + 4 };

	CHECK(range(NULL_GPU_LAUNCH, data, 1, 1, &done) == -ENXIO, "");
	CHECK(range(NULL_GPU_TO_DEVICE, data, 0, 0, &done) == -EINVAL, "");
	CHECK(range(NULL_GPU_TO_DEVICE, (char *)data + 8, 1, 0, &done) ==
		      -EINVAL, "");
	CHECK(ioctl(gpu, UHMM_DMIRROR_READ, data) == -1 && errno == ENOTTY, "");
	CHECK(ioctl(gpu, NULL_GPU_ATOMIC_ADD, &add) == -1 && errno == EINVAL,
	      "");
	CHECK(ioctl(gpu, NULL_GPU_TO_DEVICE, NULL) == -1 && errno == EFAULT,
	      "");
	probe_unmap(data, 2);
	CHECK(range(NULL_GPU_TO_DEVICE, data, 1, 0, &done) == -EINVAL, "");
	is_no_device("/dev/null_gpu2");
	is_no_device("/dev/null_gpu");
	is_no_device("/dev/null_gpu00");
}

static void is_on_device(uint64_t *data, size_t page, bool yes)
{
	uint64_t done;
	int err = range(NULL_GPU_LAUNCH, data + page * page_bytes / 8, 1, 1,
			&done);

	CHECK(err == (yes ? 0 : -ENXIO), "page %zu: %d", page, err);
}

/* More than the device has room for: the coldest pages go back. What was used
 * on the device since the last search is not cold, nor what is new. */
static void fills_up(void)
{
	size_t room = DEVICE_BYTES / page_bytes, all = room + 3 * NPAGES;
	uint64_t *data = probe_map(all, PROT_READ | PROT_WRITE);
	size_t words = page_bytes / 8;
	uint64_t done;

	CHECK(!madvise(data, all * page_bytes, MADV_NOHUGEPAGE), "");
	for (size_t i = 0; i < all; i++)
		data[i * words] = i;
	expect(NULL_GPU_TO_DEVICE, data, room, 0, room);
	expect(NULL_GPU_TO_DEVICE, data + room * words, NPAGES, 0, NPAGES);
	is_on_device(data, 0, false);
	is_on_device(data, NPAGES - 1, false);
	expect(NULL_GPU_LAUNCH, data + NPAGES * words, NPAGES, 0, NPAGES);
	expect(NULL_GPU_TO_DEVICE, data + (room + NPAGES) * words, NPAGES, 0,
	       NPAGES);
	is_on_device(data, NPAGES, true);
	is_on_device(data, 2 * NPAGES, false);
	CHECK(!range(NULL_GPU_TO_DEVICE, data, all, 0, &done), "");
	for (size_t i = 0; i < all; i++)
		CHECK(data[i * words] == i + (i == NPAGES), "page %zu", i);
	probe_unmap(data, all);
}

/* A page of one driver's device is not the other's. */
static void meets_dmirror(void)
{
	uint64_t *data = probe_map(1, PROT_READ | PROT_WRITE), copy[512];
	struct uhmm_dmirror_cmd cmd = { .addr = (uintptr_t)data,
				       .ptr = (uintptr_t)copy, .npages = 1 };

	CHECK(page_bytes == sizeof(copy), "");
	data[0] = 5;
	expect(NULL_GPU_TO_DEVICE, data, 1, 0, 1);
	expect(NULL_GPU_LAUNCH, data, 1, 1, 1);
	CHECK(!ioctl(mirror, UHMM_DMIRROR_READ, &cmd), "%s", strerror(errno));
	CHECK(copy[0] == 6 && copy[511] == 1, "it read %lu", copy[0]);
	CHECK(!ioctl(mirror, UHMM_DMIRROR_MIGRATE_TO_DEV, &cmd), "");
	CHECK(range(NULL_GPU_LAUNCH, data, 1, 1, &copy[1]) == -ENXIO, "");
	CHECK(data[0] == 6, "%lu", data[0]);
	probe_unmap(data, 1);
}

/* A fork shares what is on the device. */
static void is_shared(void)
{
	uint64_t *data = probe_map(1, PROT_READ | PROT_WRITE), done;
	int status;
	pid_t pid;

	data[0] = 3;
	expect(NULL_GPU_TO_DEVICE, data, 1, 0, 1);
	pid = fork();
	CHECK(pid >= 0, "");
	if (!pid)
		_exit(data[0] == 3 ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0, "%d", status);
	CHECK(range(NULL_GPU_LAUNCH, data, 1, 1, &done) == -ENXIO, "");
	CHECK(data[0] == 3, "");
	probe_unmap(data, 1);
}

int main(void)
{
	probe_begin("null_gpu", 50);
	gpu = open("/dev/null_gpu0", O_RDWR | O_CLOEXEC);
	CHECK(gpu >= 0, "%s", strerror(errno));
	mirror = probe_open(0);
	computes();
	refuses();
	fills_up();
	meets_dmirror();
	is_shared();
	return 0;
}
