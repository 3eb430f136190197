/* SPDX-License-Identifier: MIT */
/* conf_memory_kinds.c - where a program's memory comes from: heap, stacks,
 * shared memory, huge pages; and the descriptor of the device (spec 4.5, 2.2)
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ranges.h"

#define RW (PROT_READ | PROT_WRITE)
#define N RANGE_NPAGES

static size_t bytes_of(size_t npages)
{
	return npages * page_bytes;
}

/* ---- heap ---- */

static void heap_in(enum range_state state)
{
	unsigned char *start, *p;

	/* up to a page, then N of our own */
	start = sbrk((intptr_t)(-(uintptr_t)sbrk(0) % page_bytes));
	p = sbrk((intptr_t)bytes_of(N));
	CHECK(p != (void *)-1 && start, "sbrk");
	p = (unsigned char *)((uintptr_t)p & -page_bytes);
	probe_fill(p, N, RANGE_SEED);
	range_put(p, N, state);
	CHECK(sbrk((intptr_t)bytes_of(4)) != (void *)-1, "sbrk");
	range_at(p, N)[0] = 1;
	range_is(p, 0, N, "the heap grew");
	range_put(p, N, state);
	CHECK(!brk(range_at(p, 5)), "brk");
	range_is(p, 0, 5, "the heap shrank");
	CHECK(!brk(range_at(p, N)), "brk");
	probe_verify_zero(range_at(p, 5), N - 5, "and grew again");
	CHECK(!brk(p), "brk");
}

static void heap(void)
{
	for (int state = 0; state < RANGE_STATES; state++)
		heap_in((enum range_state)state);
}

static void small_blocks(void)
{
	unsigned char *block[200];
	unsigned char copy[65536 * 2];

	for (size_t i = 0; i < 200; i++) {
		uintptr_t page;

		block[i] = malloc(300);
		memset(block[i], (int)i, 300);
		page = (uintptr_t)block[i] & -page_bytes;
		probe_do(dev0, UHMM_DMIRROR_MIGRATE_TO_DEV, (void *)page, 1,
			 copy);
		if (i % 3 == 2) {
			free(block[i - 1]);
			block[i - 1] = NULL;
		}
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t j = 0; block[i] && j < 300; j++)
			CHECK(block[i][j] == (unsigned char)i, "block %zu", i);
}

/* ---- stacks ---- */

struct stack {
	unsigned char *low, *high;	/* its pages, about */
	sem_t ready, go;
	uint32_t sum;
};

static void *sit(void *arg)
{
	struct stack *s = arg;
	volatile uint32_t local[8192];

	for (uint32_t i = 0; i < 8192; i++)
		local[i] = i * 7 + 1;
	/* not the page that what it calls next may use */
	s->low = (unsigned char *)((uintptr_t)local & -page_bytes) + page_bytes;
	s->high = (unsigned char *)((uintptr_t)(local + 8192) & -page_bytes);
	sem_post(&s->ready);
	while (sem_wait(&s->go) && errno == EINTR)
		;
	for (uint32_t i = 0; i < 8192; i++)
		s->sum += local[i];
	return NULL;
}

static void other_stack_in(enum range_state state)
{
	struct stack *s = calloc(1, sizeof(*s));
	uint32_t want = 0;
	pthread_t thread;
	size_t npages;

	sem_init(&s->ready, 0, 0);
	sem_init(&s->go, 0, 0);
	CHECK(!pthread_create(&thread, NULL, sit, s), "thread");
	sem_wait(&s->ready);
	npages = (size_t)(s->high - s->low) / page_bytes;
	for (size_t i = 0; i < npages; i++) {
		unsigned char copy[65536];
		unsigned long nr = state == RANGE_EXCLUSIVE ||
						   (state == RANGE_MIXED && i % 2) ?
					   UHMM_DMIRROR_EXCLUSIVE :
					   UHMM_DMIRROR_MIGRATE_TO_DEV;

		probe_do(dev0, nr, range_at(s->low, i), 1, copy);
	}
	CHECK(range_away(s->low, npages) == npages, "%zu of %zu are away",
	      range_away(s->low, npages), npages);
	sem_post(&s->go);
	CHECK(!pthread_join(thread, NULL), "join");
	for (uint32_t i = 0; i < 8192; i++)
		want += i * 7 + 1;
	CHECK(s->sum == want, "%#x, not %#x", s->sum, want);
	free(s);
}

