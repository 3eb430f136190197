/* SPDX-License-Identifier: MIT */
#include "run_opts.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

const char cli_run_help[] =
	"usage: uhmm run [OPTION]... [--] PROG [ARG]...\n"
	"Run PROG with /dev/hmm_dmirrorN served by a private daemon, which\n"
	"ends when PROG and all its descendants are gone.\n\n"
	"  --engine auto|move|copy|protect\n"
	"                          how pages are taken from the CPU\n"
	"  --loop auto|uring|epoll how the daemon waits for events\n"
	"  --near auto|idle|spin|off\n"
	"                          how it serves PROG on the CPU it runs on\n"
	"  --workers N             threads of it that serve programs (1): each\n"
	"                          program has one\n"
	"  --device NAME:TYPE:SIZE a device, repeatable: hmm_dmirror0:private:64G;\n"
	"                          else hmm_dmirror0 and 1, private, 2 and 3,\n"
	"                          coherent\n"
	"  --policy SPEC           move PROG's memory though it does not ask for\n"
	"                          it, repeatable: chaos[,rate=PAGES_PER_S]\n"
	"                          [,seed=N][,exclusive=PERCENT][,devices=N]\n"
	"                          [,huge=PERCENT]; evict=PERCENT; script=FILE;\n"
	"                          or prefetch=N: when PROG touches a page, those\n"
	"                          among N that are on the device come back, too\n"
	"  --driver FILE           load a driver with devices of its own,\n"
	"                          repeatable\n"
	"  --inject NAME=N         the Nth time something fails, repeatable: alloc,\n"
	"                          lock, slow, reply; N+: from then on\n"
	"  --stats                 a summary on stderr at the end\n"
	"  --stats-json FILE       all statistics, JSON, into FILE at the end\n"
	"  --socket PATH           use the running daemon at PATH\n"
	"  --help                  this text\n\n"
	"Exit status: that of PROG; 128+N if signal N ended it; 126 if PROG\n"
	"cannot be run, 127 if it is not found; 125 if uhmm itself failed, 2 if\n"
	"it was called wrongly.\n";

enum {
	OPT_ENGINE = 256,
	OPT_LOOP,
	OPT_NEAR,
	OPT_WORKERS,
	OPT_DEVICE,
	OPT_POLICY,
	OPT_DRIVER,
	OPT_INJECT,
	OPT_STATS,
	OPT_STATS_JSON,
	OPT_SOCKET,
	OPT_HELP
};

static const struct option options[] = {
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "loop", required_argument, NULL, OPT_LOOP },
	{ "near", required_argument, NULL, OPT_NEAR },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "driver", required_argument, NULL, OPT_DRIVER },
	{ "inject", required_argument, NULL, OPT_INJECT },
	{ "stats", no_argument, NULL, OPT_STATS },
	{ "stats-json", required_argument, NULL, OPT_STATS_JSON },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

static int take_engine(struct cli_run_opts *o, const char *word)
{
	static const char *const have[] = { "auto", "move", "copy", "protect",
					    NULL };

	if (!is_one_of(word, have)) {
		cli_say("--engine %s: auto, move, copy or protect", word);
		return CLI_USAGE;
	}
	o->engine = word;
	return -1;
}

static int take_loop(struct cli_run_opts *o, const char *word)
{
	static const char *const have[] = { "auto", "uring", "epoll", NULL };

	if (!is_one_of(word, have)) {
		cli_say("--loop %s: auto, uring or epoll", word);
		return CLI_USAGE;
	}
	o->loop = word;
	return -1;
}

static int take_near(struct cli_run_opts *o, const char *word)
{
	static const char *const have[] = { "auto", "idle", "spin", "off",
					    NULL };

	if (!is_one_of(word, have)) {
		cli_say("--near %s: auto, idle, spin or off", word);
		return CLI_USAGE;
	}
	o->near = word;
	return -1;
}

