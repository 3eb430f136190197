/* SPDX-License-Identifier: MIT */
/* fake_user.h - memory of whoever calls a device, with places that fail */
#ifndef UHMM_TESTS_FAKE_USER_H
#define UHMM_TESTS_FAKE_USER_H

#include <uhmm/device.h>

#include "fake_mm.h"

/** Where it begins; an address below or above it is bad. */
#define FAKE_USER_BASE UINT64_C(0x700000000000)
#define FAKE_USER_BYTES (FAKE_NPAGES * FAKE_PAGE_BYTES)

struct fake_user {
	struct uhmm_user user;
	struct fake *f;
	unsigned char mem[FAKE_USER_BYTES];
	/* no access to [bad, bad_end), no writing to [ro, ro_end) */
	uint64_t bad, bad_end, ro, ro_end;
};

void fake_user_init(struct fake_user *u, struct fake *f);

/** fake_user_at() - the bytes at address @addr */
void *fake_user_at(struct fake_user *u, uint64_t addr);

#endif
