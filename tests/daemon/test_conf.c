/* SPDX-License-Identifier: MIT */
/* test_conf.c - options, environment, defaults; and slots and latency, which
 * are as small
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "slots.h"
#include "stats.h"
#include "suite.h"

#define ARGS_MAX 16

static struct conf conf;

/* Parse the words of @line. */
static int parse(const char *line)
{
	static char words[256];
	char *argv[ARGS_MAX + 1] = { "uhmmd" };
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok(words, " "); w && argc < ARGS_MAX;
	     w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	optind = 0;
	return conf_parse(&conf, argc, argv);
}

#define TEN "/234567890"

static const char *const wrong[] = {
	"--device",
	"--device hmm_dmirror0",
	"--device hmm_dmirror0:private",
	"--device hmm_dmirror0:private:64G:x",
	"--device null:private:64G",
	"--device hmm_dmirror:private:64G",
	"--device hmm_dmirror16:private:64G",
	"--device hmm_dmirror-1:private:64G",
	"--device hmm_dmirror0:coherent:1",
	"--device hmm_dmirror0:public:64G",
	"--device hmm_dmirror0:private:0",
	"--device hmm_dmirror0:private:1",
	"--device hmm_dmirror0:private:64X",
	"--device hmm_dmirror0:private:-4096",
	"--device hmm_dmirror0:private:99999999999999999999",
	"--device hmm_dmirror0:private:17T",
	"--device hmm_dmirror0:private:9999999999T",
	"--device hmm_dmirror0:private:1G --device hmm_dmirror0:private:1G",
	"--driver a --driver b --driver c --driver d --driver e",
	"--engine fast",
	"--loop select",
	"--near far",
	"--workers 0",
	"--workers 65",
	"--workers two",
	"--socket-fd x",
	"--ready-fd -1",
	"--socket " TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN,
	"--socket @abstract",
	"--recover-all",
	"argument",
};

START_TEST(test_conf_wrong)
{
	ck_assert_msg(parse(wrong[_i]) == CONF_EXIT_USAGE, "%s", wrong[_i]);
}
END_TEST

START_TEST(test_conf_defaults)
{
	setenv("XDG_RUNTIME_DIR", "/some/where", 1);
	ck_assert_int_eq(parse(""), -1);
	ck_assert_str_eq(conf.socket, "/some/where/uhmm/uhmmd.sock");
	ck_assert_int_eq(conf.socket_fd, -1);
	ck_assert_int_eq(conf.ready_fd, -1);
	ck_assert_int_eq(conf.loop, LOOP_AUTO);
	ck_assert_int_eq(conf.near, NEAR_AUTO);
	ck_assert_uint_eq(conf.nworkers, 1);
	ck_assert_uint_eq(conf.ndevs, 4);
	ck_assert_uint_eq(conf.dev[1].minor, 1);
	ck_assert_uint_eq(conf.dev[1].bytes, UINT64_C(64) << 30);
	ck_assert_int_eq(conf.dev[1].type, UHMM_MEMORY_DEVICE_PRIVATE);
	ck_assert_uint_eq(conf.dev[3].minor, 3);
	ck_assert_uint_eq(conf.dev[3].bytes, UINT64_C(256) << 20);
	ck_assert_int_eq(conf.dev[3].type, UHMM_MEMORY_DEVICE_COHERENT);
}
END_TEST

START_TEST(test_conf_all)
{
	ck_assert_int_eq(parse("--foreground --socket /x --loop epoll "
			       "--driver ./a.so --driver b.so "
			       "--device hmm_dmirror3:private:1M"), -1);
	ck_assert_uint_eq(conf.ndrivers, 2);
	ck_assert_str_eq(conf.driver[1], "b.so");
	ck_assert_str_eq(conf.socket, "/x");
	ck_assert_int_eq(conf.loop, LOOP_EPOLL);
	ck_assert_uint_eq(conf.ndevs, 1);
	ck_assert_uint_eq(conf.dev[0].minor, 3);
	ck_assert_uint_eq(conf.dev[0].bytes, 1 << 20);
	ck_assert_int_eq(parse("--workers 2 --socket-fd 3 --ready-fd 4 "), -1);
	ck_assert_uint_eq(conf.nworkers, 2);
	ck_assert_int_eq(conf.socket_fd, 3);
	ck_assert_int_eq(conf.ready_fd, 4);
	ck_assert_int_eq(parse("--engine protect"), -1);
	ck_assert_int_eq(conf.engine, UHMM_ENGINE_PROTECT);
	ck_assert_int_eq(parse("--near spin"), -1);
	ck_assert_int_eq(conf.near, NEAR_SPIN);
	ck_assert_int_eq(parse("--help"), 0);
	ck_assert_int_eq(parse("--version"), 0);
}
END_TEST

