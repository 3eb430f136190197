/* SPDX-License-Identifier: MIT */
/* fake.c - the daemon of the tests: one loop over everything, no semantics */
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/fdpass.h"

#define CONNS_MAX 2048
#define SESSIONS_MAX 256
#define DEVICES_MAX 1024
#define NFDS 5

enum kind { NEW, CALLER, AGENT };

struct conn {
	int sock;
	enum kind kind;
	int session;
};

struct session {
	struct uhmm_wire_token token;
	int fds[NFDS];		/* as hello has them; [0] is the uffd */
	int agent;		/* conn, -1 */
	int conns;		/* still there */
};

struct device {
	struct uhmm_wire_token token;
	int fd;
};

struct held {
	int sock;
	struct uhmm_wire_header header;
};

static struct {
	struct fake_log *log;
	struct conn conn[CONNS_MAX];
	int nconns;
	struct session session[SESSIONS_MAX];
	int nsessions;
	struct device device[DEVICES_MAX];
	int ndevices;
	struct held held[CONNS_MAX];
	unsigned int nheld;
} fake;

static const char *const expected_links[NFDS] = {
	"anon_inode:[userfaultfd]", "/mem", "/pagemap", "/maps",
	"anon_inode:[pidfd]",
};

static void bad(const char *what)
{
	fprintf(stderr, "fake daemon: %s (%s)\n", what, strerror(errno));
	atomic_fetch_add(&fake.log->bad, 1);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* Is @fd what hello says it is at place @i? */
static void check_handed(int fd, int i)
{
	char path[32], link[128];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = '\0';
	if (!ends_with(link, expected_links[i]) &&
	    !(i == NFDS - 1 && strstr(link, "pidfd")))
		bad(link);
}

static struct uhmm_wire_token new_token(uint64_t kind)
{
	static uint64_t last;

	return (struct uhmm_wire_token){
		{ (uint64_t)getpid() << 32 | kind, ++last }
	};
}

static int session_by_token(const struct uhmm_wire_token *t)
{
	for (int i = 0; i < fake.nsessions; i++) {
		if (memcmp(&fake.session[i].token, t, sizeof(*t)) == 0)
			return i;
	}
	return -1;
}

static struct device *device_by_token(const struct uhmm_wire_token *t)
{
	for (int i = 0; i < fake.ndevices; i++) {
		if (memcmp(&fake.device[i].token, t, sizeof(*t)) == 0)
			return &fake.device[i];
	}
	return NULL;
}

static void reply(int sock, struct uhmm_wire_msg *msg, int err, int fd)
{
	uhmm_wire_init_reply(msg, &msg->header, err);
	if (uhmm_wire_send(sock, msg, &fd, fd >= 0 ? 1 : 0) < 0 &&
	    errno != EPIPE)
		return;		/* the program may be dead: that is its right */
}

/* ---- hello, join ---- */

static void note_parent(const struct uhmm_msg_hello *h)
{
	struct fake_fork *f = &fake.log->prepared;

	if (!h->parent.word[0])
		return;
	if (session_by_token(&h->parent) < 0)
		bad("unknown parent");
	if (!h->fork_id)
		atomic_fetch_add(&fake.log->hellos_of_raw_child, 1);
	else if (h->fork_id == f->fork_id &&
		 memcmp(&h->parent, &f->session, sizeof(f->session)) == 0)
		atomic_fetch_add(&fake.log->hellos_of_child, 1);
}

static void on_hello(struct conn *c, struct uhmm_wire_msg *msg, const int *fds)
{
	struct session *s = &fake.session[fake.nsessions];

	fake.log->hello = msg->body.hello;
	note_parent(&msg->body.hello);
	s->token = new_token(1);
	s->agent = -1;
	s->conns = 1;
	for (int i = 0; i < NFDS; i++) {
		check_handed(fds[i], i);
		s->fds[i] = fds[i];
	}
	c->kind = CALLER;
	c->session = fake.nsessions++;
	uhmm_wire_init_reply(msg, &msg->header, 0);
	msg->body.hello_reply.version = UHMM_WIRE_VERSION;
	msg->body.hello_reply.session = s->token;
	if (uhmm_wire_send(c->sock, msg, &s->fds[0], 1) < 0)
		bad("hello reply");
	atomic_fetch_add(&fake.log->hellos, 1);
}

static void on_join(struct conn *c, struct uhmm_wire_msg *msg)
{
	int s = session_by_token(&msg->body.join.session);

	if (s < 0) {
		reply(c->sock, msg, -ESTALE, -1);
		return;
	}
	c->session = s;
	fake.session[s].conns++;
	c->kind = CALLER;
	if (msg->body.join.role == UHMM_ROLE_AGENT) {
		c->kind = AGENT;
		fake.session[s].agent = (int)(c - fake.conn);
		atomic_fetch_add(&fake.log->agents, 1);
	}
	atomic_fetch_add(&fake.log->joins, 1);
	reply(c->sock, msg, 0, -1);
}

/* ---- open, closed, mmap ---- */

static int make_device(uint32_t minor, struct device *d)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[UHMM_DEVFD_NAME_BYTES];
	unsigned int n;
	int pair[2];

	d->token = new_token(2);
	n = uhmm_devfd_name(name, minor, d->token);
	memcpy(addr.sun_path, name, n);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (bind(pair[0], (struct sockaddr *)&addr,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		bad("bind");
	if (send(pair[0], "", 1, MSG_NOSIGNAL) != 1)
		bad("byte");
	d->fd = pair[0];
	return pair[1];
}

static void on_open(struct conn *c, struct uhmm_wire_msg *msg)
{
	uint32_t minor = msg->body.open.minor;
	int fd;

	fake.log->open = msg->body.open;
	if (minor > 1) {
		reply(c->sock, msg, -ENXIO, -1);
		return;
	}
	fd = make_device(minor, &fake.device[fake.ndevices]);
	fake.ndevices = (fake.ndevices + 1) % DEVICES_MAX;
	atomic_fetch_add(&fake.log->opens, 1);
	reply(c->sock, msg, fd < 0 ? fd : 0, fd);
	if (fd >= 0)
		(void)close(fd);
}

static void on_closed(struct conn *c, struct uhmm_wire_msg *msg)
{
	struct device *d = device_by_token(&msg->body.closed.open);
	struct pollfd p = { .fd = d ? d->fd : -1, .events = POLLIN };

	atomic_fetch_add(&fake.log->closeds, 1);
	if (d && poll(&p, 1, 0) == 1 && (p.revents & POLLHUP)) {
		atomic_fetch_add(&fake.log->closeds_hung, 1);
		(void)close(d->fd);
		d->fd = -1;
	}
	reply(c->sock, msg, 0, -1);
}

static void on_mmap(struct conn *c, struct uhmm_wire_msg *msg)
{
	int fd = memfd_create("fake", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)msg->body.mmap.bytes) < 0)
		bad("memfd");
	if (pwrite(fd, "mapped", 6, 0) != 6)
		bad("pwrite");
	atomic_fetch_add(&fake.log->maps, 1);
	reply(c->sock, msg, 0, fd);
	(void)close(fd);
}

