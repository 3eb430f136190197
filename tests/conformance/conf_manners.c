/* SPDX-License-Identifier: MIT */
/* conf_manners.c - what a program may do that knows nothing of the library in
 * it, with pages of its memory on a device
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ranges.h"

#define N RANGE_NPAGES
#define RW (PROT_READ | PROT_WRITE)

/* What is closed is closed, what is in memory is still there, and who opens the
 * device again has it. */
static void is_well(unsigned char *p, int lowest)
{
	int next;

	range_is(p, 0, N, "with the descriptors closed");
	next = probe_open(0);
	CHECK(next == lowest, "the device is number %d, not %d", next, lowest);
	dev0 = next;
	probe_to_dev(dev0, p, N);
	range_is(p, 0, N, "by a new descriptor");
}

static void closes_all_it_finds(void)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE);
	DIR *d = opendir("/proc/self/fd");
	int self = dirfd(d), closed = 0;

	for (struct dirent *e; (e = readdir(d));) {
		int fd = atoi(e->d_name);

		if (fd > 2 && fd != self && fd != PROBE_ERR_FD)
			closed += !close(fd);
	}
	closedir(d);
	CHECK(closed >= 2, "%d", closed);
	is_well(p, 3);
}

static void closes_from(void)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE);

	closefrom(3);
	is_well(p, 3);
}

/* By no function that a hook sees. */
static void closes_by_system_call(void)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE);

	if (syscall(SYS_close_range, 3, ~0u, 0))
		probe_skip("close_range: %s", strerror(errno));
	is_well(p, 3);
}

/* One thread more from the first open on, in no group of processes. */
static void has_one_thread_more(void)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE);

	CHECK(probe_count_entries("/proc/self/task") == 2, "%zu threads",
	      probe_count_entries("/proc/self/task"));
	errno = 0;
	CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD,
	      "somebody is our child: %s", strerror(errno));
	range_is(p, 0, N, "after");
}

/* fork, setsid, fork, close everything: the last one is nobody's child. */
static void becomes_a_daemon(void)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE);
	int end[2];
	char told = 0;

	CHECK(!pipe2(end, O_CLOEXEC), "%s", strerror(errno));
	if (fork() == 0) {
		if (setsid() < 0 || fork())
			_exit(0);
		CHECK(!chdir("/"), "%s", strerror(errno));
		CHECK(dup2(end[1], 0) == 0, "%s", strerror(errno));
		closefrom(3);
		is_well(p, 3);
		_exit(write(0, "y", 1) != 1);
	}
	close(end[1]);
	wait(NULL);
	CHECK(read(end[0], &told, 1) == 1, "the daemon said nothing");
	range_is(p, 0, N, "in the first process");
}

/* Arguments and environment in memory that is away. */
static void spawns(void)
{
	char *p = probe_map(1, RW), *argv[] = { p, p + 64, p + 128, NULL };
	char *env[] = { p + 512, NULL };
	int status;
	pid_t pid;

	snprintf(p, 64, "/bin/sh");
	snprintf(p + 64, 64, "-c");
	snprintf(p + 128, 384, "test \"$MEANT\" = 'for you'");
	snprintf(p + 512, 64, "MEANT=for you");
	probe_to_dev(dev0, p, 1);
	CHECK(!posix_spawn(&pid, p, NULL, NULL, argv, env), "posix_spawn");
	CHECK(waitpid(pid, &status, 0) == pid && status == 0, "status %#x",
	      status);
}

static void loads_late(void)
{
	unsigned char *p = range_make(RANGE_MIXED);
	void *lib = dlopen("libm.so.6", RTLD_NOW);
	double (*root)(double);

	CHECK(lib, "%s", dlerror());
	*(void **)&root = dlsym(lib, "sqrt");
	CHECK(root && root(49.0) == 7.0, "sqrt");
	range_is(p, 0, N, "after");
	CHECK(!dlclose(lib), "%s", dlerror());
}

static unsigned long status_kib(const char *key)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long kib = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			kib = strtoul(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	CHECK(kib, "no %s", key);
	return kib;
}

