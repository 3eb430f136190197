/* SPDX-License-Identifier: MIT */
/* session.c - attach: hand this process' memory over to the daemon */
#include "session.h"

#include "agent.h"
#include "buffer.h"
#include "converse.h"
#include "env.h"
#include "errand.h"
#include "request.h"
#include "trap.h"
#include "uffd.h"

enum phase {
	NONE = 0,
	ATTACHING,
	READY,
};

/* What hello hands over, in its order. */
enum handed {
	HANDED_UFFD,
	HANDED_MEM,
	HANDED_PAGEMAP,
	HANDED_MAPS,
	HANDED_PIDFD,
	HANDED
};

/* Of the wiped page, see session.h. */
enum alive {
	WIPED = 0,
	ALIVE,
	RENEWING,	/* one thread drops what the parent left */
};

static struct {
	_Atomic uint32_t phase;			/* enum phase */
	_Atomic uint32_t *_Atomic alive;	/* enum alive; NULL not yet */
	struct uhmm_session_ref ref;
	struct uhmm_wire_token parent;		/* session forked from */
	uint64_t fork_id;
	struct uhmm_ownfd first;		/* while attaching: its socket */
	struct uhmm_fds handed;			/* while attaching */
} session = { .first = UHMM_OWNFD_NONE };

static void set_phase(enum phase to)
{
	atomic_store(&session.phase, to);
	uhmm_futex_wake(&session.phase, INT_MAX);
}

/* ---- am I still the process I was? ---- */

#define PAGE_BYTES_MAX 65536
static char wiped_area[2 * PAGE_BYTES_MAX];

/* Its last whole page is anonymous memory whatever the file's pages cover. */
static void set_up_wiped_page(void)
{
	uintptr_t page = getauxval(AT_PAGESZ);
	uintptr_t at = (uintptr_t)wiped_area + sizeof(wiped_area) - page;

	if (atomic_load(&session.alive))
		return;
	at &= ~(page - 1);
	if (uhmm_sys3(SYS_madvise, (long)at, (long)page, MADV_WIPEONFORK) < 0)
		uhmm_env_debug("no MADV_WIPEONFORK", 0);
	atomic_store(&session.alive, (_Atomic uint32_t *)at);
}

static void drop_parent(uint64_t fork_id)
{
	if (atomic_load(&session.phase) == READY &&
	    uhmm_agent_state() == UHMM_AGENT_RUNNING) {
		session.parent = session.ref.token;
		session.fork_id = fork_id;
	}
	uhmm_trap_forked();
	uhmm_buffer_forget();
	uhmm_channel_forget();
	uhmm_errand_forget();
	uhmm_agent_forget();
	uhmm_ownfd_close(&session.first);
	uhmm_wire_close_fds(session.handed.fd, &session.handed.n);
	atomic_store(&session.phase, NONE);
}

/* Find out whether this is a new process, and make it one. */
void uhmm_session_notice(void)
{
	_Atomic uint32_t *alive = atomic_load(&session.alive);
	uint32_t seen = WIPED;

	if (!alive || atomic_load(alive) == ALIVE)
		return;
	if (atomic_compare_exchange_strong(alive, &seen, RENEWING)) {
		drop_parent(0);
		atomic_store(alive, ALIVE);
		uhmm_futex_wake(alive, INT_MAX);
	}
	while (atomic_load(alive) == RENEWING)
		uhmm_futex_wait(alive, RENEWING);
}

void uhmm_session_forked(uint64_t fork_id)
{
	_Atomic uint32_t *alive = atomic_load(&session.alive);

	if (!alive)
		return;		/* the parent never attached */
	drop_parent(fork_id);
	atomic_store(alive, ALIVE);
}

/* ---- attach ---- */

static long open_proc(const char *path, int flags)
{
	return uhmm_sys4(SYS_openat, AT_FDCWD, uhmm_ptr(path),
			 flags | O_CLOEXEC, 0);
}

static int hand(long fd, const char *what)
{
	if (fd < 0) {
		uhmm_env_debug(what, (int)fd);
		return (int)fd;
	}
	session.handed.fd[session.handed.n++] = (int)fd;
	return 0;
}

/* Where no userfaultfd is to be had another descriptor stands in its place: the
 * daemon traps by protection alone then. */
