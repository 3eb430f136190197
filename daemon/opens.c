/* SPDX-License-Identifier: MIT */
/* opens.c - opens of a device and their sockets (opens.h) */
#include "opens.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon.h"
#include "session.h"
#include "thread_cpu.h"
#include "wire/fdpass.h"

#define NEVENTS 64
/* How often one tries again to begin a release. */
#define RETRY_NS UINT64_C(10000000)
/* How long the last call of a dead program is waited for: it may itself wait for
 * a program that is stopped. */
#define DEAD_NS UINT64_C(1000000000)
/* How long the memory of one may still be there that ends, whose files are not;
 * and how often one looks. (One whose first thread has ended goes on.) */
#define END_NS UINT64_C(200000000)
#define LOOK_NS UINT64_C(1000000)

/* ---- life ---- */

int opens_init(struct opens *o, struct daemon *d)
{
	int err;

	memset(o, 0, sizeof(*o));
	o->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (o->epoll_fd < 0)
		return -errno;
	uhmm_list_init(&o->hung);
	co_queue_init(&o->released);
	o->d = d;
	err = loop_add(&d->worker[0].loop, o->epoll_fd, EV_OPENS, o, &o->ev);
	if (err) {
		close(o->epoll_fd);
		o->d = NULL;
	}
	return err;
}

void opens_fini(struct opens *o)
{
	if (!o->d)
		return;
	loop_del(&o->d->worker[0].loop, &o->ev);
	close(o->epoll_fd);
	slots_fini(&o->table);
	o->d = NULL;
}

/* ---- open ---- */

static struct uhmm_wire_token token_of(const struct open *open)
{
	return (struct uhmm_wire_token){
		{ open->secret,
		  (uint64_t)open->ref.generation << 32 | open->ref.slot }
	};
}

static int name_socket(const struct open *open)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	unsigned int n;

	static_assert(sizeof(sun.sun_path) >= UHMM_DEVFD_NAME_BYTES,
		      "the name fits");
	n = uhmm_devfd_name(sun.sun_path, open->file.dev->minor,
			    token_of(open));
	n += offsetof(struct sockaddr_un, sun_path);
	return bind(open->sock, (struct sockaddr *)&sun, n) < 0 ? -errno : 0;
}

/* Both ends; ours named, watched, and with the byte that makes it ready. */
static int make_sockets(struct opens *o, struct open *open, int *fd)
{
	struct epoll_event e = { .events = EPOLLIN };
	int end[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) < 0)
		return -errno;
	open->sock = end[0];
	*fd = end[1];
	err = name_socket(open);
	e.data.u64 = token_of(open).word[1];
	if (!err && (send(open->sock, "", 1, MSG_NOSIGNAL) != 1 ||
		     epoll_ctl(o->epoll_fd, EPOLL_CTL_ADD, open->sock, &e) < 0))
		err = -errno;
	if (err) {
		close(end[0]);
		close(end[1]);
	}
	return err;
}

int opens_add(struct opens *o, struct session *s, uint32_t minor,
	      uint32_t flags, int *fd)
{
	struct uhmm_device *dev = core_device(&o->d->core, minor);
	struct open *open;
	int err;

	if (!dev || o->d->stopping || dev->pgmap.unplugged)
		return -ENXIO;
	open = calloc(1, sizeof(*open));
	if (!open)
		return -ENOMEM;
	open->d = o->d;
	open->owner = s->ref;
	open->file = (struct uhmm_file){ .dev = dev, .mm = s->mm,
					 .flags = flags };
	uhmm_list_init(&open->link);
	if (getrandom(&open->secret, sizeof(open->secret), 0) < 0) {
		err = -errno;
		goto free_open;
	}
	err = slots_add(&o->table, open, &open->ref);
	if (err)
		goto free_open;
	err = make_sockets(o, open, fd);
	if (err)
		goto del_slot;
	err = dev->ops->open(&open->file);
	if (err)
		goto close_sockets;
	uhmm_mm_get(s->mm);
	o->d->stats.opens++;
	return 0;

close_sockets:
	close(open->sock);
	close(*fd);
del_slot:
	slots_del(&o->table, open->ref);
free_open:
	free(open);
	return err;
}

/* ---- use ---- */

static struct open *find(struct opens *o, uint64_t name)
{
	struct slot_ref ref = { (uint32_t)name, (uint32_t)(name >> 32) };

