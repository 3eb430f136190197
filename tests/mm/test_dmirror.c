/* SPDX-License-Identifier: MIT */
/* test_dmirror.c - the test device: checks of every command, READ, WRITE,
 * SNAPSHOT, FLAGS (spec 1.3 - 1.5, 2.6, 2.7)
 */
#include <errno.h>
#include <string.h>

#include <uhmm/event.h>

#include "trip.h"

static const struct fake_kind shared = { .read = true, .write = true,
					 .shared = true };
static const struct fake_kind private_file = { .read = true, .write = true,
					       .file = true };
static const struct fake_kind write_only = { .write = true };

/* ---- what every command checks first ---- */

static const uint64_t commands[] = {
	RIG_READ,      RIG_WRITE, RIG_TO_DEV,  RIG_TO_SYS, RIG_SNAPSHOT,
	RIG_EXCLUSIVE, RIG_CHECK, RIG_RELEASE, RIG_FLAGS,
	UHMM_DMIRROR_READ_UNLOCKED,
};

static const struct {
	const char *what;
	uint64_t addr, npages;
} bad_ranges[] = {
	{ "not aligned", RIG_VPN * FAKE_PAGE_BYTES + 1, 1 },
	{ "no page", RIG_VPN * FAKE_PAGE_BYTES, 0 },
	{ "wraps", RIG_VPN * FAKE_PAGE_BYTES, UINT64_MAX / FAKE_PAGE_BYTES },
	{ "wraps to its start", RIG_VPN * FAKE_PAGE_BYTES,
	  UINT64_MAX / FAKE_PAGE_BYTES + 1 },
	{ "ends at 2^64", UINT64_MAX - FAKE_PAGE_BYTES + 1, 1 },
};

START_TEST(test_ioctl_bad_range)
{
	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	for (size_t i = 0; i < UNIT_COUNT(commands); i++) {
		struct uhmm_dmirror_cmd cmd = {
			.addr = bad_ranges[_i].addr, .ptr = RIG_PTR,
			.npages = bad_ranges[_i].npages, .cpages = 77,
			.faults = 88,
		};

		ck_assert_int_eq(rig_raw(rig.file, commands[i], cmd), -EINVAL);
		/* NOLINTNEXTLINE(clang-analyzer-*): all of cmd is set */
		ck_assert_mem_eq(&rig.cmd, &cmd, sizeof(cmd));
	}
	ck_assert_uint_eq(rig.dev[0].count.errors, UNIT_COUNT(commands));
}
END_TEST

/* npages * page size is not checked to fit, as in the driver. */
START_TEST(test_ioctl_range_overflows_to_one_page)
{
	uint64_t npages = UINT64_MAX / FAKE_PAGE_BYTES + 2;

	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	for (size_t i = 0; i < UNIT_COUNT(commands); i++) {
		ck_assert_int_eq(rig_ioctl(rig.file, commands[i], RIG_VPN,
					   npages),
				 commands[i] == RIG_CHECK ? -EPERM : 0);
		if (commands[i] != RIG_CHECK)
			ck_assert_uint_eq(rig.cmd.cpages,
					  commands[i] != RIG_RELEASE &&
						  commands[i] != RIG_FLAGS);
	}
}
END_TEST

static const uint64_t unknown[] = {
	UHMM_DMIRROR_IOCTL(0x0a),
	UHMM_DMIRROR_IOCTL(0xff), 0, UINT64_MAX,
	UHMM_DMIRROR_READ & 0xffff, _IOW('H', 0, struct uhmm_dmirror_cmd),
};

START_TEST(test_ioctl_unknown_command)
{
	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	rig_fails(rig.file, unknown[_i], RIG_VPN, 1, -EINVAL);
}
END_TEST

START_TEST(test_ioctl_struct_not_readable)
{
	rig.user.bad = RIG_CMD + 8ul * (unsigned int)_i;
	rig.user.bad_end = rig.user.bad + 8;
	for (size_t i = 0; i < UNIT_COUNT(commands); i++)
		rig_fails(rig.file, commands[i], RIG_VPN, 0, -EFAULT);
	rig_fails(rig.file, 0, RIG_VPN, 0, -EFAULT);
}
END_TEST

START_TEST(test_ioctl_struct_not_writable)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig.user.ro = RIG_CMD;
	rig.user.ro_end = RIG_CMD + sizeof(struct uhmm_dmirror_cmd);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, RIG_VPN, 8), -EFAULT);
	rig_buffer_is(8, 1);
	ck_assert_uint_eq(rig_used(0), 8);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_SYS, RIG_VPN, 8), -EFAULT);
	ck_assert_uint_eq(rig_used(0), 0);
}
END_TEST

