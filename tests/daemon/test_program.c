/* SPDX-License-Identifier: MIT */
/* test_program.c - good programs: attach, open, call, lend hands, go */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

START_TEST(test_good)
{
	rig_start(&rig, (unsigned int)_i + 1);
	for (int i = 0; i < 20; i++)
		rig_serves(&rig);
	end();
}
END_TEST

START_TEST(test_join_two)
{
	struct rig_program p;
	uint64_t word = 0;
	int sock[2];

	rig_start(&rig, (unsigned int)_i + 1);
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(rig_join(&rig, &p, UHMM_ROLE_CALLER,
					  &sock[i]), 0);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(rig_ioctl(&p, sock[i % 2], RIG_ECHO, &word),
				 0);
		ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ECHO, &word), 0);
	}
	ck_assert_uint_eq(word, 20);
	close(sock[0]);
	close(sock[1]);
	rig_drop(&p);
	end();
}
END_TEST

/* The last close of a device releases it before `closed` is answered. */
START_TEST(test_closed)
{
	struct rig_program p;
	struct uhmm_wire_msg msg;
	int dup_fd, fd;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	dup_fd = fcntl(p.dev_fd, F_DUPFD_CLOEXEC, 0);
	close(p.dev_fd);
	p.dev_fd = -1;
	uhmm_wire_init(&msg, UHMM_WIRE_closed, 4, false);
	msg.body.closed.open = p.dev;
	ck_assert_int_eq(rig_call(p.sock, &msg, NULL, 0, &fd), 0);
	ck_assert_uint_eq(rig_released(&rig), 0);
	close(dup_fd);
	uhmm_wire_init(&msg, UHMM_WIRE_closed, 5, false);
	msg.body.closed.open = p.dev;
	ck_assert_int_eq(rig_call(p.sock, &msg, NULL, 0, &fd), 0);
	ck_assert_uint_eq(rig_released(&rig), 1);
	rig_drop(&p);
	end();
}
END_TEST

/* A hang-up that is there is handled before the next ioctl. */
START_TEST(test_closed_silently)
{
	struct rig_program p, q;
	uint64_t word = 0;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_hello(&rig, &q), 0);
	for (unsigned int i = 1; i < 50; i++) {
		ck_assert_int_eq(rig_open(&q), 0);
		close(q.dev_fd);
		q.dev_fd = -1;
		ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ECHO, &word), 0);
		ck_assert_uint_eq(rig_released(&rig), i);
	}
	rig_drop(&q);
	rig_drop(&p);
	end();
}
END_TEST

/* What a program writes into the device fd blocks nobody. */
START_TEST(test_write_to_device)
{
	struct rig_program p;
	char byte = 1;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(send(p.dev_fd, &byte, 1, MSG_NOSIGNAL), 1);
	rig_serves(&rig);
	rig_drop(&p);
	end();
}
END_TEST

