/* SPDX-License-Identifier: MIT */
/* rig.c - the real daemon in a thread of the test (rig.h) */
#include "rig.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "channel.h"
#include "fault.h"
#include "hands.h"
#include "session.h"
#include "sys/pagesize.h"
#include "sys/uapi.h"

/* ---- the device ---- */

static struct co_queue blocked;
static unsigned int nblocked, nreleased, unblocked;

static int no_fault(struct uhmm_device_fault *fault)
{
	(void)fault;
	return -ENOMEM;
}

static const struct uhmm_pagemap_ops pagemap_ops = {
	.migrate_to_ram = no_fault,
};

static int start(struct uhmm_device *dev)
{
	co_queue_init(&blocked);
	dev->pgmap.type = dev->type;
	dev->pgmap.npages = dev->npages;
	dev->pgmap.ops = &pagemap_ops;
	return uhmm_memremap_device_private_pagemap(dev->core, &dev->pgmap);
}

static void stop(struct uhmm_device *dev)
{
	uhmm_memunmap_device_private_pagemap(&dev->pgmap);
}

static int open_file(struct uhmm_file *file)
{
	file->dev->count.opens++;
	return 0;
}

static void release(struct uhmm_file *file)
{
	(void)file;
	nreleased++;
}

static int echo(struct uhmm_user *user, uint64_t arg)
{
	uint64_t word;
	int err = user->copy_from(user, &word, arg, sizeof(word));

	word++;
	return err ? err : user->copy_to(user, arg, &word, sizeof(word));
}

static int block(void)
{
	unsigned int ticket = unblocked;

	nblocked++;
	while (ticket == unblocked)
		co_queue_wait(&blocked, 0);
	nblocked--;
	return 0;
}

static int copy(struct uhmm_user *user, uint64_t arg, bool to)
{
	static unsigned char buf[1 << 20];
	struct rig_copy c;
	int err = user->copy_from(user, &c, arg, sizeof(c));

	if (err)
		return -EINVAL;
	memset(buf, RIG_BYTE, sizeof(buf));
	return to ? user->copy_to(user, c.addr, buf, c.bytes) :
		    user->copy_from(user, buf, c.addr, c.bytes);
}

static struct session *session_of(struct uhmm_file *file)
{
	struct core *core = UHMM_CONTAINER_OF(file->dev->core, struct core,
					      hmm);
	struct daemon *d = UHMM_CONTAINER_OF(core, struct daemon, core);
	struct session *s;
	uint32_t at = 0;

	while ((s = slots_next(&d->session_table, &at)))
		if (s->mm == file->mm)
			return s;
	return NULL;
}

static int zap(struct uhmm_file *file, uint64_t arg)
{
	struct uhmm_range r = uhmm_range_of(uhmm_vpn_of(arg), 1);

	return hands_call(session_of(file), UHMM_ENGINE_ZAP, &r, 1);
}

static int tell_unmaps(struct uhmm_file *file, struct uhmm_user *user,
		       uint64_t arg)
{
	const uint64_t *n = &session_of(file)->d->stats.unmaps;

	return user->copy_to(user, arg, n, sizeof(*n));
}

static int64_t run(struct uhmm_file *file, struct uhmm_user *user,
		   uint64_t cmd, uint64_t arg)
{
	switch (cmd) {
	case RIG_ECHO:
		return echo(user, arg);
	case RIG_BLOCK:
		return block();
	case RIG_COPY_FROM:
		return copy(user, arg, false);
	case RIG_COPY_TO:
		return copy(user, arg, true);
	case RIG_ZAP:
		return zap(file, arg);
	case RIG_UNMAPS:
		return tell_unmaps(file, user, arg);
	default:
		return -EINVAL;
	}
}

static const char *mmap_name(struct uhmm_file *file)
{
	(void)file;
	return "rig";
}

static const struct uhmm_device_ops rig_ops = {
	.name = "rig",
	.start = start,
	.stop = stop,
	.open = open_file,
	.release = release,
	.ioctl = run,
	.mmap_name = mmap_name,
};

/* ---- the daemon ---- */

static void *daemon_main(void *arg)
{
	struct rig *rig = arg;

	rig->err = daemon_init(&rig->d, &rig->conf, &rig_ops);
	sem_post(&rig->ready);
	if (rig->err)
		return NULL;
	daemon_run(&rig->d);
	daemon_fini(&rig->d);
	return NULL;
}