static void other_stacks(void)
{
	for (int state = 0; state < RANGE_STATES; state++)
		other_stack_in((enum range_state)state);
}

/* ---- shared memory ---- */

static void stays(unsigned char *p, int err)
{
	unsigned char *copy = malloc(bytes_of(N));
	int ret = probe_try(dev0, UHMM_DMIRROR_MIGRATE_TO_DEV, p, N, copy,
			    NULL);

	CHECK(ret == err, "MIGRATE_TO_DEV: %d", ret);
	CHECK(probe_where(dev0, p, N).on_device == 0, "it migrated");
	ret = probe_try(dev0, UHMM_DMIRROR_EXCLUSIVE, p, N, copy, NULL);
	CHECK(ret == -EOPNOTSUPP, "EXCLUSIVE: %d", ret);
	free(copy);
}

static void shared(void)
{
	unsigned char *p = mmap(NULL, bytes_of(N), RW,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned char *copy = malloc(bytes_of(N));
	pid_t pid;

	CHECK(p != MAP_FAILED, "mmap");
	probe_fill(p, N, RANGE_SEED);
	stays(p, -ENOENT);
	range_readable(p, 0, N);
	pid = fork();
	if (pid == 0) {
		/* the child's own device writes where the parent looks */
		int fd = probe_open(0);

		probe_fill(copy, N, 5);
		probe_do(fd, UHMM_DMIRROR_WRITE, p, N, copy);
		_exit(0);
	}
	probe_wait(pid, "child");
	probe_verify(p, N, 5, "the parent sees it");
	free(copy);
}

#define HUGE_BYTES (2ul << 20)

static void huge_pages(void)
{
	unsigned char *p = mmap(NULL, HUGE_BYTES, RW,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1,
				0);
	unsigned char *copy = malloc(bytes_of(N)), seen[N];

	if (p == MAP_FAILED)
		probe_skip("no huge page: %s", strerror(errno));
	probe_fill(p, N, RANGE_SEED);
	stays(p, -EINVAL);
	CHECK(probe_try(dev0, UHMM_DMIRROR_MIGRATE_TO_SYS, p, N, NULL, NULL) ==
		      -EINVAL, "MIGRATE_TO_SYS");
	range_readable(p, 0, N);
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, N, seen);
	CHECK(seen[3] == (UHMM_DMIRROR_PROT_WRITE | UHMM_DMIRROR_PROT_PMD),
	      "%02x", seen[3]);
	probe_fill(copy, N, 9);
	probe_do(dev0, UHMM_DMIRROR_WRITE, p, N, copy);
	probe_verify(p, N, 9, "the CPU sees it");
	CHECK(!mprotect(p, HUGE_BYTES, PROT_READ), "mprotect");
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, N, seen);
	CHECK(seen[3] == (UHMM_DMIRROR_PROT_READ | UHMM_DMIRROR_PROT_PMD),
	      "%02x", seen[3]);
	free(copy);
}

/* A mapping of the device: ordinary pages, there from the start, that stay. */
static void device_memory(void)
{
	unsigned char *p = mmap(NULL, bytes_of(4), RW, MAP_PRIVATE, dev0, 0);
	unsigned char *q = mmap(NULL, bytes_of(4), RW, MAP_SHARED, dev0, 0);
	unsigned char seen[4], copy[4 * 65536];

	CHECK(p != MAP_FAILED && q != MAP_FAILED, "%s", strerror(errno));
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, 4, seen);
	CHECK(seen[0] == UHMM_DMIRROR_PROT_READ && seen[3] == seen[0], "%02x",
	      seen[0]);
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, q, 4, seen);
	CHECK(seen[0] == UHMM_DMIRROR_PROT_WRITE, "%02x", seen[0]);
	probe_verify_zero(p, 4, "new");
	p[0] = 1;
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, 4, seen);
	CHECK(seen[0] == UHMM_DMIRROR_PROT_WRITE &&
		      seen[1] == UHMM_DMIRROR_PROT_READ, "%02x %02x", seen[0],
	      seen[1]);
	CHECK(probe_try(dev0, UHMM_DMIRROR_MIGRATE_TO_DEV, p, 4, copy, NULL) ==
		      -EINVAL, "it migrated");
}

