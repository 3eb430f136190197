/* SPDX-License-Identifier: MIT */
/* conf_file_ops.c - the device as a file, and files that are no device beside it
 *
 * The driver has no read, write or poll and the default lseek: what the kernel
 * answers for it before the driver is asked (spec 1.4).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "conf.h"

static char byte[8];
static const struct iovec iov = { byte, sizeof(byte) };

static int open_as(int flags)
{
	int fd = open("/dev/hmm_dmirror0", flags | O_CLOEXEC);

	CHECK(fd >= 0, "%s", strerror(errno));
	return fd;
}

#define FAILS(call, err)                                                     \
	do {                                                                 \
		errno = 0;                                                   \
		CHECK((call) == -1 && errno == (err), "errno %d", errno);    \
	} while (0)

static void all_reads_fail(int fd, int err)
{
	FAILS(read(fd, byte, sizeof(byte)), err);
	FAILS(read(fd, byte, 0), err);
	FAILS(readv(fd, &iov, 1), err);
	FAILS(pread(fd, byte, sizeof(byte), 0), err);
	FAILS(preadv(fd, &iov, 1, 0), err);
}

static void all_writes_fail(int fd, int err)
{
	FAILS(write(fd, byte, sizeof(byte)), err);
	FAILS(write(fd, byte, 0), err);
	FAILS(writev(fd, &iov, 1), err);
	FAILS(pwrite(fd, byte, sizeof(byte), 0), err);
	FAILS(pwritev(fd, &iov, 1, 0), err);
}

static void no_data(void)
{
	int fd = open_as(O_RDWR);

	all_reads_fail(fd, EINVAL);
	all_writes_fail(fd, EINVAL);
	FAILS(fsync(fd), EINVAL);
	FAILS(fdatasync(fd), EINVAL);
	FAILS(ftruncate(fd, 4096), EINVAL);
	FAILS(fallocate(fd, 0, 0, 4096), ENODEV);
}

static void access_mode(void)
{
	int fd = open_as(O_RDONLY);

	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY, "%#x",
	      (unsigned int)fcntl(fd, F_GETFL));
	all_reads_fail(fd, EINVAL);
	all_writes_fail(fd, EBADF);
	close(fd);
	fd = open_as(O_WRONLY | O_NONBLOCK);
	CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) ==
		      (O_WRONLY | O_NONBLOCK),
	      "%#x", (unsigned int)fcntl(fd, F_GETFL));
	all_reads_fail(fd, EBADF);
	all_writes_fail(fd, EINVAL);
	close(fd);
	fd = open_as(O_RDWR);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR, "%#x",
	      (unsigned int)fcntl(fd, F_GETFL));
}

static void position(void)
{
	int fd = open_as(O_RDWR), own = open_as(O_RDWR);
	int other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	pid_t pid;

	errno = 33;
	CHECK(lseek(fd, 4096, SEEK_SET) == 4096 && errno == 33, "%d", errno);
	CHECK(lseek(other, 8, SEEK_CUR) == 4104, "dup shares the position");
	CHECK(lseek(own, 0, SEEK_CUR) == 0, "another open does not");
	CHECK(lseek(fd, 0, SEEK_CUR) == 4104, "");
	FAILS(lseek(fd, -5000, SEEK_CUR), EINVAL);
	FAILS(lseek(fd, -6, SEEK_SET), EINVAL);
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 0, SEEK_HOLE), ENXIO);
	FAILS(lseek(fd, 0, 77), EINVAL);
	CHECK(lseek(fd, 0, SEEK_CUR) == 4104, "an error moved it");
	pid = fork();
	if (pid == 0)
		_exit(lseek(fd, 1, SEEK_CUR) != 4105);
	probe_wait(pid, "child");
	CHECK(lseek(fd, 0, SEEK_CUR) == 4105, "a child has the same open");
	CHECK(lseek(fd, 0, SEEK_END) == 0, "it has no length");
}

static void kind(void)
{
	int fd = open_as(O_RDWR), fd1 = open("/dev/hmm_dmirror1", O_RDWR | O_CLOEXEC);
	struct statx stx;
	struct stat st, st1;

	CHECK(!fstat(fd, &st) && S_ISCHR(st.st_mode), "%#o", st.st_mode);
	CHECK(!fstat(fd1, &st1) && S_ISCHR(st1.st_mode), "%#o", st1.st_mode);
	CHECK(major(st.st_rdev) == major(st1.st_rdev) &&
		      minor(st.st_rdev) == 0 && minor(st1.st_rdev) == 1,
	      "numbers");
	CHECK(!statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx), "statx");
	CHECK(S_ISCHR(stx.stx_mode) && stx.stx_rdev_minor == 0 &&
		      stx.stx_rdev_major == major(st.st_rdev),
	      "%#o", stx.stx_mode);
}

static void always_ready(void)
{
	int fd = open_as(O_RDWR), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLOUT };
	struct epoll_event event = { .events = EPOLLIN };

	for (int i = 0; i < 2; i++) {
		CHECK(poll(&pollfd, 1, 0) == 1 &&
			      pollfd.revents == (POLLIN | POLLOUT),
		      "%#x", (unsigned int)pollfd.revents);
		(void)!read(fd, byte, sizeof(byte));
	}
	FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), EPERM);
	FAILS(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event), EPERM);
	FAILS(epoll_ctl(-1, EPOLL_CTL_ADD, fd, &event), EBADF);
}

/* The same calls on what is no device do what they did. */
static void file_beside(void)
{
	int file = memfd_create("beside", MFD_CLOEXEC);
	struct stat st;

	CHECK(write(file, "abcd", 4) == 4, "%s", strerror(errno));
	CHECK(pread(file, byte, 8, 1) == 3 && !memcmp(byte, "bcd", 3), "pread");
	CHECK(pwrite(file, "x", 1, 0) == 1, "pwrite");
	CHECK(lseek(file, 0, SEEK_SET) == 0, "lseek");
	CHECK(readv(file, &iov, 1) == 4 && !memcmp(byte, "xbcd", 4), "readv");
	CHECK(!fstat(file, &st) && S_ISREG(st.st_mode) && st.st_size == 4,
	      "fstat");
	CHECK(!ftruncate(file, 2) && !fsync(file), "ftruncate, fsync");
	CHECK((fcntl(file, F_GETFL) & O_ACCMODE) == O_RDWR, "fcntl");
	CHECK(fcntl(file, F_DUPFD_CLOEXEC, 300) >= 300, "fcntl");
}

