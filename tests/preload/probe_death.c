/* SPDX-License-Identifier: MIT */
/* probe_death.c - the daemon dies, or talks nonsense */
#include "probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "poison.h"

/* NOLINTBEGIN(android-cloexec-*): programs are as they are */

static sigjmp_buf back;

static void on_sigbus(int sig)
{
	siglongjmp(back, sig);
}

/* Which signal touching @p raises; 0 none. */
static int touch(volatile unsigned char *p)
{
	int sig = sigsetjmp(back, 1);

	if (sig == 0)
		(void)*p;
	return sig;
}

static void catch_sigbus(void)
{
	struct sigaction sa = { .sa_handler = on_sigbus };

	EXPECT(sigaction(SIGBUS, &sa, NULL) == 0);
	EXPECT(sigaction(SIGSEGV, &sa, NULL) == 0);
}

/* @p: FAKE_TAKE_PAGES pages of @byte, of which the first was lost. */
static void check_lost(unsigned char *p, unsigned char byte)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	EXPECT(touch(p) == lost_signal());
	for (int i = 1; i < FAKE_TAKE_PAGES; i++) {
		EXPECT(p[(size_t)i * size] == byte);
		p[(size_t)i * size] = byte;
	}
}

void case_dies_busy(void)
{
	int fd = open_device();

	EXPECT_FAILS(ioctl(fd, FAKE_DIE, 0), EIO);
	EXPECT_FAILS(ioctl(fd, FAKE_ECHO, 1), EIO);
	EXPECT_FAILS(open(DEVICE, O_RDWR), ENODEV);
	EXPECT_FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EIO);
	EXPECT(close(fd) == 0);
}

/* A thread that waits in a fault when the daemon dies. */
static void *touch_in_thread(void *p)
{
	EXPECT(touch(p) == lost_signal());
	return NULL;
}

void case_dies_idle(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = page(7, FAKE_TAKE_PAGES);
	unsigned char *q = page(6, FAKE_TAKE_PAGES);
	unsigned char *shared = mmap(NULL, FAKE_TAKE_PAGES * size,
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = open_device();
	pthread_t t;

	catch_sigbus();
	EXPECT(shared != MAP_FAILED);
	shared[0] = 5;
	EXPECT(ioctl(fd, FAKE_TAKE, shared) == 0);
	EXPECT(ioctl(fd, FAKE_TAKE, p) == 0);
	EXPECT(ioctl(fd, FAKE_TAKE, q) == 0);
	EXPECT(pthread_create(&t, NULL, touch_in_thread, p) == 0);
	(void)usleep(20000);
	EXPECT(ioctl(fd, FAKE_DIE_LATER, 0) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	check_lost(p, 7);
	check_lost(q, 6);
	/* shared memory was never anywhere else */
	EXPECT(touch(shared) == 0 && shared[0] == 5);
	/* what the program drops is fresh memory again, unless it is protected */
	EXPECT(madvise(p, size, MADV_DONTNEED) == 0);
	if (lost_signal() == SIGBUS)
		EXPECT(touch(p) == 0 && p[0] == 0);
	else
		EXPECT(touch(p) == SIGSEGV);
	EXPECT(munmap(p, FAKE_TAKE_PAGES * size) == 0);
	EXPECT(mremap(q, size, 2 * size, MREMAP_MAYMOVE) != MAP_FAILED);
}

void case_dies_fork(void)
{
	unsigned char *p = page(7, FAKE_TAKE_PAGES);
	int fd = open_device();
	pid_t pid;

	catch_sigbus();
	EXPECT(ioctl(fd, FAKE_TAKE, p) == 0);
	EXPECT(ioctl(fd, FAKE_DIE_LATER, 0) == 0);
	pid = fork();
	check_lost(p, 7);
	if (pid == 0)
		_exit(0);
	wait_ok(pid);
}

static void *move_for_ever(void *arg)
{
	unsigned char **p = arg;
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE) * FAKE_TAKE_PAGES;

	for (int i = 0; i < 2000; i++) {
		unsigned char *to = mmap(NULL, bytes, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		EXPECT(to != MAP_FAILED);
		to = mremap(*p, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			    to);
		/* one page of it is protected: that is no one mapping more */
		if (to == MAP_FAILED && errno == EFAULT &&
		    lost_signal() == SIGSEGV)
			break;
		EXPECT(to != MAP_FAILED);
		*p = to;
	}
	return NULL;
}

/* The memory moves about while it is made safe. */
void case_dies_moving(void)
{
	unsigned char *p = page(7, FAKE_TAKE_PAGES);
	int fd = open_device();
	pthread_t t;

	catch_sigbus();
	EXPECT(ioctl(fd, FAKE_TAKE, p) == 0);
	EXPECT(pthread_create(&t, NULL, move_for_ever, &p) == 0);
	(void)usleep(5000);
	EXPECT(ioctl(fd, FAKE_DIE_LATER, 0) == 0);
	EXPECT(pthread_join(t, NULL) == 0);
	check_lost(p, 7);
}

/* Another daemon at the same address: a new session, old opens are stale. */
void case_comes_back(void)
{
	int fd = open_device(), again = -1;

	EXPECT(ioctl(fd, FAKE_DIE_LATER, 0) == 0);
	for (int i = 0; i < 2000 && again < 0; i++) {
		(void)usleep(10000);
		again = open(DEVICE, O_RDWR);
	}
	EXPECT(again >= 0);
	echo(again, 1);
	EXPECT_FAILS(ioctl(fd, FAKE_ECHO, 1), ESTALE);
	EXPECT(ioctl(again, FAKE_ZAP_BY_AGENT, page(1, 1)) == 0);
}

void case_nonsense(void)
{
	int fd = open_device();

	EXPECT_FAILS(ioctl(fd, FAKE_NONSENSE, 0), EIO);
	echo(fd, 1);	/* on another channel */
}

/* NOLINTEND(android-cloexec-*) */
