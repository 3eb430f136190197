/* SPDX-License-Identifier: MIT */
/* test_protocol.c - what happens to a program that says what it may not: it
 * loses its session, and nobody else notices
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"
#include "suite.h"
#include "sys/pagesize.h"

static struct rig rig;

static void begin(void)
{
	rig_start(&rig, 1);
}

static void end(void)
{
	rig_serves(&rig);
	rig_await_empty(&rig);
	rig_stop(&rig);
}

static unsigned char *page_of_ones(void)
{
	unsigned char *page = mmap(NULL, uhmm_page_bytes(),
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(page, MAP_FAILED);
	memset(page, 1, uhmm_page_bytes());
	return page;
}

/* ---- errors that are answered ---- */

START_TEST(test_unknown_token)
{
	struct rig_program p;
	uint64_t word = 0;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	p.dev.word[0] ^= 1;
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ECHO, &word), -EBADF);
	p.dev.word[0] ^= 1;
	p.dev.word[1] += UINT64_C(1) << 32;
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ECHO, &word), -EBADF);
	p.dev.word[1] = UINT64_MAX;
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ECHO, &word), -EBADF);
	rig_drop(&p);
	end();
}
END_TEST

START_TEST(test_unknown_minor)
{
	struct rig_program p;
	struct uhmm_wire_msg msg;
	int fd;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	uhmm_wire_init(&msg, UHMM_WIRE_open, 2, false);
	msg.body.open.minor = 7;
	ck_assert_int_eq(rig_call(p.sock, &msg, NULL, 0, &fd), -ENXIO);
	ck_assert_int_eq(rig_open(&p), 0);
	rig_drop(&p);
	end();
}
END_TEST

START_TEST(test_join_wrong_token)
{
	struct rig_program p, wrong;
	int sock;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	wrong = p;
	wrong.session.word[0] ^= 1;
	ck_assert_int_eq(rig_join(&rig, &wrong, UHMM_ROLE_CALLER, &sock),
			 -EACCES);
	ck_assert(rig_is_hung_up(sock));
	close(sock);
	memset(&wrong.session, 0, sizeof(wrong.session));
	ck_assert_int_eq(rig_join(&rig, &wrong, UHMM_ROLE_AGENT, &sock),
			 -EACCES);
	close(sock);
	ck_assert_int_eq(rig_open(&p), 0);
	rig_drop(&p);
	end();
}
END_TEST

/** A hello that is wrong in one thing. */
static const struct bad_hello {
	int fd;			/* which is replaced by a plain file, -1 */
	uint32_t version, page_bytes;
	int err;
} bad_hellos[] = {
	{ 0, UHMM_WIRE_VERSION, 0, -EINVAL },
	{ 1, UHMM_WIRE_VERSION, 0, -EINVAL },
	{ 2, UHMM_WIRE_VERSION, 0, -EINVAL },
	{ 3, UHMM_WIRE_VERSION, 0, -EINVAL },
	{ 4, UHMM_WIRE_VERSION, 0, -EINVAL },
	{ -1, UHMM_WIRE_VERSION + 1, 0, -EPROTONOSUPPORT },
	{ -1, UHMM_WIRE_VERSION, 1 << 21, -EINVAL },
};

START_TEST(test_bad_hello)
{
	const struct bad_hello *bad = &bad_hellos[_i];
	struct uhmm_wire_msg msg;
	int fds[5], sock, fd;

	begin();
	ck_assert(rig_fds(fds));
	if (bad->fd >= 0) {
		close(fds[bad->fd]);
		fds[bad->fd] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	}
	sock = rig_connect(&rig);
	uhmm_wire_init(&msg, UHMM_WIRE_hello, 1, false);
	msg.body.hello.version = bad->version;
	msg.body.hello.page_bytes = bad->page_bytes ?
					    bad->page_bytes :
					    (uint32_t)uhmm_page_bytes();
	msg.body.hello.uffd_features = 1;
	ck_assert_int_eq(rig_call(sock, &msg, fds, 5, &fd), bad->err);
	ck_assert(rig_is_hung_up(sock));
	close(sock);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	end();
}
END_TEST

/* ---- errors that end the connection ---- */

/** Bytes that are no message. */
static const struct bad_bytes {
	const char *what;
	size_t bytes;		/* 0: as the id says */
	uint32_t magic;
	uint16_t id, flags;
	int32_t error;
	uint32_t body;		/* first word of the body */
	int nfds;
} bad_bytes[] = {
	{ "short header", 8, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, 0, 0, 0 },
	{ "header only", 16, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, 0, 0, 0 },
	{ "too long", 25, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, 0, 0, 0 },
	{ "huge", 3000, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, 0, 0, 0 },
	{ "magic", 0, 0x12345678, UHMM_WIRE_stats, 0, 0, 0, 0 },
	{ "id 0", 24, UHMM_WIRE_MAGIC, 0, 0, 0, 0, 0 },
	{ "id 31", 24, UHMM_WIRE_MAGIC, 31, 0, 0, 0, 0 },
	{ "id 65535", 24, UHMM_WIRE_MAGIC, 65535, 0, 0, 0, 0 },
	{ "flag", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0x8000, 0, 0, 0 },
	{ "error", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, -1, 0, 0 },
	{ "padding", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, 0, 1, 0 },
	{ "descriptor", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, 0, 0, 1 },
	{ "eight", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_stats, 0, 0, 0, 8 },
	{ "too few", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_hello, 0, 0, 1, 4 },
	{ "hands", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_hands, 0, 0, 1, 0 },
	{ "answer", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_hands, UHMM_WIRE_REPLY, 0, 0,
	  0 },
	{ "reply", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_ioctl, UHMM_WIRE_REPLY, 0, 0,
	  0 },
	{ "open first", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_open, 0, 0, 0, 0 },
	{ "ioctl first", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_ioctl, 0, 0, 0, 0 },
	{ "bad role", 0, UHMM_WIRE_MAGIC, UHMM_WIRE_join, 0, 0, 1, 0 },
};

