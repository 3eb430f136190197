/* SPDX-License-Identifier: MIT */
/* test_pattern.c - patterns, checksums and answers, by values of the format */
#include "../../cli/replay/pattern.h"

#include <errno.h>
#include <string.h>

#include "../../cli/replay/answer.h"
#include "../unit/unit.h"

/* computed by another implementation of tests/golden/FORMAT.md */
static const struct {
	uint64_t seed, i, word;
} words[] = {
	{ 0, 0, UINT64_C(0x3e1c24b522473cc6) },
	{ 1, 0, UINT64_C(0x74e6cc303c19e670) },
	{ 1, 1, UINT64_C(0x3e8e1cebda14faed) },
	{ 7, 511, UINT64_C(0xfab1307fcd1b77c8) },
	{ 99, 4096, UINT64_C(0x0282da8d8d66694b) },
	{ UINT64_C(1) << 63, 1, UINT64_C(0x47fcf9f31267ef6c) },
};

START_TEST(test_pattern_word_is_of_the_format)
{
	ck_assert_uint_eq(replay_pattern_word(words[_i].seed, words[_i].i),
			  words[_i].word);
}
END_TEST

/* what a real kernel's device answered: "data=..." */
static const struct {
	uint64_t seed, npages;
	const char *text;
} sums[] = {
	{ 1, 4, "b25e69e6" },
	{ 1, 8, "f83440b2" },
	{ 1, 12, "5c92a151" },
	{ 7, 128, "2c9c2543" },
	{ 9, 12, "3e510d10" },
};

START_TEST(test_sum_of_pages_is_the_recorded_one)
{
	struct replay_sum sum = REPLAY_SUM_INIT;
	uint64_t page[REPLAY_PAGE_WORDS];
	char text[REPLAY_SUM_TEXT_BYTES];

	for (uint64_t i = 0; i < sums[_i].npages; i++) {
		replay_pattern_page(page, sums[_i].seed, i);
		replay_sum_add(&sum, page, REPLAY_PAGE_WORDS);
	}
	replay_sum_text(&sum, text);
	ck_assert_str_eq(text, sums[_i].text);
}
END_TEST

START_TEST(test_sum_of_zeros_is_zero)
{
	struct replay_sum sum = REPLAY_SUM_INIT;
	uint64_t word[2] = { 0, 0 };
	char text[REPLAY_SUM_TEXT_BYTES];

	replay_sum_text(&sum, text);
	ck_assert_str_eq(text, "zero");
	replay_sum_add(&sum, word, 2);
	replay_sum_text(&sum, text);
	ck_assert_str_eq(text, "zero");
	word[0] = 5; /* zeros before it count */
	replay_sum_add(&sum, word, 1);
	replay_sum_text(&sum, text);
	ck_assert_str_eq(text, "491132d1");
}
END_TEST

START_TEST(test_poke_writes_one_word)
{
	uint64_t page[REPLAY_PAGE_WORDS] = { 0 };

	/* word (S * 7 + page) mod 512 is word `page` of the pattern */
	replay_pattern_poke(page, 100, 3);
	for (size_t i = 0; i < REPLAY_PAGE_WORDS; i++)
		ck_assert_uint_eq(page[i], i == (100 * 7 + 3) % 512 ?
						   replay_pattern_word(100, 3) :
						   0);
}
END_TEST

static struct replay_answer answer;

START_TEST(test_answer_words_and_runs)
{
	static const char *const names[] = { "ok", "SEGV", "BUS" };
	const unsigned char access[] = { 0, 0, 1, 1, 1, 2, 0 };
	const unsigned char prot[] = { 0x22, 0x22, 0xff };

	replay_answer_reset(&answer);
	replay_answer_ret(&answer, 0);
	replay_answer_runs(&answer, "acc", access, sizeof(access), names);
	replay_answer_runs(&answer, "prot", prot, sizeof(prot), NULL);
	replay_answer_runs(&answer, "pm", prot, 0, NULL);
	ck_assert_str_eq(answer.text, "ret=0 acc=ok*2,SEGV*3,BUS,ok "
				      "prot=22*2,ff pm=");
}
END_TEST

START_TEST(test_answer_names_errors)
{
	replay_answer_reset(&answer);
	errno = ENOENT;
	replay_answer_ret(&answer, -1);
	ck_assert_str_eq(answer.text, "ret=-ENOENT");
	ck_assert_str_eq(replay_error_name(EOPNOTSUPP), "EOPNOTSUPP");
	ck_assert_str_eq(replay_error_name(4000), "E4000");
}
END_TEST

START_TEST(test_answer_too_long_is_cut)
{
	replay_answer_reset(&answer);
	for (int i = 0; i < REPLAY_ANSWER_BYTES; i++)
		replay_answer_word(&answer, "%s", "word");
	ck_assert_uint_eq(answer.len, REPLAY_ANSWER_BYTES - 1);
	ck_assert_uint_eq(strlen(answer.text), answer.len);
}
END_TEST

UNIT_MAIN("replay_pattern",
	  UNIT_TABLE(test_pattern_word_is_of_the_format, words),
	  UNIT_TABLE(test_sum_of_pages_is_the_recorded_one, sums),
	  UNIT_TEST(test_sum_of_zeros_is_zero),
	  UNIT_TEST(test_poke_writes_one_word),
	  UNIT_TEST(test_answer_words_and_runs),
	  UNIT_TEST(test_answer_names_errors),
	  UNIT_TEST(test_answer_too_long_is_cut))
