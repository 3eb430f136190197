/* SPDX-License-Identifier: MIT */
/* test_wire.c - what is a well-formed message, and is it documented */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sample.h"

static struct uhmm_wire_msg msg;

static int check_as(uint16_t id, bool reply)
{
	return uhmm_wire_check(&msg, uhmm_wire_bytes(id, reply),
			       uhmm_wire_nfds(id, reply));
}

START_TEST(test_check_takes_every_message)
{
	struct sample_kind k = sample_kinds[_i];

	(void)sample_make(&msg, k.id, k.reply);
	ck_assert_int_eq(check_as(k.id, k.reply), 0);
}
END_TEST

START_TEST(test_check_refuses_another_length)
{
	struct sample_kind k = sample_kinds[_i];
	size_t bytes = sample_make(&msg, k.id, k.reply);
	unsigned int nfds = uhmm_wire_nfds(k.id, k.reply);

	for (size_t n = 0; n <= sizeof(msg); n++) {
		if (n != bytes)
			ck_assert_int_eq(uhmm_wire_check(&msg, n, nfds),
					 -EPROTO);
	}
}
END_TEST

START_TEST(test_check_refuses_other_descriptors)
{
	struct sample_kind k = sample_kinds[_i];
	size_t bytes = sample_make(&msg, k.id, k.reply);

	for (unsigned int n = 0; n <= UHMM_WIRE_FDS_MAX; n++) {
		if (n != uhmm_wire_nfds(k.id, k.reply))
			ck_assert_int_eq(uhmm_wire_check(&msg, bytes, n),
					 -EPROTO);
	}
}
END_TEST

START_TEST(test_check_of_errors)
{
	struct sample_kind k = sample_kinds[_i];
	size_t bytes = sample_make(&msg, k.id, k.reply);

	msg.header.error = -ENOENT;
	ck_assert_int_eq(uhmm_wire_check(&msg, bytes, 0),
			 k.reply ? 0 : -EPROTO);
	if (uhmm_wire_nfds(k.id, k.reply))
		ck_assert_int_eq(check_as(k.id, k.reply), -EPROTO);
	/* in a request the same bytes say on which CPU it was made */
	msg.header.cpu = 1;
	ck_assert_int_eq(check_as(k.id, k.reply), k.reply ? -EPROTO : 0);
	msg.header.error = -4096;
	ck_assert_int_eq(uhmm_wire_check(&msg, bytes, 0), -EPROTO);
}
END_TEST

START_TEST(test_check_refuses_a_bad_header)
{
	const size_t bytes = uhmm_wire_bytes(UHMM_WIRE_ioctl, false);

	(void)sample_make(&msg, UHMM_WIRE_ioctl, false);
	msg.header.magic++;
	ck_assert_int_eq(uhmm_wire_check(&msg, bytes, 0), -EPROTO);
	(void)sample_make(&msg, UHMM_WIRE_ioctl, false);
	msg.header.flags = 2;
	ck_assert_int_eq(uhmm_wire_check(&msg, bytes, 0), -EPROTO);
	for (uint32_t id = 0; id <= UINT16_MAX; id++) {
		(void)sample_make(&msg, UHMM_WIRE_ioctl, false);
		msg.header.id = (uint16_t)id;
		if (!uhmm_wire_bytes((uint16_t)id, false))
			ck_assert_int_eq(uhmm_wire_check(&msg, bytes, 0),
					 -EPROTO);
	}
}
END_TEST

/* One field of a message set to a value: @ok or not. */
struct spoil {
	uint16_t id;
	bool reply;
	size_t offset;
	unsigned int bytes;
	uint64_t value;
	bool ok;
};

#define BODY(field) offsetof(struct uhmm_wire_msg, body.field), \
		    sizeof(((struct uhmm_wire_msg *)0)->body.field)
#define RANGE(i, field) offsetof(struct uhmm_wire_msg, body.hands.range) + \
		(i) * sizeof(struct uhmm_wire_range) +                     \
		offsetof(struct uhmm_wire_range, field), 8