/* No window then: what the engine would have there is copied. */
static void limits_its_address_space(void)
{
	const unsigned long room = 64ul << 20;
	struct rlimit lim = { 0, RLIM_INFINITY };

	lim.rlim_cur = status_kib("VmSize:") * 1024 + room;
	CHECK(!setrlimit(RLIMIT_AS, &lim), "%s", strerror(errno));
	range_is(range_make(RANGE_ON_DEVICE), 0, N, "on the device");
	range_is(range_make(RANGE_MIXED), 0, N, "mixed");
	CHECK(mmap(NULL, 2 * room, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	      MAP_FAILED, "the limit is gone");
}

/* Mappings until there may be no more; the last one's address. */
static unsigned char *use_up_mappings(size_t *n)
{
	const size_t max = 200000;
	unsigned char *all = mmap(NULL, max * page_bytes, PROT_READ,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);

	CHECK(all != MAP_FAILED, "%s", strerror(errno));
	for (*n = 0; *n < max; *n += 2)
		if (mprotect(all + *n * page_bytes, page_bytes, RW))
			return all;
	probe_skip("there may be more than %zu mappings", max);
}

/* Requests fail or do less, and no page is lost: neither of what is away, nor
 * of what was to go. */
static void uses_up_its_mappings(void)
{
	unsigned char *away = range_make(RANGE_ON_DEVICE);
	unsigned char *here = probe_map(N, RW), *buf = probe_map(N, RW), *all;
	size_t n;

	probe_fill(here, N, RANGE_SEED);
	all = use_up_mappings(&n);
	(void)probe_try(dev0, UHMM_DMIRROR_MIGRATE_TO_DEV, range_at(here, 3),
			2, buf, NULL);
	for (size_t i = 0; i < N; i += 3)
		CHECK(*(volatile unsigned char *)range_at(away, i) ==
		      *range_at(away, i), "page %zu", i);
	range_is(away, 0, N, "of what was away");
	range_is(here, 0, N, "of what was to go");
	CHECK(!munmap(all, 200000 * page_bytes), "%s", strerror(errno));
	probe_to_dev(dev0, here, N);
	range_is(here, 0, N, "with room again");
}

/* Ways to be locked up; the last is libseccomp's for all threads at once. */
enum lock { BY_PRCTL, BY_SYSTEM_CALL, ALL_THREADS };

static int set_filter(const struct sock_fprog *program, enum lock how)
{
	unsigned int flags = how == ALL_THREADS ? SECCOMP_FILTER_FLAG_TSYNC : 0;

	if (how == BY_PRCTL)
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags,
			    program);
}

/* As sandboxes have it: who does something else is killed. */
static void lock_up(enum lock how)
{
	static const unsigned int allowed[] = {
		SYS_read, SYS_write, SYS_exit, SYS_exit_group, SYS_brk,
		SYS_munmap, SYS_mmap, SYS_futex, SYS_clock_gettime,
		SYS_rt_sigreturn, SYS_getpid,
	};
	enum { COUNT = sizeof(allowed) / sizeof(allowed[0]) };
	struct sock_filter filter[2 * COUNT + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = { 2 * COUNT + 2, filter };

	for (unsigned int i = 0; i < COUNT; i++) {
		filter[1 + 2 * i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
		filter[2 + 2 * i] = (struct sock_filter)BPF_STMT(
			BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	filter[2 * COUNT + 1] = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "%s", strerror(errno));
	if (set_filter(&program, how))
		probe_skip("seccomp: %s", strerror(errno));
}

/* It works on in memory that was away, makes some and drops some. */
static void locked_up(enum lock how)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE), *q;
	unsigned char *mixed = range_make(RANGE_MIXED);

	lock_up(how);
	range_is(p, 0, N, "behind the filter");
	range_is(mixed, 0, N, "behind the filter, mixed");
	memset(p, 1, N * page_bytes);
	CHECK(*range_at(p, N - 1) == 1, "written");
	q = mmap(NULL, 64 * page_bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(q != MAP_FAILED, "mmap");
	memset(q, 1, 64 * page_bytes);
	CHECK(!munmap(q, 64 * page_bytes) && !munmap(mixed, N * page_bytes),
	      "munmap");
}

static void locks_itself_up(void)
{
	locked_up(BY_PRCTL);
}

static void locks_up_by_system_call(void)
{
	locked_up(BY_SYSTEM_CALL);
}

static void locks_all_threads_up(void)
{
	locked_up(ALL_THREADS);
}

static unsigned char *locked_pages;
static _Atomic int locked_is_through;

/* A thread that ends would call what the filter has not: it waits for the end. */
static void *be_locked_up(void *arg)
{
	lock_up(BY_PRCTL);
	range_is(locked_pages, 0, N, "behind the filter");
	memset(locked_pages, 1, N * page_bytes);
	locked_is_through = 1;
	(void)!read(*(int *)arg, arg, 1);
	return NULL;
}

/* The others have the device as before. */
static void locks_one_thread_up(void)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE);
	pthread_t thread;
	int end[2];

	locked_pages = range_make(RANGE_ON_DEVICE);
	CHECK(!pipe2(end, O_CLOEXEC), "%s", strerror(errno));
	CHECK(!pthread_create(&thread, NULL, be_locked_up, &end[0]), "thread");
	while (!locked_is_through)
		sched_yield();
	range_is(p, 0, N, "beside it");
	probe_to_dev(dev0, p, N);
	CHECK(range_away(p, N) == N, "not all went");
	range_is(p, 0, N, "back again");
	CHECK(*range_at(locked_pages, 1) == 1, "written");
}