/* What a child shared is read-only until it is written, whoever is left. */
static void device_memory_forked(void)
{
	unsigned char *p = mmap(NULL, bytes_of(4), RW, MAP_PRIVATE, dev0, 0);
	unsigned char seen[4], *q;
	pid_t pid;

	CHECK(p != MAP_FAILED, "%s", strerror(errno));
	p[0] = p[page_bytes] = 1;
	pid = fork();
	if (pid == 0) {
		CHECK(p[0] == 1 && p[bytes_of(2)] == 0, "other data");
		p[0] = p[bytes_of(2)] = 2;
		_exit(0);
	}
	probe_wait(pid, "child");
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, 4, seen);
	for (size_t i = 0; i < 4; i++)
		CHECK(seen[i] == UHMM_DMIRROR_PROT_READ, "page %zu: %02x", i,
		      seen[i]);
	CHECK(p[0] == 1 && p[bytes_of(2)] == 0, "the child's data");
	p[page_bytes] = 3;
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, 4, seen);
	CHECK(seen[0] == UHMM_DMIRROR_PROT_READ &&
		      seen[1] == UHMM_DMIRROR_PROT_WRITE, "%02x %02x", seen[0],
	      seen[1]);
	q = mremap(p, bytes_of(4), bytes_of(4), MREMAP_MAYMOVE | MREMAP_FIXED,
		   probe_map(4, RW));
	CHECK(q != MAP_FAILED, "mremap: %s", strerror(errno));
	CHECK(q[0] == 1 && q[page_bytes] == 3, "moved");
}

/* What is dropped is gone, for who dropped it. */
static void device_memory_dropped(void)
{
	unsigned char *p = mmap(NULL, bytes_of(4), RW, MAP_PRIVATE, dev0, 0);
	unsigned char *q = mmap(NULL, bytes_of(4), RW, MAP_SHARED, dev0, 0);
	unsigned char seen[4], copy[4 * 65536];
	pid_t pid;

	CHECK(p != MAP_FAILED && q != MAP_FAILED, "%s", strerror(errno));
	p[page_bytes] = q[page_bytes] = 1;
	pid = fork();
	if (pid == 0) {
		CHECK(!madvise(p + page_bytes, bytes_of(2), MADV_DONTNEED) &&
			      !madvise(q, bytes_of(2), MADV_DONTNEED),
		      "madvise: %s", strerror(errno));
		for (size_t i = 0; i < 4; i++) {
			uint32_t *at = (uint32_t *)(p + bytes_of(i));

			CHECK(probe_dies_of(at, i % 2) ==
				      (i == 1 || i == 2 ? SIGBUS : 0),
			      "private page %zu", i);
			at = (uint32_t *)(q + bytes_of(i));
			CHECK(probe_dies_of(at, i % 2) == (i < 2 ? SIGBUS : 0),
			      "shared page %zu", i);
		}
		_exit(0);
	}
	probe_wait(pid, "child");
	CHECK(p[page_bytes] == 1 && q[page_bytes] == 1, "the child's");
	CHECK(!madvise(p + page_bytes, bytes_of(2), MADV_DONTNEED), "madvise");
	probe_do(dev0, UHMM_DMIRROR_SNAPSHOT, p, 4, seen);
	CHECK(seen[0] == UHMM_DMIRROR_PROT_READ && seen[1] == 0 &&
		      seen[2] == 0 && seen[3] == UHMM_DMIRROR_PROT_READ,
	      "%02x %02x %02x %02x", seen[0], seen[1], seen[2], seen[3]);
	CHECK(probe_try(dev0, UHMM_DMIRROR_READ, p, 4, copy, NULL) == -EFAULT,
	      "it could be read");
	CHECK(probe_try(dev0, UHMM_DMIRROR_READ, p, 1, copy, NULL) == 0,
	      "page 0 could not");
	CHECK(!munmap(p, bytes_of(4)) && !munmap(q, bytes_of(4)), "munmap");
}

