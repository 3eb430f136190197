/* SPDX-License-Identifier: MIT */
/* conf_userfaultfd.c - the device and a userfaultfd of the program's own
 *
 * The kernel's test userfaultfd_read and what is around it: READ_UNLOCKED waits
 * for the program to answer a fault, READ cannot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conf.h"

#define RW (PROT_READ | PROT_WRITE)
#define NPAGES 4
#define VALUE 0xab

static int fd, uffd;
static unsigned char *mem, *buf;

static void register_range(uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)mem, NPAGES * page_bytes },
		.mode = mode,
	};

	errno = 41;
	CHECK(!ioctl(uffd, UFFDIO_REGISTER, &reg), "%s", strerror(errno));
	CHECK(errno == 41, "errno is %d", errno);
}

static void set_up(void)
{
	struct uffdio_api api = { .api = UFFD_API };

	fd = probe_open(0);
	mem = probe_map(NPAGES, RW);
	buf = probe_map(NPAGES, RW);
	/* as the kernel's test does, by a bare system call */
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		probe_skip("no userfaultfd: %s", strerror(errno));
}

/* Answers with pages of VALUE. */
static void *answer(void *unused)
{
	struct pollfd pollfd = { .fd = uffd, .events = POLLIN };
	unsigned char *page = aligned_alloc(page_bytes, page_bytes);
	struct uffd_msg msg;

	memset(page, VALUE, page_bytes);
	while (poll(&pollfd, 1, -1) == 1) {
		struct uffdio_copy copy = { .src = (uintptr_t)page,
					    .len = page_bytes };

		if (read(uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		CHECK(msg.event == UFFD_EVENT_PAGEFAULT, "event %u", msg.event);
		copy.dst = msg.arg.pagefault.address & -(uint64_t)page_bytes;
		CHECK(!ioctl(uffd, UFFDIO_COPY, &copy), "%s", strerror(errno));
	}
	return unused;
}

static void start(void)
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, answer, NULL), "pthread_create");
}

static void is_value(const unsigned char *p, const char *what)
{
	for (size_t i = 0; i < NPAGES * page_bytes; i++)
		CHECK(p[i] == VALUE, "%s: byte %zu is %#x", what, i, p[i]);
}

static void read_unlocked(unsigned int faults)
{
	struct uhmm_dmirror_cmd cmd;
	int ret = probe_try(fd, UHMM_DMIRROR_READ_UNLOCKED, mem, NPAGES, buf,
			    &cmd);

	CHECK(ret == 0 && cmd.cpages == NPAGES && cmd.faults == faults,
	      "%s, %d pages, %d faults", strerror(-ret), (int)cmd.cpages,
	      (int)cmd.faults);
}

static void unlocked_waits(void)
{
	register_range(UFFDIO_REGISTER_MODE_MISSING);
	start();
	read_unlocked(1);
	is_value(buf, "the device");
	is_value(mem, "the CPU");
}

static void locked_cannot_wait(void)
{
	int ret;

	register_range(UFFDIO_REGISTER_MODE_MISSING);
	start();
	memset(buf, 1, page_bytes);
	ret = probe_try(fd, UHMM_DMIRROR_READ, mem, NPAGES, buf, NULL);
	CHECK(ret == -EFAULT, "READ: %s", strerror(-ret));
	CHECK(buf[0] == 1, "READ failed and wrote");
	ret = probe_try(fd, UHMM_DMIRROR_WRITE, mem, NPAGES, buf, NULL);
	CHECK(ret == -EFAULT, "WRITE: %s", strerror(-ret));
	/* what is there needs nobody */
	for (size_t i = 0; i < NPAGES; i++)
		CHECK(mem[i * page_bytes] == VALUE, "the CPU");
	probe_do(fd, UHMM_DMIRROR_READ, mem, NPAGES, buf);
	is_value(buf, "READ");
	memset(buf, 7, NPAGES * page_bytes);
	probe_do(fd, UHMM_DMIRROR_WRITE, mem, NPAGES, buf);
	CHECK(mem[page_bytes] == 7, "WRITE");
}

