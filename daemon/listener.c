/* SPDX-License-Identifier: MIT */
/* listener.c - the door (listener.h) */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "channel.h"
#include "daemon.h"
#include "session.h"

#define BACKLOG 128
/* How often one asks whether somebody is there, and waits for an answer. */
#define KNOCKS_MAX 5
#define KNOCK_MS 200

/* ---- make the socket ---- */

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	return sun;
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX,
			SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	return fd;
}

/* Connect to @path. Return: 0 nobody listens; 1 accepted or queued, and then
 * nothing; 2 the connection was ended; -errno */
static int knock(const char *path)
{
	struct sockaddr_un sun = address(path);
	struct pollfd pfd = { .fd = new_socket(), .events = POLLIN };
	int ret = 1;

	if (pfd.fd < 0)
		return pfd.fd;
	if (connect(pfd.fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		ret = poll(&pfd, 1, KNOCK_MS) > 0 ? 2 : 1;
	else if (errno != EAGAIN)
		ret = errno == ECONNREFUSED ? 0 : -errno;
	close(pfd.fd);
	return ret;
}

/* Does anybody serve there? The kernel may keep the socket of a daemon that
 * was killed for a moment, with its io_uring; a connection to it ends soon.
 * Return: 0 no; -EADDRINUSE; -errno */
static int probe(const char *path)
{
	int ret = 2;

	for (int i = 0; ret == 2 && i < KNOCKS_MAX; i++)
		ret = knock(path);
	return ret > 0 ? -EADDRINUSE : ret;
}

/* Nothing is left at @path, or we may not have it. */
static int clear_path(const char *path)
{
	struct stat st;
	int err;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		uhmm_err("%s: is there and no socket; choose another --socket",
			 path);
		return -EEXIST;
	}
	err = probe(path);
	if (err == -EADDRINUSE)
		uhmm_err("%s: a daemon serves there already; stop it or choose "
			 "another --socket", path);
	else if (err == 0 && unlink(path) < 0)
		err = -errno;
	return err;
}

/* The directory of @path, made if its parent is there. */
static int make_dir(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	struct stat st;
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (!n)
		return 0;
	memcpy(dir, path, n);
	dir[n] = '\0';
	if (mkdir(dir, 0700) == 0)
		return 0;
	if (errno != EEXIST || strncmp(dir, "/tmp/", 5) != 0)
		return errno == EEXIST ? 0 : -errno;
	/* Below /tmp somebody else may have been first. */
	if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid() && !(st.st_mode & 022))
		return 0;
	uhmm_err("%s: must be a directory of ours that nobody else can write; "
		 "choose another --socket", dir);
	return -EPERM;
}

static int bind_at(int fd, const char *path)
{
	struct sockaddr_un sun = address(path);
	mode_t old = umask(0177);
	int err = 0;

	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		err = -errno;
	umask(old);
	if (!err && (chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0))
		err = -errno;
	return err;
}

int listener_bind(const char *path)
{
	int fd, err = make_dir(path);

	if (!err)
		err = clear_path(path);
	if (err) {
		if (err != -EADDRINUSE && err != -EEXIST && err != -EPERM)
			uhmm_err_errno(err, "%s", path);
		return err;
	}
	fd = new_socket();
	if (fd < 0)
		return fd;
	err = bind_at(fd, path);
	if (err) {
		uhmm_err_errno(err, "cannot listen at %s", path);
		close(fd);
		return err;
	}
	return fd;
}

/* The socket of a parent: is it what it should be? */
static int inherit(int fd)
{
	int type = 0, listens = 0;
	socklen_t n = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 ||
	    type != SOCK_SEQPACKET || !listens) {
		uhmm_err("--socket-fd %d: must be a SEQPACKET socket that "
			 "listens", fd);
		return -EINVAL;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

/* ---- life ---- */

int listener_open(struct listener *l, struct daemon *d,
		  const struct conf *conf)
{
	int err;

	memset(l, 0, sizeof(*l));
	l->fd = conf->socket_fd >= 0 ? inherit(conf->socket_fd) :
				       listener_bind(conf->socket);
	if (l->fd < 0)
		return l->fd;
	l->d = d;
	l->path = conf->socket_fd >= 0 ? NULL : conf->socket;
	l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	err = loop_add(&d->worker[0].loop, l->fd, EV_LISTEN, l, &l->ev);
	if (err)
		listener_close(l);
	return err;
}

void listener_close(struct listener *l)
{
	if (!l->d)
		return;
	if (l->path)
		unlink(l->path);
	loop_del(&l->d->worker[0].loop, &l->ev);
	close(l->fd);
	if (l->spare_fd >= 0)
		close(l->spare_fd);
	l->d = NULL;
}

/* ---- who comes ---- */

static bool peer_of(int sock, struct ucred *cred)
{
	socklen_t n = sizeof(*cred);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, cred, &n) == 0 &&
	       n == sizeof(*cred);
}

bool listener_may_enter(int sock, unsigned int uid)
{
	struct ucred cred;

	if (!peer_of(sock, &cred))
		return false;
	if (cred.uid == uid)
		return true;
	uhmm_warn("refused a connection of user %u, pid %d: this daemon is of "
		  "user %u", cred.uid, cred.pid, uid);
	return false;
}

/* The worker of the process @pid, which has a session; or the one with the
 * fewest, so that programs are served side by side. */
static struct worker *worker_for(struct daemon *d, uint32_t pid)
{
	unsigned int count[CONF_WORKERS_MAX] = { 0 }, best = 0;
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &d->sessions) {
		const struct session *s =
			UHMM_CONTAINER_OF(node, struct session, link);

		if (s->state == SESSION_DEAD)
			continue;
		if (s->pid == pid)
			return s->w;
		count[s->w->index]++;
	}
	for (unsigned int i = 1; i < d->conf.nworkers; i++)
		if (count[i] < count[best])
			best = i;
	return &d->worker[best];
}

static void let_in(struct daemon *d, int sock)
{
	struct ucred cred;

	if (!peer_of(sock, &cred))
		cred.pid = 0;
	if (!listener_may_enter(sock, geteuid()) ||
	    channel_create(worker_for(d, (uint32_t)cred.pid), sock))
		close(sock);
}

static int accept_one(const struct listener *l)
{
	/* cppcheck-suppress nullPointer ; who it is the kernel says later */
	return accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* No descriptor left: take one connection by the spare one and close it. */
static bool turn_away(struct listener *l)
{
	int sock;

	if (l->spare_fd < 0)
		return false;
	uhmm_warn("out of descriptors: a connection is refused; raise "
		  "RLIMIT_NOFILE");
	close(l->spare_fd);
	sock = accept_one(l);
	if (sock >= 0)
		close(sock);
	l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return sock >= 0;
}

void listener_ready(struct listener *l)
{
	int sock;

	for (;;) {
		sock = accept_one(l);
		if (sock >= 0) {
			let_in(l->d, sock);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if ((errno == EMFILE || errno == ENFILE) && turn_away(l))
			continue;
		if (errno != EAGAIN)
			uhmm_err_errno(errno, "cannot accept");
		return;
	}
}