static void send_bytes(int sock, const struct bad_bytes *bad)
{
	unsigned char bytes[4096] = { 0 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} ctl;
	struct uhmm_wire_header h = { .magic = bad->magic, .id = bad->id,
				      .flags = bad->flags, .seq = 1,
				      .error = bad->error };
	struct iovec iov = { .iov_base = bytes };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), &bad->body, sizeof(bad->body));
	iov.iov_len = bad->bytes ? bad->bytes :
				   uhmm_wire_bytes(bad->id,
						   bad->flags & UHMM_WIRE_REPLY);
	if (bad->nfds) {
		memset(&ctl, 0, sizeof(ctl));
		ctl.align.cmsg_level = SOL_SOCKET;
		ctl.align.cmsg_type = SCM_RIGHTS;
		ctl.align.cmsg_len = CMSG_LEN((size_t)bad->nfds * sizeof(int));
		mh.msg_control = &ctl;
		mh.msg_controllen = CMSG_SPACE((size_t)bad->nfds * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(sock, &mh, MSG_NOSIGNAL),
			 (ssize_t)iov.iov_len);
}

START_TEST(test_bad_bytes_first)
{
	int sock;

	begin();
	sock = rig_connect(&rig);
	send_bytes(sock, &bad_bytes[_i]);
	ck_assert_msg(rig_is_hung_up(sock), "%s", bad_bytes[_i].what);
	close(sock);
	end();
}
END_TEST

/* The same from a program with a session: it loses that, on every channel,
 * and its open is released. */
START_TEST(test_bad_bytes_later)
{
	const struct bad_bytes *bad = &bad_bytes[_i];
	struct rig_program p;
	int sock;

	/* these are good, or answered with an error, once there is a session */
	if (!strcmp(bad->what, "open first") ||
	    !strcmp(bad->what, "ioctl first"))
		return;
	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_join(&rig, &p, UHMM_ROLE_CALLER, &sock), 0);
	send_bytes(sock, bad);
	ck_assert_msg(rig_is_hung_up(sock), "%s", bad->what);
	ck_assert_msg(rig_is_hung_up(p.sock), "%s", bad->what);
	close(sock);
	rig_drop(&p);
	end();
}
END_TEST

/** Requests at the wrong time: who sends them and what. */
static const struct wrong_time {
	uint32_t role;
	uint16_t id;
	uint32_t body;
	bool busy;		/* while another one is under way */
} wrong_times[] = {
	{ UHMM_ROLE_CALLER, UHMM_WIRE_join, UHMM_WIRE_VERSION, false },
	{ UHMM_ROLE_CALLER, UHMM_WIRE_stop, 0, false },
	{ UHMM_ROLE_CALLER, UHMM_WIRE_ioctl, 0, true },
	{ UHMM_ROLE_CALLER, UHMM_WIRE_open, 0, true },
	{ UHMM_ROLE_AGENT, UHMM_WIRE_open, 0, false },
	{ UHMM_ROLE_AGENT, UHMM_WIRE_ioctl, 0, false },
	{ UHMM_ROLE_AGENT, UHMM_WIRE_stop, 0, false },
};

static void await_blocked(void)
{
	for (int i = 0; i < 2000 && !rig_blocked(&rig); i++)
		usleep(1000);
	ck_assert_uint_eq(rig_blocked(&rig), 1);
}

START_TEST(test_wrong_time)
{
	const struct wrong_time *wrong = &wrong_times[_i];
	struct rig_program p;
	struct uhmm_wire_msg msg;
	int sock;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_join(&rig, &p, wrong->role, &sock), 0);
	if (wrong->busy) {
		uhmm_wire_init(&msg, UHMM_WIRE_ioctl, 3, false);
		msg.body.ioctl.open = p.dev;
		msg.body.ioctl.cmd = RIG_BLOCK;
		ck_assert_int_eq(uhmm_wire_send(sock, &msg, NULL, 0), 0);
		await_blocked();
	}
	uhmm_wire_init(&msg, wrong->id, 4, false);
	if (wrong->id == UHMM_WIRE_join) {
		msg.body.join.version = UHMM_WIRE_VERSION;
		msg.body.join.role = UHMM_ROLE_CALLER;
		msg.body.join.session = p.session;
	}
	ck_assert_int_eq(uhmm_wire_send(sock, &msg, NULL, 0), 0);
	ck_assert(rig_is_hung_up(sock));
	ck_assert(rig_is_hung_up(p.sock));
	rig_serves(&rig);
	rig_unblock(&rig);
	close(sock);
	rig_drop(&p);
	end();
}
END_TEST

