/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/pagesize.h"

#define LIFETIME_S 50
#define NOBODY 65534
#define NR_FDS 4

struct command {
	prog_fn fn;
	long arg[3];
};

struct hands_command {
	unsigned int op;
	unsigned int n;
	struct uhmm_range range[UHMM_ENGINE_HANDS_MAX];
};

/* The program's side */

static int open_uffd(void)
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
			  UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = always | UHMM_UFFD_FEATURE_WP_UNPOPULATED,
	};

	if (!(flags & PROG_NO_MARKERS) && ioctl(uffd, UFFDIO_API, &api) == 0)
		return always | UHMM_UFFD_FEATURE_WP_UNPOPULATED;
	api = (struct uffdio_api){ .api = UFFD_API, .features = always };
	return ioctl(uffd, UFFDIO_API, &api) == 0 ? always : 0;
}

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
	char control[CMSG_SPACE(NR_FDS * sizeof(int))] = { 0 };
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
	cmsg->cmsg_len = CMSG_LEN(NR_FDS * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, NR_FDS * sizeof(int));
	if (sendmsg(sock, &msg, 0) < 0)
		_exit(4);
}

static void hand_over(int sock, unsigned int flags)
{
	int fds[NR_FDS];
	uint64_t features;

	if (flags & PROG_NOBODY)
		drop_privilege();
	fds[0] = open_uffd();
	fds[1] = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	fds[2] = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	fds[3] = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	features = enable(fds[0], flags);
	send_fds(sock, fds, features);
	for (int i = 0; i < NR_FDS; i++)
		close(fds[i]);
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
	struct command cmd;

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
	int ret = madvise(addr, bytes, MADV_DONTNEED);

	return ret < 0 && errno == EINVAL ?
	       madvise(addr, bytes, UHMM_MADV_DONTNEED_LOCKED) : ret;
}

static int do_hands(const struct hands_command *cmd)
{
	for (unsigned int i = 0; i < cmd->n; i++) {
		void *addr = (void *)uhmm_addr_of(cmd->range[i].start);
		size_t bytes = uhmm_bytes_of(uhmm_range_npages(cmd->range[i]));
		int ret;

		if (cmd->op == UHMM_ENGINE_ZAP)
			ret = zap(addr, bytes);
		else if (cmd->op == UHMM_ENGINE_POPULATE_READ)
			ret = madvise(addr, bytes, UHMM_MADV_POPULATE_READ);
		else
			ret = madvise(addr, bytes, UHMM_MADV_POPULATE_WRITE);
		if (ret < 0)
			return -errno;
	}
	return 0;
}

static void *lend_hands(void *arg)
{
	int sock = *(int *)arg;
	struct hands_command cmd;

	while (recv(sock, &cmd, sizeof(cmd), 0) == sizeof(cmd)) {
		int ret = do_hands(&cmd);

		if (send(sock, &ret, sizeof(ret), 0) < 0)
			break;
	}
	return NULL;
}

static void run_program(int *channel, int output, unsigned int flags)
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