/* The daemon knows what a good device is; here only its form. */
static int take_device(struct cli_run_opts *o, const char *word)
{
	const char *colon = strchr(word, ':');

	if (!colon || !strchr(colon + 1, ':')) {
		cli_say("--device %s: NAME:TYPE:SIZE", word);
		return CLI_USAGE;
	}
	if (o->ndevices == CLI_DEVICES_MAX) {
		cli_say("more than %d devices", CLI_DEVICES_MAX);
		return CLI_USAGE;
	}
	o->device[o->ndevices++] = word;
	return -1;
}

/* The daemon knows what a policy is. */
static int take_policy(struct cli_run_opts *o, const char *word)
{
	if (o->npolicies == CLI_POLICIES_MAX) {
		cli_say("more than %d policies", CLI_POLICIES_MAX);
		return CLI_USAGE;
	}
	o->policy[o->npolicies++] = word;
	if (strncmp(word, "prefetch=", strlen("prefetch=")) != 0)
		o->taking = word;
	return -1;
}

static int take_driver(struct cli_run_opts *o, const char *word)
{
	if (o->ndrivers == CLI_DRIVERS_MAX) {
		cli_say("more than %d drivers", CLI_DRIVERS_MAX);
		return CLI_USAGE;
	}
	o->driver[o->ndrivers++] = word;
	return -1;
}

/* The daemon knows what can fail. */
static int take_inject(struct cli_run_opts *o, const char *word)
{
	if (o->ninjects == CLI_INJECTS_MAX) {
		cli_say("more than %d injections", CLI_INJECTS_MAX);
		return CLI_USAGE;
	}
	o->inject[o->ninjects++] = word;
	return -1;
}

static int take(struct cli_run_opts *o, int opt, const char *arg)
{
	switch (opt) {
	case OPT_ENGINE:
		return take_engine(o, arg);
	case OPT_LOOP:
		return take_loop(o, arg);
	case OPT_NEAR:
		return take_near(o, arg);
	case OPT_WORKERS:
		o->workers = arg;	/* the daemon knows how many */
		return -1;
	case OPT_DEVICE:
		return take_device(o, arg);
	case OPT_POLICY:
		return take_policy(o, arg);
	case OPT_DRIVER:
		return take_driver(o, arg);
	case OPT_INJECT:
		return take_inject(o, arg);
	case OPT_STATS:
		o->stats = true;
		return -1;
	case OPT_STATS_JSON:
		o->stats_json = arg;
		return -1;
	case OPT_SOCKET:
		o->socket = arg;
		return -1;
	case OPT_HELP:
		fputs(cli_run_help, stdout);
		return CLI_OK;
	default:
		cli_say("`uhmm run --help` lists the options");
		return CLI_USAGE;
	}
}

int cli_run_opts_parse(struct cli_run_opts *o, int argc, char **argv)
{
	static char own_name[] = "uhmm run";
	int opt, status;

	memset(o, 0, sizeof(*o));
	argv[0] = own_name; /* for what getopt says */
	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		status = take(o, opt, optarg);
		if (status >= 0)
			return status;
	}
	if (optind == argc) {
		cli_say("which program?");
		return CLI_USAGE;
	}
	if (o->socket &&
	    (o->engine || o->loop || o->near || o->workers || o->ndevices ||
	     o->npolicies || o->ndrivers || o->ninjects)) {
		cli_say("--socket joins a daemon as it is: no --engine, --loop, "
			"--near, --workers, --device, --policy, --driver or "
			"--inject");
		return CLI_USAGE;
	}
	if (o->taking && o->engine && strcmp(o->engine, "auto") != 0 &&
	    strcmp(o->engine, "move") != 0) {
		cli_say("--policy: not with --engine %s: only engine move takes "
			"nothing that a program could lose", o->engine);
		return CLI_USAGE;
	}
	o->program = argv + optind;
	return -1;
}
