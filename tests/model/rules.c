/* SPDX-License-Identifier: MIT */
/* rules.c - which entries may follow which (rules.h) */
#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>

#include "unit.h"

static const char *const names[] = {
	[UHMM_SOFTLEAF_NONE] = "none",
	[UHMM_SOFTLEAF_MIGRATION_READ] = "migration read",
	[UHMM_SOFTLEAF_MIGRATION_READ_EXCLUSIVE] = "migration read-exclusive",
	[UHMM_SOFTLEAF_MIGRATION_WRITE] = "migration write",
	[UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ] =
		"migration device read",
	[UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ_EXCLUSIVE] =
		"migration device read-exclusive",
	[UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_WRITE] =
		"migration device write",
	[UHMM_SOFTLEAF_DEVICE_PRIVATE_READ] = "device-private read",
	[UHMM_SOFTLEAF_DEVICE_PRIVATE_WRITE] = "device-private write",
	[UHMM_SOFTLEAF_DEVICE_EXCLUSIVE] = "device-exclusive",
	[UHMM_SOFTLEAF_DEVICE_COHERENT] = "device-coherent",
};

#define NONE UHMM_SOFTLEAF_NONE
#define MR UHMM_SOFTLEAF_MIGRATION_READ
#define ME UHMM_SOFTLEAF_MIGRATION_READ_EXCLUSIVE
#define MW UHMM_SOFTLEAF_MIGRATION_WRITE
#define DR UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ
#define DE UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_READ_EXCLUSIVE
#define DW UHMM_SOFTLEAF_MIGRATION_DEVICE_PRIVATE_WRITE
#define PR UHMM_SOFTLEAF_DEVICE_PRIVATE_READ
#define PW UHMM_SOFTLEAF_DEVICE_PRIVATE_WRITE
#define EX UHMM_SOFTLEAF_DEVICE_EXCLUSIVE

/*
 * Every change there may be. @must: it is a row of the specification, and a run
 * of the suite has to see it; the others need three things at once.
 */
static const struct rule {
	enum uhmm_softleaf_type from, to;
	bool must;
	const char *why;
} rules[] = {
	{ NONE, MW, true, "migrate: present, empty or zero" },
	{ NONE, PR, true, "fork, mremap" },
	{ NONE, PW, true, "mremap" },
	{ NONE, EX, true, "mremap" },
	{ NONE, MR, true, "migrate: a page that another migrates and fork "
			  "shares; fork, mremap of a page on its way" },
	{ NONE, ME, false, "mremap of a page on its way" },
	{ NONE, DR, false, "fork, mremap of a page on its way" },
	{ NONE, DE, false, "mremap of a page on its way" },
	{ NONE, DW, true, "mremap of a page on its way" },

	{ MW, NONE, true, "finalize: it stays; or dropped meanwhile" },
	{ MW, PW, true, "finalize: to the device" },
	{ MW, PR, true, "finalize: to the device, not writable" },
	{ MW, EX, true, "finalize: exclusive" },
	{ MW, ME, true, "mprotect" },
	{ MW, MR, true, "fork" },
	{ MW, MW, true, "dropped meanwhile: marked" },
	{ ME, NONE, true, "finalize: it stays; or dropped meanwhile" },
	{ ME, PR, true, "finalize: to the device" },
	{ ME, EX, false, "finalize: exclusive" },
	{ ME, MR, false, "fork" },
	{ ME, ME, true, "mprotect again; dropped meanwhile" },
	{ MR, NONE, true, "finalize: the CPU has it" },
	{ MR, PR, true, "finalize: to the device" },
	{ MR, EX, false, "finalize: exclusive" },
	{ MR, MR, false, "dropped meanwhile: marked" },

	{ PW, DW, true, "CPU fault, migrate or evict: locked" },
	{ PR, DR, true, "the same" },
	{ DW, NONE, true, "finalize: the CPU has it" },
	{ DR, NONE, true, "the same" },
	{ DE, NONE, true, "the same" },
	{ DW, PW, true, "finalize: it stays on the device" },
	{ DR, PR, true, "the same" },
	{ DE, PR, true, "the same, not writable any more" },
	{ DW, DE, true, "mprotect" },
	{ DW, DR, true, "fork" },
	{ DE, DR, true, "fork" },
	{ DW, DW, true, "dropped meanwhile: marked" },
	{ DE, DE, false, "mprotect again; dropped meanwhile" },
	{ DR, DR, true, "dropped meanwhile: marked; fork" },

	{ PW, NONE, true, "unmap, exit, mremap" },
	{ PR, NONE, true, "unmap, exit, mremap" },
	{ PW, PR, true, "mprotect, fork" },
	{ PR, PR, false, "fork: it is not the program's alone" },

	{ EX, DW, true, "CPU access: locked" },
	{ EX, DR, true, "CPU access to one that a fork shares" },
	{ DW, EX, true, "finalize: it stays exclusive" },
	{ DR, EX, false, "the same, shared by a fork" },
	{ DE, EX, false, "the same, after mprotect" },
	{ EX, EX, false, "fork: it is not the program's alone" },
	{ EX, NONE, true, "unmap, exit, mremap" },
};

typedef uint64_t counts_t[UHMM_NR_SOFTLEAF_TYPES][UHMM_NR_SOFTLEAF_TYPES];

/* Check runs each test in a process of its own: the counts are shared. */
static counts_t *seen;

void rules_begin(void)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unit_expect(seen != MAP_FAILED);
}

static bool is_allowed(enum uhmm_softleaf_type from, enum uhmm_softleaf_type to)
{
	for (size_t i = 0; i < UNIT_COUNT(rules); i++)
		if (rules[i].from == from && rules[i].to == to)
			return true;
	return false;
}

void rules_note(uint32_t slot, uhmm_vpn_t vpn, uhmm_softleaf_t old,
		uhmm_softleaf_t leaf)
{
	enum uhmm_softleaf_type from = uhmm_softleaf_type(old);
	enum uhmm_softleaf_type to = uhmm_softleaf_type(leaf);

	if ((*seen)[from][to]++ == 0 && !is_allowed(from, to))
		ck_abort_msg("page %#" PRIx64 " of mm %u: no rule for %s -> %s",
			     vpn.val, slot, names[from], names[to]);
}

/* Every type is one that a page of this world had. */
static bool report_types(void)
{
	bool all = true;

	for (int type = 0; type < UHMM_NR_SOFTLEAF_TYPES; type++) {
		bool must = type != UHMM_SOFTLEAF_DEVICE_COHERENT;
		uint64_t n = 0;

		for (int from = 0; from < UHMM_NR_SOFTLEAF_TYPES; from++)
			n += (*seen)[from][type];
		printf("%10" PRIu64 "  %s%s\n", n, names[type],
		       n ? "" : must ? "   MISSING" :
				       ": no such device here, see test_coherent");
		all &= n || !must;
	}
	return all;
}

bool rules_report(void)
{
	bool all = report_types();

	for (size_t i = 0; i < UNIT_COUNT(rules); i++) {
		const struct rule *rule = &rules[i];
		uint64_t n = (*seen)[rule->from][rule->to];

		printf("%10" PRIu64 "  %-31s -> %-31s %s%s\n", n,
		       names[rule->from], names[rule->to], rule->why,
		       n || !rule->must ? "" : "   MISSING");
		all &= n || !rule->must;
	}
	return all;
}
