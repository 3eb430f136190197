/* SPDX-License-Identifier: MIT */
#include "tally.h"

void replay_tally_add(struct replay_tally *sum, const struct replay_tally *more)
{
	sum->traces += more->traces;
	sum->traces_failed += more->traces_failed;
	sum->passed += more->passed;
	sum->failed += more->failed;
	sum->not_counted += more->not_counted;
	sum->differing += more->differing;
	sum->unreached += more->unreached;
	if (more->end > sum->end)
		sum->end = more->end;
}

void replay_tally_print(const struct replay_tally *t, FILE *out)
{
	fprintf(out,
		"traces: %lu passed, %lu failed; lines: %lu passed, "
		"%lu failed, %lu not counted (%lu differ), "
		"%lu not reached\n",
		t->traces - t->traces_failed, t->traces_failed, t->passed,
		t->failed, t->not_counted, t->differing, t->unreached);
}

const char *replay_tally_result(const struct replay_tally *t)
{
	switch (t->end) {
	case REPLAY_END_BROKEN:
		return "broken";
	case REPLAY_END_TIMEOUT:
		return "timeout";
	case REPLAY_END_CRASHED:
		return "crash";
	default:
		return t->failed || t->traces_failed ? "fail" : "pass";
	}
}

int replay_tally_exit(const struct replay_tally *t)
{
	static const int status[] = {
		[REPLAY_END_BROKEN] = 2,
		[REPLAY_END_TIMEOUT] = 3,
		[REPLAY_END_CRASHED] = 4,
	};

	if (t->end != REPLAY_END_DONE)
		return status[t->end];
	return t->failed || t->traces_failed ? 1 : 0;
}
