/* SPDX-License-Identifier: MIT */
/* test_channel.c - cli/replay/channel.c: what players tell, also broken off */
#include "../../cli/replay/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../unit/unit.h"

#define ROOM 32

static int ends[2];
static char text[ROOM];
static struct replay_record record = { .text = text };

static void setup(void)
{
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
}

static int receive(void)
{
	return replay_channel_receive(ends[0], &record, ROOM, 10);
}

START_TEST(test_records_follow_each_other)
{
	setup();
	replay_channel_send(ends[1], REPLAY_EVENT_ANSWER, 7, "ret=0", 5);
	replay_channel_send(ends[1], REPLAY_EVENT_TIMEOUT, 8, "", 0);
	close(ends[1]);
	ck_assert_int_eq(receive(), 1);
	ck_assert_int_eq(record.event, REPLAY_EVENT_ANSWER);
	ck_assert_uint_eq(record.line, 7);
	ck_assert_str_eq(record.text, "ret=0");
	ck_assert_int_eq(receive(), 1);
	ck_assert_int_eq(record.event, REPLAY_EVENT_TIMEOUT);
	ck_assert_uint_eq(record.line, 8);
	ck_assert_str_eq(record.text, "");
	ck_assert_int_eq(receive(), 0);
	close(ends[0]);
}
END_TEST

START_TEST(test_silence_is_a_timeout)
{
	setup();
	ck_assert_int_eq(receive(), -ETIMEDOUT);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(test_broken_off_is_told)
{
	char bytes[64];
	ssize_t n;

	/* every beginning of a record but none and all of it */
	setup();
	replay_channel_send(ends[1], REPLAY_EVENT_ANSWER, 1, "ok", 2);
	n = read(ends[0], bytes, sizeof(bytes));
	close(ends[0]);
	close(ends[1]);
	for (ssize_t i = 1; i < n; i++) {
		setup();
		ck_assert_int_eq(write(ends[1], bytes, (size_t)i), i);
		close(ends[1]);
		ck_assert_int_eq(receive(), -EPROTO);
		close(ends[0]);
	}
}
END_TEST

START_TEST(test_too_long_is_refused)
{
	char longer[ROOM];

	memset(longer, 'x', sizeof(longer));
	setup();
	replay_channel_send(ends[1], REPLAY_EVENT_ANSWER, 1, longer, ROOM);
	ck_assert_int_eq(receive(), -EPROTO);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

UNIT_MAIN("replay_channel", UNIT_TEST(test_records_follow_each_other),
	  UNIT_TEST(test_silence_is_a_timeout),
	  UNIT_TEST(test_broken_off_is_told),
	  UNIT_TEST(test_too_long_is_refused))