long in_map(long npages, long prot, long flags)
{
	return (long)mmap(NULL, uhmm_bytes_of((uint64_t)npages), (int)prot,
			  (int)flags, -1, 0);
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

/* The daemon's side */

bool prog_permitted(void)
{
	int fd = open_uffd();

	if (fd < 0) {
		printf("skipped: userfaultfd: %s\n", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

static void take_fds(struct prog *p)
{
	char control[CMSG_SPACE(NR_FDS * sizeof(int))];
	struct iovec iov = { &p->features, sizeof(p->features) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fds[NR_FDS];

	ck_assert_int_eq(recvmsg(p->channel[PROG_MAIN], &msg, MSG_CMSG_CLOEXEC),
			 sizeof(p->features));
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&msg));
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fds));
	p->fds = (struct uhmm_engine_fds){
		.uffd = fds[0],
		.mem = fds[1],
		.pagemap = fds[2],
		.maps = fds[3],
		.pidfd = -1,
	};
	ck_assert(p->features & UFFD_FEATURE_PAGEFAULT_FLAG_WP);
}

static void note_device_moved(struct prog *p, const struct uffd_msg *msg)
{
	uhmm_vpn_t from = uhmm_vpn_of(msg->arg.remap.from);
	uhmm_vpn_t to = uhmm_vpn_of(msg->arg.remap.to);

	/* tests move the whole of it, or nothing that is on the device */
	if (from.val == p->base.val)
		p->base = to;
}

static void note_device_dropped(struct prog *p, struct uhmm_range r)
{
	for (uint64_t i = 0; i < p->npages; i++)
		if (uhmm_range_has(r, UHMM_VPN(p->base.val + i)))
			p->device[i] = UHMM_DPFN(0);
	if (uhmm_range_overlaps(r, p->flight))
		p->flight_dropped = true;
}

static void answer_fault(struct prog *p, const struct uffd_msg *msg)
{
	uhmm_vpn_t vpn = uhmm_vpn_of(msg->arg.pagefault.address);
	uint64_t flags = msg->arg.pagefault.flags;
	uint64_t i = vpn.val - p->base.val;
	int err;

	if (uhmm_range_has(p->flight, vpn))
		return;		/* woken when it has landed */
	if (flags & UFFD_PAGEFAULT_FLAG_WP) {
		err = p->ops->unprotect(p->engine, uhmm_range_of(vpn, 1));
	} else if (i < p->npages && p->device[i].val) {
		struct uhmm_run run = prog_give(p, i, 1, 0);

		/* stale: answered already, or unmapped since */
		err = run.error == -EEXIST || run.error == -ENOENT ?
		      p->ops->wake(p->engine, uhmm_range_of(vpn, 1)) :
		      run.error;
	} else {
		err = p->ops->give_zero(p->engine, vpn,
					flags & UFFD_PAGEFAULT_FLAG_WRITE);
		if (err == -ENOENT)
			err = 0;	/* unmapped since */
	}
	ck_assert_msg(!err, "fault at page %#llx: %d",
		      (unsigned long long)vpn.val, err);
}

static void handle(struct prog *p, const struct uffd_msg *msg)
{
	struct uhmm_range gone = { uhmm_vpn_of(msg->arg.remove.start),
				   uhmm_vpn_of(msg->arg.remove.end) };

	if (p->nseen < PROG_SEEN)
		p->seen[p->nseen] = *msg;
	p->nseen++;
	if (msg->event == UFFD_EVENT_PAGEFAULT) {
		p->nfaults++;
		if (p->answer)
			answer_fault(p, msg);
		return;
	}
	p->nevents++;
	if (msg->event == UFFD_EVENT_REMAP) {
		uhmm_engine_note_remap(p->engine,
				       uhmm_vpn_of(msg->arg.remap.from),
				       uhmm_vpn_of(msg->arg.remap.to),
				       msg->arg.remap.len / uhmm_page_bytes());
		note_device_moved(p, msg);
	} else if (msg->event == UFFD_EVENT_UNMAP) {
		uhmm_engine_note_unmap(p->engine, gone);
		note_device_dropped(p, gone);
	} else if (msg->event == UFFD_EVENT_REMOVE && !p->zapping) {
		note_device_dropped(p, gone);
	}
}

unsigned int prog_pump(struct prog *p, int ms)
{
	struct pollfd pfd = { .fd = p->fds.uffd, .events = POLLIN };
	struct uffd_msg msg[16];
	unsigned int total = 0;
	int n;

	poll(&pfd, 1, ms);
	while ((n = uhmm_uffd_read(p->fds.uffd, msg, 16)) > 0) {
		for (int i = 0; i < n; i++)
			handle(p, &msg[i]);
		total += (unsigned int)n;
	}
	ck_assert_int_eq(n, 0);
	return total;
}

/* Wait for a reply, or up to @ms; messages are read meanwhile. */
static bool wait_reply(struct prog *p, int sock, int ms)
{
	struct pollfd pfd[2] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = p->fds.uffd, .events = POLLIN },
	};

	for (;;) {
		ck_assert_int_ge(poll(pfd, 2, ms), 0);
		if (pfd[1].revents)
			prog_pump(p, 0);
		if (pfd[0].revents)
			return true;
		if (!pfd[1].revents)
			return false;
	}
}

