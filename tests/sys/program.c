/* SPDX-License-Identifier: MIT */
/* program.c - the daemon's side of program.h */
#include "program_inside.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/pagesize.h"

static bool kernel_moves(int uffd)
{
	struct uffdio_api api = { .api = UFFD_API };

	return !ioctl(uffd, UFFDIO_API, &api) &&
	       (api.features & UHMM_UFFD_FEATURE_MOVE);
}

bool prog_permitted(void)
{
	int fd = prog_open_uffd();

	if (fd < 0) {
		printf("skipped: userfaultfd: %s\n", strerror(errno));
		return false;
	}
	if (PROG_MOVES && !kernel_moves(fd)) {
		printf("skipped: no UFFDIO_MOVE (Linux 6.8)\n");
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

static void take_fds(struct prog *p)
{
	char control[CMSG_SPACE(PROG_NR_FDS * sizeof(int))];
	struct iovec iov = { &p->features, sizeof(p->features) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fds[PROG_NR_FDS];

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
	struct prog_hands cmd = { .op = op, .n = n };
	struct prog_hands_reply reply;
	int saved = errno;
	bool answered;

	ck_assert(p->locked);
	ck_assert_uint_le(n, UHMM_ENGINE_HANDS_MAX);
	if (op == UHMM_ENGINE_ZAP_BY_AGENT)
		cmd.op = op = UHMM_ENGINE_ZAP;
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
	answered = recv(p->channel[PROG_HANDS], &reply, sizeof(reply), 0) ==
		   sizeof(reply);
	errno = saved;		/* ECONNRESET: it went with the message unread */
	return answered ? reply.error : -ESRCH;
}

/* Nothing is read meanwhile: that is what makes it safe. */
static int env_move(void *ctx, struct uhmm_range open,
		    const struct uhmm_engine_move *m, unsigned int n,
		    uint64_t *moved)
{
	struct prog *p = ctx;
	struct prog_hands cmd = { .op = PROG_MOVE, .n = 1, .range = { open } };
	struct prog_hands_reply reply;
	int saved = errno;

	ck_assert(p->locked);
	for (unsigned int i = 0; i < n; i++) {
		cmd.range[cmd.n++] = uhmm_range_of(m[i].from, m[i].npages);
		cmd.range[cmd.n++] = uhmm_range_of(m[i].to, m[i].npages);
	}
	*moved = 0;
	if (p->hands_busy)
		return -EAGAIN;
	if (p->before_move)
		p->before_move(p);
	if (send(p->channel[PROG_HANDS], &cmd, sizeof(cmd), MSG_NOSIGNAL) < 0 ||
	    recv(p->channel[PROG_HANDS], &reply, sizeof(reply), 0) !=
		    sizeof(reply))
		reply.error = -ESRCH;
	else
		*moved = reply.moved;
	errno = saved;
	return reply.error;
}

/* Events are read when the engine asks for it, no sooner. */
static void env_resume(void *ctx)
{
	(void)ctx;
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

/* One thread: nobody else can be at the fences. */
static void env_wait(void *ctx)
{
	(void)ctx;
	ck_abort_msg("the engine waits for itself");
}

static void env_wake(void *ctx)
{
	(void)ctx;
}

static void env_lost(void *ctx, struct uhmm_range r)
{
	struct prog *p = ctx;

	p->nlost++;
	note_device_dropped(p, r);
}

static void env_tidy_fences(void *ctx)
{
	struct prog *p = ctx;

	p->ntidy++;
}

static void make_engine(struct prog *p, unsigned int flags)
{
	const enum uhmm_engine_kind kind =
		flags & PROG_PROTECT ? UHMM_ENGINE_PROTECT :
		PROG_MOVES	     ? UHMM_ENGINE_MOVE :
				       UHMM_ENGINE_COPY;
	struct uhmm_engine_env env = {
		.ctx = p,
		.hands = env_hands,
		.move = env_move,
		.resume = env_resume,
		.drain = env_drain,
		.lock = env_lock,
		.unlock = env_unlock,
		.wait = env_wait,
		.wake = env_wake,
		.lost = env_lost,
		.tidy_fences = env_tidy_fences,
		.devmem = &p->devmem,
	};

	uhmm_devmem_init(&p->devmem);
	ck_assert_int_eq(uhmm_devmem_add(&p->devmem, UHMM_DPFN(PROG_DPFN),
					 PROG_DEVICE_PAGES), 0);
	env.first = UHMM_DPFN(PROG_DPFN);
	env.npages = PROG_DEVICE_PAGES;
	ck_assert_int_eq(uhmm_engine_any_create(&p->engine, kind, &p->fds,
						p->features, &env), 0);
	p->ops = uhmm_engine_ops(p->engine);
	p->engine->no_zero_page = false;	/* as on most machines */
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
		prog_run(theirs, p->output, flags);
	}
	for (int i = 0; i < PROG_NR_THREADS; i++)
		close(theirs[i]);
	take_fds(p);
	make_engine(p, flags);
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
	struct prog_command cmd = { fn, { a, b, c } };

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

/* Again, when it is worth another look, as src/mm does. */
static int take(struct prog *p, struct uhmm_run *run)
{
	uint64_t done = 0;
	int err, tries = 0;

	do {
		struct uhmm_run rest = {
			.vpn = UHMM_VPN(run->vpn.val + done),
			.dpfn = UHMM_DPFN(run->dpfn.val + done),
			.npages = run->npages - done,
			.flags = run->flags,
		};

		err = p->ops->take(p->engine, &rest, 1);
		done += rest.done;
		run->error = rest.error;
	} while (!err && run->error == -EAGAIN && !p->flight_dropped &&
		 tries++ < 1000);
	run->done = done;
	return err;
}

struct uhmm_run prog_try_take_as(struct prog *p, uint64_t first,
				 uint64_t npages, uint32_t flags)
{
	struct uhmm_run run = {
		.vpn = UHMM_VPN(p->base.val + first),
		.dpfn = UHMM_DPFN(PROG_DPFN + first),
		.npages = npages,
		.flags = flags,
	};
	struct uhmm_range r = prog_range(p, first, npages);
	int err;

	p->flight = r;
	p->flight_dropped = false;
	err = p->ops->trap(p->engine, r);
	if (!err)
		err = take(p, &run);
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

struct uhmm_run prog_try_take(struct prog *p, uint64_t first, uint64_t npages)
{
	return prog_try_take_as(p, first, npages, 0);
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
	static uint64_t copy[65536 / sizeof(uint64_t)];

	if (!PROG_MOVES)
		return uhmm_devmem_ptr(&p->devmem, p->device[i]);
	ck_assert_uint_eq(uhmm_devmem_read(&p->devmem, p->device[i], 1, copy),
			  1);
	return copy;
}

uint8_t prog_pte(struct prog *p, uint64_t i)
{
	uint8_t pte = 0xff;
	int err = p->ops->scan(p->engine, prog_range(p, i, 1), &pte);

	ck_assert_msg(!err, "scan: %d", err);
	return pte;
}
