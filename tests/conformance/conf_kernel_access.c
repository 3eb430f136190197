/* SPDX-License-Identifier: MIT */
/* conf_kernel_access.c - the kernel itself touches pages that are away (spec
 * 4.5: they come back, then it works): system calls with buffers there, other
 * processes, debuggers
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ranges.h"

#define N RANGE_NPAGES

static size_t all(void)
{
	return N * page_bytes;
}

/* A plain user's userfaultfd does not serve the kernel's own faults, and no hook
 * sees what these are about. */
static void need_kernel_faults(void)
{
	FILE *f = fopen("/proc/sys/vm/unprivileged_userfaultfd", "re");
	int allowed = 0;

	if (f) {
		if (fscanf(f, "%d", &allowed) != 1)
			allowed = 0;
		fclose(f);
	}
	if (geteuid() != 0 && !allowed &&
	    access("/dev/userfaultfd", R_OK | W_OK))
		probe_skip("faults in system calls need /dev/userfaultfd or "
			   "vm.unprivileged_userfaultfd=1");
}

/* A file on a disk, of zeros; -1: there is no O_DIRECT here. */
static int disk_file(int flags)
{
	char name[] = "conf_kernel_access-XXXXXX";
	int plain = mkstemp(name), fd;

	CHECK(plain >= 0 && !ftruncate(plain, (off_t)all()), "%s",
	      strerror(errno));
	fd = open(name, O_RDWR | O_CLOEXEC | flags);
	unlink(name);
	close(plain);
	return fd;
}

static void write_then_read(unsigned char *p, enum range_state state, int fd)
{
	ssize_t n = pwrite(fd, p, all(), 0);

	CHECK(n == (ssize_t)all(), "write: %zd, %s", n, strerror(errno));
	memset(p, 0, all());
	CHECK(pread(fd, p, all(), 0) == (ssize_t)all(), "%s", strerror(errno));
	range_is(p, 0, N, "read back");
	range_put(p, N, state);
	CHECK(pread(fd, p, all(), 0) == (ssize_t)all(), "%s", strerror(errno));
	range_is(p, 0, N, "read onto pages that are away");
	close(fd);
}

static void read_write(unsigned char *p, enum range_state state)
{
	write_then_read(p, state, memfd_create("conf", MFD_CLOEXEC));
}

static void direct(unsigned char *p, enum range_state state)
{
	int fd = disk_file(O_DIRECT);

	if (fd < 0)
		probe_skip("O_DIRECT: %s", strerror(errno));
	write_then_read(p, state, fd);
}

static void through_uring(unsigned char *p, enum range_state state)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	int err;

	need_kernel_faults();
	err = io_uring_queue_init(4, &ring, 0);
	if (err)
		probe_skip("io_uring: %s", strerror(-err));
	io_uring_prep_write(io_uring_get_sqe(&ring), fd, p, (unsigned int)all(),
			    0);
	io_uring_submit(&ring);
	CHECK(!io_uring_wait_cqe(&ring, &cqe) && cqe->res == (int)all(),
	      "write: %d", cqe->res);
	io_uring_cqe_seen(&ring, cqe);
	range_put(p, N, state);
	io_uring_prep_read(io_uring_get_sqe(&ring), fd, p, (unsigned int)all(),
			   0);
	io_uring_submit(&ring);
	CHECK(!io_uring_wait_cqe(&ring, &cqe) && cqe->res == (int)all(),
	      "read: %d", cqe->res);
	io_uring_queue_exit(&ring);
	range_is(p, 0, N, "read back");
	close(fd);
}

/* The pipe holds the pages themselves, until they are read. */
static void splice_out(unsigned char *p, enum range_state state)
{
	unsigned char *copy = malloc(all());
	struct iovec iov = { p, all() };
	int end[2];

	(void)state;
	CHECK(!pipe2(end, O_CLOEXEC), "pipe");
	CHECK(vmsplice(end[1], &iov, 1, 0) == (ssize_t)all(), "vmsplice: %s",
	      strerror(errno));
	for (size_t done = 0; done < all();) {
		ssize_t n = read(end[0], copy + done, all() - done);

		CHECK(n > 0, "%s", strerror(errno));
		done += (size_t)n;
	}
	range_is(copy, 0, N, "the pipe");
	range_is(p, 0, N, "the memory");
	free(copy);
	close(end[0]);
	close(end[1]);
}

static void *wake_up(void *word)
{
	uint32_t *w = word;

	while (syscall(SYS_futex, w, FUTEX_WAKE_PRIVATE, 1, NULL) != 1)
		probe_pause_ms(1);
	return NULL;
}

