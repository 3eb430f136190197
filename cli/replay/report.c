/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "compare.h"

static void print_note(const struct replay_line *line, FILE *out)
{
	if (line->note)
		fprintf(out, " # %s", line->note);
}

/* Lines before @to that have no answer: comments, and what was skipped. */
static void print_until(struct replay_report *r, size_t to)
{
	for (; r->printed < to; r->printed++) {
		const struct replay_line *line =
			&r->trace->lines[r->printed];

		fputs(line->text, r->out);
		print_note(line, r->out);
		fputc('\n', r->out);
	}
}

static void print_answered(struct replay_report *r, size_t i, const char *got)
{
	const struct replay_line *line = &r->trace->lines[i];

	print_until(r, i);
	fprintf(r->out, "%s -> %s", line->text, got);
	print_note(line, r->out);
	fputc('\n', r->out);
	r->printed = i + 1;
}

static void print_same(const struct replay_report *r, size_t i, const char *got)
{
	if (r->settings->verbose)
		fprintf(r->out, "same %s:%zu: %s -> %s\n", r->trace->path,
			i + 1, r->trace->lines[i].text, got);
}

static void print_differing(const struct replay_report *r, size_t i,
			    const char *got)
{
	const struct replay_line *line = &r->trace->lines[i];

	fprintf(r->out, "%s %s:%zu: %s",
		replay_line_is_marked(line) ? "OLD " : "DIFF", r->trace->path,
		i + 1, line->text);
	print_note(line, r->out);
	fprintf(r->out, "\n  want %s\n  got  %s\n", line->want, got);
}

static bool is_counted(const struct replay_report *r,
		       const struct replay_line *line)
{
	return r->settings->strict || !replay_line_is_marked(line);
}

static void check(struct replay_report *r, size_t i, const char *got)
{
	const struct replay_line *line = &r->trace->lines[i];
	bool same, counted;

	if (!line->want)
		return;
	same = replay_is_same(line->want, got, r->settings->ignore);
	counted = is_counted(r, line);
	if (!counted) {
		r->tally.not_counted++;
		r->tally.differing += !same;
	} else if (same) {
		r->tally.passed++;
	} else {
		r->tally.failed++;
	}
	if (same)
		print_same(r, i, got);
	else if (counted || r->settings->verbose)
		print_differing(r, i, got);
}

void replay_report_answer(struct replay_report *r, size_t i, const char *got)
{
	if (i >= r->trace->nlines)
		return;
	if (r->settings->record)
		print_answered(r, i, got);
	else
		check(r, i, got);
}

void replay_report_end(struct replay_report *r, size_t i, enum replay_end end,
		       const char *why)
{
	static const char *const words[] = {
		[REPLAY_END_BROKEN] = "BROKEN",
		[REPLAY_END_TIMEOUT] = "TIMEOUT",
		[REPLAY_END_CRASHED] = "CRASH",
	};
	const char *text = i < r->trace->nlines ? r->trace->lines[i].text : "";

	if (end > r->tally.end)
		r->tally.end = end;
	fprintf(r->out, "%s %s:%zu: %s%s%s\n", words[end], r->trace->path,
		i + 1, text, *why ? ": " : "", why);
}

static unsigned long count_compared(const struct replay_trace *t)
{
	unsigned long n = 0;

	for (size_t i = 0; i < t->nlines; i++)
		n += t->lines[i].want != NULL;
	return n;
}

void replay_report_close(struct replay_report *r)
{
	struct replay_tally *t = &r->tally;

	t->traces = 1;
	if (r->settings->record) {
		print_until(r, r->trace->nlines);
	} else {
		t->unreached = count_compared(r->trace) - t->passed -
			       t->failed - t->not_counted;
	}
	t->traces_failed = t->failed || t->end != REPLAY_END_DONE;
}
