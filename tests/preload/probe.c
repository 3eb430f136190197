/* SPDX-License-Identifier: MIT */
/* probe.c - run one case */
#include "probe.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* NOLINTBEGIN(android-cloexec-*): programs are as they are */

int probe_argc;
char **probe_argv;

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
#define X(name) { #name, case_##name },
	CASES(X)
#undef X
};

int open_device(void)
{
	int fd = open(DEVICE, O_RDWR);

	EXPECT(fd >= 0);
	return fd;
}

void echo(int fd, int value)
{
	EXPECT(ioctl(fd, FAKE_ECHO, value) == value);
}

unsigned char *page(unsigned char byte, int npages)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE) * (size_t)npages;
	unsigned char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(p != MAP_FAILED);
	memset(p, byte, bytes);
	return p;
}

void wait_ok(pid_t pid)
{
	int status = -1;

	EXPECT(pid > 0);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(status == 0);
}

int main(int argc, char **argv)
{
	probe_argc = argc;
	probe_argv = argv;
	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]);
	     i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: preload_probe CASE\n");
	return 2;
}

/* NOLINTEND(android-cloexec-*) */
