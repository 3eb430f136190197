/* SPDX-License-Identifier: MIT */
/* probe_device.c - open, ioctl, mmap, close, mprotect, and not using them */
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* NOLINTBEGIN(android-cloexec-*): programs are as they are */

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	EXPECT(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

/* Names of mapped files, and how many mappings have none. */
static void print_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4096];
	int anonymous = 0;

	EXPECT(f);
	while (fgets(line, sizeof(line), f)) {
		const char *name = strpbrk(line, "/[");

		if (name)
			printf("map %.4s %s", strchr(line, ' ') + 1, name);
		else
			anonymous++;
	}
	(void)fclose(f);
	printf("anonymous %d\n", anonymous);
}

/* Do what programs do, no device among it, and print what could differ. */
void case_quiet(void)
{
	int pipefd[2], bytes = 7;
	unsigned char *p = page(1, 2);

	EXPECT(pipe(pipefd) == 0);
	EXPECT(ioctl(pipefd[0], FIONREAD, &bytes) == 0 && bytes == 0);
	EXPECT_FAILS(ioctl(pipefd[0], 0x1234, 0), ENOTTY);
	EXPECT_FAILS(ioctl(-1, 0x1234, 0), EBADF);
	EXPECT(mprotect(p, 1, PROT_READ) == 0);
	EXPECT_FAILS(mprotect(p + 1, 1, PROT_READ), EINVAL);
	EXPECT(close(pipefd[0]) == 0 && close(pipefd[1]) == 0);
	EXPECT_FAILS(close(pipefd[0]), EBADF);
	EXPECT_FAILS(mmap(NULL, 1, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	wait_ok(child);
	printf("tasks %d\n", count_entries("/proc/self/task"));
	printf("fds %d\n", count_entries("/proc/self/fd"));
	print_maps();
}

/* Names that are nearly the device's, bad addresses, errno. */
void case_paths(void)
{
	static const char *const absent[] = {
		"/dev/hmm_dmirror",   "/dev/hmm_dmirror4",
		"/dev/hmm_dmirror00", "/dev//hmm_dmirror0",
		"dev/hmm_dmirror0",   "/dev/hmm_dmirrorx",
	};
	unsigned char *p = page(0, 2);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *edge = (char *)p + size - sizeof(DEVICE);
	char *cut = (char *)p + size - sizeof(DEVICE) + 1;
	int fd;

	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		EXPECT_FAILS(open(absent[i], O_RDWR), ENOENT);
	EXPECT(munmap(p + size, size) == 0);
	EXPECT_FAILS(open((char *)p + size, O_RDWR), EFAULT);
	EXPECT_FAILS(open((char *)p + size, O_RDWR | O_CREAT, 0600), EFAULT);
	memcpy(cut, DEVICE, sizeof(DEVICE) - 1);
	EXPECT_FAILS(open(cut, O_RDWR | O_CREAT, 0600), EFAULT);
	EXPECT_FAILS(open(cut, O_RDWR), EFAULT);
	memcpy(edge, DEVICE, sizeof(DEVICE));
	errno = EXDEV;
	fd = open(edge, O_RDWR | O_CREAT, 0600);
	EXPECT(fd >= 0 && errno == EXDEV);
	fd = open("/dev/null", O_RDWR);
	EXPECT(fd >= 0 && errno == EXDEV);
	EXPECT(ioctl(fd, FIOCLEX) == 0 && errno == EXDEV);
	EXPECT_FAILS(open(DEVICE, O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	EXPECT_FAILS(open(DEVICE, O_RDONLY | O_DIRECTORY), ENOTDIR);
	EXPECT_FAILS(open("/dev/hmm_dmirror3", O_RDWR), ENXIO);
}

/* Every spelling of open gives the lowest free number. */
void case_opens(void)
{
	int lowest = dup(0), root = open("/", O_RDONLY);
	int n;

	EXPECT(lowest > 0 && root > lowest);
	EXPECT(close(lowest) == 0);
	for (n = 0; n < 8; n++) {
		int fd = -1;

		errno = EXDEV;
		if (n == 0)
			fd = open(DEVICE, O_RDWR);
		else if (n == 1)
			fd = open64(DEVICE, O_RDWR);
		else if (n == 2)
			fd = openat(root, DEVICE, O_RDWR);
		else if (n == 3)
			fd = openat64(AT_FDCWD, DEVICE, O_RDWR);
		else if (n == 4)
			fd = __open_2(DEVICE, O_RDWR);
		else if (n == 5)
			fd = __open64_2(DEVICE, O_RDWR);
		else if (n == 6)
			fd = __openat_2(root, DEVICE, O_RDWR);
		else
			fd = __openat64_2(AT_FDCWD, DEVICE, O_RDWR);
		EXPECT(fd == lowest && errno == EXDEV);
		echo(fd, n);
		EXPECT(close(fd) == 0 && errno == EXDEV);
	}
}

void case_flags(void)
{
	int a = open(DEVICE, O_RDWR);
	int b = open("/dev/hmm_dmirror1", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	EXPECT(fcntl(a, F_GETFD) == 0);
	EXPECT(fcntl(b, F_GETFD) == FD_CLOEXEC);
	EXPECT(!(fcntl(a, F_GETFL) & O_NONBLOCK));
	EXPECT(fcntl(b, F_GETFL) & O_NONBLOCK);
	EXPECT((fcntl(a, F_GETFL) & O_ACCMODE) == O_RDWR);
	EXPECT(ioctl(b, FIONCLEX) == 0 && fcntl(b, F_GETFD) == 0);
}

void case_ioctls(void)
{
	unsigned char *p = page(0xa5, 1);
	int fd = open_device(), other = dup(fd);

	errno = EXDEV;
	echo(fd, 0);
	echo(other, 0x7fffffff);
	EXPECT(errno == EXDEV);
	EXPECT_FAILS(ioctl(fd, FAKE_FAIL, EPERM), EPERM);
	EXPECT_FAILS(ioctl(fd, FAKE_FAIL, ENOENT), ENOENT);
	EXPECT_FAILS(ioctl(fd, 0xc0284899, p), EINVAL);
	EXPECT_FAILS(ioctl(fd, FIONREAD, p), EINVAL);
	EXPECT(ioctl(fd, FAKE_READ, p) == 0xa5);
	EXPECT(close(fd) == 0);
	echo(other, 5);
}

void case_maps(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *at = page(0, 2), *m, vec = 0;
	int fd = open_device();

	EXPECT_FAILS(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
	EXPECT_FAILS(mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
	m = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
		 (off_t)size);
	EXPECT(m == at && memcmp(m, "mapped", 6) == 0);
	EXPECT(mincore(m, size, &vec) == 0 && (vec & 1));
	m[0] = 'M';
	m = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT(m != MAP_FAILED && m[0] == 'm');
	EXPECT(dup(fd) == fd + 1);	/* the memory's descriptor is closed */
}

void case_closes(void)
{
	int fd = open_device(), other = dup(fd);

	EXPECT(close(other) == 0);	/* not the last */
	EXPECT(close(fd) == 0);		/* the last */
	EXPECT_FAILS(close(fd), EBADF);
}

void case_protects(void)
{
	unsigned char *p = page(0, 2);

	EXPECT(mprotect(p, 1, PROT_READ) == 0);	/* no session yet */
	(void)open_device();
	errno = EXDEV;
	EXPECT(mprotect(p, 4097, PROT_READ | PROT_WRITE) == 0);
	EXPECT(errno == EXDEV);
	EXPECT_FAILS(mprotect(p + 1, 1, PROT_READ), EINVAL);
	EXPECT(mprotect(p, 0, PROT_READ) == 0);
}

/* madvise, mremap, mincore: what they return, errno and effect are libc's. */
void case_tells(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char *p = page(3, 2), *q = page(4, 2), *to, vec[2] = { 0, 0 };

	EXPECT(madvise(p, size, MADV_FREE) == 0);	/* no session yet */
	EXPECT(mincore(p, size, vec) == 0);
	to = mremap(p, size, size, 0);
	EXPECT(to == p);
	(void)open_device();
	memset(p, 3, size);
	errno = EXDEV;
	EXPECT(madvise(p, 2 * size, MADV_FREE) == 0);
	EXPECT(madvise(p + size, size, MADV_DONTNEED) == 0 && !p[size]);
	EXPECT(mincore(q, 2 * size, vec) == 0 && (vec[0] & vec[1] & 1));
	EXPECT(errno == EXDEV);
	EXPECT_FAILS(madvise(p + 1, size, MADV_FREE), EINVAL);
	EXPECT_FAILS(madvise(p, size, 12345), EINVAL);
	EXPECT_FAILS(mincore(q + 1, size, vec), EINVAL);
	EXPECT_FAILS(mremap(p, size, 2 * size, 0), ENOMEM);
	EXPECT_FAILS(mremap(p + 1, size, size, 0), EINVAL);
	to = mremap(q, 2 * size, 2 * size, MREMAP_MAYMOVE | MREMAP_FIXED, p);
	EXPECT(to == p && p[0] == 4 && p[size] == 4);
}

/* Is there anything in the page at @p? */
static bool is_present(const unsigned char *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	EXPECT(pread(fd, &entry, sizeof(entry),
		     (off_t)((uintptr_t)p / (size_t)sysconf(_SC_PAGESIZE) *
			     sizeof(entry))) == sizeof(entry));
	EXPECT(close(fd) == 0);
	return entry >> 63;
}

void case_hands(void)
{
	unsigned char *p = page(0x5a, 2);
	unsigned char *locked = page(0x5a, 1);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int fd = open_device();

	EXPECT(ioctl(fd, FAKE_ZAP, p) == 0);
	EXPECT(p[0] == 0 && p[size] == 0x5a);
	EXPECT(ioctl(fd, FAKE_ZAP_BY_AGENT, p + size) == 0);
	EXPECT(p[size] == 0);
	EXPECT(mlock(locked, size) == 0);
	EXPECT(ioctl(fd, FAKE_ZAP, locked) == 0);
	EXPECT(locked[0] == 0);
	EXPECT_FAILS(ioctl(fd, FAKE_ZAP_BAD, 0), ENOMEM);
	EXPECT(madvise(p, 2 * size, MADV_DONTNEED) == 0);
	EXPECT(!is_present(p) && !is_present(p + size));
	EXPECT(ioctl(fd, FAKE_FILL_READ, p) == 0);
	EXPECT(ioctl(fd, FAKE_FILL_WRITE, p + size) == 0);
	EXPECT(is_present(p) && is_present(p + size));
	echo(fd, 1);
}

void case_no_daemon(void)
{
	EXPECT_FAILS(open(DEVICE, O_RDWR), ENODEV);
	EXPECT(dup(0) == 3);	/* nothing is left open */
}

/* NOLINTEND(android-cloexec-*) */