/* ---- ioctl ---- */

/* Read events so that who zaps goes on. */
static void read_events(int uffd)
{
	struct uffd_msg ev;

	while (read(uffd, &ev, sizeof(ev)) == sizeof(ev))
		;
}

/* Ask @sock to do @op to the page at @addr, and wait. Return: its error */
static int hands(const struct session *s, int sock, enum uhmm_hands_op op,
		 uint64_t addr)
{
	struct pollfd p[2] = { { .fd = sock, .events = POLLIN },
			       { .fd = s->fds[0], .events = POLLIN } };
	struct uhmm_wire_msg msg;
	int fds[UHMM_WIRE_FDS_MAX];
	unsigned int nfds;

	uhmm_wire_init(&msg, UHMM_WIRE_hands, 77, false);
	msg.body.hands.op = op;
	msg.body.hands.nranges = 1;
	msg.body.hands.range[0].addr = addr;
	msg.body.hands.range[0].bytes = fake.log->hello.page_bytes;
	if (uhmm_wire_send(sock, &msg, NULL, 0) < 0)
		bad("hands");
	do {
		if (poll(p, 2, 5000) <= 0)
			bad("no hands");
		if (p[1].revents)
			read_events(s->fds[0]);
	} while (!p[0].revents);
	if (uhmm_wire_recv(sock, &msg, fds, &nfds) < 0 ||
	    msg.header.id != UHMM_WIRE_hands || msg.header.seq != 77)
		bad("hands reply");
	if (msg.body.hands_reply.done != (msg.header.error ? 0u : 1u))
		bad("hands done");
	return msg.header.error;
}

