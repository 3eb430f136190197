/* SPDX-License-Identifier: MIT */
/* probe_errno.c - errno after each function that the library stands in front of
 * is what it is without the library
 *
 * What succeeds leaves errno alone where it does so without; what fails says the
 * same error. All is called (errno_calls.h) in a process without the library,
 * and here before the device is opened, and after it, with pages that are away.
 *
 * probe_errno --list: the functions, and whether they were called so that they
 * succeed, and so that they fail.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_calls.h"

#define CALLS_MAX 512

/** One call, and what came of it. */
struct called {
	char name[32];
	int failed, err;
};

static struct called calls[CALLS_MAX];
static size_t ncalls;
static unsigned char *pages;
static int device = -1;

void errno_note(const char *name, bool failed, int err)
{
	struct called *c = &calls[ncalls++];

	CHECK(ncalls <= CALLS_MAX, "too many calls");
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->failed = failed;
	c->err = err;
}

void *errno_page(size_t i)
{
	return pages + i * page_bytes;
}

void *errno_send(size_t i)
{
	if (device >= 0)
		probe_to_dev(device, errno_page(i), 1);
	return errno_page(i);
}

char *errno_text(size_t i, const char *text)
{
	memcpy(errno_page(i), text, strlen(text) + 1);
	return errno_send(i);
}

void *errno_function(const char *name)
{
	void *fn = dlsym(RTLD_DEFAULT, name);

	CHECK(fn, "no function %s here", name);
	return fn;
}

/* A page that is away, for reading and for writing; a child that finds one. */
static void faults(void)
{
	volatile unsigned char *p = errno_page(0);
	int status;
	pid_t pid;

	*p = 7;
	errno_send(0);
	TRY("a read", *p - 7);
	errno_send(0);
	TRY("a write", (*p = 8) - 8);
	errno_send(0);
	errno = ERRNO_BEFORE;
	pid = fork();
	if (pid == 0)
		_exit(errno != ERRNO_BEFORE || *p != 8 ||
		      errno != ERRNO_BEFORE);
	errno_note("fork", pid < 0, errno);
	CHECK(waitpid(pid, &status, 0) == pid && !status,
	      "errno in a child: status %#x", (unsigned int)status);
}

static void call_all(void)
{
	ncalls = 0;
	pages = probe_map(ERRNO_PAGES, PROT_READ | PROT_WRITE);
	faults();
	errno_files();
	errno_sockets();
	errno_paths();
	errno_memory();
	errno_signals();
	probe_unmap(pages, ERRNO_PAGES);
}

/* Of a process that is this program without the library. */
static size_t call_without(struct called *want)
{
	char *argv[] = { "probe_errno", "--raw", NULL }, *env[] = { NULL };
	size_t n = 0;
	int end[2];
	ssize_t got;
	pid_t pid;

	CHECK(!pipe2(end, O_CLOEXEC), "%s", strerror(errno));
	pid = fork();
	CHECK(pid >= 0, "%s", strerror(errno));
	if (pid == 0) {
		dup2(end[1], STDOUT_FILENO);
		execve("/proc/self/exe", argv, env);
		_exit(127);
	}
	close(end[1]);
	while ((got = read(end[0], (char *)want + n,
			   CALLS_MAX * sizeof(*want) - n)) > 0)
		n += (size_t)got;
	close(end[0]);
	probe_wait(pid, "the process without the library");
	return n / sizeof(*want);
}

static void compare(const struct called *want, size_t n, const char *when)
{
	CHECK(n == ncalls, "%s: %zu calls, %zu without the library", when,
	      ncalls, n);
	for (size_t i = 0; i < n; i++)
		CHECK(!memcmp(&want[i], &calls[i], sizeof(*want)),
		      "%s: call %zu, %s: %s, errno %d; without the library %s, "
		      "errno %d", when, i, calls[i].name,
		      calls[i].failed ? "fails" : "succeeds", calls[i].err,
		      want[i].failed ? "fails" : "succeeds", want[i].err);
}

static void list(void)
{
	for (size_t i = 0; i < ncalls; i++)
		printf("%s %s\n", calls[i].failed ? "fails" : "succeeds",
		       calls[i].name);
}

int main(int argc, char **argv)
{
	static struct called want[CALLS_MAX];
	size_t n;

	probe_begin("probe_errno", 50);
	if (argc > 1) {
		call_all();
		if (!strcmp(argv[1], "--list"))
			list();
		else
			CHECK(write(STDOUT_FILENO, calls,
				    ncalls * sizeof(*calls)) > 0, "write");
		return 0;
	}
	n = call_without(want);
	CHECK(n > 100, "only %zu calls", n);
	call_all();
	compare(want, n, "without a device");
	device = probe_open(0);
	for (int i = 0; i < 3; i++) {
		call_all();
		compare(want, n, "with pages that are away");
	}
	return 0;
}
