/* SPDX-License-Identifier: MIT */
/* errno_files.c - calls on descriptors and files (errno_calls.h) */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_calls.h"

#define BAD_FD 190

static int file = -1;	/* a page and a half of data */

static void open_file(void)
{
	file = memfd_create("probe_errno", MFD_CLOEXEC);
	CHECK(file >= 0 && !ftruncate(file, (off_t)page_bytes * 3 / 2), "%s",
	      strerror(errno));
}

/* ---- read, write ---- */

typedef ssize_t (*io_fn)(int fd, void *buf, size_t bytes);
typedef ssize_t (*io_chk_fn)(int fd, void *buf, size_t bytes, size_t room);
typedef ssize_t (*pio_fn)(int fd, void *buf, size_t bytes, off_t offset);
typedef ssize_t (*pio_chk_fn)(int fd, void *buf, size_t bytes, off_t offset,
			      size_t room);
typedef ssize_t (*iov_fn)(int fd, const struct iovec *iov, int n);
typedef ssize_t (*piov_fn)(int fd, const struct iovec *iov, int n,
			   off_t offset);

static void plain(const char *name)
{
	io_fn fn = (io_fn)errno_function(name);

	TRY(name, fn(file, errno_send(0), 100));
	TRY(name, fn(BAD_FD, errno_send(0), 100));
	TRY(name, fn(file, (void *)8, 100));
}

static void checked(const char *name)
{
	io_chk_fn fn = (io_chk_fn)errno_function(name);

	TRY(name, fn(file, errno_send(0), 100, page_bytes));
	TRY(name, fn(BAD_FD, errno_send(0), 100, page_bytes));
}

static void at_offset(const char *name)
{
	pio_fn fn = (pio_fn)errno_function(name);

	TRY(name, fn(file, errno_send(0), page_bytes, 7));
	TRY(name, fn(BAD_FD, errno_send(0), 100, 0));
	TRY(name, fn(file, errno_send(0), 100, -1));
}

static void at_offset_checked(const char *name)
{
	pio_chk_fn fn = (pio_chk_fn)errno_function(name);

	TRY(name, fn(file, errno_send(0), 100, 7, page_bytes));
	TRY(name, fn(BAD_FD, errno_send(0), 100, 0, page_bytes));
}

/* Two buffers in pages that are away, described in a third. */
static struct iovec *two_buffers(void)
{
	struct iovec *iov = errno_page(2);

	iov[0] = (struct iovec){ errno_send(0), 100 };
	iov[1] = (struct iovec){ errno_send(1), 100 };
	return errno_send(2);
}

static void vectors(const char *name, bool offset)
{
	void *fn = errno_function(name);

	if (!offset) {
		TRY(name, ((iov_fn)fn)(file, two_buffers(), 2));
		TRY(name, ((iov_fn)fn)(BAD_FD, two_buffers(), 2));
		TRY(name, ((iov_fn)fn)(file, two_buffers(), -1));
		return;
	}
	TRY(name, ((piov_fn)fn)(file, two_buffers(), 2, 9));
	TRY(name, ((piov_fn)fn)(BAD_FD, two_buffers(), 2, 9));
	TRY(name, ((piov_fn)fn)(file, two_buffers(), 2, -1));
}

static void reads_and_writes(void)
{
	plain("read");
	plain("write");
	checked("__read_chk");
	at_offset("pread");
	at_offset("pread64");
	at_offset("pwrite");
	at_offset("pwrite64");
	at_offset_checked("__pread_chk");
	at_offset_checked("__pread64_chk");
	vectors("readv", false);
	vectors("writev", false);
	vectors("preadv", true);
	vectors("preadv64", true);
	vectors("pwritev", true);
	vectors("pwritev64", true);
}

/* ---- stdio: an item that is larger than its buffer ---- */

#define ITEM (3 * page_bytes)

typedef size_t (*item_fn)(void *buf, size_t size, size_t n, FILE *f);
typedef size_t (*item_chk_fn)(void *buf, size_t room, size_t size, size_t n,
			      FILE *f);

static FILE *stream(const char *mode, bool broken)
{
	FILE *f = fdopen(memfd_create("probe_errno", MFD_CLOEXEC), mode);

	CHECK(f && !ftruncate(fileno(f), (off_t)ITEM), "%s", strerror(errno));
	if (broken)
		close(fileno(f));
	return f;
}

static void *three_pages(void)
{
	for (size_t i = 0; i < 3; i++)
		errno_send(i);
	return errno_page(0);
}

static void items(const char *name, const char *mode)
{
	item_fn fn = (item_fn)errno_function(name);
	FILE *f = stream(mode, false), *g = stream(mode, true);

	TRY_VALUE(name, 1, fn(three_pages(), ITEM, 1, f));
	TRY_VALUE(name, 1, fn(three_pages(), ITEM, 1, g));
	fclose(f);
	fclose(g);
}

static void items_checked(const char *name)
{
	item_chk_fn fn = (item_chk_fn)errno_function(name);
	FILE *f = stream("r", false), *g = stream("r", true);

	TRY_VALUE(name, 1, fn(three_pages(), ITEM, ITEM, 1, f));
	TRY_VALUE(name, 1, fn(three_pages(), ITEM, ITEM, 1, g));
	fclose(f);
	fclose(g);
}

static void streams(void)
{
	items("fread", "r");
	items("fread_unlocked", "r");
	items("fwrite", "w");
	items("fwrite_unlocked", "w");
	items_checked("__fread_chk");
	items_checked("__fread_unlocked_chk");
}