static void futex(unsigned char *p, enum range_state state)
{
	pthread_t thread;

	(void)state;
	need_kernel_faults();
	for (size_t i = 0; i < 4; i++) {
		uint32_t *word = (uint32_t *)range_at(p, i), seen;
		long ret;

		/* another value than is there: it has to look */
		ret = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 12345, NULL);
		CHECK(ret == -1 && errno == EAGAIN, "page %zu: %ld, %s", i, ret,
		      strerror(errno));
		seen = *word;
		CHECK(!pthread_create(&thread, NULL, wake_up, word), "thread");
		ret = syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL);
		CHECK(ret == 0, "page %zu: %s", i, strerror(errno));
		pthread_join(thread, NULL);
	}
	range_is(p, 0, N, "after");
}

static void process_vm(unsigned char *p, enum range_state state)
{
	unsigned char *copy = probe_map(N, PROT_READ | PROT_WRITE);
	struct iovec here = { copy, all() }, there = { p, all() };

	CHECK(process_vm_readv(getpid(), &here, 1, &there, 1, 0) ==
		      (ssize_t)all(), "readv: %s", strerror(errno));
	range_is(copy, 0, N, "process_vm_readv");
	range_put(p, N, state);
	memset(p, 0, 16);
	CHECK(process_vm_writev(getpid(), &here, 1, &there, 1, 0) ==
		      (ssize_t)all(), "writev: %s", strerror(errno));
	range_is(p, 0, N, "process_vm_writev");
	probe_unmap(copy, N);
}

/* ---- a debugger ---- */

/* A child that has its own range away and stops. */
static pid_t stopped_child(unsigned char **range, enum range_state state)
{
	int end[2], status;
	pid_t pid;

	CHECK(!pipe2(end, O_CLOEXEC), "pipe");
	pid = fork();
	if (pid == 0) {
		range_set_up();
		*range = range_make(state);
		CHECK(!ptrace(PTRACE_TRACEME, 0, NULL, NULL), "%s",
		      strerror(errno));
		CHECK(write(end[1], range, sizeof(*range)) == sizeof(*range),
		      "write");
		raise(SIGSTOP);
		range_is(*range, 1, 1, "what the debugger wrote");
		_exit(0);
	}
	CHECK(pid > 0 && read(end[0], range, sizeof(*range)) == sizeof(*range),
	      "child");
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "%#x",
	      (unsigned int)status);
	close(end[0]);
	close(end[1]);
	return pid;
}

static void peek_and_poke(pid_t pid, unsigned char *range)
{
	unsigned char *page = malloc(page_bytes);

	for (size_t i = 0; i < page_bytes; i += sizeof(long)) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, range + i, NULL);
		CHECK(!errno, "PEEKDATA: %s", strerror(errno));
		memcpy(page + i, &word, sizeof(word));
		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, range + page_bytes + i,
			      NULL);
		CHECK(!errno, "PEEKDATA: %s", strerror(errno));
		/* page 0 gets what page 1 has */
		CHECK(!ptrace(PTRACE_POKEDATA, pid, range + i, (void *)word),
		      "POKEDATA: %s", strerror(errno));
	}
	range_is(page, 0, 1, "PEEKDATA");
	free(page);
}

static void debugger(enum range_state state)
{
	unsigned char *range, *copy = malloc(all());
	pid_t pid = stopped_child(&range, state);
	char path[64];
	int mem;

	peek_and_poke(pid, range);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	CHECK(mem >= 0, "%s", strerror(errno));
	for (size_t done = 0; done < all();) {
		ssize_t n = pread(mem, copy + done, all() - done,
				  (off_t)((uintptr_t)range + done));

		CHECK(n > 0, "%s: byte %zu: %s", path, done, strerror(errno));
		done += (size_t)n;
	}
	range_is(copy, 1, 1, "page 0 has what was poked");
	range_is(range_at(copy, 1), 1, N - 1, "/proc/PID/mem");
	CHECK(!ptrace(PTRACE_DETACH, pid, NULL, NULL), "%s", strerror(errno));
	kill(pid, SIGCONT);
	probe_wait(pid, "debugged child");
	close(mem);
	free(copy);
}

static void debuggers(void)
{
	for (int state = 0; state < RANGE_STATES; state++)
		debugger((enum range_state)state);
}

#define EACH(test) \
	static void each_##test(void) \
	{ \
		range_each(test); \
	}

EACH(read_write)
EACH(direct)
EACH(through_uring)
EACH(splice_out)
EACH(futex)
EACH(process_vm)

static const struct conf_case cases[] = {
	{ "read_write", "read(2), write(2)", each_read_write },
	{ "o_direct", "O_DIRECT", each_direct },
	{ "io_uring", "io_uring", each_through_uring },
	{ "vmsplice", "vmsplice", each_splice_out },
	{ "futex", "futex", each_futex },
	{ "process_vm", "process_vm_readv, process_vm_writev",
	  each_process_vm },
	{ "ptrace", "PTRACE_PEEKDATA, POKEDATA, /proc/PID/mem of a debugger",
	  debuggers },
};

CONF_MAIN("kernel_access", range_set_up, cases)
