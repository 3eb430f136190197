/* SPDX-License-Identifier: MIT */
/* rig.c - a world with two dmirror devices (rig.h) */
#include "rig.h"

#include <string.h>

#include <uhmm/exclusive.h>

struct rig rig;

static void up(uint64_t npages, const struct uhmm_store_limits *limits,
	       enum uhmm_memory_type type)
{
	memset(&rig, 0, sizeof(rig));
	fake_init(&rig.f, limits);
	fake_user_init(&rig.user, &rig.f);
	unit_expect(uhmm_exclusive_init(&rig.f.core, &rig.exclusive,
					RIG_NEXCLUSIVE) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		rig.dev[i] = (struct uhmm_device){
			.core = &rig.f.core,
			.ops = &uhmm_dmirror_ops,
			.minor = i,
			.type = type,
			.npages = npages,
			.uuid = { (uint8_t)(i + 1) },
		};
		unit_expect(rig.dev[i].ops->start(&rig.dev[i]) == 0);
	}
	rig.m = fake_start(&rig.f);
	rig.file = rig_open(0, rig.m);
}

void rig_up_with(uint64_t npages, const struct uhmm_store_limits *limits)
{
	up(npages, limits, UHMM_MEMORY_DEVICE_PRIVATE);
}

void rig_up_coherent(uint64_t npages)
{
	up(npages, NULL, UHMM_MEMORY_DEVICE_COHERENT);
}

void rig_up(void)
{
	rig_up_with(RIG_NPAGES, NULL);
}

void rig_down(void)
{
	fake_heal(&rig.f);
	unit_expect(fake_tasks_run(&rig.f.tasks));
	fake_check_idle(&rig.f);
	if (rig.file)
		rig_close(rig.file);
	fake_check_idle(&rig.f);
	for (uint32_t i = 0; i < 2; i++) {
		rig.dev[i].ops->stop(&rig.dev[i]);
		fake_check_idle(&rig.f);
	}
	uhmm_memunmap_device_private_pagemap(&rig.exclusive);
	fake_fini(&rig.f);
}

struct uhmm_file *rig_open(unsigned int dev, struct fake_mm *m)
{
	struct uhmm_file *file = calloc(1, sizeof(*file));

	unit_expect(file);
	file->dev = &rig.dev[dev];
	file->mm = m->mm;
	uhmm_mm_get(file->mm);
	unit_expect(file->dev->ops->open(file) == 0);
	return file;
}

void rig_close(struct uhmm_file *file)
{
	file->dev->ops->release(file);
	uhmm_mm_put(file->mm);
	if (file == rig.file)
		rig.file = NULL;
	free(file);
}

int rig_raw(struct uhmm_file *file, uint64_t nr, struct uhmm_dmirror_cmd cmd)
{
	int64_t result;

	memcpy(fake_user_at(&rig.user, RIG_CMD), &cmd, sizeof(cmd));
	result = file->dev->ops->ioctl(file, &rig.user.user, nr, RIG_CMD);
	memcpy(&rig.cmd, fake_user_at(&rig.user, RIG_CMD), sizeof(cmd));
	fake_check(&rig.f);
	return (int)result;
}

int rig_ioctl(struct uhmm_file *file, uint64_t nr, uint64_t vpn,
	      uint64_t npages)
{
	return rig_raw(file, nr, (struct uhmm_dmirror_cmd){
					 .addr = vpn * FAKE_PAGE_BYTES,
					 .ptr = RIG_PTR,
					 .npages = npages,
					 .cpages = 77,
					 .faults = 88,
				 });
}

void rig_ok(struct uhmm_file *file, uint64_t nr, uint64_t vpn, uint64_t npages,
	    uint64_t faults)
{
	ck_assert_int_eq(rig_ioctl(file, nr, vpn, npages), 0);
	ck_assert_uint_eq(rig.cmd.cpages, npages);
	ck_assert_uint_eq(rig.cmd.faults, faults);
}

void rig_fails(struct uhmm_file *file, uint64_t nr, uint64_t vpn,
	       uint64_t npages, int err)
{
	static unsigned char before[FAKE_USER_BYTES];
	unsigned char *buffer = fake_user_at(&rig.user, RIG_PTR);
	size_t bytes = FAKE_USER_BYTES - (RIG_PTR - FAKE_USER_BASE);

	memcpy(before, buffer, bytes);
	ck_assert_int_eq(rig_ioctl(file, nr, vpn, npages), err);
	ck_assert_uint_eq(rig.cmd.cpages, 77);
	ck_assert_uint_eq(rig.cmd.faults, 88);
	ck_assert_mem_eq(before, buffer, bytes);
}

uint64_t rig_buffer(uint64_t i)
{
	return fake_value(fake_user_at(&rig.user,
				       RIG_PTR + i * FAKE_PAGE_BYTES));
}

void rig_fill_buffer(uint64_t npages, uint64_t value)
{
	for (uint64_t i = 0; i < npages; i++)
		fake_fill(fake_user_at(&rig.user,
				       RIG_PTR + i * FAKE_PAGE_BYTES),
			  value + i);
}

void rig_buffer_is(uint64_t npages, uint64_t value)
{
	for (uint64_t i = 0; i < npages; i++) {
		uint64_t want = value ? value + i : 0;

		if (rig_buffer(i) != want)
			ck_abort_msg("page %" PRIu64 " of the buffer holds %"
				     PRIu64 ", not %" PRIu64, i, rig_buffer(i),
				     want);
	}
}

void rig_snapshot_is(struct uhmm_file *file, uint64_t vpn, uint64_t npages,
		     const uint8_t *bytes, unsigned int nbytes)
{
	const uint8_t *got = fake_user_at(&rig.user, RIG_PTR);

	rig_ok(file, RIG_SNAPSHOT, vpn, npages, 0);
	for (uint64_t i = 0; i < npages; i++) {
		uint8_t want = bytes[i < nbytes ? i : nbytes - 1];

		if (got[i] != want)
			ck_abort_msg("page %" PRIu64 " is %02x, not %02x", i,
				     got[i], want);
	}
}

uint64_t rig_used(unsigned int dev)
{
	return uhmm_pagemap_used(&rig.dev[dev].pgmap);
}