static int env_hands(void *ctx, unsigned int op, const struct uhmm_range *r,
		     unsigned int n)
{
	struct prog *p = ctx;
	struct hands_command cmd = { .op = op, .n = n };
	int saved = errno;
	int ret;

	ck_assert(p->locked);
	ck_assert_uint_le(n, UHMM_ENGINE_HANDS_MAX);
	if (p->refuse_zap && op == UHMM_ENGINE_ZAP)
		return -EINVAL;
	memcpy(cmd.range, r, n * sizeof(*r));
	if (send(p->channel[PROG_HANDS], &cmd, sizeof(cmd),
		 MSG_NOSIGNAL) < 0) {
		errno = saved;
		return -ESRCH;
	}
	p->zapping = op == UHMM_ENGINE_ZAP;
	wait_reply(p, p->channel[PROG_HANDS], -1);
	p->zapping = false;
	return recv(p->channel[PROG_HANDS], &ret, sizeof(ret), 0) ==
	       sizeof(ret) ? ret : -ESRCH;
}

static int env_drain(void *ctx)
{
	struct prog *p = ctx;

	ck_assert(p->locked);
	prog_pump(p, 0);
	/* who raised it must run on; waiting longer would miss the moment
	 * before it raises the next one */
	sched_yield();
	return 0;
}

static void env_lock(void *ctx)
{
	struct prog *p = ctx;

	ck_assert(!p->locked);
	p->locked = true;
}

static void env_unlock(void *ctx)
{
	struct prog *p = ctx;

	ck_assert(p->locked);
	p->locked = false;
	p->unlocks++;
}

static void make_engine(struct prog *p)
{
	struct uhmm_engine_env env = {
		.ctx = p,
		.hands = env_hands,
		.drain = env_drain,
		.lock = env_lock,
		.unlock = env_unlock,
		.devmem = &p->devmem,
	};

	uhmm_devmem_init(&p->devmem);
	ck_assert_int_eq(uhmm_devmem_add(&p->devmem, UHMM_DPFN(PROG_DPFN),
					 PROG_DEVICE_PAGES), 0);
	ck_assert_int_eq(uhmm_engine_copy_create(&p->engine, &p->fds,
						 p->features, &env), 0);
	p->ops = uhmm_engine_ops(p->engine);
	p->locked = true;
}

void prog_start(struct prog *p, unsigned int flags)
{
	int theirs[PROG_NR_THREADS];

	memset(p, 0, sizeof(*p));
	p->answer = true;
	for (int i = 0; i < PROG_NR_THREADS; i++) {
		int pair[2];

		ck_assert_int_eq(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
					    pair), 0);
		p->channel[i] = pair[0];
		theirs[i] = pair[1];
	}
	p->output = memfd_create("output", MFD_CLOEXEC);
	fflush(NULL);
	p->pid = fork();
	ck_assert_int_ge(p->pid, 0);
	if (p->pid == 0) {
		for (int i = 0; i < PROG_NR_THREADS; i++)
			close(p->channel[i]);
		run_program(theirs, p->output, flags);
	}
	for (int i = 0; i < PROG_NR_THREADS; i++)
		close(theirs[i]);
	take_fds(p);
	make_engine(p);
}

void prog_kill(struct prog *p)
{
	if (p->pid <= 0)
		return;
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	p->pid = 0;
}

/* Show what the program wrote; false when it is nothing, as it should be. */
static bool show_output(const struct prog *p)
{
	char text[4096];
	ssize_t n = pread(p->output, text, sizeof(text), 0);

	if (n > 0)
		fwrite(text, 1, (size_t)n, stdout);
	return n > 0;
}

void prog_stop(struct prog *p)
{
	prog_kill(p);
	ck_assert_msg(!show_output(p), "the program complained");
	ck_assert(p->locked);
	uhmm_engine_destroy(p->engine);
	uhmm_devmem_fini(&p->devmem);
	for (int i = 0; i < PROG_NR_THREADS; i++)
		close(p->channel[i]);
	close(p->output);
	close(p->fds.uffd);
	close(p->fds.mem);
	close(p->fds.pagemap);
	close(p->fds.maps);
}

