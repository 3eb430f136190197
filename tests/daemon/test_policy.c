/* SPDX-License-Identifier: MIT */
/* test_policy.c - parts of policies that need no program */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy_conf.h"
#include "policy_pages.h"
#include "suite.h"

/* ---- what a --policy says ---- */

static struct policy_conf good(const char *word)
{
	struct policy_conf c;
	const char *why = policy_conf_parse(word, &c);

	ck_assert_msg(!why, "%s: %s", word, why);
	return c;
}

START_TEST(test_conf_good)
{
	struct policy_conf c = good("chaos");

	ck_assert_int_eq(c.kind, POLICY_CHAOS);
	ck_assert_uint_eq(c.seed, 0);
	ck_assert_uint_eq(c.ndevices, 2);
	c = good("chaos,seed=18446744073709551600,rate=7,exclusive=100,"
		 "devices=1,huge=0");
	ck_assert_uint_eq(c.seed, UINT64_C(18446744073709551600));
	ck_assert_uint_eq(c.rate, 7);
	ck_assert_uint_eq(c.exclusive, 100);
	ck_assert_uint_eq(c.ndevices, 1);
	ck_assert_uint_eq(c.huge, 0);
	c = good("evict=35");
	ck_assert_int_eq(c.kind, POLICY_EVICT);
	ck_assert_uint_eq(c.percent, 35);
	c = good("prefetch=512");
	ck_assert_int_eq(c.kind, POLICY_PREFETCH);
	ck_assert_uint_eq(c.npages, 512);
}
END_TEST

static const char *const bad[] = {
	"", "chao", "chaosx", "chaos,", "chaos,rate", "chaos,rate=",
	"chaos,rate=x", "chaos,rate=0", "chaos,rate=10000001",
	"chaos,exclusive=101", "chaos,devices=0", "chaos,devices=17",
	"chaos,seed=18446744073709551620", "chaos,rate=5,,seed=1",
	"chaos,other=1", "evict", "evict=", "evict=101", "evict=-1", "evict=5%",
	"script", "script=", "script=/no/such/file", "prefetch", "prefetch=",
	"prefetch=1", "prefetch=513", "prefetch=8x",
};

START_TEST(test_conf_bad)
{
	struct policy_conf c;

	ck_assert_msg(policy_conf_parse(bad[_i], &c), "%s", bad[_i]);
	policy_conf_fini(&c);
}
END_TEST

static const char *script(const char *text, struct policy_conf *c)
{
	char path[] = "/tmp/uhmm-script-XXXXXX", word[64];
	const char *why;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	snprintf(word, sizeof(word), "script=%s", path);
	why = policy_conf_parse(word, c);
	unlink(path);
	return why;
}

START_TEST(test_conf_script)
{
	struct policy_conf c;

	ck_assert_ptr_null(script("# what\n"
				  "\n"
				  "0.5 todev f0 r3 0 64\n"
				  "0.5 exclusive f1 heap 8 1\n"
				  "2 tosys f0 r0 10 100\n"
				  "3e1 release f0\n", &c));
	ck_assert_uint_eq(c.nlines, 4);
	ck_assert_uint_eq(c.line[0].at_ns, 500000000);
	ck_assert_int_eq(c.line[0].op, POLICY_OP_TODEV);
	ck_assert_uint_eq(c.line[0].region, 3);
	ck_assert_uint_eq(c.line[1].region, POLICY_REGION_HEAP);
	ck_assert_uint_eq(c.line[1].device, 1);
	ck_assert_uint_eq(c.line[1].first, 8);
	ck_assert_uint_eq(c.line[2].npages, 100);
	ck_assert_uint_eq(c.line[3].at_ns, UINT64_C(30000000000));
	ck_assert_int_eq(c.line[3].op, POLICY_OP_RELEASE);
	policy_conf_fini(&c);
}
END_TEST

