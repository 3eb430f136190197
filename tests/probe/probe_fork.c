/* SPDX-License-Identifier: MIT */
/* probe_fork.c - a child of a program whose memory is on the device
 *
 * It sees the data before it opens anything, both write without the other
 * seeing it, both can use the device, and a child that is killed leaves
 * nothing on the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peek.h"
#include "probe.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 64
#define SEED 5u
#define ROUNDS 10

static int fd;
static unsigned char *mem;

static unsigned char *at(size_t npages)
{
	return mem + npages * page_bytes;
}

static void put_on_device(void)
{
	probe_fill(mem, NPAGES, SEED);
	probe_to_dev(fd, mem, NPAGES);
	CHECK(probe_where(fd, mem, NPAGES).on_device == NPAGES, "not there");
}

/* The child writes to the first half, the parent to the second. */
static void both_write(void)
{
	pid_t child;

	put_on_device();
	child = fork();
	if (child == 0) {
		probe_verify(mem, NPAGES, SEED, "child, before anything");
		probe_fill(mem, NPAGES / 2, SEED + 1);
		probe_verify(mem, NPAGES / 2, SEED + 1, "child, own half");
		probe_verify_from(at(NPAGES / 2), NPAGES / 2, NPAGES / 2, SEED,
				  "child, the parent's half");
		_exit(0);
	}
	memset(at(NPAGES / 2), 0xee, NPAGES / 2 * page_bytes);
	probe_wait(child, "child");
	probe_verify(mem, NPAGES / 2, SEED, "parent, the child's half");
	CHECK(*at(NPAGES - 1) == 0xee, "parent, own half");
}

/* The child uses the device for its own copy of the memory. */
static void child_opens(void)
{
	pid_t child;

	put_on_device();
	child = fork();
	if (child == 0) {
		int own = probe_open(0);

		probe_fill(mem, NPAGES, SEED + 2);
		probe_to_dev(own, mem, NPAGES);
		probe_verify(mem, NPAGES, SEED + 2, "child, own device");
		close(own);
		_exit(0);
	}
	probe_verify(mem, NPAGES, SEED, "parent, beside the child");
	probe_wait(child, "child");
	probe_verify(mem, NPAGES, SEED, "parent, after the child");
}

/* The descriptor that was inherited is about the memory of the parent; the
 * buffer is the child's. */
static void inherited_descriptor(void)
{
	pid_t child;

	put_on_device();
	child = fork();
	if (child == 0) {
		void *buf = probe_map(NPAGES, RW);

		memset(mem, 1, NPAGES * page_bytes);
		probe_do(fd, UHMM_DMIRROR_READ, mem, NPAGES, buf);
		probe_verify(buf, NPAGES, SEED, "child, the parent's memory");
		CHECK(mem[0] == 1, "child, own memory");
		_exit(0);
	}
	probe_wait(child, "child");
	probe_verify(mem, NPAGES, SEED, "parent, read by the child");
}

static void grandchild(void)
{
	pid_t child;

	put_on_device();
	child = fork();
	if (child == 0) {
		pid_t grand = fork();

		if (grand == 0) {
			probe_verify(mem, NPAGES, SEED, "grandchild");
			memset(mem, 2, NPAGES * page_bytes);
			_exit(0);
		}
		probe_wait(grand, "grandchild");
		probe_verify(mem, NPAGES, SEED, "child");
		_exit(0);
	}
	probe_wait(child, "child");
	probe_verify(mem, NPAGES, SEED, "parent of a parent");
}

/* A child that only ends; again and again, pages staying on the device. */
static void children_that_end(void)
{
	put_on_device();
	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		probe_wait(child, "child");
	}
	probe_verify(mem, NPAGES, SEED, "parent of many");
}

/* @work in a child that then waits to be killed, and is. */
static void killed_child(void (*work)(void))
{
	int ready[2];
	pid_t child;
	char c;

	CHECK(!pipe2(ready, O_CLOEXEC), "%s", strerror(errno));
	child = fork();
	if (child == 0) {
		work();
		CHECK(write(ready[1], "r", 1) == 1, "%s", strerror(errno));
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], &c, 1) == 1, "the child died");
	CHECK(!kill(child, SIGKILL), "%s", strerror(errno));
	CHECK(waitpid(child, NULL, 0) == child, "%s", strerror(errno));
	close(ready[0]);
}

static void migrate_own(void)
{
	int own = probe_open(0);
	void *p = probe_map(NPAGES, RW);

	probe_fill(p, NPAGES, SEED);
	probe_to_dev(own, p, NPAGES);
	CHECK(probe_where(own, p, NPAGES).on_device == NPAGES, "not there");
}

static void do_nothing(void)
{
}

static void killed_children(void)
{
	probe_unmap(mem, NPAGES);
	peek_await_pages(0, "before a child is killed");
	killed_child(migrate_own);
	peek_await_pages(0, "after a child was killed");
	mem = probe_map(NPAGES, RW);
	put_on_device();
	killed_child(do_nothing);
	probe_verify(mem, NPAGES, SEED, "parent of a killed child");
	probe_unmap(mem, NPAGES);
	peek_await_pages(0, "at the end");
}

int main(void)
{
	probe_begin("probe_fork", 50);
	fd = probe_open(0);
	mem = probe_map(NPAGES, RW);
	both_write();
	child_opens();
	inherited_descriptor();
	grandchild();
	children_that_end();
	killed_children();
	return 0;
}
