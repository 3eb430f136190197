/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

struct head {
	uint64_t line;
	uint32_t event;
	uint32_t bytes;
};

static void send_all(int fd, const void *from, size_t bytes)
{
	const char *at = from;

	while (bytes) {
		ssize_t n = write(fd, at, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody listens any more */
		at += n;
		bytes -= (size_t)n;
	}
}

void replay_channel_send(int fd, enum replay_event event, size_t line,
			 const char *text, size_t bytes)
{
	struct head head = { line, event, (uint32_t)bytes };

	send_all(fd, &head, sizeof(head));
	send_all(fd, text, bytes);
}

/* Return: bytes read, less than @bytes at the end; -errno */
static ssize_t receive_all(int fd, void *to, size_t bytes)
{
	char *at = to;
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = read(fd, at + done, bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int wait_for(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	int n = poll(&pollfd, 1, timeout_ms);

	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

int replay_channel_receive(int fd, struct replay_record *record, size_t room,
			   int timeout_ms)
{
	struct head head;
	int ret = wait_for(fd, timeout_ms);
	ssize_t n;

	if (ret)
		return ret;
	n = receive_all(fd, &head, sizeof(head));
	if (n <= 0)
		return (int)n;
	if (n != (ssize_t)sizeof(head) || head.bytes >= room ||
	    head.event > REPLAY_EVENT_BROKEN)
		return -EPROTO;
	n = receive_all(fd, record->text, head.bytes);
	if (n != (ssize_t)head.bytes)
		return n < 0 ? (int)n : -EPROTO;
	record->text[n] = '\0';
	record->event = (enum replay_event)head.event;
	record->line = head.line;
	return 1;
}