/* ---- the descriptor ---- */

static void through_dup(void)
{
	unsigned char *p = range_make(RANGE_ON_DEVICE);
	int other = fcntl(dev0, F_DUPFD_CLOEXEC, 0), third = fcntl(dev0, F_DUPFD_CLOEXEC, 100);

	/* the pages are the open's, and no other open has them in its table */
	CHECK(!close(dev0) && !close(other), "close");
	CHECK(range_away(p, N) == N, "close of one of three brought pages back");
	CHECK(probe_where(third, p, N).on_device == N, "not on the device");
	range_is(p, 0, N, "read");
	probe_to_dev(third, p, N);
	CHECK(!close(third), "close");
	CHECK(range_away(p, N) == 0, "the last close left pages on the device");
	range_is(p, 0, N, "after the last close");
}

static void send_fd(int sock, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	CHECK(sendmsg(sock, &msg, 0) == 1, "%s", strerror(errno));
}

static int receive_fd(int sock)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	int fd;

	CHECK(recvmsg(sock, &msg, 0) == 1, "%s", strerror(errno));
	CHECK(CMSG_FIRSTHDR(&msg), "no descriptor came");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void opener(int sock)
{
	unsigned char *p, *q;

	range_set_up();	/* its own opens, not those it inherited */
	p = range_make(RANGE_MIXED);
	send_fd(sock, dev0);
	CHECK(write(sock, &p, sizeof(p)) == sizeof(p), "write");
	CHECK(read(sock, &q, sizeof(q)) == sizeof(q), "read");
	range_is(p, 0, N, "the opener");
	_exit(0);
}

/* Whoever has the open asks about the opener's memory, into his own. */
static void passed_on(void)
{
	unsigned char *p, *copy = malloc(bytes_of(N));
	int end[2], fd;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, end), "socketpair");
	pid = fork();
	if (pid == 0) {
		close(end[0]);
		opener(end[1]);
	}
	close(end[1]);
	fd = receive_fd(end[0]);
	CHECK(read(end[0], &p, sizeof(p)) == sizeof(p), "read");
	probe_do(fd, UHMM_DMIRROR_READ, p, N, copy);
	range_is(copy, 0, N, "the opener's memory");
	CHECK(write(end[0], &p, sizeof(p)) == sizeof(p), "write");
	probe_wait(pid, "opener");
	CHECK(probe_try(fd, UHMM_DMIRROR_READ, p, N, copy, NULL) == -EFAULT,
	      "READ after the opener is gone");
	CHECK(probe_try(fd, UHMM_DMIRROR_MIGRATE_TO_DEV, p, N, copy, NULL) ==
		      -EINVAL, "MIGRATE_TO_DEV");
	free(copy);
}

static const struct conf_case cases[] = {
	{ "heap", "brk grows and shrinks over pages that are away", heap },
	{ "small_blocks", "malloc and free on pages that leave again and again",
	  small_blocks },
	{ "other_stacks", "the stack of another thread leaves while it sleeps",
	  other_stacks },
	/* S2.1 */
	{ "shared", "shared memory: ENOENT; the device works in place", shared },
	/* S2.1 */
	{ "hugetlb", "MAP_HUGETLB: EINVAL; the device works in place",
	  huge_pages },
	{ "device_mmap", "mmap of the device: pages that are there and stay",
	  device_memory },
	{ "device_mmap_fork", "and that a fork shares until they are written",
	  device_memory_forked },
	{ "device_mmap_dropped", "and what is dropped of it is SIGBUS",
	  device_memory_dropped },
	{ "dup", "dup: one open, until the last reference is closed",
	  through_dup },
	{ "scm_rights", "the open, passed on: the opener's memory, even when gone",
	  passed_on },
};

CONF_MAIN("memory_kinds", range_set_up, cases)
