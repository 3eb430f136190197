/* SPDX-License-Identifier: MIT */
/* buffer.c - memory that a system call is about to use (buffer.h) */
#include "buffer.h"

#include "request.h"
#include "trap.h"

#define REGION_SHIFT 21
#define REGIONS 65536u		/* bits; regions share them by a hash */
#define ATTEMPTS 4

static _Atomic uint64_t maybe[REGIONS / 64];
static atomic_bool user_mode;

static uint32_t bit_of(uint64_t region)
{
	return (uint32_t)(region * 0x9e3779b97f4a7c15ull >> 48) % REGIONS;
}

static bool is_maybe(uint64_t region)
{
	uint32_t bit = bit_of(region);

	return atomic_load_explicit(&maybe[bit / 64], memory_order_relaxed) >>
		       (bit % 64) & 1;
}

/* Regions [*@first, *@end) of a range; none for what is no range. */
static bool regions_of(uint64_t addr, uint64_t bytes, uint64_t *first,
		       uint64_t *end)
{
	if (!bytes || addr + bytes < addr)
		return false;
	*first = addr >> REGION_SHIFT;
	*end = ((addr + bytes - 1) >> REGION_SHIFT) + 1;
	return true;
}

void uhmm_buffer_note(uint64_t addr, uint64_t bytes)
{
	uint64_t at, end;

	if (!regions_of(addr, bytes, &at, &end))
		return;
	if (end - at > REGIONS)
		end = at + REGIONS;
	for (; at < end; at++) {
		uint32_t bit = bit_of(at);

		if (!is_maybe(at))
			atomic_fetch_or(&maybe[bit / 64], 1ull << (bit % 64));
	}
}

void uhmm_buffer_user_mode_only(bool user_mode_only)
{
	atomic_store(&user_mode, user_mode_only);
}

bool uhmm_buffer_matters(void)
{
	return uhmm_trap_is_set() ||
	       atomic_load_explicit(&user_mode, memory_order_relaxed);
}

void uhmm_buffer_forget(void)
{
	atomic_store(&user_mode, false);
}

static bool may_be_away(uint64_t addr, uint64_t bytes)
{
	uint64_t at, end;

	if (!regions_of(addr, bytes, &at, &end))
		return false;
	if (end - at > REGIONS)
		return true;
	while (at < end && !is_maybe(at))
		at++;
	return at < end;
}

void uhmm_buffer_bring(const void *buf, size_t bytes, bool write)
{
	struct uhmm_wire_msg msg;
	uint64_t addr = (uintptr_t)buf;

	if (!uhmm_buffer_matters() || !may_be_away(addr, bytes))
		return;
	uhmm_wire_init(&msg, UHMM_WIRE_bring, 0, false);
	msg.body.bring.addr = addr;
	msg.body.bring.bytes = bytes;
	msg.body.bring.write = write;
	(void)!uhmm_request(&msg, NULL, UHMM_REQUEST_IF_ATTACHED);
}

bool uhmm_buffer_copy(void *to, const void *from, size_t bytes)
{
	struct iovec here = { to, bytes };
	struct iovec there = { (void *)(uintptr_t)from, bytes };

	uhmm_buffer_bring(from, bytes, false);
	return uhmm_read_own(&here, &there, 1) == (long)bytes;
}

void uhmm_buffer_bring_iov(const struct iovec *iov, long count, bool write)
{
	struct iovec one = { NULL, 0 };

	if (!uhmm_buffer_matters())
		return;
	for (long i = 0; i < count && i < IOV_MAX; i++) {
		if (!uhmm_buffer_copy(&one, &iov[i], sizeof(one)))
			return;
		uhmm_buffer_bring(one.iov_base, one.iov_len, write);
	}
}

void uhmm_buffer_bring_msg(const struct msghdr *msg, bool write)
{
	struct msghdr m = { .msg_iov = NULL };

	if (!uhmm_buffer_matters() || !uhmm_buffer_copy(&m, msg, sizeof(m)))
		return;
	/* the kernel writes how much of the rest it has used */
	if (write)
		uhmm_buffer_bring(msg, sizeof(m), true);
	uhmm_buffer_bring(m.msg_name, m.msg_namelen, write);
	uhmm_buffer_bring(m.msg_control, m.msg_controllen, write);
	uhmm_buffer_bring_iov(m.msg_iov, (long)m.msg_iovlen, write);
}

void uhmm_buffer_bring_path(const char *path)
{
	uhmm_buffer_bring(path, PATH_MAX, false);
}

/* As long as one string of a program may be. */
#define STRING_BYTES ((size_t)32 * 4096)

void uhmm_buffer_bring_strings(char *const *list)
{
	char *string = NULL;

	if (!uhmm_buffer_matters() || !list)
		return;
	while (uhmm_buffer_copy(&string, list++, sizeof(string)) && string)
		uhmm_buffer_bring(string, STRING_BYTES, false);
}

bool uhmm_attempt(struct uhmm_attempts *a, ssize_t ret)
{
	if (!a->n) {
		a->saved = errno;
		a->n = 1;
		return true;
	}
	if (ret < 0 && errno == EFAULT && a->n < ATTEMPTS &&
	    uhmm_buffer_matters()) {
		a->n++;
		return true;
	}
	if (ret >= 0 && a->n > 1)
		errno = a->saved;
	return false;
}
