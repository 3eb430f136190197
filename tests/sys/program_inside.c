/* SPDX-License-Identifier: MIT */
/* program_inside.c - the program's side of program.h */
#include "program_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/pagesize.h"
#include "window_inside.h"

#define LIFETIME_S 50
#define NOBODY 65534
/* The first place for a mapping of a test, and from one to the next. */
#define LONELY UINT64_C(0x200000000000)
#define LONELY_STEP (UINT64_C(64) << 20)

int prog_open_uffd(void)
{
	int flags = O_CLOEXEC | O_NONBLOCK;
	int fd = (int)syscall(SYS_userfaultfd, flags);

	if (fd < 0)
		fd = (int)syscall(SYS_userfaultfd,
				  flags | UHMM_UFFD_USER_MODE_ONLY);
	return fd;
}

/* UFFDIO_API with as much as there is of what is wanted; what was asked for. */
static uint64_t enable(int uffd, unsigned int flags)
{
	uint64_t always = UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
			  UFFD_FEATURE_EVENT_UNMAP |
			  UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			  (PROG_MOVES ? UHMM_UFFD_FEATURE_MOVE : 0);
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = always | UHMM_UFFD_FEATURE_WP_UNPOPULATED,
	};

	if (!(flags & PROG_NO_MARKERS) && ioctl(uffd, UFFDIO_API, &api) == 0)
		return always | UHMM_UFFD_FEATURE_WP_UNPOPULATED;
	api = (struct uffdio_api){ .api = UFFD_API, .features = always };
	return ioctl(uffd, UFFDIO_API, &api) == 0 ? always : 0;
}

static int hands_uffd;	/* to move with */

