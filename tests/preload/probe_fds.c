/* SPDX-License-Identifier: MIT */
/* probe_fds.c - programs that close, replace and run out of descriptors */
#include "probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* NOLINTBEGIN(android-cloexec-*,misc-redundant-expression): programs are as they are */

#define LIMIT 256

static int device;

void case_closed_stdio(void)
{
	EXPECT(close(0) == 0 && close(1) == 0 && close(2) == 0);
	device = open(DEVICE, O_RDWR);
	if (device != 0)
		_exit(4);
	for (int i = 0; i < 10; i++) {
		if (ioctl(device, FAKE_ECHO, i) != i)
			_exit(5);
	}
	if (dup(device) != 1 || dup(device) != 2 || dup(device) != 3)
		_exit(6);	/* ours are out of the way */
}

static void set_limit(rlim_t n)
{
	struct rlimit lim = { n, n };

	EXPECT(setrlimit(RLIMIT_NOFILE, &lim) == 0);
}

/* Take every number there is. Return: the last one */
static int fill(void)
{
	int last = -1, fd;

	while ((fd = dup(0)) >= 0)
		last = fd;
	EXPECT(errno == EMFILE);
	return last;
}

void case_rlimit(void)
{
	int last, fd;

	set_limit(LIMIT);
	last = fill();
	EXPECT_FAILS(open(DEVICE, O_RDWR), EMFILE);
	EXPECT(close(last) == 0);
	EXPECT_FAILS(open(DEVICE, O_RDWR), EMFILE);	/* a session: more */
	EXPECT(dup(0) == last);			/* and nothing is lost */
	for (int i = 0; i < 10; i++)
		EXPECT(close(last - i) == 0);
	device = open_device();
	EXPECT(device == last - 9);
	last = fill();
	EXPECT_FAILS(open(DEVICE, O_RDWR), EMFILE);
	echo(device, 1);
	EXPECT(close(last) == 0);
	fd = open_device();
	EXPECT(fd == last);
	echo(fd, 2);
	EXPECT_FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EMFILE);
}

static void *chatter(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++)
		echo(device, i);
	return NULL;
}

/* One channel only, and no number for another: then they share it. */
void case_rlimit_threads(void)
{
	pthread_t t[8];

	set_limit(LIMIT);
	device = open_device();
	(void)fill();
	for (int i = 0; i < 8; i++)
		EXPECT(pthread_create(&t[i], NULL, chatter, NULL) == 0);
	for (int i = 0; i < 8; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

void case_close_all(void)
{
	int closed = 0;

	device = open_device();
	for (int fd = 3; fd < 1024; fd++)
		closed += close(fd) == 0;
	EXPECT(closed == 1);	/* only the program's own */
	device = open_device();
	EXPECT(device == 3);
	echo(device, 1);
}

/* Not a hook: ours are gone, and the next use finds that out. */
void case_close_range_all(void)
{
	device = open_device();
	EXPECT(syscall(SYS_close_range, 4, ~0u, 0) == 0);
	echo(device, 1);
	EXPECT(ioctl(device, FAKE_ZAP_BY_AGENT, page(1, 1)) == 0);
	EXPECT(syscall(SYS_close_range, 3, ~0u, 0) == 0);
	device = open_device();
	EXPECT(device == 3);
	echo(device, 2);
}

static int highest_fd(void)
{
	int fd = 1023;

	while (fd > 3 && fcntl(fd, F_GETFD) < 0)
		fd--;
	return fd;
}

/* Our number is replaced by the program's socket: not a byte goes there. */
void case_foreign_fd(void)
{
	int pair[2], high;
	char byte;

	device = open_device();
	high = highest_fd();
	EXPECT(high > device);
	EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	EXPECT(dup2(pair[0], high) == high);
	echo(device, 1);
	EXPECT_FAILS(recv(pair[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT(close(high) == 0);	/* it is the program's now */
	echo(device, 2);
}

/* NOLINTEND(android-cloexec-*,misc-redundant-expression) */