/* ---- descriptors ---- */

static void seeks(const char *name)
{
	off_t (*fn)(int, off_t, int) =
		(off_t (*)(int, off_t, int))errno_function(name);
	int end[2];

	CHECK(!pipe2(end, O_CLOEXEC), "pipe");
	TRY(name, fn(file, 3, SEEK_SET));
	TRY(name, fn(end[0], 3, SEEK_SET));
	TRY(name, fn(file, 3, 99));
	TRY(name, fn(BAD_FD, 3, SEEK_SET));
	close(end[0]);
	close(end[1]);
}

static void stats(void)
{
	int (*fx)(int, int, struct stat *) =
		(int (*)(int, int, struct stat *))errno_function("__fxstat");
	int (*fx64)(int, int, struct stat *) =
		(int (*)(int, int, struct stat *))errno_function("__fxstat64");
	struct statx stx;
	struct stat64 st64;
	struct stat st;

	TRY("fstat", fstat(file, &st));
	TRY("fstat", fstat(BAD_FD, &st));
	TRY("fstat64", fstat64(file, &st64));
	TRY("fstat64", fstat64(BAD_FD, &st64));
	TRY("__fxstat", fx(1, file, &st));
	TRY("__fxstat", fx(1, BAD_FD, &st));
	TRY("__fxstat64", fx64(1, file, &st));
	TRY("__fxstat64", fx64(1, BAD_FD, &st));
	TRY("statx", statx(file, "", AT_EMPTY_PATH, STATX_SIZE, &stx));
	TRY("statx", statx(BAD_FD, "", AT_EMPTY_PATH, STATX_SIZE, &stx));
	TRY("statx", statx(AT_FDCWD, "/no/such", 0, STATX_SIZE, &stx));
}

static void controls(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), end[2], n;

	CHECK(!pipe2(end, O_CLOEXEC), "pipe");
	TRY("fcntl", fcntl(file, F_GETFL));
	TRY("fcntl", fcntl(BAD_FD, F_GETFL));
	TRY("fcntl64", fcntl64(file, F_GETFD));
	TRY("fcntl64", fcntl64(BAD_FD, F_GETFD));
	TRY("ioctl", ioctl(end[0], FIONREAD, &n));
	TRY("ioctl", ioctl(BAD_FD, FIONREAD, &n));
	TRY("ioctl", ioctl(end[0], 0x4812, &n));
	TRY("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, end[0], &event));
	TRY("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, end[0], &event));
	TRY("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, BAD_FD, &event));
	TRY("close", close(epoll));
	TRY("close", close(epoll));
	TRY("vmsplice", vmsplice(end[1], two_buffers(), 2, 0));
	TRY("vmsplice", vmsplice(BAD_FD, two_buffers(), 2, 0));
	close(end[0]);
	close(end[1]);
}

/* ---- others ---- */

static void other_processes(void)
{
	struct iovec mine = { NULL, 100 }, *its = NULL;
	pid_t self = getpid();

	mine.iov_base = errno_send(3);
	its = two_buffers();
	TRY("process_vm_readv", process_vm_readv(self, &mine, 1, its, 1, 0));
	its = two_buffers();
	TRY("process_vm_readv", process_vm_readv(self, &mine, 1, its, 1, 9));
	its = two_buffers();
	TRY("process_vm_writev", process_vm_writev(self, &mine, 1, its, 1, 0));
	its = two_buffers();
	TRY("process_vm_writev", process_vm_writev(self, &mine, 1, its, 1, 9));
	TRY("ptrace", ptrace(PTRACE_PEEKDATA, self, errno_send(0), NULL));
	TRY("ptrace", ptrace(PTRACE_DETACH, 1, NULL, NULL));
}

/* Its child is traced by it: a word of a page that is the same in both. */
static void traced_child(void)
{
	long *word = errno_page(4), ret;
	int status;
	pid_t pid;

	*word = 1234;
	errno_send(4);
	pid = fork();
	if (pid == 0) {
		errno = ERRNO_BEFORE;
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) ||
		    errno != ERRNO_BEFORE)
			_exit(1);
		raise(SIGSTOP);
		_exit(*word != 1234);
	}
	CHECK(waitpid(pid, &status, 0) == pid, "%s", strerror(errno));
	if (WIFSTOPPED(status)) {	/* nobody may trace everywhere */
		errno = ERRNO_BEFORE;
		ret = ptrace(PTRACE_PEEKDATA, pid, word, NULL);
		errno_note("ptrace", ret != 1234, errno);
		TRY("ptrace", ptrace(PTRACE_POKEDATA, pid, word, 1234L));
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		CHECK(waitpid(pid, &status, 0) == pid, "%s", strerror(errno));
	}
	CHECK(!status, "the traced child: %#x", (unsigned int)status);
}

void errno_files(void)
{
	open_file();
	reads_and_writes();
	streams();
	seeks("lseek");
	seeks("lseek64");
	stats();
	controls();
	other_processes();
	traced_child();
	TRY("prctl", prctl(PR_GET_DUMPABLE));
	TRY("prctl", prctl(9999));
	TRY("syscall", syscall(SYS_getpid));
	TRY("syscall", syscall(SYS_close, BAD_FD));
	TRY("getrandom", getrandom(errno_send(0), 100, 0));
	TRY("getrandom", getrandom(errno_send(0), 100, ~0u));
	close(file);
}
