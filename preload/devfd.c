/* SPDX-License-Identifier: MIT */
/* devfd.c - recognise a device descriptor by the name of its other end */
#include "devfd.h"

_Atomic bool uhmm_devfd_was_seen;

bool uhmm_devfd_get_minor(int fd, struct uhmm_wire_token *token,
			  uint32_t *minor)
{
	struct sockaddr_un addr = { .sun_family = AF_UNSPEC };
	socklen_t bytes = sizeof(addr);
	long ret;

	if (fd < 0 || uhmm_is_locked_up())
		return false;
	ret = uhmm_sys3(SYS_getpeername, fd, uhmm_ptr(&addr), uhmm_ptr(&bytes));
	if (ret < 0 || bytes <= offsetof(struct sockaddr_un, sun_path) ||
	    bytes > sizeof(addr) || addr.sun_family != AF_UNIX)
		return false;
	bytes -= offsetof(struct sockaddr_un, sun_path);
	if (!uhmm_devfd_parse(addr.sun_path, bytes, minor, token))
		return false;
	atomic_store_explicit(&uhmm_devfd_was_seen, true, memory_order_relaxed);
	return true;
}

bool uhmm_devfd_get(int fd, struct uhmm_wire_token *token)
{
	uint32_t minor;

	return uhmm_devfd_get_minor(fd, token, &minor);
}