static const struct spoil spoils[] = {
	{ UHMM_WIRE_hello, false, BODY(hello.page_bytes), 0, false },
	{ UHMM_WIRE_hello, false, BODY(hello.page_bytes), 2048, false },
	{ UHMM_WIRE_hello, false, BODY(hello.page_bytes), 4097, false },
	{ UHMM_WIRE_hello, false, BODY(hello.page_bytes), 65536, true },
	{ UHMM_WIRE_hello, false, BODY(hello.flags), 15, true },
	{ UHMM_WIRE_hello, false, BODY(hello.flags), 16, false },
	{ UHMM_WIRE_hello, false, BODY(hello.version), 9, true },
	{ UHMM_WIRE_hello, false, BODY(hello.fork_id), 1, false },
	{ UHMM_WIRE_hello, false, BODY(hello.parent.word[1]), 1, true },
	{ UHMM_WIRE_hello, true, BODY(hello_reply.zero), 1, false },
	{ UHMM_WIRE_join, false, BODY(join.role), 0, false },
	{ UHMM_WIRE_join, false, BODY(join.role), 2, true },
	{ UHMM_WIRE_join, false, BODY(join.role), 3, false },
	{ UHMM_WIRE_join, true, BODY(join_reply.zero), 1, false },
	{ UHMM_WIRE_open, false, BODY(open.minor), 9, true },
	{ UHMM_WIRE_ioctl, false, BODY(ioctl.cmd), ~0ull, true },
	{ UHMM_WIRE_ioctl, true, BODY(ioctl_reply.ret), ~0ull, true },
	{ UHMM_WIRE_mmap, false, BODY(mmap.bytes), 0, false },
	{ UHMM_WIRE_protect, false, BODY(protect.bytes), 0, false },
	{ UHMM_WIRE_protect, false, BODY(protect.addr), ~0ull, false },
	{ UHMM_WIRE_protect, false, BODY(protect.addr), -4096ull, false },
	{ UHMM_WIRE_protect, false, BODY(protect.addr), -8192ull, true },
	{ UHMM_WIRE_protect, false, BODY(protect.phase), 3, false },
	{ UHMM_WIRE_advise, false, BODY(advise.phase), 0, false },
	{ UHMM_WIRE_advise, false, BODY(advise.bytes), 0, false },
	{ UHMM_WIRE_advise, false, BODY(advise.advice), ~0u, true },
	{ UHMM_WIRE_mincore, false, BODY(mincore.bytes), 0, false },
	{ UHMM_WIRE_remap, false, BODY(remap.bytes), 0, false },
	{ UHMM_WIRE_remap, false, BODY(remap.addr), ~0ull, false },
	{ UHMM_WIRE_fault, false, BODY(fault.access), 3, true },
	{ UHMM_WIRE_fault, false, BODY(fault.access), 4, false },
	{ UHMM_WIRE_fault, false, BODY(fault.zero), 1, false },
	{ UHMM_WIRE_fault, true, BODY(fault_reply.ours), 2, true },
	{ UHMM_WIRE_fault, true, BODY(fault_reply.ours), 3, false },
	{ UHMM_WIRE_fault, true, BODY(fault_reply.zero), 1, false },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.op), 0, false },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.op), 3, true },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.op), 4, false },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.phase), 3, false },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.done), 2, false },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.zero), 1, false },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.to_bytes), ~0ull, false },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.to_bytes), 4096, true },
	{ UHMM_WIRE_vmcall, false, BODY(vmcall.bytes), 0, false },
	{ UHMM_WIRE_fence, false, BODY(fence.bytes), 0, false },
	{ UHMM_WIRE_fence, false, BODY(fence.prot), 7, true },
	{ UHMM_WIRE_fence, false, BODY(fence.prot), 8, false },
	{ UHMM_WIRE_fence, false, BODY(fence.phase), 0, false },
	{ UHMM_WIRE_fence, false, BODY(fence.phase), 4, true },
	{ UHMM_WIRE_fence, false, BODY(fence.phase), 5, false },
	{ UHMM_WIRE_bring, false, BODY(bring.bytes), 0, false },
	{ UHMM_WIRE_bring, false, BODY(bring.write), 1, true },
	{ UHMM_WIRE_bring, false, BODY(bring.write), 2, false },
	{ UHMM_WIRE_bring, false, BODY(bring.zero), 1, false },
	{ UHMM_WIRE_fork, false, BODY(fork.phase), 0, false },
	{ UHMM_WIRE_fork, false, BODY(fork.phase), 2, true },
	{ UHMM_WIRE_fork, false, BODY(fork.phase), 3, false },
	{ UHMM_WIRE_fork, false, BODY(fork.fork_id), 0, false },
	{ UHMM_WIRE_fork, false, BODY(fork.zero), 1, false },
	{ UHMM_WIRE_stats, false, BODY(stats.zero), 1, false },
	{ UHMM_WIRE_check, false, BODY(check.zero), 1, false },
	{ UHMM_WIRE_stop, false, BODY(stop.zero), 1, false },
	{ UHMM_WIRE_unplug, false, BODY(unplug.node[0]), 0, false },
	{ UHMM_WIRE_unplug, false, BODY(unplug.node[30]), 'n', false },
	{ UHMM_WIRE_unplug, false, BODY(unplug.node[31]), 'n', false },
	{ UHMM_WIRE_unplug, false, BODY(unplug.node[1]), 'n', true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 0, false },
	{ UHMM_WIRE_hands, false, BODY(hands.op), UHMM_HANDS_SWEEP, true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 3, true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 31, false },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 32, true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 34, true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 35, true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), UHMM_HANDS_COPY, false },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 37, false },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 39, false },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 40, true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 47, true },
	{ UHMM_WIRE_hands, false, BODY(hands.op), 48, false },
	{ UHMM_WIRE_hands, false, BODY(hands.op), UHMM_HANDS_MOVE, false },
	{ UHMM_WIRE_hands, false, BODY(hands.op), UHMM_HANDS_MOVE + 1, false },
	{ UHMM_WIRE_hands, false, BODY(hands.nranges), 0, false },
	{ UHMM_WIRE_hands, false, BODY(hands.nranges), 2, false },
	{ UHMM_WIRE_hands, false, BODY(hands.nranges), 65, false },
	{ UHMM_WIRE_hands, false, BODY(hands.nranges), ~0u, false },
	{ UHMM_WIRE_hands, false, RANGE(0, bytes), 0, false },
	{ UHMM_WIRE_hands, false, RANGE(0, addr), ~0ull, false },
	{ UHMM_WIRE_hands, false, RANGE(1, addr), 1, false },
	{ UHMM_WIRE_hands, false, RANGE(63, bytes), 1, false },
	{ UHMM_WIRE_hands, true, BODY(hands_reply.done), 64, true },
	{ UHMM_WIRE_hands, true, BODY(hands_reply.done), 65, false },
	{ UHMM_WIRE_hands, true, BODY(hands_reply.moved), 1, true },
};