void prog_begin(struct prog *p, enum prog_thread thread, prog_fn fn, long a,
		long b, long c)
{
	struct command cmd = { fn, { a, b, c } };

	ck_assert_int_eq(send(p->channel[thread], &cmd, sizeof(cmd), 0),
			 sizeof(cmd));
}

bool prog_done(struct prog *p, enum prog_thread thread, int ms, long *ret)
{
	if (!wait_reply(p, p->channel[thread], ms))
		return false;
	if (recv(p->channel[thread], ret, sizeof(*ret), 0) == sizeof(*ret))
		return true;
	show_output(p);
	ck_abort_msg("the program died");
}

long prog_call(struct prog *p, prog_fn fn, long a, long b, long c)
{
	long ret = -1;

	prog_begin(p, PROG_MAIN, fn, a, b, c);
	prog_done(p, PROG_MAIN, -1, &ret);
	return ret;
}

void prog_map(struct prog *p, uint64_t npages, bool fill)
{
	long addr = prog_call(p, in_map, (long)npages, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS);

	ck_assert_int_ne(addr, -1);
	ck_assert_uint_le(npages, PROG_PAGES);
	/* base pages, whatever the machine's setting for huge ones is */
	prog_call(p, in_madvise, addr, (long)uhmm_bytes_of(npages),
		  MADV_NOHUGEPAGE);
	if (fill)
		prog_call(p, in_fill, addr, (long)npages, 0);
	p->base = uhmm_vpn_of((uint64_t)addr);
	p->npages = npages;
}

struct uhmm_range prog_range(const struct prog *p, uint64_t first,
			     uint64_t npages)
{
	return uhmm_range_of(UHMM_VPN(p->base.val + first), npages);
}

struct uhmm_run prog_try_take(struct prog *p, uint64_t first, uint64_t npages)
{
	struct uhmm_run run = {
		.vpn = UHMM_VPN(p->base.val + first),
		.dpfn = UHMM_DPFN(PROG_DPFN + first),
		.npages = npages,
	};
	struct uhmm_range r = prog_range(p, first, npages);
	int err;

	p->flight = r;
	p->flight_dropped = false;
	err = p->ops->trap(p->engine, r);
	if (!err)
		err = p->ops->take(p->engine, &run, 1);
	p->flight = (struct uhmm_range){ .start.val = 0 };
	if (p->flight_dropped || err)
		run.done = 0;
	if (err)
		run.error = err;
	for (uint64_t i = 0; i < run.done; i++)
		p->device[first + i] = UHMM_DPFN(run.dpfn.val + i);
	err = p->ops->wake(p->engine, r);
	ck_assert_msg(!err || err == run.error, "wake: %d", err);
	return run;
}

void prog_take(struct prog *p, uint64_t first, uint64_t npages)
{
	struct uhmm_run run = prog_try_take(p, first, npages);

	ck_assert_int_eq(run.error, 0);
	ck_assert_uint_eq(run.done, npages);
}

struct uhmm_run prog_give(struct prog *p, uint64_t first, uint64_t npages,
			  uint32_t flags)
{
	struct uhmm_run run = {
		.vpn = UHMM_VPN(p->base.val + first),
		.dpfn = p->device[first],
		.npages = npages,
		.flags = flags,
	};
	int err = p->ops->give(p->engine, &run, 1);

	ck_assert_msg(!err, "give: %d", err);
	for (uint64_t i = 0; i < run.done; i++)
		p->device[first + i] = UHMM_DPFN(0);
	return run;
}

uint64_t *prog_word(struct prog *p, uint64_t i)
{
	return uhmm_devmem_ptr(&p->devmem, p->device[i]);
}

uint8_t prog_pte(struct prog *p, uint64_t i)
{
	uint8_t pte = 0xff;
	int err = p->ops->scan(p->engine, prog_range(p, i, 1), &pte);

	ck_assert_msg(!err, "scan: %d", err);
	return pte;
}
