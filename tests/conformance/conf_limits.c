/* SPDX-License-Identifier: MIT */
/* conf_limits.c - programs that may have few descriptors, none more, or no
 * thread more, with pages of their memory on a device
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ranges.h"

#define N RANGE_NPAGES
#define RW (PROT_READ | PROT_WRITE)
#define FEW 32	/* descriptors: ours go to the low numbers then */

static void set_limit(rlim_t cur, rlim_t max)
{
	struct rlimit lim = { cur, max };

	CHECK(!setrlimit(RLIMIT_NOFILE, &lim), "%s", strerror(errno));
}

/* Numbers below @limit that are free. */
static int nfree(int limit)
{
	int n = 0;

	for (int fd = 0; fd < limit; fd++)
		n += fcntl(fd, F_GETFD) < 0;
	return n;
}

/* Take each number there is. Return: the last one */
static int use_up(void)
{
	int last = -1, fd;

	while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0)
		last = fd;
	CHECK(errno == EMFILE, "%s", strerror(errno));
	CHECK(last >= 0, "there was none to use up");
	return last;
}

static int try_open(void)
{
	return open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC) < 0 ? -errno : 0;
}

/* What a program does with its memory. */
static void lives_on(unsigned char *p)
{
	unsigned char *q;

	range_is(p, 0, N, "by the CPU");
	probe_to_dev(dev0, p, N);
	range_readable(p, 0, N);
	CHECK(!mprotect(p, page_bytes, PROT_READ), "%s", strerror(errno));
	range_is(p, 0, 1, "read-only");
	CHECK(!mprotect(p, page_bytes, RW), "%s", strerror(errno));
	probe_to_dev(dev0, p, N);
	q = mremap(p, N * page_bytes, (N + 1) * page_bytes, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED, "%s", strerror(errno));
	range_is(q, 0, N, "at the new place");
	probe_verify_zero(q + N * page_bytes, 1, "grown");
	probe_to_dev(dev0, q, N);
	CHECK(!madvise(q, page_bytes, MADV_DONTNEED), "%s", strerror(errno));
	probe_verify_zero(q, 1, "dropped");
	range_is(range_at(q, 1), 1, N - 1, "beside what was dropped");
	probe_unmap(q, N + 1);
}

/* It opens the devices, and has all but two or three of its numbers. */
static void has_few_descriptors(void)
{
	const int before = nfree(FEW);
	int after;

	set_limit(FEW, FEW);
	range_set_up();
	lives_on(range_make(RANGE_ON_DEVICE));
	after = nfree(FEW);
	CHECK(after >= before - 3, "%d of %d are left", after, before);
	close(use_up());
	CHECK(try_open() == 0, "one is enough for another open");
}

/* What it cannot have is EMFILE, and all else goes on. */
static void has_no_descriptor_left(void)
{
	unsigned char *p, *q;
	int last;

	range_set_up();
	p = range_make(RANGE_ON_DEVICE);
	q = range_make(RANGE_MIXED);
	set_limit(256, 256);
	last = use_up();
	CHECK(try_open() == -EMFILE, "an open with no number");
	CHECK(mmap(NULL, page_bytes, RW, MAP_PRIVATE, dev0, 0) == MAP_FAILED &&
		      errno == EMFILE, "mmap of the device: %s",
	      strerror(errno));
	lives_on(p);
	range_is(q, 0, N, "mixed");
	close(last);
	CHECK(try_open() == 0, "there is one again");
}

/* The device is opened first when there is no number for what that takes. */
static void opens_without_descriptors(void)
{
	int last;

	set_limit(FEW, FEW);
	last = use_up();
	CHECK(try_open() == -EMFILE, "no number");
	close(last);
	CHECK(try_open() == -EMFILE, "a single number");
	CHECK(nfree(FEW) == 1, "it kept some: %d", nfree(FEW));
	for (int i = 0; i < 10; i++)
		close(last - i);
	range_set_up();
	lives_on(range_make(RANGE_ON_DEVICE));
}

/* The child of a fork, with no number to begin anew with; and a child of its. */
static void child_lives(unsigned char *p, unsigned char *mixed, int depth)
{
	pid_t pid;

	range_is(mixed, 0, N, "mixed, in a child");
	range_is(p, 0, N / 2, "in a child");
	if (depth) {
		pid = fork();
		CHECK(pid >= 0, "fork: %s", strerror(errno));
		if (pid == 0) {
			child_lives(p, mixed, depth - 1);
			_exit(0);
		}
		probe_wait(pid, "the child's child");
	}
	range_is(p, 0, N, "in a child, later");
	memset(p, 1, N * page_bytes);
	CHECK(*range_at(p, N - 1) == 1, "written");
}