START_TEST(test_check_of_a_field)
{
	const struct spoil *s = &spoils[_i];

	(void)sample_make(&msg, s->id, s->reply);
	memcpy((char *)&msg + s->offset, &s->value, s->bytes);
	ck_assert_int_eq(check_as(s->id, s->reply), s->ok ? 0 : -EPROTO);
}
END_TEST

/* The ranges of a move: one, then pairs of one length. */
START_TEST(test_check_of_a_move)
{
	struct uhmm_msg_hands *h = &msg.body.hands;

	uhmm_wire_init(&msg, UHMM_WIRE_hands, 1, false);
	h->op = UHMM_HANDS_MOVE;
	for (uint32_t i = 0; i < UHMM_WIRE_RANGES_MAX; i++) {
		h->range[i] = (struct uhmm_wire_range){ 4096 * (i + 1), 4096 };
		h->nranges = i + 1;
		ck_assert_int_eq(check_as(UHMM_WIRE_hands, false),
				 i >= 2 && i % 2 == 0 ? 0 : -EPROTO);
	}
	h->range[63] = (struct uhmm_wire_range){ 0 };
	h->nranges = 63;
	h->range[0].bytes = 8192;
	ck_assert_int_eq(check_as(UHMM_WIRE_hands, false), 0);
	h->range[61].bytes = 8192;
	ck_assert_int_eq(check_as(UHMM_WIRE_hands, false), -EPROTO);
	h->range[62].bytes = 8192;
	ck_assert_int_eq(check_as(UHMM_WIRE_hands, false), 0);
}
END_TEST