static void socket_beside(void)
{
	int end[2], epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	struct stat st;

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, end), "socketpair");
	CHECK(writev(end[0], &iov, 1) == sizeof(byte), "writev");
	CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, end[1], &event), "epoll_ctl");
	CHECK(read(end[1], byte, sizeof(byte)) == sizeof(byte), "read");
	FAILS(lseek(end[0], 0, SEEK_SET), ESPIPE);
	FAILS(pread(end[0], byte, 1, 0), ESPIPE);
	FAILS(pwrite(end[0], byte, 1, 0), ESPIPE);
	CHECK(!fstat(end[0], &st) && S_ISSOCK(st.st_mode), "fstat");
	FAILS(read(-1, byte, 1), EBADF);
	FAILS(lseek(-1, 0, SEEK_SET), EBADF);
}

static void others_beside(void)
{
	int fd;

	file_beside();
	socket_beside();
	fd = open_as(O_RDWR);
	file_beside();
	socket_beside();
	close(fd);
	file_beside();
}

static const struct conf_case cases[] = {
	{ "no_data", "read, write and their kind, fsync, ftruncate: EINVAL",
	  no_data },
	{ "access_mode", "an open that may not read or not write: EBADF",
	  access_mode },
	{ "position", "lseek sets a position that all holders of the open share",
	  position },
	{ "kind", "fstat and statx say character device", kind },
	{ "always_ready", "poll: always ready; epoll refuses it", always_ready },
	{ "others_beside", "the same calls on other descriptors are unchanged",
	  others_beside },
};

CONF_MAIN("file_ops", NULL, cases)
