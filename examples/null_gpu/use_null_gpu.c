/* SPDX-License-Identifier: MIT */
/* use_null_gpu.c - a program that computes on /dev/null_gpu0
 *
 *   uhmm run --driver ./null_gpu.so -- ./use_null_gpu
 */
#include "null_gpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define NPAGES 256

static void check(const char *what, int ok)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

int main(void)
{
	size_t bytes = NPAGES * (size_t)sysconf(_SC_PAGESIZE);
	int fd = open("/dev/null_gpu0", O_RDWR | O_CLOEXEC);
	uint64_t *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct null_gpu_cmd range = { (uintptr_t)data, NPAGES, 1000, 0 };
	struct null_gpu_cmd add = { (uintptr_t)&data[1], 1, 5, 0 };

	check("open", fd >= 0 && data != MAP_FAILED);
	for (size_t i = 0; i < bytes / sizeof(*data); i++)
		data[i] = i;

	check("to the device", !ioctl(fd, NULL_GPU_TO_DEVICE, &range));
	printf("%llu pages went to the device\n",
	       (unsigned long long)range.result);
	check("launch", !ioctl(fd, NULL_GPU_LAUNCH, &range));
	check("atomic", !ioctl(fd, NULL_GPU_ATOMIC_ADD, &add));
	printf("word 1 was %llu on the device\n",
	       (unsigned long long)add.result);

	for (size_t i = 0; i < bytes / sizeof(*data); i++)
		check("data", data[i] == i + 1000 + (i == 1 ? 5 : 0));
	puts("the CPU sees what the device computed");
	return 0;
}
