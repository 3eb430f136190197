/* SPDX-License-Identifier: MIT */
/* fdpass.c - one message with descriptors, by raw system calls */
#include "wire/fdpass.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/rawsys.h"

/* One SCM_RIGHTS message with room for the most descriptors. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(UHMM_WIRE_FDS_MAX * sizeof(int))];
};

static long retry_eintr(long nr, int sock, struct msghdr *mh, int flags)
{
	long ret;

	do
		ret = uhmm_sys3(nr, sock, uhmm_ptr(mh), flags);
	while (ret == -EINTR);
	return ret;
}

int uhmm_wire_send(int sock, const struct uhmm_wire_msg *msg, const int *fds,
		   unsigned int nfds)
{
	union control ctl;
	struct iovec iov = {
		.iov_base = (void *)(uintptr_t)msg,
		.iov_len = uhmm_wire_bytes(msg->header.id,
					   msg->header.flags & UHMM_WIRE_REPLY),
	};
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	long ret;

	if (!iov.iov_len || nfds > UHMM_WIRE_FDS_MAX)
		return -EINVAL;
	if (nfds) {
		ctl.align.cmsg_level = SOL_SOCKET;
		ctl.align.cmsg_type = SCM_RIGHTS;
		ctl.align.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		__builtin_memcpy(CMSG_DATA(&ctl.align), fds,
				 nfds * sizeof(int));
		mh.msg_control = &ctl;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	}
	ret = retry_eintr(SYS_sendmsg, sock, &mh, MSG_NOSIGNAL);
	return ret < 0 ? (int)ret : 0;
}

/* Copy the descriptors out of @mh. Return: how many */
static unsigned int take_fds(const struct msghdr *mh, int *fds)
{
	const char *ctl = mh->msg_control;
	size_t at = 0;

	while (at + sizeof(struct cmsghdr) <= mh->msg_controllen) {
		struct cmsghdr c;
		size_t n;

		__builtin_memcpy(&c, ctl + at, sizeof(c));
		if (c.cmsg_len < CMSG_LEN(0))
			break;
		if (c.cmsg_level == SOL_SOCKET && c.cmsg_type == SCM_RIGHTS) {
			n = (c.cmsg_len - CMSG_LEN(0)) / sizeof(int);
			if (n > UHMM_WIRE_FDS_MAX)
				n = UHMM_WIRE_FDS_MAX;	/* cannot be */
			__builtin_memcpy(fds, ctl + at + CMSG_LEN(0),
					 n * sizeof(int));
			return (unsigned int)n;
		}
		at += CMSG_ALIGN(c.cmsg_len);
	}
	return 0;
}

/* Descriptors were lost: is it our table of them that is full? */
static int judge_loss(const struct uhmm_wire_msg *msg, size_t bytes,
		      unsigned int nfds)
{
	const struct uhmm_wire_header *h = &msg->header;
	unsigned int want;

	if (bytes < sizeof(*h))
		return -EPROTO;
	want = uhmm_wire_nfds(h->id, h->flags & UHMM_WIRE_REPLY);
	if (nfds >= want || uhmm_wire_check(msg, bytes, want) < 0)
		return -EPROTO;
	return -EMFILE;
}

static int judge(const struct uhmm_wire_msg *msg, long bytes,
		 const struct msghdr *mh, unsigned int nfds)
{
	if (bytes == 0)
		return -EPIPE;
	if (mh->msg_flags & MSG_TRUNC)
		return -EPROTO;
	if (mh->msg_flags & MSG_CTRUNC)
		return judge_loss(msg, (size_t)bytes, nfds);
	return uhmm_wire_check(msg, (size_t)bytes, nfds);
}

int uhmm_wire_recv(int sock, struct uhmm_wire_msg *msg, int *fds,
		   unsigned int *nfds)
{
	union control ctl;
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	long ret;
	int err;

	*nfds = 0;
	ret = retry_eintr(SYS_recvmsg, sock, &mh, MSG_CMSG_CLOEXEC);
	if (ret < 0)
		return (int)ret;
	*nfds = take_fds(&mh, fds);
	err = judge(msg, ret, &mh, *nfds);
	if (err)
		uhmm_wire_close_fds(fds, nfds);
	return err;
}

void uhmm_wire_close_fds(const int *fds, unsigned int *nfds)
{
	while (*nfds)
		(void)uhmm_sys1(SYS_close, fds[--*nfds]);
}

/* "uhmm-dev/", 1 to 4 digits, '/', 32 hex digits; a 0 byte before all. */
static const char devfd_prefix[] = "\0uhmm-dev/";
#define PREFIX_BYTES (sizeof(devfd_prefix) - 1)
#define DIGITS_MAX 4
#define TOKEN_BYTES 32
_Static_assert(PREFIX_BYTES + DIGITS_MAX + 1 + TOKEN_BYTES <=
		       UHMM_DEVFD_NAME_BYTES, "the name has no room");

static unsigned int put_minor(char *to, uint32_t minor)
{
	char digits[DIGITS_MAX];
	unsigned int n = 0;

	do {
		digits[n++] = (char)('0' + minor % 10);
		minor /= 10;
	} while (minor);
	for (unsigned int i = 0; i < n; i++)
		to[i] = digits[n - 1 - i];
	return n;
}

unsigned int uhmm_devfd_name(char name[UHMM_DEVFD_NAME_BYTES], uint32_t minor,
			     struct uhmm_wire_token token)
{
	unsigned int at = PREFIX_BYTES;

	if (minor > UHMM_DEVFD_MINOR_MAX)
		return 0;
	__builtin_memcpy(name, devfd_prefix, PREFIX_BYTES);
	at += put_minor(name + at, minor);
	name[at++] = '/';
	for (unsigned int i = 0; i < TOKEN_BYTES; i++) {
		uint64_t word = token.word[i / 16];

		name[at++] = "0123456789abcdef"[(word >> (60 - i % 16 * 4)) &
						15];
	}
	return at;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Exactly TOKEN_BYTES hex digits at @from. */
static bool get_token(const char *from, struct uhmm_wire_token *token)
{
	struct uhmm_wire_token t = { { 0, 0 } };

	for (unsigned int i = 0; i < TOKEN_BYTES; i++) {
		int d = hex_digit(from[i]);

		if (d < 0)
			return false;
		t.word[i / 16] = t.word[i / 16] << 4 | (uint64_t)d;
	}
	*token = t;
	return true;
}

bool uhmm_devfd_parse(const char *name, unsigned int bytes, uint32_t *minor,
		      struct uhmm_wire_token *token)
{
	unsigned int at = PREFIX_BYTES;
	unsigned int digits;
	uint32_t n = 0;

	if (bytes < PREFIX_BYTES + 1 + 1 + TOKEN_BYTES)
		return false;
	digits = bytes - PREFIX_BYTES - 1 - TOKEN_BYTES;
	if (digits > DIGITS_MAX ||
	    __builtin_memcmp(name, devfd_prefix, PREFIX_BYTES) != 0)
		return false;
	for (; digits; digits--, at++) {
		if (name[at] < '0' || name[at] > '9')
			return false;
		n = n * 10 + (uint32_t)(name[at] - '0');
	}
	if (name[at] != '/' || !get_token(name + at + 1, token))
		return false;
	*minor = n;
	return true;
}
