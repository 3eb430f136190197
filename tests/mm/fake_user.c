/* SPDX-License-Identifier: MIT */
/* fake_user.c - memory of whoever calls a device (fake_user.h) */
#include "fake_user.h"

#include <errno.h>
#include <string.h>

static bool is_in(uint64_t addr, uint64_t from, uint64_t to)
{
	return addr >= from && addr < to;
}

/* Bytes at @addr before one that cannot be accessed. */
static uint64_t good_bytes(const struct fake_user *u, uint64_t addr,
			   uint64_t bytes, bool write)
{
	uint64_t n = 0;

	for (; n < bytes; n++) {
		uint64_t at = addr + n;

		if (!is_in(at, FAKE_USER_BASE,
			   FAKE_USER_BASE + FAKE_USER_BYTES) ||
		    is_in(at, u->bad, u->bad_end) ||
		    (write && is_in(at, u->ro, u->ro_end)))
			break;
	}
	return n;
}

void *fake_user_at(struct fake_user *u, uint64_t addr)
{
	return u->mem + (addr - FAKE_USER_BASE);
}

static int copy_from(struct uhmm_user *user, void *to, uint64_t addr,
		     uint64_t bytes)
{
	struct fake_user *u = UHMM_CONTAINER_OF(user, struct fake_user, user);
	int err = fake_enter(u->f, (struct fake_call){ FAKE_COPY_FROM, 0, addr,
						       bytes, NULL });
	uint64_t n = good_bytes(u, addr, bytes, false);

	if (err)
		return err;
	if (n)
		memcpy(to, fake_user_at(u, addr), n);
	return n == bytes ? 0 : -EFAULT;
}

static int copy_to(struct uhmm_user *user, uint64_t addr, const void *from,
		   uint64_t bytes)
{
	struct fake_user *u = UHMM_CONTAINER_OF(user, struct fake_user, user);
	int err = fake_enter(u->f, (struct fake_call){ FAKE_COPY_TO, 1, addr,
						       bytes, NULL });
	uint64_t n = good_bytes(u, addr, bytes, true);

	if (err)
		return err;
	if (n)
		memcpy(fake_user_at(u, addr), from, n);
	return n == bytes ? 0 : -EFAULT;
}

void fake_user_init(struct fake_user *u, struct fake *f)
{
	memset(u, 0, sizeof(*u));
	u->user.copy_from = copy_from;
	u->user.copy_to = copy_to;
	u->f = f;
}
