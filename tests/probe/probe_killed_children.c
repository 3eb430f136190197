/* SPDX-License-Identifier: MIT */
/* probe_killed_children.c - children that are killed at any moment
 *
 * Each writes memory that its parent has on the device, opens the device,
 * migrates, forks, until SIGKILL comes at a moment that chance has chosen: in
 * fork(), in hello, in a fault, in a migration. Afterwards the parent has its
 * data, and the daemon as many pages, sessions and opens as before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peek.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 32
#define SEED 11u
#define CHILDREN 60
#define LONGEST_NS UINT64_C(6000000)

static int fd;
static unsigned char *mem, *buffer;

/* Chance, the same in each run. */
static uint64_t chance(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void work(void)
{
	probe_verify(mem, NPAGES, SEED, "child, before anything");
	for (uint32_t round = 0;; round++) {
		int own = probe_open(round % 2);
		pid_t grandchild;

		probe_fill(mem, NPAGES / 2, round);
		probe_to_dev(own, mem, NPAGES);
		grandchild = fork();
		if (grandchild == 0)
			_exit(mem[0] == mem[page_bytes * NPAGES - 1]);
		probe_verify(mem, NPAGES / 2, round, "child");
		waitpid(grandchild, NULL, 0);
		close(own);
	}
}

/* All of it, and it is right. What a child asked for just before it was killed
 * may still be done now (docs/design.md, Limits): then pages went to its other
 * device, which is ENOENT, and come back when they are read. */
static void verify_and_migrate(void)
{
	struct uhmm_dmirror_cmd cmd;
	int ret;

	do {
		probe_verify(mem, NPAGES, SEED, "parent");
		ret = probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, NPAGES,
				buffer, &cmd);
	} while (ret == -ENOENT);
	CHECK(ret == 0, "%s", strerror(-ret));
}

/* Kill a child @ns after fork() has returned here. The child's own child comes
 * to us then; the last close of a device, which empties it, may be its. */
static void kill_one(uint64_t ns)
{
	pid_t child = fork();
	uint64_t until = probe_now_ns() + ns;
	int status;

	CHECK(child >= 0, "%s", strerror(errno));
	if (child == 0)
		work();
	while (probe_now_ns() < until)
		;
	CHECK(!kill(child, SIGKILL), "%s", strerror(errno));
	CHECK(waitpid(child, &status, 0) == child, "%s", strerror(errno));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "the child ended with %#x", (unsigned int)status);
	while (wait(NULL) > 0)
		;
}

/* Nothing of the children is left that could act on a device. */
static void await_all_gone(double sessions, double opens)
{
	peek_await("daemon.sessions_now", sessions, "after the last child");
	peek_await("daemon.opens_now", opens, "after the last child");
}

int main(void)
{
	double sessions, opens;

	probe_begin("probe_killed_children", 50);
	if (!peek_has_daemon())
		probe_skip("a real device has no daemon");
	fd = probe_open(0);
	mem = probe_map(NPAGES, RW);
	buffer = probe_map(NPAGES, RW);
	probe_fill(mem, NPAGES, SEED);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1), "%s", strerror(errno));
	sessions = peek_number("daemon.sessions_now");
	opens = peek_number("daemon.opens_now");
	for (int i = 0; i < CHILDREN; i++) {
		verify_and_migrate();
		kill_one(chance() % LONGEST_NS);
	}
	await_all_gone(sessions, opens);
	verify_and_migrate();
	CHECK(probe_where(fd, mem, NPAGES).on_device == NPAGES, "not there");
	peek_await("total.device_pages_now", NPAGES, "after the last child");
	await_all_gone(sessions, opens);
	probe_unmap(mem, NPAGES);
	peek_await_pages(0, "at the end");
	return 0;
}