/* ---- the mm is gone ---- */

static const struct {
	uint64_t nr;
	int err;
} after_exit[] = {
	{ RIG_READ, -EFAULT },	  { RIG_WRITE, -EFAULT },
	{ RIG_TO_DEV, -EINVAL },  { RIG_TO_SYS, -EINVAL },
	{ RIG_SNAPSHOT, -EINVAL }, { RIG_EXCLUSIVE, -EINVAL },
	{ RIG_CHECK, 0 },	  { RIG_RELEASE, 0 },
	{ RIG_FLAGS, 0 },
};

START_TEST(test_ioctl_after_exit)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 8, 0);
	fake_exit(rig.m);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_int_eq(rig_ioctl(rig.file, after_exit[_i].nr, RIG_VPN, 1),
			 after_exit[_i].err);
}
END_TEST

/* The program dies while the device reads: at the _i-th call of anything. */
static void die(void *arg)
{
	(void)arg;
	if (!rig.m->dead)
		fake_exit(rig.m);
}

static const enum fake_op die_at[] = {
	FAKE_VMA_FIND, FAKE_SCAN, FAKE_TRAP, FAKE_TAKE, FAKE_TAKE_PAGE,
	FAKE_ZAP, FAKE_GIVE, FAKE_GIVE_PAGE, FAKE_FAULT_IN, FAKE_READ, FAKE_WRITE,
	FAKE_WAKE, FAKE_UNTRAP, FAKE_UNPROTECT, FAKE_COPY_TO,
};

START_TEST(test_ioctl_exit_in_the_middle)
{
	size_t at = (size_t)_i % UNIT_COUNT(die_at);
	uint64_t nr = commands[(size_t)_i / UNIT_COUNT(die_at)];
	int err;

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_to_dev(0, rig.m, RIG_VPN, 2);
	rig_to_dev(1, rig.m, RIG_VPN + 2, 1);
	fake_before(&rig.f, die_at[at], 1, die, NULL);
	err = rig_ioctl(rig.file, nr, RIG_VPN, 8);
	ck_assert(err == 0 || err == -EFAULT || err == -EINVAL ||
		  err == -ENOENT);
	die(NULL);
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig_used(1), 0);
}
END_TEST

/* ---- READ ---- */

START_TEST(test_read_of_each_kind)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_expect(rig.m, RIG_VPN + 1, 1, 0);
	fake_put(rig.m, RIG_VPN + 2, 6, 3);
	fake_swap_out(rig.m, RIG_VPN + 3, 1);
	rig_to_dev(0, rig.m, RIG_VPN + 4, 1);
	rig_to_dev(1, rig.m, RIG_VPN + 5, 1);
	fake_protect(rig.m, RIG_VPN, 8, &fake_ro);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	ck_assert_uint_eq(rig_buffer(0), 0);
	ck_assert_uint_eq(rig_buffer(1), 0);
	for (uint64_t i = 2; i < 8; i++)
		ck_assert_uint_eq(rig_buffer(i), i + 1);
	/* the other device's page is in RAM now, and so is ours, for one
	 * before it had to be faulted in */
	ck_assert_uint_eq(rig_used(0), 0);
	ck_assert_uint_eq(rig_used(1), 0);
}
END_TEST

static void fork_and_exit(void)
{
	fake_exit(fake_fork(rig.m));
}

/* What the driver of a kernel was seen to answer (without its quirk). */
START_TEST(test_read_write_count_faults)
{
	struct uhmm_file *f1 = rig_open(1, rig.m);

	fake_map(rig.m, RIG_VPN, 130, &fake_rw);
	fake_put(rig.m, RIG_VPN, 130, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 130, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 130, 0);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 130, 0);
	fake_put(rig.m, RIG_VPN, 130, 3);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 130, 0);
	rig_buffer_is(130, 3);
	fake_protect(rig.m, RIG_VPN, 130, &fake_ro);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 130, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 130, 0);
	fake_protect(rig.m, RIG_VPN, 130, &fake_rw);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 130, 1);
	rig_ok(f1, RIG_TO_DEV, RIG_VPN + 10, 4, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 10, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN + 14, 101, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 130, 1);
	ck_assert_int_eq(rig_ioctl(f1, RIG_TO_SYS, RIG_VPN + 20, 2), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 20, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN + 20, 3, 1);
	rig_close(f1);
}
END_TEST