static void drop_privilege(void)
{
	if (getuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		_exit(3);
	/* its own /proc files, and to die with the test */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void send_fds(int sock, const int *fds, uint64_t features)
{
	char control[CMSG_SPACE(PROG_NR_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { &features, sizeof(features) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(PROG_NR_FDS * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, PROG_NR_FDS * sizeof(int));
	if (sendmsg(sock, &msg, 0) < 0)
		_exit(4);
}

static void hand_over(int sock, unsigned int flags)
{
	int fds[PROG_NR_FDS];
	uint64_t features;

	if (flags & PROG_NOBODY)
		drop_privilege();
	fds[0] = prog_open_uffd();
	fds[1] = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	fds[2] = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	fds[3] = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	features = enable(fds[0], flags);
	send_fds(sock, fds, features);
	for (int i = PROG_MOVES; i < PROG_NR_FDS; i++)
		close(fds[i]);
	hands_uffd = PROG_MOVES ? fds[0] : -1;
}

/*
 * The test orders the commands of both threads; the thread sanitizer, which
 * cannot see that, sees this.
 */
static void in_order(void)
{
	static int order;

	__atomic_add_fetch(&order, 1, __ATOMIC_ACQ_REL);
}

static void *obey(void *arg)
{
	int sock = *(int *)arg;
	struct prog_command cmd;

	while (recv(sock, &cmd, sizeof(cmd), 0) == sizeof(cmd)) {
		long ret;

		in_order();
		ret = cmd.fn(cmd.arg[0], cmd.arg[1], cmd.arg[2]);
		in_order();
		if (send(sock, &ret, sizeof(ret), 0) < 0)
			break;
	}
	return NULL;
}

static int zap(void *addr, size_t bytes)
{
	int ret = madvise(addr, bytes, UHMM_MADV_DONTNEED_LOCKED);

	return ret < 0 && errno == EINVAL ?
	       madvise(addr, bytes, MADV_DONTNEED) : ret;
}

static int protect(void *addr, size_t bytes, unsigned int op)
{
	if (op == UHMM_ENGINE_TELL)
		return 0;
	if (op == UHMM_ENGINE_GUARD)
		return madvise(addr, bytes, UHMM_MADV_GUARD_INSTALL);
	if (op == UHMM_ENGINE_UNGUARD)
		return madvise(addr, bytes, UHMM_MADV_GUARD_REMOVE);
	return mprotect(addr, bytes, (int)(op - UHMM_ENGINE_MPROTECT));
}

static int do_hands(const struct prog_hands *cmd)
{
	for (unsigned int i = 0; i < cmd->n; i++) {
		void *addr = (void *)uhmm_addr_of(cmd->range[i].start);
		size_t bytes = uhmm_bytes_of(uhmm_range_npages(cmd->range[i]));
		int ret;

		if (cmd->op == UHMM_ENGINE_ZAP)
			ret = zap(addr, bytes);
		else if (cmd->op == UHMM_ENGINE_POPULATE_READ)
			ret = madvise(addr, bytes, UHMM_MADV_POPULATE_READ);
		else if (cmd->op == UHMM_ENGINE_COLLAPSE)
			ret = madvise(addr, bytes, UHMM_MADV_COLLAPSE);
		else if (cmd->op == UHMM_ENGINE_COLD)
			ret = madvise(addr, bytes, MADV_COLD);
		else if (cmd->op == UHMM_ENGINE_POPULATE_WRITE)
			ret = madvise(addr, bytes, UHMM_MADV_POPULATE_WRITE);
		else
			ret = protect(addr, bytes, cmd->op);
		if (ret < 0)
			return -errno;
	}
	return 0;
}

static void *lend_hands(void *arg)
{
	int sock = *(int *)arg;
	struct prog_hands cmd;

	while (recv(sock, &cmd, sizeof(cmd), 0) == sizeof(cmd)) {
		struct prog_hands_reply reply = { .moved = 0 };

		if (is_for_window(cmd.op))
			reply = do_window(hands_uffd, &cmd);
		else
			reply.error = do_hands(&cmd);
		if (send(sock, &reply, sizeof(reply), 0) < 0)
			break;
	}
	return NULL;
}

void prog_run(int *channel, int output, unsigned int flags)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFETIME_S);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	hand_over(channel[PROG_MAIN], flags);
	if (pthread_create(&thread, NULL, obey, &channel[PROG_SECOND]) ||
	    pthread_create(&thread, NULL, lend_hands, &channel[PROG_HANDS]))
		_exit(5);
	obey(&channel[PROG_MAIN]);
	_exit(0);
}

/* Far from where the kernel puts what has no place of its own: holes that a test
 * makes there stay, whatever a sanitizer's runtime maps meanwhile. */
long in_map(long npages, long prot, long flags)
{
	static uintptr_t at = LONELY;
	uint64_t bytes = uhmm_bytes_of((uint64_t)npages);
	void *mem = mmap((void *)at, bytes, (int)prot, (int)flags, -1, 0);

	at += (bytes / LONELY_STEP + 1) * LONELY_STEP;
	return (long)mem;
}

/* A file whose pages hold their number, negative. */
static int make_file(long npages)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	for (long i = 0; fd >= 0 && i < npages; i++) {
		long word = -i - 1;

		if (pwrite(fd, &word, sizeof(word), i * getpagesize()) < 0)
			return -1;
	}
	if (fd >= 0 && ftruncate(fd, npages * getpagesize()) < 0)
		return -1;
	return fd;
}

static int last_file = -1;

long in_map_numbered(long npages, long prot, long flags)
{
	int fd = make_file(npages);
	void *map = mmap(NULL, uhmm_bytes_of((uint64_t)npages), (int)prot,
			 (int)flags, fd, 0);

	if (last_file >= 0)
		close(last_file);
	last_file = fd;
	return (long)map;
}

long in_truncate(long npages, long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return ftruncate(last_file, npages * getpagesize());
}

long in_map_at(long addr, long npages, long unused)
{
	(void)unused;
	return (long)mmap((void *)addr, uhmm_bytes_of((uint64_t)npages),
			  PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			  -1, 0);
}

long in_unmap(long addr, long bytes, long unused)
{
	(void)unused;
	return munmap((void *)addr, (size_t)bytes);
}

long in_protect(long addr, long bytes, long prot)
{
	return mprotect((void *)addr, (size_t)bytes, (int)prot);
}

/* Threads of the program touch the same words. */
static long get(const long *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void put(long *p, long value)
{
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
}

long in_fill(long addr, long npages, long unused)
{
	(void)unused;
	for (long i = 0; i < npages; i++)
		put((long *)(addr + i * getpagesize()), i + 1);
	return 0;
}

long in_sum(long addr, long npages, long unused)
{
	long sum = 0;

	(void)unused;
	for (long i = 0; i < npages; i++)
		sum += get((long *)(addr + i * getpagesize()));
	return sum;
}

long in_read(long addr, long unused, long unused2)
{
	(void)unused;
	(void)unused2;
	return get((long *)addr);
}

long in_write(long addr, long value, long unused)
{
	(void)unused;
	put((long *)addr, value);
	return value;
}

static sigjmp_buf before_segv;

static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(before_segv, 1);
}

long in_try(long addr, long write, long unused)
{
	struct sigaction act = { .sa_handler = on_segv }, old;
	volatile long ret = -1;

	(void)unused;
	sigaction(SIGSEGV, &act, &old);
	if (!sigsetjmp(before_segv, 1)) {
		if (write)
			put((long *)addr, write);
		else
			(void)get((long *)addr);
		ret = 0;
	}
	sigaction(SIGSEGV, &old, NULL);
	return ret;
}

long in_madvise(long addr, long bytes, long advice)
{
	return madvise((void *)addr, (size_t)bytes, (int)advice) < 0 ? -errno :
								       0;
}

long in_remap(long addr, long bytes, long new_addr)
{
	int flags = MREMAP_MAYMOVE | (new_addr ? MREMAP_FIXED : 0);

	return (long)mremap((void *)addr, (size_t)bytes, (size_t)bytes, flags,
			    (void *)new_addr);
}