START_TEST(test_mmap)
{
	struct rig_program p;
	struct uhmm_wire_msg msg;
	struct stat st;
	int fd;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	uhmm_wire_init(&msg, UHMM_WIRE_mmap, 4, false);
	msg.body.mmap.open = p.dev;
	msg.body.mmap.bytes = 100;
	ck_assert_int_eq(rig_call(p.sock, &msg, NULL, 0, &fd), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq((size_t)st.st_size, uhmm_page_bytes());
	close(fd);
	uhmm_wire_init(&msg, UHMM_WIRE_mmap, 5, false);
	msg.body.mmap.open = p.dev;
	msg.body.mmap.bytes = UINT64_MAX;
	ck_assert_int_eq(rig_call(p.sock, &msg, NULL, 0, &fd), -ENOMEM);
	rig_drop(&p);
	end();
}
END_TEST

START_TEST(test_text)
{
	static const uint16_t ids[] = { UHMM_WIRE_stats, UHMM_WIRE_check };
	struct uhmm_wire_msg msg;
	char text[16384];
	int sock, fd;
	ssize_t n;

	begin();
	rig_serves(&rig);
	sock = rig_connect(&rig);
	for (int i = 0; i < 2; i++) {
		uhmm_wire_init(&msg, ids[i], 1, false);
		ck_assert_int_eq(rig_call(sock, &msg, NULL, 0, &fd), 0);
		n = pread(fd, text, sizeof(text) - 1, 0);
		ck_assert_int_ge(n, 0);
		text[n] = '\0';
		if (ids[i] == UHMM_WIRE_stats)
			ck_assert_ptr_nonnull(strstr(text, "\"opens\": 1"));
		else
			ck_assert_str_eq(text, "");
		close(fd);
	}
	close(sock);
	end();
}
END_TEST

/* The daemon, which shares our limit, runs out of descriptors: an open fails
 * and says why, and works again when there are some. */
START_TEST(test_no_descriptors)
{
	struct rig_program p;
	struct rlimit lim = { 0, 0 }, before;
	int fds[64], n = 0, err = 0;

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	getrlimit(RLIMIT_NOFILE, &before);
	lim.rlim_max = before.rlim_max;
	lim.rlim_cur = (rlim_t)p.sock + 32;
	setrlimit(RLIMIT_NOFILE, &lim);
	while (n < 64 && !(err = rig_open(&p)))
		fds[n++] = p.dev_fd;
	ck_assert_int_gt(n, 5);
	ck_assert_int_eq(err, -EMFILE);
	while (n > 0)
		close(fds[--n]);
	p.dev_fd = -1;
	for (int i = 0; i < 2000 && rig_open(&p); i++)
		usleep(1000);
	ck_assert_int_ge(p.dev_fd, 0);
	setrlimit(RLIMIT_NOFILE, &before);
	rig_drop(&p);
	end();
}
END_TEST

/* ---- hands ---- */

static unsigned char *page_of_ones(void)
{
	unsigned char *page = mmap(NULL, uhmm_page_bytes(),
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(page, MAP_FAILED);
	memset(page, 1, uhmm_page_bytes());
	return page;
}

START_TEST(test_hands_of_caller)
{
	struct rig_program p;
	unsigned char *page = page_of_ones();

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ZAP, page), 0);
	ck_assert_int_eq(page[0], 0);
	munmap(page, uhmm_page_bytes());
	ck_assert_int_eq(rig_ioctl(&p, p.sock, RIG_ZAP, page), -ENOMEM);
	rig_drop(&p);
	end();
}
END_TEST

/** An agent in a thread of its own: serves @n hands messages, then ends. */
struct agent {
	pthread_t thread;
	int sock;
	int n;
};

static void *agent_main(void *arg)
{
	struct agent *a = arg;
	struct uhmm_wire_msg msg;
	int fds[UHMM_WIRE_FDS_MAX];
	unsigned int nfds;

	while (a->n-- && !uhmm_wire_recv(a->sock, &msg, fds, &nfds)) {
		uint32_t seq = msg.header.seq;
		uint64_t addr = msg.body.hands.range[0].addr;

		madvise((void *)(uintptr_t)addr, uhmm_page_bytes(),
			MADV_DONTNEED);
		uhmm_wire_init(&msg, UHMM_WIRE_hands, seq, true);
		msg.body.hands_reply.done = 1;
		if (uhmm_wire_send(a->sock, &msg, NULL, 0))
			break;
	}
	close(a->sock);
	return NULL;
}

/* Another program's call on our memory: our agent does it, also when it comes
 * late. */
START_TEST(test_hands_of_agent)
{
	struct rig_program p, q;
	struct agent agent = { .n = 2 };
	unsigned char *page = page_of_ones();

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_hello(&rig, &q), 0);
	q.dev = p.dev;	/* as if inherited */
	ck_assert_int_eq(rig_join(&rig, &p, UHMM_ROLE_AGENT, &agent.sock), 0);
	pthread_create(&agent.thread, NULL, agent_main, &agent);
	ck_assert_int_eq(rig_ioctl(&q, q.sock, RIG_ZAP, page), 0);
	ck_assert_int_eq(page[0], 0);
	memset(page, 1, uhmm_page_bytes());
	ck_assert_int_eq(rig_ioctl(&q, q.sock, RIG_ZAP, page), 0);
	ck_assert_int_eq(page[0], 0);
	pthread_join(agent.thread, NULL);
	rig_drop(&q);
	rig_drop(&p);
	end();
}
END_TEST

