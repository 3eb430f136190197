/* SPDX-License-Identifier: MIT */
/* probe_many.c - threads, signals, and every way to make a process */
#include "probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

/* NOLINTBEGIN(android-cloexec-*,clang-analyzer-*fork): programs are as they are */

#define THREADS 32
#define MANY_THREADS 100	/* more than there are channels */

static int device;
static _Atomic int stop;

static void start_all(pthread_t *t, int n, void *(*fn)(void *))
{
	for (int i = 0; i < n; i++)
		EXPECT(pthread_create(&t[i], NULL, fn, (void *)(long)i) == 0);
}

static void join_all(const pthread_t *t, int n)
{
	for (int i = 0; i < n; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

static void *meet(void *unused)
{
	(void)unused;
	EXPECT(ioctl(device, FAKE_BARRIER, THREADS) == 0);
	return NULL;
}

/* All are in the driver at one time. */
void case_threads(void)
{
	pthread_t t[THREADS];

	device = open_device();
	start_all(t, THREADS, meet);
	join_all(t, THREADS);
}

static void *chatter(void *arg)
{
	for (int i = 0; i < 100; i++)
		echo(device, (int)(long)arg * 1000 + i);
	return NULL;
}

void case_many_threads(void)
{
	pthread_t t[MANY_THREADS];

	device = open_device();
	start_all(t, MANY_THREADS, chatter);
	join_all(t, MANY_THREADS);
}

static _Atomic int ticks;

static void on_tick(int sig)
{
	int saved = errno;

	(void)sig;
	if (ioctl(device, FAKE_ECHO, 77) != 77)
		_exit(3);
	ticks++;
	errno = saved;
}

/* A handler that itself calls the driver, over threads that do. */
void case_signals(void)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct itimerval every_ms = { { 0, 1000 }, { 0, 1000 } };
	pthread_t t[4];

	device = open_device();
	EXPECT(sigaction(SIGALRM, &sa, NULL) == 0);
	EXPECT(setitimer(ITIMER_REAL, &every_ms, NULL) == 0);
	while (ticks < 100) {
		start_all(t, 4, chatter);
		chatter(NULL);
		join_all(t, 4);
	}
}

static void *idle_until_stop(void *unused)
{
	(void)unused;
	while (!stop)
		(void)sched_yield();
	return NULL;
}

/* libc signals every thread it knows and waits for each: ours is not one. */
void case_setgid(void)
{
	pthread_t t[2];

	device = open_device();
	start_all(t, 2, idle_until_stop);
	for (int i = 0; i < 10; i++) {
		EXPECT(setgid(getgid()) == 0);
		echo(device, i);
	}
	stop = 1;
	join_all(t, 2);
}

static void *end_last(void *unused)
{
	(void)unused;
	(void)usleep(20000);
	echo(device, 4);
	return NULL;
}

/* The program ends when the last thread libc knows does. */
void case_last_thread(void)
{
	pthread_t t;

	device = open_device();
	EXPECT(pthread_create(&t, NULL, end_last, NULL) == 0);
	EXPECT(pthread_detach(t) == 0);
	pthread_exit(NULL);
}

/* ---- processes ---- */

static void in_child(unsigned char *p)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int own;

	echo(device, 2);
	EXPECT(ioctl(device, FAKE_ZAP, p) == 0);
	EXPECT(ioctl(device, FAKE_ZAP_BY_AGENT, p + size) == 0);
	EXPECT(p[0] == 0 && p[size] == 0);
	own = open_device();
	echo(own, 3);
	_exit(0);
}

void case_forks(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = page(9, 2);
	pid_t pid;

	device = open_device();
	errno = EXDEV;
	pid = fork();
	EXPECT(errno == EXDEV);
	if (pid == 0)
		in_child(p);
	wait_ok(pid);
	EXPECT(p[0] == 9 && p[size] == 9);
	echo(device, 1);
}

static void *chatter_until_stop(void *arg)
{
	while (!stop)
		echo(device, (int)(long)arg);
	return NULL;
}

/* fork from a program whose threads are all in the driver. */
void case_fork_storm(void)
{
	unsigned char *p = page(9, 2);
	pthread_t t[8];

	device = open_device();
	start_all(t, 8, chatter_until_stop);
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (pid == 0)
			in_child(p);
		wait_ok(pid);
	}
	stop = 1;
	join_all(t, 8);
}

/* A child libc's fork handlers did not see. */
void case_raw_fork(void)
{
	unsigned char *p = page(9, 2);
	pid_t pid;

	device = open_device();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		in_child(p);
	wait_ok(pid);
	echo(device, 1);
}

/* A vfork child has the parent's memory, so the parent's session. */
void case_vforks(void)
{
	int status = 0;
	pid_t pid;

	device = open_device();
	pid = vfork();
	if (pid == 0) {
		(void)close(0);
		_exit(ioctl(device, FAKE_ECHO, 6));
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 6);
	echo(device, 1);
}

/* A new program inherits the descriptor and nothing else. */
void case_execs(void)
{
	char number[16];
	pid_t pid;

	device = open_device();
	(void)snprintf(number, sizeof(number), "%d", device);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", probe_argv[0], "exec2", number,
		      (char *)NULL);
		_exit(9);
	}
	wait_ok(pid);
	echo(device, 1);
}

void case_exec2(void)
{
	EXPECT(probe_argc == 3);
	device = atoi(probe_argv[2]);
	EXPECT(dup(0) == device + 1);	/* no more than that was inherited */
	echo(device, 8);
	EXPECT(close(device) == 0);
}

/* NOLINTEND(android-cloexec-*,clang-analyzer-*fork) */