START_TEST(test_read_write_count_faults_of_untouched_memory)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	rig_buffer_is(8, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	rig_fill_buffer(8, 5);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 0);
	rig_buffer_is(8, 5);
	fake_dontneed(rig.m, RIG_VPN + 2, 2);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 2, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN + 4, 4, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	ck_assert_uint_eq(rig_buffer(2), 0);
	fork_and_exit();
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	fork_and_exit();
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 8, 1);
	fake_unmap(rig.m, RIG_VPN + 6, 2);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 6, 0);
	rig_fails(rig.file, RIG_READ, RIG_VPN, 7, -EFAULT);
}
END_TEST

/* A CPU that writes where the device may only read makes a new page. */
START_TEST(test_read_after_cpu_write_to_the_zero_page)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 1);
	fake_put(rig.m, RIG_VPN + 1, 1, 7);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 1, 0);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 1);
	ck_assert_uint_eq(rig_buffer(1), 7);
	RIG_SNAPSHOT_IS(rig.file, RIG_VPN, 4, 0x11, 0x02, 0x11);
}
END_TEST

/* After the last close nothing of ours is left in the program's memory. */
START_TEST(test_close_leaves_ordinary_memory)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 2, 0);
	fake_put(rig.m, RIG_VPN, 1, 1);
	rig_close(rig.file);
	ck_assert(fake_is_ordinary(rig.m, 0, FAKE_NPAGES));
	fake_expect(rig.m, RIG_VPN, 4, 1);
}
END_TEST

/* A page that vanishes between the fault and the copy costs a second fault. */
START_TEST(test_read_page_vanishes_once)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	fake_fail_nth(&rig.f, FAKE_READ, 1, -EIO);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 8, 2);
	rig_buffer_is(8, 1);
}
END_TEST

/* A page that is said to be there and never can be read. */
START_TEST(test_read_page_never_readable)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	fake_fail(&rig.f, FAKE_READ, 1, UINT32_MAX, -EIO);
	rig_fails(rig.file, RIG_READ, RIG_VPN, 8, -EBUSY);
}
END_TEST

static const struct {
	const char *what;
	struct fake_kind kind;	/* of page 3 of 8, none at all if not mapped */
	bool mapped;
} unreadable[] = {
	{ "hole", { .read = true }, false },
	{ "PROT_NONE", { .read = false }, true },
	{ "PROT_WRITE only", { .write = true }, true },
	{ "IO mapping", { .read = true, .write = true, .special = true,
			  .pfnmap = true }, true },
	{ "beyond the end of its file", { .read = true, .write = true,
					  .shared = true, .file = true,
					  .file_npages = 0 }, true },
};

static void map_with(int i)
{
	struct fake_kind kind = unreadable[i].kind;

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	fake_unmap(rig.m, RIG_VPN + 3, 1);
	if (unreadable[i].mapped && !kind.file)
		fake_map(rig.m, RIG_VPN + 3, 1, &kind);
	if (!kind.file)
		return;
	kind.file_npages = 1;
	fake_map(rig.m, RIG_VPN + 2, 2, &kind);
	fake_put(rig.m, RIG_VPN + 2, 1, 3);
}

START_TEST(test_read_of_what_cannot_be)
{
	map_with(_i);
	rig_fill_buffer(8, 100);
	rig_fails(rig.file, RIG_READ, RIG_VPN, 8, -EFAULT);
	rig_fails(rig.file, RIG_READ, RIG_VPN + 3, 1, -EFAULT);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 3, 1);
	rig_buffer_is(3, 1);
	rig_ok(rig.file, RIG_READ, RIG_VPN + 4, 4, 1);
	rig_buffer_is(4, 5);
	rig_fails(rig.file, RIG_READ, 0, 1, -EFAULT);
}
END_TEST

static const struct {
	uint64_t bad, bad_end, ro, ro_end;
} bad_buffers[] = {
	{ RIG_PTR, RIG_PTR + 1, 0, 0 },
	{ RIG_PTR + 255, RIG_PTR + 256, 0, 0 },
	{ 0, 0, RIG_PTR, RIG_PTR + 4096 },
};

START_TEST(test_read_into_bad_buffer)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig.user.bad = bad_buffers[_i].bad;
	rig.user.bad_end = bad_buffers[_i].bad_end;
	rig.user.ro = bad_buffers[_i].ro;
	rig.user.ro_end = bad_buffers[_i].ro_end;
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_READ, RIG_VPN, 4), -EFAULT);
	ck_assert_uint_eq(rig.cmd.cpages, 77);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_TO_DEV, RIG_VPN, 4), -EFAULT);
	ck_assert_uint_eq(rig.cmd.cpages, 77);
	ck_assert_uint_eq(rig_used(0), 4);
	fake_expect(rig.m, RIG_VPN, 4, 1);
}
END_TEST

