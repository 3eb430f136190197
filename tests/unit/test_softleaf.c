/* SPDX-License-Identifier: MIT */
/* test_softleaf.c - include/uhmm/softleaf.h */
#include <uhmm/softleaf.h>

#include "unit.h"

/* What is true of an entry, as bits. */
enum fact {
	MIG = 1 << 0,		/* is_migration */
	MIG_R = 1 << 1,
	MIG_RX = 1 << 2,
	MIG_W = 1 << 3,
	DEVMIG = 1 << 4,	/* is_migration_device_private */
	DEVMIG_R = 1 << 5,
	DEVMIG_RX = 1 << 6,
	DEVMIG_W = 1 << 7,
	DEV = 1 << 8,		/* is_device_private */
	DEV_W = 1 << 9,
	EXCL = 1 << 10,		/* is_device_exclusive */
	DPFN = 1 << 11,		/* has_dpfn */
	NONE = 1 << 12,
	COH = 1 << 13,		/* is_device_coherent */
};

static const unsigned int facts_of_type[UHMM_NR_SOFTLEAF_TYPES] = {
	[UHMM_SOFTLEAF_NONE] = NONE,
	[UHMM_SOFTLEAF_MIGRATION_READ] = MIG | MIG_R,
	[UHMM_SOFTLEAF_MIGRATION_READ_EXCLUSIVE] = MIG | MIG_RX,
	[UHMM_SOFTLEAF_MIGRATION_WRITE] = MIG | MIG_W,
	[UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ] =
		MIG | MIG_R | DEVMIG | DEVMIG_R | DPFN,
	[UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ_EXCLUSIVE] =
		MIG | MIG_RX | DEVMIG | DEVMIG_RX | DPFN,
	[UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_WRITE] =
		MIG | MIG_W | DEVMIG | DEVMIG_W | DPFN,
	[UHMM_SOFTLEAF_DEVICE_PRIVATE_READ] = DEV | DPFN,
	[UHMM_SOFTLEAF_DEVICE_PRIVATE_WRITE] = DEV | DEV_W | DPFN,
	[UHMM_SOFTLEAF_DEVICE_EXCLUSIVE] = EXCL | DPFN,
	[UHMM_SOFTLEAF_DEVICE_COHERENT] = COH | DPFN,
};

static unsigned int facts_of(uhmm_softleaf_t l)
{
	unsigned int facts = 0;

#define FACT(bit, verb) (facts |= uhmm_softleaf_##verb(l) ? (bit) : 0)
	FACT(MIG, is_migration);
	FACT(MIG_R, is_migration_read);
	FACT(MIG_RX, is_migration_read_exclusive);
	FACT(MIG_W, is_migration_write);
	FACT(DEVMIG, is_migration_device_private);
	FACT(DEVMIG_R, is_migration_device_private_read);
	FACT(DEVMIG_RX, is_migration_device_private_read_exclusive);
	FACT(DEVMIG_W, is_migration_device_private_write);
	FACT(DEV, is_device_private);
	FACT(DEV_W, is_device_private_write);
	FACT(EXCL, is_device_exclusive);
	FACT(COH, is_device_coherent);
	FACT(DPFN, has_dpfn);
	FACT(NONE, is_none);
#undef FACT
	return facts;
}

/* S1.5, S1.6 */
START_TEST(test_softleaf_is_each_type)
{
	uint64_t offset = _i == UHMM_SOFTLEAF_NONE ? 0 : 0x1234567;
	uhmm_softleaf_t leaf = uhmm_softleaf_mk(_i, offset);

	ck_assert_int_eq(uhmm_softleaf_type(leaf), _i);
	ck_assert_uint_eq(uhmm_softleaf_offset(leaf), offset);
	ck_assert_uint_eq(facts_of(leaf), facts_of_type[_i]);
}
END_TEST

START_TEST(test_softleaf_with_bits_keeps_the_rest)
{
	uint64_t offset = UHMM_SOFTLEAF_OFFSET_MASK;
	uhmm_softleaf_t leaf = uhmm_softleaf_mk(_i, offset), with;

	for (unsigned int bits = 0; bits < 64; bits++) {
		with = uhmm_softleaf_with_bits(leaf, bits);
		ck_assert_uint_eq(uhmm_softleaf_bits(with), bits);
		ck_assert_int_eq(uhmm_softleaf_type(with), _i);
		ck_assert_uint_eq(uhmm_softleaf_offset(with), offset);
		leaf = with;
	}
}
END_TEST

/* S1.7 */
START_TEST(test_softleaf_from_dpfn_comes_back)
{
	uhmm_dpfn_t dpfn = UHMM_DPFN(0x1ffffffff);

	for (int write = 0; write < 2; write++) {
		uhmm_softleaf_t there = uhmm_softleaf_from_dpfn(dpfn, write);
		uhmm_softleaf_t moving =
			uhmm_softleaf_mk_migration_from_dpfn(dpfn, write);

		ck_assert_uint_eq(uhmm_softleaf_to_dpfn(there).val, dpfn.val);
		ck_assert_uint_eq(uhmm_softleaf_to_dpfn(moving).val, dpfn.val);
		ck_assert(uhmm_softleaf_is_device_private_write(there) ==
			  write);
		ck_assert(uhmm_softleaf_is_migration_write(moving) == write);
	}
}
END_TEST

/* S1.4 */
START_TEST(test_softleaf_from_flight_is_no_dpfn)
{
	uhmm_softleaf_t leaf = uhmm_softleaf_mk_migration_from_flight(5, true);

	ck_assert(uhmm_softleaf_is_migration_write(leaf));
	ck_assert(!uhmm_softleaf_has_dpfn(leaf));
	ck_assert(!uhmm_softleaf_same(
		leaf,
		uhmm_softleaf_mk_migration_from_dpfn(UHMM_DPFN(5), true)));
}
END_TEST

/* The kind is never the caller's choice. S1.7, S1.8 */
START_TEST(test_softleaf_readable_keeps_the_kind)
{
	const unsigned int kind = MIG | DEVMIG | DPFN;
	uhmm_softleaf_t leaf = uhmm_softleaf_with_bits(uhmm_softleaf_mk(_i, 9),
						       0x2f);
	uhmm_softleaf_t read, rx;

	if (!uhmm_softleaf_is_migration(leaf))
		return;
	read = uhmm_softleaf_mk_readable_migration(leaf);
	rx = uhmm_softleaf_mk_readable_exclusive_migration(leaf);
	ck_assert(uhmm_softleaf_is_migration_read(read));
	ck_assert(uhmm_softleaf_is_migration_read_exclusive(rx));
	ck_assert_uint_eq(facts_of(read) & kind, facts_of(leaf) & kind);
	ck_assert_uint_eq(facts_of(rx) & kind, facts_of(leaf) & kind);
	ck_assert_uint_eq(uhmm_softleaf_offset(read), 9);
	ck_assert_uint_eq(uhmm_softleaf_offset(rx), 9);
	ck_assert_uint_eq(uhmm_softleaf_bits(read), 0x2f);
	ck_assert_uint_eq(uhmm_softleaf_bits(rx), 0x2f);
}
END_TEST

UNIT_MAIN("softleaf", UNIT_TABLE(test_softleaf_is_each_type, facts_of_type),
	  UNIT_TABLE(test_softleaf_with_bits_keeps_the_rest, facts_of_type),
	  UNIT_TEST(test_softleaf_from_dpfn_comes_back),
	  UNIT_TEST(test_softleaf_from_flight_is_no_dpfn),
	  UNIT_TABLE(test_softleaf_readable_keeps_the_kind, facts_of_type))
