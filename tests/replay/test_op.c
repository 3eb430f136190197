/* SPDX-License-Identifier: MIT */
/* test_op.c - cli/replay/op.c: lines that are operations, lines that are not */
#include "../../cli/replay/op.h"

#include <errno.h>

#include "../../cli/replay/pattern.h"
#include "../unit/unit.h"

static struct replay_op op;

static void parse(const char *text)
{
	const char *why = NULL;

	ck_assert_msg(replay_op_parse(&op, text, REPLAY_BASE, &why) == 0,
		      "%s: %s", text, why);
	ck_assert_ptr_nonnull(op.verb);
}

static uint64_t address(uint64_t region, uint64_t page)
{
	return REPLAY_BASE + region * REPLAY_REGION_BYTES +
	       page * REPLAY_PAGE_BYTES;
}

START_TEST(test_parse_map)
{
	parse("map r2 7 16 rw memp thp seed=12 fpages=0x20 foff=3 keep=k");
	ck_assert_str_eq(op.verb->name, "map");
	ck_assert_uint_eq(op.addr[0], address(2, 7));
	ck_assert_uint_eq(op.npages[0], 16);
	ck_assert_int_eq(op.prot, PROT_READ | PROT_WRITE);
	ck_assert_int_eq(op.kind, REPLAY_KIND_MEMFD_PRIVATE);
	ck_assert(replay_op_has(&op, REPLAY_OPT_THP));
	ck_assert(!replay_op_has(&op, REPLAY_OPT_OVER));
	ck_assert_uint_eq(replay_op_number(&op, REPLAY_OPT_SEED, 99), 12);
	ck_assert_uint_eq(replay_op_number(&op, REPLAY_OPT_FPAGES, 16), 32);
	ck_assert_uint_eq(replay_op_number(&op, REPLAY_OPT_FOFF, 0), 3);
	ck_assert_uint_eq(replay_op_number(&op, REPLAY_OPT_NEW, 5), 5);
	ck_assert_str_eq(op.keep, "k");
	replay_op_fini(&op);
}
END_TEST

START_TEST(test_parse_map_of_a_descriptor)
{
	parse("map r0 0 4 none fd:dev:s over");
	ck_assert_int_eq(op.kind, REPLAY_KIND_FD_SHARED);
	ck_assert_int_eq(op.prot, PROT_NONE);
	ck_assert_str_eq(op.fd[0], "dev");
	ck_assert(replay_op_has(&op, REPLAY_OPT_OVER));
	replay_op_fini(&op);

	parse("map r0 0 4 r fd:f0");
	ck_assert_int_eq(op.kind, REPLAY_KIND_FD_PRIVATE);
	ck_assert_str_eq(op.fd[0], "f0");
	replay_op_fini(&op);
}
END_TEST

START_TEST(test_parse_two_addresses)
{
	parse("remap r0 1 2 r3 4 dontunmap new=6");
	ck_assert_uint_eq(op.addr[0], address(0, 1));
	ck_assert_uint_eq(op.addr[1], address(3, 4));
	ck_assert_uint_eq(op.npages[0], 2);
	ck_assert(replay_op_has(&op, REPLAY_OPT_DONTUNMAP));
	ck_assert_uint_eq(replay_op_number(&op, REPLAY_OPT_NEW, 2), 6);
	replay_op_fini(&op);

	parse("resize r0 1 2 9");
	ck_assert_uint_eq(op.npages[0], 2);
	ck_assert_uint_eq(op.npages[1], 9);
	replay_op_fini(&op);
}
END_TEST

START_TEST(test_parse_command)
{
	parse("write f0 abs 2 0xfffffffffffff 77 mis=8 cmd=ro ptr=mid");
	ck_assert_str_eq(op.fd[0], "f0");
	ck_assert_uint_eq(op.addr[0], 2 * REPLAY_PAGE_BYTES);
	ck_assert_uint_eq(op.npages[0], 0xfffffffffffff);
	ck_assert_uint_eq(op.seed, 77);
	ck_assert_uint_eq(replay_op_number(&op, REPLAY_OPT_MIS, 0), 8);
	ck_assert_int_eq(op.cmd_at, REPLAY_CMD_RO);
	ck_assert_int_eq(op.ptr_at, REPLAY_PTR_MID);
	replay_op_fini(&op);

	parse("raw f0 31 r0 0 1 ptr=r1:5");
	ck_assert_uint_eq(op.value, 31);
	ck_assert_int_eq(op.cmd_at, REPLAY_CMD_GOOD);
	ck_assert_int_eq(op.ptr_at, REPLAY_PTR_REGION);
	ck_assert_uint_eq(op.ptr_addr, address(1, 5));
	replay_op_fini(&op);
}
END_TEST

START_TEST(test_parse_others)
{
	parse("dup\tf0  f1 ");
	ck_assert_str_eq(op.fd[0], "f0");
	ck_assert_str_eq(op.fd[1], "f1");
	replay_op_fini(&op);

	parse("advise r0 0 1 COLLAPSE");
	ck_assert_int_eq(op.advice, 25);
	replay_op_fini(&op);

	parse("fdop getfl f3");
	ck_assert_int_eq(op.fdop, REPLAY_FDOP_GETFL);
	ck_assert_str_eq(op.fd[0], "f3");
	replay_op_fini(&op);

	parse("open d 3 cloexec ro");
	ck_assert_uint_eq(op.value, 3);
	ck_assert_uint_eq(op.given, REPLAY_BIT(REPLAY_OPT_RO) |
					    REPLAY_BIT(REPLAY_OPT_CLOEXEC));
	replay_op_fini(&op);

	parse("fork c {");
	ck_assert_ptr_null(op.verb->run);
	replay_op_fini(&op);
}
END_TEST

static const char *const bad[] = {
	"nothing r0 0 1",
	"touchr",
	"touchr r0 0",
	"touchr q0 0 1",
	"touchr r 0 1",
	"touchr r0 -1 1",
	"touchr r0 0 1x",
	"touchr r0 0 65537", /* more than it can answer */
	"touchr r0 0 1 2",
	"touchw r0 0 1",
	"protect r0 0 1 rwz",
	"map r0 0 1 rw",
	"map r0 0 1 rw wool",
	"map r0 0 1 rw fd:",
	"map r0 0 1 rw fd:f0:p",
	"map r0 0 1 rw anon thp=1",
	"map r0 0 1 rw anon seed",
	"map r0 0 1 rw anon seed=x",
	"map r0 0 1 rw memp keep=",
	"map r0 0 1 rw anon dontunmap", /* an option of another */
	"advise r0 0 1 MADV_COLD",
	"fdop splice f0",
	"read f0 r0 0 1 ptr=r1",
	"read f0 r0 0 1 ptr=x:1",
	"read f0 r0 0 1 cmd=odd",
	"read f0 r0 0 99999999999999999999",
	"fork c",
	"fork c [",
	"} }",
	"kill9 c",
};

START_TEST(test_parse_refuses)
{
	const char *why = NULL;

	ck_assert_msg(replay_op_parse(&op, bad[_i], REPLAY_BASE, &why) ==
			      -EINVAL,
		      "%s", bad[_i]);
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_null(op.words);
	ck_assert_ptr_null(op.verb);
}
END_TEST

UNIT_MAIN("replay_op", UNIT_TEST(test_parse_map),
	  UNIT_TEST(test_parse_map_of_a_descriptor),
	  UNIT_TEST(test_parse_two_addresses), UNIT_TEST(test_parse_command),
	  UNIT_TEST(test_parse_others), UNIT_TABLE(test_parse_refuses, bad))
