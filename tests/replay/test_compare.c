/* SPDX-License-Identifier: MIT */
/* test_compare.c - cli/replay/compare.c */
#include "../../cli/replay/compare.h"

#include "../unit/unit.h"

static const struct {
	const char *want, *got, *ignore;
	bool same;
} cases[] = {
	{ "ok", "ok", NULL, true },
	{ "", "", NULL, true },
	{ "ret=0 cpages=1", "ret=0 cpages=1", "", true },
	{ "ret=0  cpages=1 ", " ret=0 cpages=1", NULL, true },
	{ "ret=0 cpages=1", "ret=0 cpages=2", NULL, false },
	{ "ret=0 cpages=1", "cpages=1 ret=0", NULL, false },
	{ "ret=0", "ret=0 cmd=MOD", NULL, false },
	{ "ret=0 cmd=MOD", "ret=0", NULL, false },
	{ "ret=1", "ret=12", NULL, false },
	{ "ok", "", NULL, false },
	{ "ret=0 cpages=1", "ret=0 cpages=2", "cpages", true },
	{ "ret=0 faults=1", "ret=0", "cpages,faults", true },
	{ "ret=0", "ret=0 faults=1 cmd=MOD", "cmd,faults", true },
	{ "ret=0 faults=1", "ret=0 faults=2", "fault", false },
	{ "ret=0 faults=1", "ret=0 faults=2", "faultss", false },
	{ "ok acc=SEGV", "bad acc=SEGV", "ok", false },
	{ "ok acc=SEGV", "acc=SEGV", "ok", true },
};

START_TEST(test_is_same)
{
	ck_assert(replay_is_same(cases[_i].want, cases[_i].got,
				 cases[_i].ignore) == cases[_i].same);
	ck_assert(replay_is_same(cases[_i].got, cases[_i].want,
				 cases[_i].ignore) == cases[_i].same);
}
END_TEST

UNIT_MAIN("replay_compare", UNIT_TABLE(test_is_same, cases))