static const char *const bad_lines[] = {
	"todev f0 r0 0 64\n", "1 todev f0 r0 0\n", "1 todev f0 r0 0 0\n",
	"1 todev d0 r0 0 64\n", "1 todev f0 x 0 64\n", "1 fly f0 r0 0 64\n",
	"-1 todev f0 r0 0 64\n", "1 release f0 r0 0 64\n", "1 read f16 r0 0 1\n",
	"1 todev f0 r0 -1 1\n", "2 release f0\n1 release f0\n",
	"nan release f0\n", "1 todev f0 r0 0 99999999999\n",
};

START_TEST(test_conf_bad_script)
{
	struct policy_conf c;

	ck_assert_msg(script(bad_lines[_i], &c), "%s", bad_lines[_i]);
	ck_assert_ptr_null(c.line);
}
END_TEST

/* ---- the set of pages ---- */

#define PAGES 500u

static struct policy_page page_of(uint64_t dpfn, uint64_t vpn)
{
	return (struct policy_page){ .dpfn = UHMM_DPFN(dpfn),
				     .vpn = UHMM_VPN(vpn), .sum = dpfn * vpn };
}

static unsigned int next_random(void)
{
	static unsigned int seed = 5;

	seed = seed * 1103515245 + 12345;
	return seed >> 8;
}

/* Against an array. */
START_TEST(test_pages_random)
{
	struct policy_pages set;
	uint64_t vpn[PAGES] = { 0 };
	unsigned int n = 0;

	ck_assert_int_eq(policy_pages_init(&set, PAGES), 0);
	ck_assert_ptr_null(policy_pages_next(&set, 3));
	for (int i = 0; i < 20000; i++) {
		unsigned int k = next_random() % (PAGES - 1) + 1;
		const struct policy_page *page;

		if (next_random() % 2) {
			ck_assert(policy_pages_put(&set,
						   page_of(k, (uint64_t)i + 1)));
			n += !vpn[k];
			vpn[k] = (uint64_t)i + 1;
		} else {
			policy_pages_del(&set, UHMM_DPFN(k));
			n -= vpn[k] != 0;
			vpn[k] = 0;
		}
		ck_assert_uint_eq(set.n, n);
		page = policy_pages_find(&set, UHMM_DPFN(k));
		ck_assert_uint_eq(page ? page->vpn.val : 0, vpn[k]);
		page = policy_pages_next(&set, next_random());
		ck_assert(!page == !n);
		if (page)
			ck_assert_uint_eq(page->vpn.val, vpn[page->dpfn.val]);
	}
	for (unsigned int k = 1; k < PAGES; k++) {
		const struct policy_page *page =
			policy_pages_find(&set, UHMM_DPFN(k));

		ck_assert_uint_eq(page ? page->vpn.val : 0, vpn[k]);
	}
	policy_pages_fini(&set);
}
END_TEST

START_TEST(test_pages_full)
{
	struct policy_pages set;

	ck_assert_int_eq(policy_pages_init(&set, 4), 0);
	for (uint64_t k = 1; k <= 4; k++)
		ck_assert(policy_pages_put(&set, page_of(k, k)));
	ck_assert(!policy_pages_put(&set, page_of(5, 5)));
	ck_assert(policy_pages_put(&set, page_of(4, 9)));
	ck_assert_uint_eq(policy_pages_find(&set, UHMM_DPFN(4))->vpn.val, 9);
	policy_pages_del(&set, UHMM_DPFN(2));
	ck_assert(policy_pages_put(&set, page_of(5, 5)));
	policy_pages_fini(&set);
}
END_TEST

int main(void)
{
	const struct suite_test tests[] = {
		{ test_conf_good, 1 },
		{ test_conf_bad, SUITE_COUNT(bad) },
		{ test_conf_script, 1 },
		{ test_conf_bad_script, SUITE_COUNT(bad_lines) },
		{ test_pages_random, 1 },
		{ test_pages_full, 1 },
	};

	return suite_main("policy", tests, SUITE_COUNT(tests));
}
