/* SPDX-License-Identifier: MIT */
/* hello_device.c - the smallest program that uses the device
 *
 *	cc -o hello_device hello_device.c
 *	uhmm run ./hello_device
 *
 * It knows nothing of uhmm but the header of the requests, and runs the same
 * on a kernel that has the device.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uhmm/hmm_ioctl.h>

static void request(int dev, unsigned long nr, void *page, void *buf)
{
	struct uhmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)page,
		.ptr = (uintptr_t)buf,
		.npages = 1,
	};

	if (ioctl(dev, nr, &cmd) < 0) {
		perror("ioctl");
		exit(1);
	}
}

int main(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	int dev = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	char *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *buf = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char what;

	if (dev < 0 || page == MAP_FAILED || buf == MAP_FAILED) {
		perror("/dev/hmm_dmirror0");
		return 1;
	}

	snprintf(page, bytes, "hello device");
	request(dev, UHMM_DMIRROR_MIGRATE_TO_DEV, page, buf);
	request(dev, UHMM_DMIRROR_SNAPSHOT, page, &what);
	printf("the page is %s, the device reads \"%s\"\n",
	       (what & 0xf0) == UHMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL
		       ? "in device memory"
		       : "not in device memory",
	       buf);

	snprintf(buf, bytes, "hello program");
	request(dev, UHMM_DMIRROR_WRITE, page, buf);
	printf("the device wrote, the program reads \"%s\"\n", page);
	request(dev, UHMM_DMIRROR_SNAPSHOT, page, &what);
	printf("and so the page is %s\n",
	       what == UHMM_DMIRROR_PROT_WRITE ? "back" : "not back");
	return what != UHMM_DMIRROR_PROT_WRITE;
}
