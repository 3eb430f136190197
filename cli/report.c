/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <string.h>

#include "json.h"

/* A number of the total; 0 if this daemon does not count it. */
static double total(const char *json, const char *key)
{
	char path[96];
	double d = 0;

	snprintf(path, sizeof(path), "total.%s", key);
	cli_json_number(json, path, &d);
	return d;
}

static void head(FILE *out, const char *json)
{
	char engine[16] = "?", loop[16] = "?";
	double wall_s = 0;

	cli_json_string(json, "engine", engine, sizeof(engine));
	cli_json_string(json, "loop", loop, sizeof(loop));
	cli_json_number(json, "wall_s", &wall_s);
	fprintf(out, "uhmm: engine %s, loop %s, %.2f s\n", engine, loop,
		wall_s);
}

static void pages(FILE *out, const char *label, double npages)
{
	fprintf(out, "  %-18s %10.0f pages\n", label, npages);
}

void cli_report_table(FILE *out, const char *json)
{
	head(out, json);
	pages(out, "to the device", total(json, "migrate_to_dev_pages"));
	pages(out, "to system memory", total(json, "migrate_to_sys_pages"));
	pages(out, "by CPU faults", total(json, "cpu_fault_pages"));
	fprintf(out,
		"  %-18s %10.0f, half within %.1f us, 99%% within %.1f us\n",
		"CPU faults", total(json, "cpu_faults"),
		total(json, "cpu_fault_latency_ns.p50") / 1e3,
		total(json, "cpu_fault_latency_ns.p99") / 1e3);
	fprintf(out, "  %-18s %10.0f pages at most, %.0f now\n",
		"on the device", total(json, "device_pages_peak"),
		total(json, "device_pages_now"));
}