static void protect_again(void *arg)
{
	uhmm_event_protect(rig.m->mm, uhmm_range_of(UHMM_VPN(RIG_VPN), 1));
	fake_before(&rig.f, FAKE_SCAN, 1, protect_again, arg);
}

static const uint64_t retrying[] = { RIG_READ, RIG_WRITE, RIG_SNAPSHOT };

START_TEST(test_invalidated_for_ever)
{
	uint64_t before = rig.f.now_ns;

	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	protect_again(NULL);
	rig_fails(rig.file, retrying[_i], RIG_VPN, 4, -EBUSY);
	ck_assert_uint_ge(rig.f.now_ns - before, 1000000000);
	ck_assert_uint_lt(rig.f.now_ns - before, 1100000000);
	fake_expect(rig.m, RIG_VPN, 4, 1);
}
END_TEST

static const struct {
	enum fake_op op;
	int fails, err;
} fault_errors[] = {
	{ FAKE_FAULT_IN, -ENOMEM, -ENOMEM },
	{ FAKE_FAULT_IN, -EFAULT, -EFAULT },
	{ FAKE_FAULT_IN, -ESRCH, -EFAULT },
	{ FAKE_SCAN, -ENOMEM, -ENOMEM },
	{ FAKE_VMA_FIND, -ESRCH, -EFAULT },
};

START_TEST(test_read_fault_errors)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_fail_nth(&rig.f, fault_errors[_i].op, 1, fault_errors[_i].fails);
	rig_fails(rig.file, RIG_READ, RIG_VPN, 4, fault_errors[_i].err);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 1);
}
END_TEST

/* More than anyone has memory for. */
START_TEST(test_read_write_of_too_much)
{
	uint64_t npages = (UINT64_C(1) << 46) / FAKE_PAGE_BYTES;

	rig_fails(rig.file, RIG_READ, RIG_VPN, npages, -ENOMEM);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, npages, -ENOMEM);
	rig_fails(rig.file, RIG_READ, RIG_VPN, npages << 10, -ENOMEM);
	rig_fails(rig.file, RIG_TO_DEV, RIG_VPN, npages, -EINVAL);
	rig_fails(rig.file, RIG_TO_SYS, RIG_VPN, npages, -EINVAL);
}
END_TEST

/* ---- WRITE ---- */

START_TEST(test_write_of_each_kind)
{
	struct fake_mm *child;

	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_expect(rig.m, RIG_VPN + 1, 1, 0);
	fake_put(rig.m, RIG_VPN + 2, 6, 3);
	rig_to_dev(0, rig.m, RIG_VPN + 4, 1);
	rig_to_dev(1, rig.m, RIG_VPN + 5, 1);
	child = fake_fork(rig.m);
	fake_map(rig.m, RIG_VPN + 8, 1, &shared);
	fake_map(rig.m, RIG_VPN + 9, 1, &private_file);
	rig_fill_buffer(10, 101);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 10, 1);
	fake_expect(rig.m, RIG_VPN, 10, 101);
	fake_expect(child, RIG_VPN, 2, 0);
	fake_expect(child, RIG_VPN + 2, 6, 3);
}
END_TEST

START_TEST(test_write_own_page_stays)
{
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	rig_fill_buffer(4, 11);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 4, 0);
	ck_assert_uint_eq(rig_used(0), 4);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 4, 0);
	rig_buffer_is(4, 11);
	fake_expect(rig.m, RIG_VPN, 4, 11);
}
END_TEST

/* The driver fails with a warning; we do what a CPU would (spec 2.12). */
START_TEST(test_write_own_page_that_is_read_only)
{
	struct fake_mm *child;

	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	fake_put(rig.m, RIG_VPN, 4, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 4, 0);
	child = fake_fork(rig.m);
	rig_fill_buffer(4, 11);
	rig_ok(rig.file, RIG_WRITE, RIG_VPN, 4, 1);
	fake_expect(rig.m, RIG_VPN, 4, 11);
	fake_expect(child, RIG_VPN, 4, 1);
}
END_TEST

static const struct {
	const struct fake_kind *kind;
	int err;
} unwritable[] = {
	{ &fake_ro, -EPERM },
	{ &fake_none, -EFAULT },
	{ &write_only, -EFAULT },
};