static void forks_without_descriptors(void)
{
	unsigned char *p, *mixed;
	pid_t pid;
	int last;

	range_set_up();
	p = range_make(RANGE_ON_DEVICE);
	mixed = range_make(RANGE_MIXED);
	set_limit(256, 256);
	last = use_up();
	for (int i = 0; i < 3; i++) {
		pid = fork();
		CHECK(pid >= 0, "fork: %s", strerror(errno));
		if (pid == 0) {
			child_lives(p, mixed, i);
			for (int k = 0; k < 20; k++)
				close(last - k);
			range_set_up();
			lives_on(range_make(RANGE_ON_DEVICE));
			_exit(0);
		}
		probe_wait(pid, "the child");
		range_is(p, 0, N, "in the parent");
		probe_to_dev(dev0, p, N);
	}
}

/* It has closed what it did not open, the library's sockets too, and taken their
 * numbers: the first thing it is asked after is a fault, or a fork. */
static void closes_what_it_knows_not(void)
{
	unsigned char *p, *q, *r;
	pid_t pid;

	range_set_up();
	p = range_make(RANGE_ON_DEVICE);
	q = range_make(RANGE_MIXED);
	r = range_make(RANGE_ON_DEVICE);
	set_limit(256, 256);
	CHECK(!syscall(SYS_close_range, dev1 + 1, PROBE_ERR_FD - 1, 0) &&
		      !syscall(SYS_close_range, PROBE_ERR_FD + 1, ~0u, 0),
	      "%s", strerror(errno));
	(void)use_up();
	for (int i = 0; i < 3; i++) {
		pid = fork();
		CHECK(pid >= 0, "fork: %s", strerror(errno));
		if (pid == 0) {
			child_lives(r, q, i);
			_exit(0);
		}
		probe_wait(pid, "the child");
	}
	range_is(q, 0, N, "mixed");
	lives_on(p);
	lives_on(r);
}

/* As a sandbox has it: nothing more, whatever it was before. */
static void may_have_no_descriptor(void)
{
	unsigned char *p, *q;
	pid_t pid;

	range_set_up();
	p = range_make(RANGE_ON_DEVICE);
	q = range_make(RANGE_MIXED);
	set_limit(0, 0);
	lives_on(p);
	pid = fork();
	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		child_lives(q, q, 1);
		_exit(0);
	}
	probe_wait(pid, "the child");
	range_is(q, 0, N, "in the parent");
}

/* Down and up again. */
static void changes_its_limit(void)
{
	struct rlimit was;
	unsigned char *p;

	CHECK(!getrlimit(RLIMIT_NOFILE, &was), "%s", strerror(errno));
	set_limit(FEW, was.rlim_max);
	range_set_up();
	p = range_make(RANGE_ON_DEVICE);
	set_limit(was.rlim_cur, was.rlim_max);
	lives_on(range_make(RANGE_ON_DEVICE));
	set_limit(0, was.rlim_max);
	CHECK(try_open() == -EMFILE, "with none");
	lives_on(p);
	set_limit(was.rlim_cur, was.rlim_max);
	CHECK(try_open() == 0, "with some again");
}

/* The library's thread cannot be: there is no device, and then there is. */
static void may_start_no_thread(void)
{
	struct rlimit was, lim;

	if (getuid() == 0)
		probe_skip("no such limit holds for root");
	CHECK(!getrlimit(RLIMIT_NPROC, &was), "%s", strerror(errno));
	lim = (struct rlimit){ 0, was.rlim_max };
	CHECK(!setrlimit(RLIMIT_NPROC, &lim), "%s", strerror(errno));
	CHECK(try_open() == -ENODEV, "with no thread");
	CHECK(!setrlimit(RLIMIT_NPROC, &was), "%s", strerror(errno));
	range_set_up();
	lives_on(range_make(RANGE_ON_DEVICE));
}

static const struct conf_case cases[] = {
	{ "has_few_descriptors", "ulimit -n 32: works, and takes one of them",
	  has_few_descriptors },
	{ "opens_without_descriptors", "the first open with no number: EMFILE, and nothing is kept",
	  opens_without_descriptors },
	{ "has_no_descriptor_left", "no number free: EMFILE where one is needed, all else works",
	  has_no_descriptor_left },
	{ "forks_without_descriptors", "no number free: children have their memory",
	  forks_without_descriptors },
	{ "closes_what_it_knows_not", "the same, and the library's descriptors closed",
	  closes_what_it_knows_not },
	{ "may_have_no_descriptor", "RLIMIT_NOFILE 0: works with what it has",
	  may_have_no_descriptor },
	{ "changes_its_limit", "RLIMIT_NOFILE raised and lowered", changes_its_limit },
	{ "may_start_no_thread", "RLIMIT_NPROC reached: ENODEV",
	  may_start_no_thread },
};

CONF_MAIN("limits", NULL, cases)