/* Without a userfaultfd it is READ. */
static void unlocked_is_read(void)
{
	struct uhmm_dmirror_cmd cmd;

	probe_fill(mem, NPAGES, 3);
	read_unlocked(1);
	probe_verify(buf, NPAGES, 3, "the device");
	read_unlocked(0);
	CHECK(!mprotect(mem, page_bytes, PROT_NONE), "mprotect");
	CHECK(probe_try(fd, UHMM_DMIRROR_READ_UNLOCKED, mem, NPAGES, buf,
			&cmd) == -EFAULT, "PROT_NONE");
	probe_unmap(mem, 1);
	CHECK(probe_try(fd, UHMM_DMIRROR_READ_UNLOCKED, mem, NPAGES, buf,
			&cmd) == -EFAULT, "a hole");
	CHECK(probe_try(fd, UHMM_DMIRROR_READ_UNLOCKED, mem + 1, 1, buf,
			&cmd) == -EINVAL, "not aligned");
}

/* What the device knows of a range is no reason to refuse it to the program. */
static void registers_what_the_device_knows(void)
{
	probe_fill(mem, NPAGES, 5);
	probe_do(fd, UHMM_DMIRROR_READ, mem, NPAGES, buf);
	register_range(UFFDIO_REGISTER_MODE_MISSING);
	probe_do(fd, UHMM_DMIRROR_READ, mem, NPAGES, buf);
	probe_verify(buf, NPAGES, 5, "READ");
	probe_verify(mem, NPAGES, 5, "the CPU");
	start();
	CHECK(!madvise(mem, NPAGES * page_bytes, MADV_DONTNEED), "madvise");
	read_unlocked(1);
	is_value(buf, "READ_UNLOCKED");
}

static void registers_what_the_device_has(void)
{
	probe_fill(mem, NPAGES, 6);
	probe_to_dev(fd, mem, NPAGES);
	register_range(UFFDIO_REGISTER_MODE_MISSING);
	start();
	probe_verify(mem, NPAGES, 6, "the CPU");
}

/* Private memory of a file, trapped without any userfaultfd. What the program's
 * own has does not leave any more, or could come back only when that answers;
 * here nobody does. */
static void registers_private_copies(void)
{
	int file = memfd_create("file", MFD_CLOEXEC);

	CHECK(file >= 0 && !ftruncate(file, (off_t)(NPAGES * page_bytes)),
	      "%s", strerror(errno));
	mem = mmap(NULL, NPAGES * page_bytes, RW, MAP_PRIVATE, file, 0);
	CHECK(mem != MAP_FAILED, "%s", strerror(errno));
	probe_fill(mem, NPAGES, 7);
	probe_to_dev(fd, mem, NPAGES);
	register_range(UFFDIO_REGISTER_MODE_MISSING);
	probe_verify(mem, NPAGES, 7, "the CPU");
	probe_fill(mem, NPAGES, 8);
	(void)probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, mem, NPAGES, buf,
			NULL);
	probe_verify(mem, NPAGES, 8, "the CPU again");
}

static const struct conf_case cases[] = {
	{ "unlocked_waits",
	  "READ_UNLOCKED: the program's userfaultfd answers (userfaultfd_read)",
	  unlocked_waits },
	{ "locked_cannot_wait",
	  "READ and WRITE cannot wait for it: EFAULT, unless the page is there",
	  locked_cannot_wait },
	{ "unlocked_is_read", "READ_UNLOCKED is READ in all else",
	  unlocked_is_read },
	{ "registers_what_the_device_knows",
	  "UFFDIO_REGISTER of a range that the device has read",
	  registers_what_the_device_knows },
	{ "registers_what_the_device_has",
	  "UFFDIO_REGISTER of a range that is on the device: no byte is lost",
	  registers_what_the_device_has },
	{ "registers_private_copies",
	  "the same of private pages of a file; they stay from then on",
	  registers_private_copies },
};

CONF_MAIN("userfaultfd", set_up, cases)
