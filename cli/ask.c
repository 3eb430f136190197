/* SPDX-License-Identifier: MIT */
#include "ask.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/fdpass.h"
#include "wire/wire.h"

#define TEXT_BYTES_MAX (16l << 20)

bool cli_ask_is_gone(int ret)
{
	return ret == -ECONNREFUSED || ret == -ECONNRESET || ret == -EPIPE ||
	       ret == -ENOENT;
}

int cli_ask_connect(const char *path)
{
	struct timeval limit = { .tv_sec = CLI_ASK_S };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int sock, ret;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(sock, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		ret = -errno;
		close(sock);
		return ret;
	}
	return sock;
}

/* One request, which is in @msg. Return: number of descriptors, or -errno. */
static int send_and_wait(int sock, struct uhmm_wire_msg *msg,
			 int fds[UHMM_WIRE_FDS_MAX])
{
	uint16_t id = msg->header.id;
	uint32_t seq = msg->header.seq;
	unsigned int nfds = 0;
	int ret = uhmm_wire_send(sock, msg, NULL, 0);

	if (ret == 0)
		ret = uhmm_wire_recv(sock, msg, fds, &nfds);
	if (ret == -EAGAIN)
		return -ETIMEDOUT;
	if (ret < 0)
		return ret;
	if (msg->header.id != id || msg->header.seq != seq ||
	    !(msg->header.flags & UHMM_WIRE_REPLY))
		ret = -EPROTO;
	else if (msg->header.error < 0)
		ret = msg->header.error;
	if (ret == 0)
		return (int)nfds;
	while (nfds > 0)
		close(fds[--nfds]);
	return ret;
}

static uint32_t next_seq(void)
{
	static uint32_t seq;

	return ++seq;
}

/* The same without a body. */
static int ask(int sock, uint16_t id, int fds[UHMM_WIRE_FDS_MAX])
{
	struct uhmm_wire_msg msg;

	uhmm_wire_init(&msg, id, next_seq(), false);
	return send_and_wait(sock, &msg, fds);
}

/* All of @fd, from its start, as a string. */
static int read_text(int fd, char **text)
{
	struct stat st;
	off_t at = 0;
	ssize_t n = 1;
	char *buf;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || st.st_size > TEXT_BYTES_MAX)
		return -EPROTO;
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		return -ENOMEM;
	while (at < st.st_size && n > 0) {
		n = pread(fd, buf + at, (size_t)(st.st_size - at), at);
		at += n > 0 ? n : 0;
	}
	buf[at] = '\0';
	*text = buf;
	return 0;
}

static int ask_text(int sock, uint16_t id, char **text)
{
	int fds[UHMM_WIRE_FDS_MAX];
	int n = ask(sock, id, fds);
	int ret;

	if (n < 0)
		return n;
	ret = n == 1 ? read_text(fds[0], text) : -EPROTO;
	while (n > 0)
		close(fds[--n]);
	return ret;
}

int cli_ask_stats(int sock, char **text)
{
	return ask_text(sock, UHMM_WIRE_stats, text);
}

int cli_ask_check(int sock, char **text)
{
	return ask_text(sock, UHMM_WIRE_check, text);
}

int cli_ask_unplug(int sock, const char *node)
{
	int fds[UHMM_WIRE_FDS_MAX];
	struct uhmm_wire_msg msg;
	size_t n = strlen(node);

	if (!n || n >= sizeof(msg.body.unplug.node))
		return -EINVAL;
	uhmm_wire_init(&msg, UHMM_WIRE_unplug, next_seq(), false);
	memcpy(msg.body.unplug.node, node, n);
	return send_and_wait(sock, &msg, fds);
}

int cli_ask_stop(int sock)
{
	int fds[UHMM_WIRE_FDS_MAX];

	return ask(sock, UHMM_WIRE_stop, fds);
}