static int take(const struct session *s, int sock, uint64_t addr)
{
	uint64_t page = fake.log->hello.page_bytes;
	struct uffdio_register r = {
		.range = { addr, FAKE_TAKE_PAGES * page },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect w = {
		.range = r.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (ioctl(s->fds[0], UFFDIO_REGISTER, &r) < 0)
		return -errno;
	if (ioctl(s->fds[0], UFFDIO_WRITEPROTECT, &w) < 0)
		return -errno;
	return hands(s, sock, UHMM_HANDS_ZAP, addr);
}

static int read_byte(const struct session *s, uint64_t addr)
{
	unsigned char byte;

	if (pread(s->fds[1], &byte, 1, (off_t)addr) != 1)
		return -EFAULT;
	return byte;
}

static void answer(int sock, struct uhmm_wire_msg *msg, int64_t ret)
{
	uhmm_wire_init_reply(msg, &msg->header, ret < 0 ? (int)ret : 0);
	msg->body.ioctl_reply.ret = ret < 0 ? 0 : ret;
	if (uhmm_wire_send(sock, msg, NULL, 0) < 0)
		return;
}

static void on_barrier(struct conn *c, struct uhmm_wire_msg *msg)
{
	struct held *h = &fake.held[fake.nheld++];

	h->sock = c->sock;
	h->header = msg->header;
	if (fake.nheld < msg->body.ioctl.arg)
		return;
	while (fake.nheld) {
		h = &fake.held[--fake.nheld];
		msg->header = h->header;
		answer(h->sock, msg, 0);
	}
}

static void on_ioctl(struct conn *c, struct uhmm_wire_msg *msg)
{
	const struct session *s = &fake.session[c->session];
	uint64_t arg = msg->body.ioctl.arg;

	atomic_fetch_add(&fake.log->ioctls, 1);
	if (!device_by_token(&msg->body.ioctl.open)) {
		answer(c->sock, msg, -ESTALE);
		return;
	}
	switch (msg->body.ioctl.cmd) {
	case FAKE_ECHO:
		answer(c->sock, msg, (int64_t)arg);
		break;
	case FAKE_FAIL:
		answer(c->sock, msg, -(int64_t)arg);
		break;
	case FAKE_READ:
		answer(c->sock, msg, read_byte(s, arg));
		break;
	case FAKE_ZAP:
		answer(c->sock, msg, hands(s, c->sock, UHMM_HANDS_ZAP, arg));
		break;
	case FAKE_ZAP_BY_AGENT:
		answer(c->sock, msg, hands(s, fake.conn[s->agent].sock,
					   UHMM_HANDS_ZAP, arg));
		break;
	case FAKE_FILL_READ:
		answer(c->sock, msg,
		       hands(s, c->sock, UHMM_HANDS_POPULATE_READ, arg));
		break;
	case FAKE_FILL_WRITE:
		answer(c->sock, msg,
		       hands(s, c->sock, UHMM_HANDS_POPULATE_WRITE, arg));
		break;
	case FAKE_ZAP_BAD:
		answer(c->sock, msg, hands(s, c->sock, UHMM_HANDS_ZAP,
					   fake.log->hello.page_bytes));
		break;
	case FAKE_BARRIER:
		on_barrier(c, msg);
		break;
	case FAKE_TAKE:
		answer(c->sock, msg, take(s, c->sock, arg));
		break;
	case FAKE_DIE:
		_exit(0);
	case FAKE_DIE_LATER:
		answer(c->sock, msg, 0);
		_exit(0);
	case FAKE_NONSENSE:
		msg->header.id = UHMM_WIRE_open;
		reply(c->sock, msg, -EPERM, -1);
		break;
	default:
		answer(c->sock, msg, -EINVAL);
	}
}

/* ---- fork, protect ---- */

static void on_fork(struct conn *c, struct uhmm_wire_msg *msg)
{
	const struct uhmm_msg_fork *f = &msg->body.fork;

	if (f->phase == UHMM_FORK_PREPARE) {
		fake.log->prepared.fork_id = f->fork_id;
		fake.log->prepared.session = fake.session[c->session].token;
		atomic_fetch_add(&fake.log->prepares, 1);
	} else {
		atomic_fetch_add(&fake.log->parents, 1);
	}
	reply(c->sock, msg, 0, -1);
}

static void on_protect(struct conn *c, struct uhmm_wire_msg *msg)
{
	fake.log->protect = msg->body.protect;
	atomic_fetch_add(&fake.log->protects, 1);
	uhmm_wire_init_reply(msg, &msg->header, 0);
	msg->body.protect_reply.changes = (struct uhmm_wire_range){
		fake.log->protect.addr, fake.log->protect.bytes
	};
	if (uhmm_wire_send(c->sock, msg, NULL, 0) < 0)
		return;
}

/* advise, remap, mincore: count them, by id. */
static void on_told(struct conn *c, struct uhmm_wire_msg *msg)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	bool parts = msg->header.id == UHMM_WIRE_remap && fake.log->parts &&
		     msg->body.remap.bytes > page;

	atomic_fetch_add(&fake.log->told[msg->header.id % FAKE_TOLD], 1);
	uhmm_wire_init_reply(msg, &msg->header, 0);
	if (parts)
		msg->body.remap_reply.part_bytes = page;
	if (uhmm_wire_send(c->sock, msg, NULL, 0) < 0)
		return;
}

/* Every open is for reading and writing. */
static void on_getfl(struct conn *c, struct uhmm_wire_msg *msg)
{
	uhmm_wire_init_reply(msg, &msg->header, 0);
	msg->body.getfl_reply.flags = O_RDWR;
	if (uhmm_wire_send(c->sock, msg, NULL, 0) < 0)
		return;
}

/* ---- the loop ---- */

static void handle(struct conn *c, struct uhmm_wire_msg *msg, int *fds,
		   unsigned int *nfds)
{
	uint16_t id = msg->header.id;

	if ((c->kind == NEW) != (id == UHMM_WIRE_hello || id == UHMM_WIRE_join))
		bad("out of order");
	switch (id) {
	case UHMM_WIRE_hello:
		on_hello(c, msg, fds);
		*nfds = 0;
		break;
	case UHMM_WIRE_join:
		on_join(c, msg);
		break;
	case UHMM_WIRE_open:
		on_open(c, msg);
		break;
	case UHMM_WIRE_ioctl:
		on_ioctl(c, msg);
		break;
	case UHMM_WIRE_closed:
		on_closed(c, msg);
		break;
	case UHMM_WIRE_mmap:
		on_mmap(c, msg);
		break;
	case UHMM_WIRE_protect:
		on_protect(c, msg);
		break;
	case UHMM_WIRE_getfl:
		on_getfl(c, msg);
		break;
	case UHMM_WIRE_fork:
		on_fork(c, msg);
		break;
	case UHMM_WIRE_advise:
	case UHMM_WIRE_remap:
	case UHMM_WIRE_mincore:
		on_told(c, msg);
		break;
	default:
		bad("unexpected message");
	}
}

static void end_session(struct session *s)
{
	for (int i = 0; i < NFDS; i++)
		(void)close(s->fds[i]);
	s->fds[0] = -1;
	atomic_fetch_add(&fake.log->sessions_ended, 1);
}

static void hang_up(struct conn *c)
{
	(void)close(c->sock);
	c->sock = -1;
	if (c->kind != NEW && --fake.session[c->session].conns == 0)
		end_session(&fake.session[c->session]);
}

static void serve(struct conn *c)
{
	struct uhmm_wire_msg msg;
	int fds[UHMM_WIRE_FDS_MAX];
	unsigned int nfds;
	int err = uhmm_wire_recv(c->sock, &msg, fds, &nfds);

	if (err == -EPROTO)
		bad("malformed");
	if (err) {
		hang_up(c);
		return;
	}
	handle(c, &msg, fds, &nfds);
	uhmm_wire_close_fds(fds, &nfds);
}

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int i = 0;

	if (fd < 0)
		return;
	while (i < fake.nconns && fake.conn[i].sock >= 0)
		i++;
	if (i == fake.nconns)
		fake.nconns++;
	fake.conn[i] = (struct conn){ fd, NEW, -1 };
}