START_TEST(test_no_agent)
{
	struct rig_program p, q;
	unsigned char *page = page_of_ones();

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_hello(&rig, &q), 0);
	q.dev = p.dev;
	ck_assert_int_eq(rig_ioctl(&q, q.sock, RIG_ZAP, page), -EIO);
	ck_assert_int_eq(page[0], 1);
	rig_drop(&q);
	rig_drop(&p);
	end();
}
END_TEST

/* The program goes away while its hands are wanted. */
START_TEST(test_hands_hang_up)
{
	struct rig_program p;
	struct uhmm_wire_msg msg;
	int fds[UHMM_WIRE_FDS_MAX];
	unsigned int nfds;
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
	ck_assert_int_eq(msg.header.id, UHMM_WIRE_hands);
	rig_drop(&p);
	end();
}
END_TEST

/* ---- events ---- */

static void *unmap(void *page)
{
	munmap(page, uhmm_page_bytes());
	return NULL;
}

/* Somebody unmaps @page, and stands still, for that was not read. */
static pthread_t begin_to_unmap(const struct rig_program *p, void *page)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)page, uhmm_page_bytes() },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	unsigned char there;
	pthread_t thread;

	ck_assert_int_eq(ioctl(p->uffd, UFFDIO_REGISTER, &reg), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, unmap, page), 0);
	while (mincore(page, uhmm_page_bytes(), &there) == 0)
		usleep(1000);
	return thread;
}

/* What a program did to its mappings before it asked is known when it is served,
 * also if its event could not be read yet: others can tell that it was done.
 * The same if another asks, at a device that it has inherited. */
START_TEST(test_event_before_request)
{
	struct rig_program p, q;
	struct uhmm_wire_msg msg;
	struct pollfd pfd = { .events = POLLIN };
	uint64_t unmaps = 77;
	unsigned int nfds;
	pthread_t thread;
	int fds[UHMM_WIRE_FDS_MAX];

	begin();
	ck_assert_int_eq(rig_hello(&rig, &p), 0);
	ck_assert_int_eq(rig_open(&p), 0);
	ck_assert_int_eq(rig_hello(&rig, &q), 0);
	pfd.fd = _i ? q.sock : p.sock;
	rig_pause(&rig, &p);
	thread = begin_to_unmap(&p, page_of_ones());
	uhmm_wire_init(&msg, UHMM_WIRE_ioctl, 3, false);
	msg.body.ioctl.open = p.dev;
	msg.body.ioctl.cmd = RIG_UNMAPS;
	msg.body.ioctl.arg = (uintptr_t)&unmaps;
	ck_assert_int_eq(uhmm_wire_send(pfd.fd, &msg, NULL, 0), 0);
	ck_assert_int_eq(poll(&pfd, 1, 100), 0);
	rig_resume(&rig, &p);
	ck_assert_int_eq(uhmm_wire_recv(pfd.fd, &msg, fds, &nfds), 0);
	ck_assert_int_eq(msg.header.error, 0);
	ck_assert_uint_eq(unmaps, 1);
	pthread_join(thread, NULL);
	rig_drop(&q);
	rig_drop(&p);
	end();
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ test_good, 2 },
		{ test_join_two, 2 },
		{ test_closed, 1 },
		{ test_closed_silently, 1 },
		{ test_write_to_device, 1 },
		{ test_mmap, 1 },
		{ test_text, 1 },
		{ test_no_descriptors, 1 },
		{ test_hands_of_caller, 1 },
		{ test_hands_of_agent, 1 },
		{ test_no_agent, 1 },
		{ test_hands_hang_up, 1 },
		{ test_event_before_request, 2 },
	};

	if (!rig_is_possible())
		return 77;
	return suite_main("program", tests, SUITE_COUNT(tests));
}
