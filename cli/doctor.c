/* SPDX-License-Identifier: MIT */
/* doctor.c - uhmm doctor: what this machine allows, and what would be better */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "facts.h"
#include "sys/uapi.h"

const char cli_doctor_help[] =
	"usage: uhmm doctor [--json]\n"
	"What this machine allows this user, which engine and loop would be\n"
	"used, and what to change for something better. Exit status 0: uhmm can\n"
	"run here.\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Features of a userfaultfd we can use, oldest first. */
static const struct {
	const char *name;
	uint64_t bit;
	const char *since;
} features[] = {
	{ "WP", UFFD_FEATURE_PAGEFAULT_FLAG_WP, "5.7" },
	{ "WP_UNPOPULATED", UHMM_UFFD_FEATURE_WP_UNPOPULATED, "6.4" },
	{ "POISON", UHMM_UFFD_FEATURE_POISON, "6.6" },
	{ "MOVE", UHMM_UFFD_FEATURE_MOVE, "6.8" },
};

#define NFEATURES (sizeof(features) / sizeof(features[0]))

static const char *uffd_name(const struct cli_facts *f)
{
	static const char *const names[] = {
		[CLI_UFFD_NONE] = "none",
		[CLI_UFFD_USER_MODE_ONLY] = "user-mode-only",
		[CLI_UFFD_FULL] = "full",
	};

	return names[f->uffd];
}

static const char *const rung_names[] = {
	[CLI_RUNG_PRIVILEGED] = "privileged",
	[CLI_RUNG_SYSCTL] = "sysctl",
	[CLI_RUNG_DEVICE] = "device",
	[CLI_RUNG_PLAIN] = "plain",
	[CLI_RUNG_NONE] = "none",
};

static bool has(const struct cli_facts *f, uint64_t bit)
{
	return f->uffd_features & bit;
}

static void row(const char *what, bool yes, const char *since)
{
	printf("  %-18s %s", what, yes ? "yes" : "no");
	if (!yes && since)
		printf(" (Linux %s has it)", since);
	printf("\n");
}

static void print_facts(const struct cli_facts *f)
{
	printf("  %-18s %s\n", "kernel", f->release);
	printf("  %-18s %s\n", "rung", rung_names[cli_facts_rung(f)]);
	printf("  %-18s %s", "userfaultfd", uffd_name(f));
	if (f->uffd == CLI_UFFD_NONE)
		printf(" (%s)", strerror(f->uffd_error));
	printf("\n");
	for (size_t i = 0; i < NFEATURES; i++)
		row(features[i].name, has(f, features[i].bit),
		    features[i].since);
	row("fork events", f->event_fork, NULL);
	row("PAGEMAP_SCAN", f->pagemap_scan, "6.7");
	row("PROCMAP_QUERY", f->procmap_query, "6.11");
	row("zero page", f->zero_page, NULL);
	printf("  %-18s %s\n", "io_uring",
	       f->uring_error ? strerror(f->uring_error) : "yes");
}

static void advise(const char *now, const char *knob)
{
	printf("\n%s\n  better: %s\n", now, knob);
}

#define UFFD_KNOB \
	"access to /dev/userfaultfd (setfacl -m u:USER:rw; for a container " \
	"--device /dev/userfaultfd), or sysctl vm.unprivileged_userfaultfd=1"

#define FORK_NOW \
	"Pages on the device come back before a fork; they are not shared by it."
#define FORK_KNOB "CAP_SYS_PTRACE in the initial user namespace, as root has it"

static void print_advice(const struct cli_facts *f)
{
	static const struct {
		const char *now, *knob;
	} rungs[] = {
		[CLI_RUNG_NONE] = {
			"No userfaultfd (a container's seccomp profile, or a "
			"kernel without it): pages are\ntrapped by their "
			"protection. System calls that meet memory on the "
			"device fail with\nEFAULT where no hook brings it back "
			"first (docs/privilege.md).", UFFD_KNOB },
		[CLI_RUNG_PLAIN] = {
			"System calls that meet memory on the device fail with "
			"EFAULT where no hook brings it\nback first "
			"(docs/privilege.md).", UFFD_KNOB },
		[CLI_RUNG_DEVICE] = { FORK_NOW, FORK_KNOB },
		[CLI_RUNG_SYSCTL] = { FORK_NOW, FORK_KNOB },
		[CLI_RUNG_PRIVILEGED] = { NULL, NULL },
	};
	enum cli_rung rung = cli_facts_rung(f);

	if (rungs[rung].now)
		advise(rungs[rung].now, rungs[rung].knob);
	if (f->uffd != CLI_UFFD_NONE &&
	    !has(f, UHMM_UFFD_FEATURE_WP_UNPOPULATED))
		advise("Pages on the device look like holes in "
		       "/proc/PID/pagemap.",
		       "Linux 6.4");
	if (!f->pagemap_scan)
		advise("Snapshots cannot tell zero pages and huge pages.",
		       "Linux 6.7");
	if (!f->zero_page)
		advise("This kernel gives a page of its own to who reads an "
		       "empty one: in memory new to a\ndevice a page of zeros "
		       "passes for the zero page, and huge pages are never it.",
		       "a kernel that maps the zero page (guests of some "
		       "hypervisors are started without)");
	if (f->uring_error)
		advise("The daemon waits by epoll.",
		       f->sysctl_uring > 0
			       ? "sysctl kernel.io_uring_disabled=0"
			       : "a seccomp profile that allows io_uring");
}

static void print_text(const struct cli_facts *f)
{
	print_facts(f);
	print_advice(f);
	printf("\nuhmm can run here: engine %s, loop %s\n", cli_facts_engine(f),
	       cli_facts_loop(f));
}

static const char *truth(bool b)
{
	return b ? "true" : "false";
}

static void print_json(const struct cli_facts *f)
{
	printf("{\"kernel\": \"%s\", \"userfaultfd\": \"%s\", ", f->release,
	       uffd_name(f));
	printf("\"rung\": \"%s\", ", rung_names[cli_facts_rung(f)]);
	printf("\"unprivileged_userfaultfd\": %d, \"dev_userfaultfd\": %s, ",
	       f->sysctl_uffd, truth(!f->device_error));
	printf("\"features\": {");
	for (size_t i = 0; i < NFEATURES; i++)
		printf("%s\"%s\": %s", i ? ", " : "", features[i].name,
		       truth(has(f, features[i].bit)));
	printf("}, \"event_fork\": %s, \"pagemap_scan\": %s, ",
	       truth(f->event_fork), truth(f->pagemap_scan));
	printf("\"procmap_query\": %s, \"zero_page\": %s, \"io_uring\": %s, ",
	       truth(f->procmap_query), truth(f->zero_page),
	       truth(!f->uring_error));
	printf("\"engine\": \"%s\", \"loop\": \"%s\", \"can_run\": true}\n",
	       cli_facts_engine(f), cli_facts_loop(f));
}

int cli_doctor(int argc, char **argv)
{
	static char own_name[] = "uhmm doctor";
	struct cli_facts f;
	bool json = false;
	int opt;

	argv[0] = own_name;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(cli_doctor_help, stdout);
			return CLI_OK;
		}
		if (opt != 'j')
			return CLI_USAGE;
		json = true;
	}
	if (optind < argc) {
		cli_say("what is '%s'?", argv[optind]);
		return CLI_USAGE;
	}
	cli_facts_gather(&f);
	if (json)
		print_json(&f);
	else
		print_text(&f);
	return CLI_OK;
}