/* Those of a copy: a pair of one length. */
START_TEST(test_check_of_a_copy)
{
	struct uhmm_msg_hands *h = &msg.body.hands;

	uhmm_wire_init(&msg, UHMM_WIRE_hands, 1, false);
	h->op = UHMM_HANDS_COPY;
	for (uint32_t i = 0; i < 4; i++) {
		h->range[i] = (struct uhmm_wire_range){ 4096 * (i + 1), 4096 };
		h->nranges = i + 1;
		ck_assert_int_eq(check_as(UHMM_WIRE_hands, false),
				 i == 1 ? 0 : -EPROTO);
	}
	h->nranges = 2;
	h->range[2] = h->range[3] = (struct uhmm_wire_range){ 0 };
	h->range[0].bytes = 8192;
	ck_assert_int_eq(check_as(UHMM_WIRE_hands, false), -EPROTO);
	h->range[1].bytes = 8192;
	ck_assert_int_eq(check_as(UHMM_WIRE_hands, false), 0);
}
END_TEST

START_TEST(test_init_reply_in_place)
{
	uhmm_wire_init(&msg, UHMM_WIRE_ioctl, 12, false);
	msg.body.ioctl.arg = ~0ull;
	uhmm_wire_init_reply(&msg, &msg.header, -EPERM);
	ck_assert_uint_eq(msg.header.seq, 12);
	ck_assert_int_eq(msg.header.error, -EPERM);
	ck_assert_int_eq(msg.body.ioctl_reply.ret, 0);
	ck_assert_int_eq(check_as(UHMM_WIRE_ioctl, true), 0);
}
END_TEST

START_TEST(test_names)
{
	ck_assert_str_eq(uhmm_wire_name(UHMM_WIRE_ioctl), "ioctl");
	ck_assert_str_eq(uhmm_wire_name(UHMM_WIRE_hands), "hands");
	ck_assert_str_eq(uhmm_wire_name(0), "?");
	ck_assert_str_eq(uhmm_wire_name(SAMPLE_NO_ID), "?");
	ck_assert_str_eq(uhmm_wire_name(UINT16_MAX), "?");
	ck_assert_uint_eq(uhmm_wire_bytes(SAMPLE_NO_ID, true), 0);
	ck_assert_uint_eq(uhmm_wire_nfds(SAMPLE_NO_ID, true), 0);
}
END_TEST

/* A row of the table in docs/wire.md. Return: false: another line */
static bool check_row(const char *line)
{
	unsigned int id, bytes[2], nfds[2];
	char name[32], by[32];

	if (sscanf(line, "| %u | %31[a-z] | %31[a-z] | %u | %u | %u | %u |",
		   &id, name, by, &bytes[0], &bytes[1], &nfds[0],
		   &nfds[1]) != 7)
		return false;
	ck_assert_str_eq(name, uhmm_wire_name((uint16_t)id));
	for (int reply = 0; reply < 2; reply++) {
		ck_assert_uint_eq(bytes[reply],
				  uhmm_wire_bytes((uint16_t)id, reply));
		ck_assert_uint_eq(nfds[reply],
				  uhmm_wire_nfds((uint16_t)id, reply));
	}
	return true;
}

START_TEST(test_documented)
{
	FILE *f = fopen(UHMM_DOCS "/wire.md", "re");
	unsigned int rows = 0;
	char line[512];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		rows += check_row(line);
	(void)fclose(f);
	ck_assert_uint_eq(rows, SAMPLE_KINDS / 2);
}
END_TEST

static Suite *wire_suite(void)
{
	Suite *s = suite_create("wire");
	TCase *tc = tcase_create("wire");
	const int kinds = (int)SAMPLE_KINDS;

	tcase_add_loop_test(tc, test_check_takes_every_message, 0, kinds);
	tcase_add_loop_test(tc, test_check_refuses_another_length, 0, kinds);
	tcase_add_loop_test(tc, test_check_refuses_other_descriptors, 0, kinds);
	tcase_add_loop_test(tc, test_check_of_errors, 0, kinds);
	tcase_add_test(tc, test_check_refuses_a_bad_header);
	tcase_add_loop_test(tc, test_check_of_a_field, 0,
			    sizeof(spoils) / sizeof(spoils[0]));
	tcase_add_test(tc, test_check_of_a_move);
	tcase_add_test(tc, test_check_of_a_copy);
	tcase_add_test(tc, test_init_reply_in_place);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_documented);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(wire_suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
