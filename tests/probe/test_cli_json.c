/* SPDX-License-Identifier: MIT */
/* test_cli_json.c - find values in statistics */
#include <stdio.h>
#include <string.h>

#include "../../cli/json.h"

static int failed;

#define EXPECT(cond) \
	do { \
		if (!(cond)) { \
			printf("line %d: %s\n", __LINE__, #cond); \
			failed = 1; \
		} \
	} while (0)

static const char text[] =
	"{ \"engine\": \"copy\", \"wall_s\": 1.25,\n"
	"  \"odd\": \"a \\\" } ] , b\",\n"
	"  \"devices\": [ {\"name\": \"x\", \"opens\": 1},\n"
	"                {\"name\": \"y\", \"opens\": 2, \"h\": [1,2,3]} ],\n"
	"  \"total\": {\"opens\": 3, \"latency\": {\"p50\": 7, \"p99\": 9e3},\n"
	"            \"empty\": {}, \"none\": []}, \"last\": -5 }";

static double number(const char *path)
{
	double d = -99;

	return cli_json_number(text, path, &d) ? d : -99;
}

static void finds(void)
{
	char s[16];

	EXPECT(cli_json_string(text, "engine", s, sizeof(s)));
	EXPECT(!strcmp(s, "copy"));
	EXPECT(cli_json_string(text, "devices.1.name", s, sizeof(s)));
	EXPECT(!strcmp(s, "y"));
	EXPECT(number("wall_s") == 1.25);
	EXPECT(number("devices.0.opens") == 1);
	EXPECT(number("devices.1.opens") == 2);
	EXPECT(number("devices.1.h.2") == 3);
	EXPECT(number("total.opens") == 3);
	EXPECT(number("total.latency.p50") == 7);
	EXPECT(number("total.latency.p99") == 9000);
	EXPECT(number("last") == -5);
}

static void does_not_find(void)
{
	char s[4];

	EXPECT(number("opens") == -99);
	EXPECT(number("tota") == -99);
	EXPECT(number("total.open") == -99);
	EXPECT(number("total.opens.more") == -99);
	EXPECT(number("devices.2.opens") == -99);
	EXPECT(number("total.empty.x") == -99);
	EXPECT(number("total.none.0") == -99);
	EXPECT(number("engine") == -99);
	EXPECT(!cli_json_string(text, "last", s, sizeof(s)));
	EXPECT(cli_json_string(text, "engine", s, sizeof(s)));
	EXPECT(!strcmp(s, "cop")); /* truncated, terminated */
}

/* Every prefix of a good text, and texts that are none. */
static void survives(void)
{
	static const char *const bad[] = {
		"",	"{",	  "[",	     "}",	 "]",	      "{]",
		"[}",	"{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\" 1}", "{a:1}",
		"[[[[", "\"",	  "\"\\",    "{\"\\"
	};
	char part[sizeof(text)];
	double d;

	for (size_t n = 0; n < sizeof(text); n++) {
		memcpy(part, text, n);
		part[n] = '\0';
		(void)cli_json_number(part, "total.latency.p99", &d);
		(void)cli_json_number(part, "devices.1.h.9", &d);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)cli_json_number(bad[i], "a", &d);
		(void)cli_json_number(bad[i], "0.0.0.0.0", &d);
	}
}

int main(void)
{
	finds();
	does_not_find();
	survives();
	return failed;
}
