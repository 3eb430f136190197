/* SPDX-License-Identifier: MIT */
/*
 * fd_name - one end of a SOCK_SEQPACKET pair can be bound to an abstract name;
 * whoever holds the other end reads that name with getpeername(): a copy of
 * it, a child, a process that got it by SCM_RIGHTS, a program after exec, and
 * even when the bound end is closed. A message left in its queue is seen by
 * all and consumed by none that peeks.
 */
#include "fact.h"

#include <stddef.h>
#include <sys/un.h>

static const char message[] = "magic";

static struct sockaddr_un name(socklen_t *len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "uhmm-fact-%d",
			 getpid());

	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)n);
	return a;
}

static void known(int fd, const struct sockaddr_un *want, socklen_t len,
		  const char *fact)
{
	struct sockaddr_un a = { 0 };
	socklen_t n = sizeof(a);
	char buf[16];

	FACT(!getpeername(fd, (struct sockaddr *)&a, &n), fact);
	FACT(n == len && !memcmp(&a, want, len), fact);
	FACT(recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT) ==
		     sizeof(message),
	     "the message can be peeked again and again");
}

static void passed_on(int fd, const struct sockaddr_un *a, socklen_t len)
{
	int way[2];
	pid_t pid;

	fact_pair(way);
	pid = fact_fork();
	if (!pid) {
		close(fd);
		known(fact_recv_fd(way[1]), a, len,
		      "the name is known to who got it by SCM_RIGHTS");
		_exit(0);
	}
	fact_send_fd(way[0], fd);
	fact_reap(pid);
}

static void after_exec(int fd)
{
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", fcntl(fd, F_DUPFD, 0));
	pid = fact_fork();
	if (!pid) {
		execl("/proc/self/exe", "fd_name", number, NULL);
		_exit(1);
	}
	fact_reap(pid);
}

static void polls_as_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	NEED(poll(&p, 1, 0) == 1, "poll");
	FACT_IS(p.revents, POLLIN | POLLOUT,
		"an end with a message unread polls as POLLIN | POLLOUT");
}

static void all_ways(const struct sockaddr_un *a, socklen_t len)
{
	int pair[2];

	fact_pair(pair);
	FACT(!bind(pair[0], (const struct sockaddr *)a, len),
	     "a connected end can be bound to an abstract name");
	NEED(send(pair[0], message, sizeof(message), 0) == sizeof(message),
	     "send");
	polls_as_ready(pair[1]);
	known(pair[1], a, len, "getpeername says the name");
	known(fcntl(pair[1], F_DUPFD_CLOEXEC, 0), a, len,
	      "a duplicate says the name");
	passed_on(pair[1], a, len);
	after_exec(pair[1]);
	close(pair[0]);
	known(pair[1], a, len, "the name outlives the end bound to it");
}

int main(int argc, char **argv)
{
	struct sockaddr_un a;
	socklen_t len;

	fact_begin();
	if (argc > 1) {
		int fd = atoi(argv[1]);

		len = sizeof(a);
		FACT(!getpeername(fd, (struct sockaddr *)&a, &len) &&
			     !strncmp(a.sun_path + 1, "uhmm-fact-", 10),
		     "the name is known after exec");
		return 0;
	}
	a = name(&len);
	all_ways(&a, len);
	return 0;
}