void rig_start(struct rig *rig, unsigned int nworkers)
{
	memset(rig, 0, sizeof(*rig));
	rig->conf = (struct conf){
		.socket_fd = -1,
		.ready_fd = -1,
		.nworkers = nworkers,
		.dev = { { 0, UHMM_MEMORY_DEVICE_PRIVATE, 1 << 24 } },
		.ndevs = 1,
	};
	sem_init(&rig->ready, 0, 0);
	ck_assert_int_eq(pthread_create(&rig->thread, NULL, daemon_main, rig),
			 0);
	sem_wait(&rig->ready);
	ck_assert_int_eq(rig->err, 0);
}

void rig_stop(struct rig *rig)
{
	core_lock(&rig->d.core);
	daemon_stop(&rig->d);
	core_unlock(&rig->d.core);
	pthread_join(rig->thread, NULL);
}

void rig_unblock(struct rig *rig)
{
	core_lock(&rig->d.core);
	unblocked++;
	co_queue_wake(&blocked);
	core_unlock(&rig->d.core);
}

static unsigned int peek(struct rig *rig, const unsigned int *what)
{
	unsigned int n;

	core_lock(&rig->d.core);
	n = *what;
	core_unlock(&rig->d.core);
	return n;
}

unsigned int rig_blocked(struct rig *rig)
{
	return peek(rig, &nblocked);
}

unsigned int rig_released(struct rig *rig)
{
	return peek(rig, &nreleased);
}

void rig_removes(struct rig *rig, uint64_t *news, uint64_t *ours)
{
	core_lock(&rig->d.core);
	*news = rig->d.stats.removes;
	*ours = rig->d.stats.removes_own;
	core_unlock(&rig->d.core);
}

void rig_await_empty(struct rig *rig)
{
	bool empty = false;

	for (int i = 0; i < 2000 && !empty; i++) {
		core_lock(&rig->d.core);
		channels_reap(&rig->d);
		sessions_reap(&rig->d);
		empty = uhmm_list_is_empty(&rig->d.sessions) &&
			uhmm_list_is_empty(&rig->d.strangers) &&
			!rig->d.opens.table.used;
		core_unlock(&rig->d.core);
		if (!empty)
			usleep(1000);
	}
	ck_assert(empty);
}

int rig_connect(struct rig *rig)
{
	static unsigned int next;
	struct worker *w = &rig->d.worker[next++ % rig->conf.nworkers];
	int s[2], err;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    s), 0);
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	core_lock(&rig->d.core);
	err = channel_create(w, s[0]);
	core_unlock(&rig->d.core);
	ck_assert_int_eq(err, 0);
	return s[1];
}

/* ---- the program ---- */

static int new_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					      UFFD_FEATURE_EVENT_REMOVE |
					      UFFD_FEATURE_EVENT_UNMAP |
					      UFFD_FEATURE_EVENT_REMAP };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		fd = (int)syscall(SYS_userfaultfd,
				  O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) == 0)
		return fd;
	close(fd);
	return -1;
}

bool rig_fds(int fds[5])
{
	fds[0] = new_uffd();
	fds[1] = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	fds[2] = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	fds[3] = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	fds[4] = (int)syscall(SYS_pidfd_open, getpid(), 0);
	return fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0 && fds[3] >= 0 &&
	       fds[4] >= 0;
}

bool rig_is_possible(void)
{
	int fd = new_uffd();

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int do_hands(const struct uhmm_msg_hands *m, uint32_t *done)
{
	static const int advice[] = {
		[UHMM_HANDS_ZAP] = MADV_DONTNEED,
		[UHMM_HANDS_POPULATE_READ] = UHMM_MADV_POPULATE_READ,
		[UHMM_HANDS_POPULATE_WRITE] = UHMM_MADV_POPULATE_WRITE,
		[UHMM_HANDS_COLLAPSE] = UHMM_MADV_COLLAPSE,
		[UHMM_HANDS_COLD] = MADV_COLD,
	};

	for (*done = 0; *done < m->nranges; ++*done)
		if (madvise((void *)(uintptr_t)m->range[*done].addr,
			    m->range[*done].bytes, advice[m->op]))
			return -errno;
	return 0;
}

static int lend_hands(int sock, struct uhmm_wire_msg *msg)
{
	uint32_t done, seq = msg->header.seq;
	int err = do_hands(&msg->body.hands, &done);

	uhmm_wire_init(msg, UHMM_WIRE_hands, seq, true);
	msg->header.error = err;
	msg->body.hands_reply.done = done;
	return uhmm_wire_send(sock, msg, NULL, 0);
}

int rig_call(int sock, struct uhmm_wire_msg *msg, const int *fds,
	     unsigned int nfds, int *fd)
{
	int got[UHMM_WIRE_FDS_MAX], err;
	unsigned int ngot = 0;

	*fd = -1;
	err = uhmm_wire_send(sock, msg, fds, nfds);
	if (err == -ECONNRESET)
		return -EPIPE;
	while (!err) {
		err = uhmm_wire_recv(sock, msg, got, &ngot);
		if (err || msg->header.id != UHMM_WIRE_hands)
			break;
		err = lend_hands(sock, msg);
	}
	if (err)
		return err;
	if (ngot)
		*fd = got[0];
	return msg->header.error;
}

bool rig_is_hung_up(int sock)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	char buf[4096];

	while (poll(&pfd, 1, 1000) == 1)
		if (recv(sock, buf, sizeof(buf), MSG_DONTWAIT) <= 0)
			return true;
	return false;
}

