/* SPDX-License-Identifier: MIT */
/* ownfd.c - sockets of ours, at high numbers, verified before use */
#include "ownfd.h"

#include "env.h"

#define NUMBER_WANTED 900	/* below the usual limit of 1024 */
#define NUMBERS_NEEDED 48	/* left above it when the limit is lower */
#define NUMBER_LOWEST 3		/* never in the place of a standard stream */

static int wanted_number(void)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };

	(void)uhmm_sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, uhmm_ptr(&lim));
	if (lim.rlim_cur >= NUMBER_WANTED + NUMBERS_NEEDED)
		return NUMBER_WANTED;
	if (lim.rlim_cur >= NUMBER_LOWEST + NUMBERS_NEEDED)
		return (int)lim.rlim_cur - NUMBERS_NEEDED;
	return NUMBER_LOWEST;
}

static long dup_at(int fd, int lowest)
{
	return uhmm_sys3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
}

/* Move @own->low up. Return: 0; -errno, the descriptor is where it was */
static int move_up(struct uhmm_ownfd *own)
{
	long fd = dup_at(own->low, wanted_number());

	if (fd < 0)
		fd = dup_at(own->low, NUMBER_LOWEST);
	if (fd < 0 && own->low < NUMBER_LOWEST)
		return (int)fd;
	if (fd < 0) {
		own->fd = own->low;	/* table full: it stays */
	} else {
		own->fd = (int)fd;
		(void)uhmm_sys1(SYS_close, own->low);
	}
	own->low = -1;
	return 0;
}

static long cookie_of(int fd, uint64_t *cookie)
{
	socklen_t bytes = sizeof(*cookie);

	return uhmm_sys5(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE,
			 uhmm_ptr(cookie), uhmm_ptr(&bytes));
}

static int connect_daemon(int fd)
{
	struct sockaddr_un addr;
	unsigned int bytes = uhmm_env_address(&addr);
	long ret;

	if (!bytes)
		return -ENODEV;
	do
		ret = uhmm_sys3(SYS_connect, fd, uhmm_ptr(&addr), bytes);
	while (ret == -EINTR);
	if (ret < 0)
		uhmm_env_debug("no daemon at $UHMM_SOCKET", (int)ret);
	return ret < 0 ? -ENODEV : 0;
}

int uhmm_ownfd_connect(struct uhmm_ownfd *own)
{
	int err;

	own->fd = -1;
	own->low = (int)uhmm_sys3(SYS_socket, AF_UNIX,
				  SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (own->low < 0) {
		err = own->low;
		own->low = -1;
		return err;
	}
	if (cookie_of(own->low, &own->cookie) < 0)
		own->cookie = 0;	/* no kernel we run on */
	err = move_up(own);
	if (!err)
		err = connect_daemon(own->fd);
	if (err)
		uhmm_ownfd_close(own);
	return err;
}

static bool is_cookie(int fd, uint64_t want)
{
	uint64_t cookie = 0;

	return want && fd >= 0 && cookie_of(fd, &cookie) == 0 && cookie == want;
}

bool uhmm_ownfd_is_ours(const struct uhmm_ownfd *own)
{
	return is_cookie(own->fd, own->cookie);
}

bool uhmm_ownfd_has(const struct uhmm_ownfd *own, int fd)
{
	return (fd == own->fd || fd == own->low) && is_cookie(fd, own->cookie);
}

void uhmm_ownfd_close(struct uhmm_ownfd *own)
{
	if (is_cookie(own->fd, own->cookie))
		(void)uhmm_sys1(SYS_close, own->fd);
	if (is_cookie(own->low, own->cookie))
		(void)uhmm_sys1(SYS_close, own->low);
	own->fd = -1;
	own->low = -1;
	own->cookie = 0;
}