static void loop(int listener)
{
	static struct pollfd p[1 + CONNS_MAX + SESSIONS_MAX];
	const int conns = fake.nconns, sessions = fake.nsessions;
	const int n = 1 + conns + sessions;

	p[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (int i = 0; i < conns; i++)
		p[1 + i] = (struct pollfd){ .fd = fake.conn[i].sock,
					    .events = POLLIN };
	for (int i = 0; i < sessions; i++)
		p[1 + conns + i] = (struct pollfd){
			.fd = fake.session[i].fds[0], .events = POLLIN
		};
	if (poll(p, (nfds_t)n, -1) < 0)
		return;
	for (int i = 0; i < sessions; i++) {
		if (p[1 + conns + i].revents & POLLIN)
			read_events(fake.session[i].fds[0]);
	}
	for (int i = 0; i < conns; i++) {
		if (p[1 + i].revents && fake.conn[i].sock == p[1 + i].fd)
			serve(&fake.conn[i]);
	}
	if (p[0].revents)
		accept_one(listener);
}

static int listen_at(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path + 1, name, n);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&addr,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) <
		    0 ||
	    listen(fd, 128) < 0)
		bad("listen");
	return fd;
}

static void run_daemon(const char *name)
{
	int listener = listen_at(name);

	atomic_fetch_add(&fake.log->starts, 1);
	atomic_store(&fake.log->ready, 1);
	for (;;)
		loop(listener);
}

struct fake_log *fake_log_create(void)
{
	struct fake_log *log = mmap(NULL, sizeof(*log), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return log == MAP_FAILED ? NULL : log;
}

pid_t fake_start(const char *name, struct fake_log *log)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	fake.log = log;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		pid = fork();
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			run_daemon(name);
		}
		(void)waitpid(pid, NULL, 0);
		atomic_store(&log->ready, 0);
	} while (atomic_load(&log->respawn));
	_exit(0);
}
