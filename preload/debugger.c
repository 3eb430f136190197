/* SPDX-License-Identifier: MIT */
/* debugger.c - this program looks at another's memory (debugger.h) */
#include "debugger.h"

#include "request.h"

bool uhmm_debugger_brings(pid_t pid, uint64_t addr, uint64_t bytes, bool write)
{
	const uint64_t page = getauxval(AT_PAGESZ);
	uint64_t start = addr & ~(page - 1);
	struct uhmm_wire_msg msg;

	if (errno != EIO || pid <= 0 || !bytes || addr + bytes < addr)
		return false;
	uhmm_wire_init(&msg, UHMM_WIRE_peek, 0, false);
	msg.body.peek.pid = (uint32_t)pid;
	msg.body.peek.addr = start;
	msg.body.peek.bytes = addr + bytes - start;
	msg.body.peek.write = write;
	return !uhmm_request(&msg, NULL, UHMM_REQUEST_ATTACH);
}

/* Append @n to the path at *@at. */
static void put_number(char *path, size_t *at, unsigned int n)
{
	char digits[10];
	size_t i = 0;

	do {
		digits[i++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (i)
		path[(*at)++] = digits[--i];
}

/* PID of "/proc/PID/mem" or "/proc/PID/task/TID/mem"; 0 other. */
static pid_t pid_of(const char *path, size_t bytes)
{
	static const char head[] = "/proc/", tail[] = "/mem";
	size_t at = sizeof(head) - 1;
	unsigned int pid = 0;

	if (bytes < at + sizeof(tail) || memcmp(path, head, at) != 0 ||
	    memcmp(path + bytes - (sizeof(tail) - 1), tail,
		   sizeof(tail) - 1) != 0)
		return 0;
	for (; at < bytes && path[at] >= '0' && path[at] <= '9'; at++) {
		if (pid > INT_MAX / 10 - 1)
			return 0;
		pid = pid * 10 + (unsigned int)(path[at] - '0');
	}
	return path[at] == '/' ? (pid_t)pid : 0;
}

bool uhmm_debugger_brings_to(int fd, uint64_t addr, uint64_t bytes, bool write)
{
	char link[32] = "/proc/self/fd/", path[64] = "";
	size_t at = sizeof("/proc/self/fd/") - 1;
	long n;

	if (errno != EIO || fd < 0)
		return false;
	put_number(link, &at, (unsigned int)fd);
	n = uhmm_sys4(SYS_readlinkat, AT_FDCWD, uhmm_ptr(link), uhmm_ptr(path),
		      sizeof(path));
	if (n <= 0 || n == sizeof(path))
		return false;
	return uhmm_debugger_brings(pid_of(path, (size_t)n), addr, bytes, write);
}
