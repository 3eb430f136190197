/* SPDX-License-Identifier: MIT */
/* devfd.c - recognise a device descriptor by the name of its other end */
#include "devfd.h"

bool uhmm_devfd_get(int fd, struct uhmm_wire_token *token)
{
	struct sockaddr_un addr = { .sun_family = AF_UNSPEC };
	socklen_t bytes = sizeof(addr);
	uint32_t minor;
	long ret;

	if (fd < 0)
		return false;
	ret = uhmm_sys3(SYS_getpeername, fd, uhmm_ptr(&addr), uhmm_ptr(&bytes));
	if (ret < 0 || bytes <= offsetof(struct sockaddr_un, sun_path) ||
	    bytes > sizeof(addr) || addr.sun_family != AF_UNIX)
		return false;
	bytes -= offsetof(struct sockaddr_un, sun_path);
	return uhmm_devfd_parse(addr.sun_path, bytes, &minor, token);
}