int rig_hello(struct rig *rig, struct rig_program *p)
{
	struct uhmm_wire_msg msg;
	int fds[5], fd, err;

	memset(p, 0, sizeof(*p));
	p->dev_fd = -1;
	ck_assert(rig_fds(fds));
	p->sock = rig_connect(rig);
	p->uffd = fds[0];
	uhmm_wire_init(&msg, UHMM_WIRE_hello, 1, false);
	msg.body.hello.version = UHMM_WIRE_VERSION;
	msg.body.hello.page_bytes = (uint32_t)uhmm_page_bytes();
	msg.body.hello.pid = (uint32_t)getpid();
	msg.body.hello.uffd_features = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	err = rig_call(p->sock, &msg, fds, 5, &fd);
	for (int i = 1; i < 5; i++)
		close(fds[i]);
	if (!err) {
		p->session = msg.body.hello_reply.session;
		close(fd);	/* the userfaultfd again */
	}
	return err;
}

int rig_join(struct rig *rig, const struct rig_program *p, uint32_t role,
	     int *sock)
{
	struct uhmm_wire_msg msg;
	int fd;

	*sock = rig_connect(rig);
	uhmm_wire_init(&msg, UHMM_WIRE_join, 1, false);
	msg.body.join.version = UHMM_WIRE_VERSION;
	msg.body.join.role = role;
	msg.body.join.session = p->session;
	return rig_call(*sock, &msg, NULL, 0, &fd);
}

int rig_open(struct rig_program *p)
{
	struct sockaddr_un sun;
	socklen_t n = sizeof(sun);
	struct uhmm_wire_msg msg;
	uint32_t minor;
	int err;

	uhmm_wire_init(&msg, UHMM_WIRE_open, 2, false);
	err = rig_call(p->sock, &msg, NULL, 0, &p->dev_fd);
	if (err)
		return err;
	ck_assert_int_eq(getpeername(p->dev_fd, (struct sockaddr *)&sun, &n),
			 0);
	n -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	ck_assert(uhmm_devfd_parse(sun.sun_path, n, &minor, &p->dev));
	ck_assert_uint_eq(minor, 0);
	return 0;
}

int rig_ioctl(const struct rig_program *p, int sock, uint64_t cmd,
	      const void *arg)
{
	struct uhmm_wire_msg msg;
	int fd;

	uhmm_wire_init(&msg, UHMM_WIRE_ioctl, 3, false);
	msg.body.ioctl.open = p->dev;
	msg.body.ioctl.cmd = cmd;
	msg.body.ioctl.arg = (uintptr_t)arg;
	return rig_call(sock, &msg, NULL, 0, &fd);
}

void rig_drop(struct rig_program *p)
{
	if (p->dev_fd >= 0)
		close(p->dev_fd);
	close(p->sock);
	close(p->uffd);
}

void rig_pause(struct rig *rig, const struct rig_program *p)
{
	core_lock(&rig->d.core);
	fault_pause(session_find(&rig->d, &p->session));
	core_unlock(&rig->d.core);
}

void rig_resume(struct rig *rig, const struct rig_program *p)
{
	core_lock(&rig->d.core);
	fault_resume(session_find(&rig->d, &p->session));
	core_unlock(&rig->d.core);
}

void rig_serves(struct rig *rig)
{
	struct rig_program p;
	uint64_t word = 41;

	ck_assert_int_eq(rig_hello(rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ECHO, &word), 0);
	ck_assert_uint_eq(word, 42);
	rig_drop(&p);
}