/* read, write, exit(2): not even the one that _exit() makes. */
static void locks_itself_up_strictly(void)
{
	pid_t pid;

	if (prctl(PR_GET_SECCOMP))
		probe_skip("locked up by somebody else already");
	pid = fork();
	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		unsigned char *p;

		range_set_up();
		p = range_make(RANGE_ON_DEVICE);
		CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), "%s",
		      strerror(errno));
		range_is(p, 0, N, "in strict mode");
		memset(p, 1, N * page_bytes);
		(void)syscall(SYS_exit, *range_at(p, 3) != 1);
	}
	probe_wait(pid, "the child");
}

/* As AddressSanitizer and its like map it: none of it is there but a few pages.
 * Whoever looks at each page of it has no end. */
static void forks_with_a_desert(void)
{
	const size_t bytes = (size_t)8 << 40;
	unsigned char *p = range_make(RANGE_ON_DEVICE), *desert, *middle;
	pid_t child;

	if (!probe_kernel(6, 7))
		probe_skip("holes are looked at page by page (no PAGEMAP_SCAN)");
	desert = mmap(NULL, bytes, RW,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (desert == MAP_FAILED)
		probe_skip("no 8 TiB: %s", strerror(errno));
	middle = desert + bytes / 2;
	probe_fill(middle, 4, 1);
	probe_to_dev(dev0, middle, 2);
	child = fork();
	CHECK(child >= 0, "fork: %s", strerror(errno));
	if (child == 0) {
		probe_verify(middle, 4, 1, "in the child");
		probe_fill(middle, 4, 2);
		range_is(p, 0, N, "in the child");
		_exit(0);
	}
	probe_wait(child, "the child");
	probe_verify(middle, 4, 1, "in the parent");
	range_is(p, 0, N, "in the parent");
}

static const struct conf_case cases[] = {
	{ "closes_all_it_finds", "a scan of /proc/self/fd, all closed",
	  closes_all_it_finds },
	{ "closes_from", "closefrom()", closes_from },
	{ "closes_by_system_call", "close_range() by a bare system call",
	  closes_by_system_call },
	{ "has_one_thread_more", "/proc/self/task has one more, no child",
	  has_one_thread_more },
	{ "becomes_a_daemon", "fork, setsid, fork, all closed",
	  becomes_a_daemon },
	{ "spawns", "posix_spawn() with arguments that are away", spawns },
	{ "loads_late", "dlopen() with pages away", loads_late },
	{ "limits_its_address_space", "RLIMIT_AS: works as without",
	  limits_its_address_space },
	{ "uses_up_its_mappings", "max_map_count reached: nothing is lost",
	  uses_up_its_mappings },
	{ "forks_with_a_desert", "fork with 8 TiB mapped, of which 4 pages are there",
	  forks_with_a_desert },
	{ "locks_itself_up", "seccomp: pages come back to who may not ask",
	  locks_itself_up },
	{ "locks_up_by_system_call", "the same by seccomp(2)",
	  locks_up_by_system_call },
	{ "locks_all_threads_up", "the same for all threads at once",
	  locks_all_threads_up },
	{ "locks_itself_up_strictly", "the same with SECCOMP_MODE_STRICT",
	  locks_itself_up_strictly },
	{ "locks_one_thread_up", "one thread only: the others have the device",
	  locks_one_thread_up },
};

CONF_MAIN("manners", range_set_up, cases)