	return slots_get(&o->table, ref);
}

struct open *opens_get(struct opens *o, const struct uhmm_wire_token *token)
{
	struct open *open = find(o, token->word[1]);

	if (!open || open->secret != token->word[0] || open->order)
		return NULL;
	open->users++;
	return open;
}

/* ---- release ---- */

/* Who ends leaves its memory first, its files then: what it alone had on the
 * device is gone, and nobody is told of that. (yields) */
static void let_end(const struct open *open)
{
	struct session *s = slots_get(&open->d->session_table, open->owner);
	uint64_t deadline = co_now_ns() + END_NS;

	if (!s)
		return;
	session_get(s);
	while (s->state != SESSION_DEAD && session_is_alive(s) &&
	       thread_is_ending(s->pid, s->pid) && co_now_ns() < deadline)
		co_yield_until(co_now_ns() + LOOK_NS);
	if (s->state != SESSION_DEAD && !session_is_alive(s))
		session_gone(s);
	session_put(s);
}

static void release(void *arg)
{
	struct open *open = arg;
	struct opens *o = &open->d->opens;

	let_end(open);
	open->file.dev->ops->release(&open->file);
	uhmm_mm_put(open->file.mm);
	slots_del(&o->table, open->ref);
	uhmm_list_del(&open->link);
	co_queue_wake(&o->released);
	free(open);
}

/* Begin what can begin now; without memory it is tried again next time. */
static void release_hung(struct opens *o)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &o->hung) {
		struct open *open = UHMM_CONTAINER_OF(node, struct open, link);

		if (open->releasing || open->users)
			continue;
		open->releasing =
			!co_spawn(&o->d->worker[0].sched, release, open);
	}
}

void opens_put(struct open *open)
{
	open->users--;
	if (open->order && !open->users)
		release_hung(&open->d->opens);
}

static void hang_up(struct opens *o, struct open *open)
{
	if (open->order)
		return;
	open->order = ++o->order;
	epoll_ctl(o->epoll_fd, EPOLL_CTL_DEL, open->sock, NULL);
	close(open->sock);
	uhmm_list_add_tail(&o->hung, &open->link);
}

/* Something happened at our end of @open. */
static void look_at(struct opens *o, struct open *open, uint32_t events)
{
	char ignored[256];

	if (events & (EPOLLHUP | EPOLLERR))
		hang_up(o, open);
	else
		while (recv(open->sock, ignored, sizeof(ignored),
			    MSG_DONTWAIT) > 0)
			;
}

void opens_poll(struct opens *o)
{
	struct epoll_event e[NEVENTS];
	int n;

	do {
		n = epoll_wait(o->epoll_fd, e, NEVENTS, 0);
		for (int i = 0; i < n; i++) {
			struct open *open = find(o, e[i].data.u64);

			if (open)
				look_at(o, open, e[i].events);
		}
	} while (n == NEVENTS);
	release_hung(o);
}

/* Has the program that opened it ended? Then its last call ends by itself. */
static bool is_owner_dead(const struct open *open)
{
	struct session *s = slots_get(&open->d->session_table, open->owner);
	struct pollfd p = { .fd = s ? s->fds.pidfd : -1, .events = POLLIN };

	return !s || poll(&p, 1, 0) > 0;
}

/* The oldest hang-up that nobody is in the middle of a call on, or NULL.
 * @dead: or only a dead program is */
static struct open *oldest_hung(struct opens *o, bool dead)
{
	struct uhmm_list *node;

	UHMM_LIST_EACH(node, &o->hung) {
		struct open *open = UHMM_CONTAINER_OF(node, struct open, link);

		if (!open->users || (dead && is_owner_dead(open)))
			return open;
	}
	return NULL;
}

void opens_settle(struct opens *o)
{
	uint64_t last, until = 0, now = 0;
	struct open *open;

	opens_poll(o);
	last = o->order;
	while ((open = oldest_hung(o, now <= until)) && open->order <= last) {
		now = co_now_ns();
		until = until ? until : now + DEAD_NS;
		co_queue_wait(&o->released, now + RETRY_NS);
		release_hung(o);	/* for want of memory it was not begun */
	}
}

void opens_hang_up(struct opens *o)
{
	struct open *open;
	uint32_t at = 0;

	while ((open = slots_next(&o->table, &at)))
		hang_up(o, open);
	release_hung(o);
}
