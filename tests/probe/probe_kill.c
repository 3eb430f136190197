/* SPDX-License-Identifier: MIT */
/* probe_kill.c - SIGKILL of a program, of the daemon
 *
 * Usage: probe_kill program|daemon|fork. The process that looks on never opens
 * the device, so whatever happens to the other one, it can say so in time.
 * fork: the daemon of a program that has children, and has more afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peek.h"
#include "probe.h"

#define NPAGES 256
#define SEED 9u
#define LIMIT_S 10

static void *put_on_device(int fd)
{
	void *mem = probe_map(NPAGES, PROT_READ | PROT_WRITE);

	probe_fill(mem, NPAGES, SEED);
	probe_to_dev(fd, mem, NPAGES);
	CHECK(probe_where(fd, mem, NPAGES).on_device == NPAGES, "not there");
	return mem;
}

static void await(int pipe_fd, const char *what)
{
	struct pollfd p = { .fd = pipe_fd, .events = POLLIN };
	char c;

	CHECK(poll(&p, 1, LIMIT_S * 1000) == 1 && read(pipe_fd, &c, 1) == 1,
	      "%s", what);
}

static void kill_program(void)
{
	int ready[2];
	pid_t victim;

	CHECK(!pipe2(ready, O_CLOEXEC), "%s", strerror(errno));
	victim = fork();
	if (victim == 0) {
		put_on_device(probe_open(0));
		CHECK(write(ready[1], "r", 1) == 1, "%s", strerror(errno));
		for (;;)
			pause();
	}
	await(ready[0], "the program gets its memory to the device");
	peek_await_pages(NPAGES, "before the program is killed");
	CHECK(!kill(victim, SIGKILL), "%s", strerror(errno));
	CHECK(waitpid(victim, NULL, 0) == victim, "%s", strerror(errno));
	peek_await_pages(0, "after the program was killed");
}

static void survivor(int ready, int go)
{
	int fd = probe_open(0);
	uint32_t *mem = put_on_device(fd);
	uint32_t *plain = probe_map(1, PROT_READ | PROT_WRITE);
	int ret, sig;

	alarm(LIMIT_S);
	*plain = 1;
	CHECK(write(ready, "r", 1) == 1, "%s", strerror(errno));
	await(go, "the daemon is killed");

	sig = probe_dies_of(mem, false);
	CHECK(sig == probe_lost_signal(), "a lost page gives signal %d", sig);
	ret = probe_try(fd, UHMM_DMIRROR_READ, plain, 1, mem, NULL);
	CHECK(ret == -EIO, "a request gives %s", strerror(-ret));
	CHECK(*plain == 1, "other memory");
	CHECK(!munmap(mem, NPAGES * page_bytes), "%s", strerror(errno));
	CHECK(!close(fd), "%s", strerror(errno));
	_exit(0);
}

/* In a child of the program: the page is lost there, too, never zeros. */
static void look_in_child(uint32_t *mem, int ready, int go)
{
	int sig;

	alarm(LIMIT_S);
	if (go >= 0) {
		CHECK(write(ready, "r", 1) == 1, "%s", strerror(errno));
		await(go, "the daemon is killed");
	}
	sig = probe_dies_of(mem, false);
	CHECK(sig == probe_lost_signal(), "child: a lost page gives signal %d, word %#x",
	      sig, sig ? 0 : *mem);
	_exit(0);
}

static void surviving_family(int ready, int go)
{
	int fd = probe_open(0);
	uint32_t *mem = put_on_device(fd);
	pid_t before, after;

	alarm(LIMIT_S);
	before = fork();
	if (before == 0)
		look_in_child(mem, ready, go);
	await(go, "the daemon is killed");
	after = fork();
	if (after == 0)
		look_in_child(mem, -1, -1);
	probe_wait(before, "the child from before");
	probe_wait(after, "the child from afterwards");
	CHECK(probe_dies_of(mem, false) == probe_lost_signal(), "parent");
	_exit(0);
}

static void kill_daemon(void (*survive)(int ready, int go))
{
	int ready[2], go[2];
	pid_t child;

	if (!peek_has_daemon())
		probe_skip("a real device has no daemon");
	CHECK(!pipe2(ready, O_CLOEXEC) && !pipe2(go, O_CLOEXEC), "%s",
	      strerror(errno));
	child = fork();
	if (child == 0)
		survive(ready[1], go[0]);
	await(ready[0], "the program gets its memory to the device");
	CHECK(!kill(peek_daemon_pid(), SIGKILL), "%s", strerror(errno));
	CHECK(write(go[1], "gg", 2) == 2, "%s", strerror(errno));
	probe_wait(child, "the program whose daemon is gone");
}

int main(int argc, char **argv)
{
	probe_begin("probe_kill", 40);
	if (argc == 2 && !strcmp(argv[1], "program"))
		kill_program();
	else if (argc == 2 && !strcmp(argv[1], "daemon"))
		kill_daemon(survivor);
	else if (argc == 2 && !strcmp(argv[1], "fork"))
		kill_daemon(surviving_family);
	else
		probe_fail("program, daemon or fork?");
	return 0;
}