static long make_uffd(struct uhmm_msg_hello *hello)
{
	long fd = uhmm_uffd_create(&hello->uffd_features, &hello->flags);

	if (fd >= 0 || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return fd;
	uhmm_env_debug("no userfaultfd", (int)fd);
	hello->flags = UHMM_HELLO_NO_UFFD;
	hello->uffd_features = 0;
	return open_proc("/proc/self/maps", O_RDONLY);
}

/* Open all that hello hands over; in session.handed, also on failure. */
static int gather(struct uhmm_msg_hello *hello)
{
	int err = hand(make_uffd(hello), "no userfaultfd");

	if (!err)
		err = hand(open_proc("/proc/self/mem", O_RDWR),
			   "/proc/self/mem");
	if (!err)
		err = hand(open_proc("/proc/self/pagemap", O_RDONLY),
			   "/proc/self/pagemap");
	if (!err)
		err = hand(open_proc("/proc/self/maps", O_RDONLY),
			   "/proc/self/maps");
	if (!err)
		err = hand(uhmm_sys2(SYS_pidfd_open, hello->pid, 0), "pidfd");
	return err;
}

/* The userfaultfd that comes back is the one that is served: in the child of a
 * fork it is not the one we made. */
static int say_hello(int sock, struct uhmm_wire_msg *msg)
{
	struct uhmm_fds got;
	int err = uhmm_converse(sock, msg, &session.handed, &got);

	if (!err)
		err = msg->header.error;
	if (!err && msg->body.hello_reply.version != UHMM_WIRE_VERSION)
		err = -EPROTONOSUPPORT;
	if (got.n && !err) {
		(void)uhmm_sys1(SYS_close, session.handed.fd[HANDED_UFFD]);
		session.handed.fd[HANDED_UFFD] = got.fd[0];
		return 0;
	}
	uhmm_wire_close_fds(got.fd, &got.n);
	uhmm_env_debug("the daemon does not take this program", err);
	return err ? err : -EPROTO;
}

/* All of the library, the agent's stack included: from the linker. Code and
 * tables, too, must be there while a fault is served. */
extern char own_start[] __asm__("__ehdr_start")
	__attribute__((visibility("hidden")));
extern char own_end[] __asm__("_end") __attribute__((visibility("hidden")));

static atomic_bool has_uffd;

void uhmm_session_note_uffd(void)
{
	atomic_store(&has_uffd, true);
}

static int hello(int sock)
{
	struct uhmm_wire_msg msg;
	struct uhmm_msg_hello *h = &msg.body.hello;
	bool user_mode_only;
	int err;

	uhmm_wire_init(&msg, UHMM_WIRE_hello, 0, false);
	h->version = UHMM_WIRE_VERSION;
	h->page_bytes = (uint32_t)getauxval(AT_PAGESZ);
	h->pid = (uint32_t)uhmm_sys0(SYS_getpid);
	h->parent = session.parent;
	h->fork_id = session.fork_id;
	h->own.addr = (uintptr_t)own_start;
	h->own.bytes = (uintptr_t)own_end - (uintptr_t)own_start;
	err = gather(h);
	user_mode_only = h->flags & UHMM_HELLO_USER_MODE_ONLY;
	if (atomic_load(&has_uffd))
		h->flags |= UHMM_HELLO_OWN_UFFD;
	if (!err)
		err = say_hello(sock, &msg);
	if (err)
		return err;
	session.ref.token = msg.body.hello_reply.session;
	uhmm_buffer_user_mode_only(user_mode_only);
	return 0;
}

/* Errors a caller of open() can do something about stay as they are. */
static int as_open_error(int err)
{
	switch (err) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return err;
	default:
		return -ENODEV;
	}
}

static int attach(void)
{
	static const struct uhmm_wire_token none;
	int err = uhmm_ownfd_connect(&session.first);

	if (err)
		return err;
	err = hello(session.first.fd);
	if (!err) {
		err = uhmm_agent_start(session.ref.token,
				       session.handed.fd[HANDED_UFFD]);
		if (err)
			uhmm_env_debug("no agent", err);
	}
	uhmm_wire_close_fds(session.handed.fd, &session.handed.n);
	if (err) {
		uhmm_ownfd_close(&session.first);
		return as_open_error(err);
	}
	session.ref.generation++;
	session.parent = none;
	session.fork_id = 0;
	uhmm_channel_adopt(&session.first, session.ref.generation);
	return 0;
}

/* This thread, alone, attaches; the others wait for the phase to change. */
static int try_attach(void)
{
	uint32_t seen = NONE;
	int err;

	set_up_wiped_page();
	uhmm_session_notice();
	if (!atomic_compare_exchange_strong(&session.phase, &seen, ATTACHING))
		return 0;
	err = attach();
	set_phase(err ? NONE : READY);
	return err;
}

/* ---- the session, as others see it ---- */

/* READY and the daemon was there a moment ago. */
static int look(struct uhmm_session_ref *ref)
{
	if (uhmm_agent_state() != UHMM_AGENT_RUNNING)
		return -ENODEV;
	*ref = session.ref;
	return 0;
}

/* The daemon is gone and all is ordinary again: a new session may be made. */
static void end_if_finished(void)
{
	uint32_t seen = READY;

	if (uhmm_agent_state() != UHMM_AGENT_FINISHED)
		return;
	if (atomic_compare_exchange_strong(&session.phase, &seen, NONE))
		uhmm_futex_wake(&session.phase, INT_MAX);
}

int uhmm_session_have(struct uhmm_session_ref *ref)
{
	if (uhmm_is_locked_up())
		return -ENODEV;
	uhmm_session_notice();
	if (atomic_load(&session.phase) != READY)
		return -ENODEV;
	return look(ref);
}

int uhmm_session_need(struct uhmm_session_ref *ref)
{
	int err = uhmm_is_locked_up() ? -ENODEV : 0;

	while (!err) {
		uhmm_session_notice();
		end_if_finished();
		switch (atomic_load(&session.phase)) {
		case READY:
			return look(ref);
		case ATTACHING:
			uhmm_futex_wait(&session.phase, ATTACHING);
			break;
		default:
			err = try_attach();
		}
	}
	return err;
}

/* There is no reply: the channel hangs up, the agent's when all is done. */
void uhmm_session_leave(void)
{
	struct uhmm_wire_msg msg;

	uhmm_wire_init(&msg, UHMM_WIRE_leave, 0, false);
	if (uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED) != -EIO)
		return;
	uhmm_agent_wait_end();
	uhmm_channel_close_idle();
	uhmm_errand_end();
	end_if_finished();
}

bool uhmm_session_exists(void)
{
	return atomic_load_explicit(&session.phase, memory_order_relaxed) !=
	       NONE;
}

bool uhmm_session_owns(int fd)
{
	for (unsigned int i = 0; i < session.handed.n; i++) {
		if (session.handed.fd[i] == fd)
			return true;
	}
	return uhmm_ownfd_has(&session.first, fd) || uhmm_agent_owns(fd) ||
	       uhmm_channel_owns(fd);
}