START_TEST(test_conf_environment)
{
	setenv("UHMM_SOCKET", "/from/env", 1);
	setenv("UHMM_LOOP", "epoll", 1);
	setenv("UHMM_ENGINE", "copy", 1);
	ck_assert_int_eq(parse(""), -1);
	ck_assert_str_eq(conf.socket, "/from/env");
	ck_assert_int_eq(conf.loop, LOOP_EPOLL);
	ck_assert_int_eq(parse("--socket /y --loop uring"), -1);
	ck_assert_str_eq(conf.socket, "/y");
	ck_assert_int_eq(conf.loop, LOOP_URING);
	setenv("UHMM_NEAR", "off", 1);
	ck_assert_int_eq(parse(""), -1);
	ck_assert_int_eq(conf.near, NEAR_OFF);
	ck_assert_int_eq(parse("--near idle"), -1);
	ck_assert_int_eq(conf.near, NEAR_IDLE);
	setenv("UHMM_ENGINE", "steam", 1);
	ck_assert_int_eq(parse(""), CONF_EXIT_USAGE);
}
END_TEST

START_TEST(test_slots)
{
	struct slots s = { 0 };
	struct slot_ref ref[100], again;
	int obj[100];
	uint32_t at = 0;

	ck_assert_ptr_null(slots_get(&s, (struct slot_ref){ 0 }));
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(slots_add(&s, &obj[i], &ref[i]), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_eq(slots_get(&s, ref[i]), &obj[i]);
	slots_del(&s, ref[50]);
	slots_del(&s, ref[50]);
	ck_assert_uint_eq(s.used, 99);
	ck_assert_ptr_null(slots_get(&s, ref[50]));
	ck_assert_int_eq(slots_add(&s, &obj[0], &again), 0);
	ck_assert_uint_eq(again.slot, ref[50].slot);
	ck_assert_ptr_null(slots_get(&s, ref[50]));
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(slots_next(&s, &at));
	ck_assert_ptr_null(slots_next(&s, &at));
	slots_fini(&s);
	ck_assert_ptr_null(slots_get(&s, again));
}
END_TEST

START_TEST(test_latency)
{
	static struct latency l;
	uint64_t p50, p99;

	ck_assert_uint_eq(stats_percentile(&l, 50), 0);
	for (uint64_t i = 1; i <= 100000; i++)
		stats_latency(&l, i * 10);
	p50 = stats_percentile(&l, 50);
	p99 = stats_percentile(&l, 99);
	ck_assert_uint_ge(p50, 500000);
	ck_assert_uint_le(p50, 540000);
	ck_assert_uint_ge(p99, 990000);
	ck_assert_uint_le(p99, 1000000);
	ck_assert_uint_eq(stats_percentile(&l, 100), 1000000);
	stats_latency(&l, 0);
	stats_latency(&l, UINT64_MAX);
	ck_assert_uint_eq(l.max_ns, UINT64_MAX);
	ck_assert_uint_eq(l.n, 100002);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ test_conf_wrong, SUITE_COUNT(wrong) },
		{ test_conf_defaults, 1 },
		{ test_conf_all, 1 },
		{ test_conf_environment, 1 },
		{ test_slots, 1 },
		{ test_latency, 1 },
	};

	unsetenv("UHMM_SOCKET");
	unsetenv("UHMM_LOOP");
	unsetenv("UHMM_ENGINE");
	return suite_main("conf", tests, SUITE_COUNT(tests));
}