/* An answer that does not fit the question. */
START_TEST(test_bad_answer)
{
	struct rig_program p;
	struct uhmm_wire_msg msg;
	int fds[UHMM_WIRE_FDS_MAX];
	unsigned int nfds;
	uint32_t seq;
	unsigned char *page = page_of_ones();

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	uhmm_wire_init(&msg, UHMM_WIRE_ioctl, 3, false);
	msg.body.ioctl.open = p.dev;
	msg.body.ioctl.cmd = RIG_ZAP;
	msg.body.ioctl.arg = (uintptr_t)page;
	ck_assert_int_eq(uhmm_wire_send(p.sock, &msg, NULL, 0), 0);
	ck_assert_int_eq(uhmm_wire_recv(p.sock, &msg, fds, &nfds), 0);
	seq = msg.header.seq;
	uhmm_wire_init(&msg, UHMM_WIRE_hands, _i ? seq : seq + 1, true);
	msg.body.hands_reply.done = _i ? 2 : 1;
	ck_assert_int_eq(uhmm_wire_send(p.sock, &msg, NULL, 0), 0);
	ck_assert(rig_is_hung_up(p.sock));
	rig_drop(&p);
	end();
}
END_TEST

static atomic_bool unmapped;

static void *unmap(void *page)
{
	munmap(page, uhmm_page_bytes());
	unmapped = true;
	return NULL;
}

/* Until the event was read, or the session ended for it. */
static void await_unmapped(int sock)
{
	char byte;

	for (int i = 0; i < 5000 && !unmapped; i++) {
		if (recv(sock, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
			return;
		usleep(1000);
	}
	ck_assert(unmapped);
}

/* It makes the userfaultfd, which it shares with us, a blocking one. A kernel
 * that can read that without waiting (6.10) has the event; on another the session
 * ends, and whoever unmaps waits for as long as the program keeps it open. */
START_TEST(test_blocking_uffd)
{
	struct rig_program p;
	pthread_t thread;
	unsigned char *page = page_of_ones();
	struct uffdio_register reg = {
		.range = { (uintptr_t)page, uhmm_page_bytes() },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(ioctl(p.uffd, UFFDIO_REGISTER, &reg), 0);
	ck_assert_int_eq(fcntl(p.uffd, F_SETFL, 0), 0);
	/* raises an event */
	ck_assert_int_eq(pthread_create(&thread, NULL, unmap, page), 0);
	await_unmapped(p.sock);
	rig_serves(&rig);
	rig_drop(&p);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	end();
}
END_TEST

/* ---- coming and going ---- */

START_TEST(test_connect_and_drop)
{
	begin();
	for (int i = 0; i < 1000; i++)
		close(rig_connect(&rig));
	rig_serves(&rig);
	for (int i = 0; i < 100; i++) {
		struct rig_program p;

		ck_assert_int_eq(rig_hello(&rig, &p), 0);
		if (i % 2)
			ck_assert_int_eq(rig_open(&p), 0);
		rig_drop(&p);
	}
	end();
}
END_TEST

static void await_released(unsigned int n)
{
	for (int i = 0; i < 2000 && rig_released(&rig) < n; i++)
		usleep(1000);
	ck_assert_uint_eq(rig_released(&rig), n);
}

/* It hangs up while its request is under way. */
START_TEST(test_drop_busy)
{
	struct rig_program p;
	struct uhmm_wire_msg msg;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	uhmm_wire_init(&msg, UHMM_WIRE_ioctl, 3, false);
	msg.body.ioctl.open = p.dev;
	msg.body.ioctl.cmd = RIG_BLOCK;
	ck_assert_int_eq(uhmm_wire_send(p.sock, &msg, NULL, 0), 0);
	await_blocked();
	rig_drop(&p);
	rig_serves(&rig);
	await_released(1);	/* that of rig_serves(), not the busy one */
	ck_assert_uint_eq(rig_blocked(&rig), 1);
	rig_unblock(&rig);
	await_released(2);
	end();
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ test_unknown_token, 1 },
		{ test_unknown_minor, 1 },
		{ test_join_wrong_token, 1 },
		{ test_bad_hello, SUITE_COUNT(bad_hellos) },
		{ test_bad_bytes_first, SUITE_COUNT(bad_bytes) },
		{ test_bad_bytes_later, SUITE_COUNT(bad_bytes) },
		{ test_wrong_time, SUITE_COUNT(wrong_times) },
		{ test_bad_answer, 2 },
		{ test_blocking_uffd, 1 },
		{ test_connect_and_drop, 1 },
		{ test_drop_busy, 1 },
	};

	if (!rig_is_possible())
		return 77;
	return suite_main("protocol", tests, SUITE_COUNT(tests));
}
