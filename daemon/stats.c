/* SPDX-License-Identifier: MIT */
/* stats.c - what the daemon counts, as JSON (stats.h) */
#include "stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "co.h"
#include "daemon.h"
#include "session.h"

/* ---- latency ---- */

static unsigned int power_of(uint64_t ns)
{
	unsigned int power = ns ? 63 - (unsigned int)__builtin_clzll(ns) : 0;

	return power < LATENCY_POWERS ? power : LATENCY_POWERS - 1;
}

/* Which sixteenth of its power of two. */
static unsigned int fine_of(uint64_t ns, unsigned int power)
{
	uint64_t base = UINT64_C(1) << power;
	uint64_t fine = ns > base ? (ns - base) * LATENCY_FINE / base : 0;

	return fine < LATENCY_FINE ? (unsigned int)fine : LATENCY_FINE - 1;
}

void stats_latency(struct latency *l, uint64_t ns)
{
	unsigned int power = power_of(ns);

	l->bucket[power][fine_of(ns, power)]++;
	l->n++;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

uint64_t stats_percentile(const struct latency *l, double percent)
{
	double want = (double)l->n * percent / 100.0;
	uint64_t seen = 0;

	for (unsigned int i = 0; l->n && i < LATENCY_POWERS * LATENCY_FINE;
	     i++) {
		unsigned int power = i / LATENCY_FINE;
		uint64_t base = UINT64_C(1) << power;
		uint64_t end = base + base * (i % LATENCY_FINE + 1) /
						LATENCY_FINE;

		seen += l->bucket[power][i % LATENCY_FINE];
		if ((double)seen >= want)
			return end < l->max_ns ? end : l->max_ns;
	}
	return l->max_ns;
}

/* ---- JSON ---- */

static void number(FILE *f, const char *key, uint64_t value)
{
	fprintf(f, ", \"%s\": %" PRIu64, key, value);
}

static void print_latency(FILE *f, const struct latency *l)
{
	const char *comma = "";

	fprintf(f, ", \"cpu_fault_latency_ns\": {\"n\": %" PRIu64, l->n);
	number(f, "p50", stats_percentile(l, 50));
	number(f, "p90", stats_percentile(l, 90));
	number(f, "p99", stats_percentile(l, 99));
	number(f, "max", l->max_ns);
	fputs(", \"histogram\": {", f);
	for (unsigned int p = 0; p < LATENCY_POWERS; p++) {
		uint64_t n = 0;

		for (unsigned int i = 0; i < LATENCY_FINE; i++)
			n += l->bucket[p][i];
		if (!n)
			continue;
		fprintf(f, "%s\"%" PRIu64 "\": %" PRIu64, comma,
			UINT64_C(1) << p, n);
		comma = ", ";
	}
	fputs("}}", f);
}

/** What is told of a device, and of all together. */
struct sums {
	struct uhmm_device_counters count;
	uint64_t now, peak;
};

static void add(struct sums *to, const struct sums *s)
{
	to->count.opens += s->count.opens;
	to->count.migrate_to_dev_pages += s->count.migrate_to_dev_pages;
	to->count.migrate_to_sys_pages += s->count.migrate_to_sys_pages;
	to->count.cpu_faults += s->count.cpu_faults;
	to->count.cpu_fault_pages += s->count.cpu_fault_pages;
	to->count.exclusive_pages += s->count.exclusive_pages;
	to->count.revoke_faults += s->count.revoke_faults;
	to->count.evictions += s->count.evictions;
	to->count.refused_nomem += s->count.refused_nomem;
	to->count.refused_other += s->count.refused_other;
	to->count.errors += s->count.errors;
	to->now += s->now;
	to->peak += s->peak;
}

static void print_sums(FILE *f, const struct sums *s)
{
	fprintf(f, "\"opens\": %" PRIu64, s->count.opens);
	number(f, "migrate_to_dev_pages", s->count.migrate_to_dev_pages);
	number(f, "migrate_to_sys_pages", s->count.migrate_to_sys_pages);
	number(f, "cpu_faults", s->count.cpu_faults);
	number(f, "cpu_fault_pages", s->count.cpu_fault_pages);
	number(f, "exclusive_pages", s->count.exclusive_pages);
	number(f, "revoke_faults", s->count.revoke_faults);
	number(f, "device_pages_peak", s->peak);
	number(f, "device_pages_now", s->now);
	number(f, "evictions", s->count.evictions);
	fprintf(f, ", \"refused\": {\"nomem\": %" PRIu64 ", \"other\": %" PRIu64
		"}", s->count.refused_nomem, s->count.refused_other);
	number(f, "errors", s->count.errors);
}

static void print_devices(FILE *f, struct core *c, struct sums *total)
{
	fputs(", \"devices\": [", f);
	for (unsigned int i = 0; i < c->ndevs; i++) {
		const struct uhmm_device *dev = &c->dev[i];
		struct sums s = { .count = dev->count,
				  .now = uhmm_pagemap_used(&dev->pgmap),
				  .peak = uhmm_pagemap_peak(&dev->pgmap) };

		fprintf(f, "%s{\"name\": \"%s\", \"minor\": %u, \"type\": "
			"\"%s\", \"pages\": %" PRIu64 ", ", i ? ", " : "",
			dev->node, dev->minor,
			dev->type == UHMM_MEMORY_DEVICE_PRIVATE ? "private" :
								  "coherent",
			dev->npages);
		fprintf(f, "\"unplugged\": %s, ",
			dev->pgmap.unplugged ? "true" : "false");
		print_sums(f, &s);
		fputc('}', f);
		add(total, &s);
	}
	fputc(']', f);
}

static uint64_t count_of(const struct slots *s)
{
	uint64_t n = 0;
	uint32_t at = 0;

	while (slots_next(s, &at))
		n++;
	return n;
}

static void print_daemon(FILE *f, const struct daemon *d)
{
	const struct stats *s = &d->stats;

	fprintf(f, ", \"daemon\": {\"workers\": %u, \"near\": \"%s\"",
		d->conf.nworkers, near_mode_name(d->near.mode));
	number(f, "streaks", atomic_load(&d->near.count.streaks));
	number(f, "streaks_starved", atomic_load(&d->near.count.starved));
	number(f, "sessions", s->sessions);
	number(f, "sessions_now", count_of(&d->session_table));
	number(f, "opens_now", count_of(&d->opens.table));
	number(f, "requests", s->requests);
	number(f, "hands_calls", s->hands_calls);
	number(f, "faults", s->faults);
	number(f, "faults_deferred", s->faults_deferred);
	number(f, "removes", s->removes);
	number(f, "removes_own", s->removes_own);
	number(f, "unmaps", s->unmaps);
	number(f, "remaps", s->remaps);
	number(f, "forks", s->forks);
	number(f, "protocol_errors", s->protocol_errors);
	number(f, "restarts", 0);
	fputc('}', f);
}

static void print_policies(FILE *f, const struct daemon *d)
{
	const struct policy_stats *s = &d->policy_stats;

	fprintf(f, ", \"policy\": {\"programs\": %" PRIu64, s->programs);
	number(f, "left_alone", s->left_alone);
	number(f, "taken", s->taken);
	number(f, "given", s->given);
	number(f, "exclusive", s->exclusive);
	number(f, "refused", s->refused);
	number(f, "compared", s->compared);
	number(f, "mismatches", s->mismatches);
	fputc('}', f);
}

/* How often what went wrong on purpose. */
static void print_injected(FILE *f, struct core *c)
{
	const struct uhmm_inject *inject = uhmm_core_inject(&c->hmm);

	fputs(", \"injected\": {", f);
	for (int i = 0; i < UHMM_INJECT_NR; i++)
		fprintf(f, "%s\"%s\": %" PRIu64, i ? ", " : "",
			uhmm_inject_name((enum uhmm_inject_point)i),
			inject->point[i].hit);
	fputc('}', f);
}

static void print_all(FILE *f, struct daemon *d)
{
	struct sums total = { .now = 0 };

	fprintf(f, "{\"engine\": \"%s\", \"loop\": \"%s\", \"wall_s\": %.6f",
		d->stats.engine ? d->stats.engine :
				  conf_engine_name(d->conf.engine),
		d->worker[0].loop.ops->name,
		(double)(co_now_ns() - d->stats.start_ns) / 1e9);
	number(f, "metadata_bytes",
	       uhmm_store_metadata_bytes(&d->core.hmm.store));
	number(f, "device_memory_bytes",
	       uhmm_devmem_resident_bytes(&d->core.devmem));
	print_devices(f, &d->core, &total);
	fputs(", \"total\": {", f);
	print_sums(f, &total);
	print_latency(f, &d->stats.fault_latency);
	fputc('}', f);
	print_daemon(f, d);
	print_policies(f, d);
	print_injected(f, &d->core);
	fputs("}\n", f);
}

int stats_json(struct daemon *d, char **text, size_t *bytes)
{
	FILE *f = open_memstream(text, bytes);

	if (!f)
		return -ENOMEM;
	print_all(f, d);
	if (fclose(f) == 0)
		return 0;
	free(*text);
	return -ENOMEM;
}