/* Only what the table allows already is written before an error. */
START_TEST(test_write_errors)
{
	fake_map(rig.m, RIG_VPN, 8, &fake_rw);
	fake_put(rig.m, RIG_VPN, 8, 1);
	fake_protect(rig.m, RIG_VPN + 5, 1, unwritable[_i].kind);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 2, 0);
	rig_fill_buffer(8, 11);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN + 2, 6, unwritable[_i].err);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, 8, unwritable[_i].err);
	fake_protect(rig.m, RIG_VPN + 5, 1, &fake_rw);
	fake_expect(rig.m, RIG_VPN, 2, 11);
	fake_expect(rig.m, RIG_VPN + 2, 6, 3);
}
END_TEST

START_TEST(test_write_own_page_of_read_only_mapping)
{
	fake_map(rig.m, RIG_VPN, 2, &fake_rw);
	fake_put(rig.m, RIG_VPN, 2, 1);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 2, 0);
	fake_protect(rig.m, RIG_VPN, 2, &fake_ro);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, 2, -EPERM);
	ck_assert_uint_eq(rig_used(0), 2);
	fake_expect(rig.m, RIG_VPN, 2, 1);
}
END_TEST

/* The buffer is read before anything is looked at. */
START_TEST(test_write_from_bad_buffer)
{
	rig.user.bad = bad_buffers[_i].bad;
	rig.user.bad_end = bad_buffers[_i].bad_end;
	if (!rig.user.bad)
		return;
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, 4, -EFAULT);
	ck_assert_uint_eq(rig.f.calls[FAKE_VMA_FIND], 0);
	fake_map(rig.m, RIG_VPN, 4, &fake_rw);
	rig_fails(rig.file, RIG_WRITE, RIG_VPN, 4, -EFAULT);
	fake_expect(rig.m, RIG_VPN, 4, 0);
}
END_TEST

/* ---- FLAGS ---- */

START_TEST(test_flags_sets_and_clears)
{
	fake_map(rig.m, RIG_VPN, 1, &fake_rw);
	rig_ok(rig.file, RIG_READ, RIG_VPN, 1, 1);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_FLAGS, 0, 1), 0);
	ck_assert_uint_eq(rig.cmd.cpages, 0);
	ck_assert_uint_eq(rig.cmd.faults, 0);
	ck_assert_uint_eq(rig.cmd.npages, 1);
	rig_fails(rig.file, RIG_FLAGS, 0, 0, -EINVAL);
	ck_assert_int_eq(rig_ioctl(rig.file, RIG_FLAGS, 0, 2), 0);
	rig_ok(rig.file, RIG_TO_DEV, RIG_VPN, 1, 0);
}
END_TEST

UNIT_RIG_MAIN("dmirror", UNIT_TABLE(test_ioctl_bad_range, bad_ranges),
	      UNIT_TEST(test_ioctl_range_overflows_to_one_page),
	      UNIT_TABLE(test_ioctl_unknown_command, unknown),
	      UNIT_LOOP(test_ioctl_struct_not_readable, 5),
	      UNIT_TEST(test_ioctl_struct_not_writable),
	      UNIT_TABLE(test_ioctl_after_exit, after_exit),
	      UNIT_LOOP(test_ioctl_exit_in_the_middle,
			(int)(UNIT_COUNT(die_at) * UNIT_COUNT(commands))),
	      UNIT_TEST(test_read_of_each_kind),
	      UNIT_TEST(test_read_write_count_faults),
	      UNIT_TEST(test_read_write_count_faults_of_untouched_memory),
	      UNIT_TEST(test_read_after_cpu_write_to_the_zero_page),
	      UNIT_TEST(test_close_leaves_ordinary_memory),
	      UNIT_TEST(test_read_page_vanishes_once),
	      UNIT_TEST(test_read_page_never_readable),
	      UNIT_TABLE(test_read_of_what_cannot_be, unreadable),
	      UNIT_TABLE(test_read_into_bad_buffer, bad_buffers),
	      UNIT_TABLE(test_invalidated_for_ever, retrying),
	      UNIT_TABLE(test_read_fault_errors, fault_errors),
	      UNIT_TEST(test_read_write_of_too_much),
	      UNIT_TEST(test_write_of_each_kind),
	      UNIT_TEST(test_write_own_page_stays),
	      UNIT_TEST(test_write_own_page_that_is_read_only),
	      UNIT_TABLE(test_write_errors, unwritable),
	      UNIT_TEST(test_write_own_page_of_read_only_mapping),
	      UNIT_TABLE(test_write_from_bad_buffer, bad_buffers),
	      UNIT_TEST(test_flags_sets_and_clears))
